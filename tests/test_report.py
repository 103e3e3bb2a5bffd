import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from workbench.errors import UnknownFigure, WorkbenchError
from workbench.report import Report, format_share
from workbench.tasks import TASKS
from workbench.tasks.anomaly import VERDICTS, AnomalyLabel, AnomalyPrediction
from workbench.tasks.classification import ClassLabel, ClassPrediction
from workbench.tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox
from workbench.tasks.segmentation import MaskLabel, MaskPrediction

AWKWARD = ("<script>alert(1)</script>", "$a$", "😀 مرحبا " * 10)


def make_report(task, predictions, labels, classes, threshold=None, changed=3):
    figures = TASKS[task].room.evaluate(predictions, labels, classes, threshold)
    images = figures.counts["images"]
    return Report(task, figures, "test", threshold, "run-7", "before cleanup", changed, images)


def report_classification(names=("bolt", "washer")):
    labels = [ClassLabel(names[i % len(names)]) for i in range(10)]
    scores = [{name: 0.9 * (name == label.class_name) for name in names} for label in labels]
    return make_report("classification", map(ClassPrediction, scores), labels, names)


def report_detection(names=("nut", "bolt")):
    label = BoxLabel([Box(names[0], 0, 0, 10, 10), Box(names[0], 20, 0, 30, 10)])
    prediction = BoxPrediction((ScoredBox(names[0], 0, 0, 10, 10, 0.9),))
    return make_report("detection", [prediction], [label], names)


def report_segmentation(names=("crack", "chip")):
    mask = np.zeros((200, 200), np.uint8)
    mask[:100] = 1
    prediction = MaskPrediction(mask | 1, np.uint8(200) * mask.T, tuple(names))
    return make_report("segmentation", [prediction], [MaskLabel(mask)], names)


def report_anomaly(names=VERDICTS):
    scores = [0.9] * 2 + [0.1] * 98 + [0.8] * 3 + [0.2]
    predictions = [
        AnomalyPrediction(s, 0.5, np.full((2, 2), s, np.float32), (4, 4)) for s in scores
    ]
    labels = [AnomalyLabel("normal")] * 100 + [AnomalyLabel("abnormal")] * 4
    return make_report("anomaly", predictions, labels, names)


REPORTS = {
    "classification": report_classification,
    "detection": report_detection,
    "segmentation": report_segmentation,
    "anomaly": report_anomaly,
}
tasks = pytest.mark.parametrize("task", TASKS)


def test_figures_are_read_by_name():
    report = report_detection()
    assert report["recall"] == report.overall["recall"] == 0.5
    assert report.per_class["nut"]["precision"] == 1.0
    assert report.confusion.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert dict(report) == pytest.approx(report.overall, nan_ok=True)
    assert "map" in report and "auroc" not in report
    assert len(report) == len(list(report))


def test_an_unknown_figure_names_those_there_are():
    with pytest.raises(UnknownFigure, match=r"'auroc'.*map_50.*report\.per_class") as caught:
        report_detection()["auroc"]
    assert isinstance(caught.value, WorkbenchError) and isinstance(caught.value, KeyError)
    assert not str(caught.value).startswith('"')


def test_headlines_say_what_to_expect():
    assert report_anomaly().headline == (
        "Of 100 good parts, expect 2 flagged (95 % interval 0.6 to 7); "
        "of 100 bad parts, expect 25 missed (95 % interval 5 to 70)."
    )
    assert report_classification().headline == (
        "Of 100 images, expect 100 in the right class (95 % interval 72 to 100)."
    )
    assert report_detection().headline == (
        "Of 100 things, expect 50 to be found; of 100 boxes shown, 100 are right."
    )
    assert report_segmentation().headline == (
        "Of 100 labeled pixels of a class, 50 are found; "
        "predicted and labeled areas overlap by 33 % (mean IoU)."
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (0.0062, "0.6"), (0.01, "1"), (0.02, "2"), (0.07, "7"), (0.983, "98"), (1, "100")],
)
def test_shares_are_short(share, text):
    assert format_share(share) == text


def test_the_text_says_on_what_was_measured():
    text = str(report_anomaly())
    assert "Run 'run-7' on 104 test images." in text
    assert "Threshold: 0.50." in text
    assert "Trained on snapshot 'before cleanup'; 3 labels changed since" in text
    assert "overkill           0.020  (95 % interval 0.006 to 0.070)" in text


def test_a_classification_without_a_threshold_says_none():
    report = report_classification()
    assert "Threshold: none." in str(report)
    assert not report.plot().axes[2].lines


def test_one_changed_label_is_in_the_singular_and_none_is_said():
    one = make_report("detection", [], [], ["a"], changed=1)
    none = make_report("detection", [], [], ["a"], changed=0)
    assert "1 label changed" in str(one) and "no label changed" in str(none)


def test_table_columns_line_up():
    lines = str(report_classification()).splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("  class")) :]
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["class", "precision", "recall", "f1", "support"]
    assert table[1].split() == ["bolt", "1.000", "1.000", "1.000", "5"]


@tasks
def test_reports_of_nothing_say_so(task):
    report = make_report(task, [], [], ("normal", "abnormal"))
    assert report.headline == "No labeled images were measured."
    assert "–" in str(report)
    assert report.plot().axes
    assert report.to_frame().isna().loc["overall"].all()


def test_figures_that_are_not_defined_have_a_headline_too():
    missed = make_report("detection", [BoxPrediction(())], [BoxLabel()], ["a"])
    assert missed.headline == "No thing is labeled; no box was predicted."
    sound = np.zeros((4, 4), np.uint8)
    prediction = MaskPrediction(sound + np.uint8(1), sound, ("a",))
    nothing = make_report("segmentation", [prediction], [MaskLabel(sound)], ["a"])
    assert nothing.headline.startswith("Nothing but background is labeled")
    alarm = MaskPrediction(sound + np.uint8(1), sound + np.uint8(255), ("a",))
    alarms = make_report("segmentation", [alarm], [MaskLabel(sound)], ["a"])
    assert alarms.headline.endswith("all that was predicted is a false alarm.")


def test_frame_has_a_row_for_each_class():
    frame = report_detection().to_frame()
    assert list(frame.index) == ["overall", "nut", "bolt"]
    assert frame.loc["overall", "recall"] == 0.5
    assert frame.loc["nut", "ap_50"] == pytest.approx(51 / 101)
    assert math.isnan(frame.loc["overall", "ap_50"])


@tasks
def test_plots_fit_the_task(task):
    titles = [axes.get_title() for axes in REPORTS[task]().plot().axes]
    expected = {
        "classification": ["Confusion", "Precision and recall", "Scores", "F1 by class"],
        "detection": [
            "Confusion",
            "Precision and recall",
            "Scores",
            "Average precision at IoU 0.5 by class",
        ],
        "segmentation": ["Confusion", "IoU by class"],
        "anomaly": ["Confusion", "Precision and recall", "Scores", "ROC, area 0.980"],
    }
    assert titles == expected[task]


@tasks
def test_plots_are_drawn_without_a_warning(task, tmp_path):
    figure = REPORTS[task]().plot()
    figure.savefig(tmp_path / "report.png", dpi=40)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_awkward_names_are_escaped_and_drawn(task):
    report = REPORTS[task](AWKWARD)
    html = report._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert report.plot()._repr_png_().startswith(b"\x89PNG")
    assert all(len(line) < 120 for line in str(report).splitlines())


def test_names_of_runs_and_snapshots_are_escaped():
    figures = report_detection().figures
    report = Report("detection", figures, None, None, "<b>run", "<i>shot", 0, 1)
    assert "<b>run" not in report._repr_html_() and "<i>shot" not in report._repr_html_()


def test_twenty_classes_fit():
    names = tuple(f"a part with a long name {index}" for index in range(20))
    figure = report_classification(names).plot()
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    for axes in figure.axes:
        for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
            box = label.get_window_extent()
            assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
    ticks = figure.axes[0].get_yticklabels()
    boxes = [tick.get_window_extent() for tick in ticks]
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in pairwise(boxes))


def test_the_threshold_is_a_line_in_the_histogram():
    scores = report_anomaly().plot().axes[2]
    assert [line.get_xdata()[0] for line in scores.lines] == [0.5]


def test_neither_importing_nor_printing_a_report_loads_what_is_heavy():
    code = (
        "import sys, workbench.report, workbench.plots\n"
        "heavy = {'matplotlib', 'pandas', 'sklearn', 'pycocotools', 'scipy', 'torch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


@tasks
def test_plotting_never_touches_pyplot(task):
    REPORTS[task]().plot().canvas.draw()
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )
