"""The gallery and its report without a browser: questions as a browser sends them, and calls."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished import NAMES, SIZE, make_label, make_project

import workbench as wb
from workbench.tasks import TASKS
from workbench.widgets import asked
from workbench.widgets.inspect import painting
from workbench.widgets.inspect.charts import FRAME, Grid, draw_histogram, shade_cell
from workbench.widgets.inspect.gallery import Gallery

Sent = list[tuple[dict[str, Any], list[bytes]]]


class Driven:
    """A gallery whose messages are kept."""

    def __init__(self, run: wb.Run, split: str = "test") -> None:
        self.gallery = Gallery(run, split)
        self.tiles, self.head = self.gallery.tiles, self.gallery.report.head
        self.sent: dict[Any, Sent] = {self.tiles: [], self.head: []}
        for widget, kept in self.sent.items():
            widget.send = lambda content, buffers=None, kept=kept: kept.append(
                (content, buffers or [])
            )
        self.ask("start")

    def ask(self, question: str, widget: Any = None, data: bytes = b"", **params: Any) -> Any:
        """Ask a question and return answer and buffers."""
        widget = widget or self.tiles
        content = {"kind": "request", "request": "q", "name": question, "params": params}
        widget._handle_custom_msg(content, [memoryview(data)] if data else [])
        return [pair for pair in self.sent[widget] if pair[0]["kind"] == "answer"][-1]

    def shown(self) -> dict[str, str]:
        """Return the images that the browser was told to show, with their outcomes."""
        _, (ids, outcomes) = [p for p in self.sent[self.tiles] if p[0]["kind"] == "list"][-1]
        names = {image.id: image.name for image in self.gallery.project.images}
        words = ("unlabeled", "correct", "false-positive", "wrong-class", "false-negative")
        return {names[i]: words[k] for i, k in zip(np.frombuffer(ids, "<i4").tolist(), outcomes)}


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a gallery of a task, outside of a kernel."""
    monkeypatch.setattr(asked, "find_loop", lambda: None)
    monkeypatch.setattr("workbench.widgets.inspect.gallery.find_loop", lambda: None)

    def make(task: str, split: str = "test") -> Driven:
        _, run = make_project(tmp_path / task, task)
        return Driven(run, split)

    return make


@pytest.mark.parametrize("task", TASKS)
def test_the_worst_come_first_and_every_tile_has_its_outcome(drive: Any, task: str) -> None:
    driven = drive(task)
    answer, _ = driven.ask("start")
    assert answer["ok"] and answer["task"] == task and len(answer["heat"]) == 256
    shown = driven.shown()
    assert set(shown) == set(NAMES)
    wrong = {"made up.png", "missed.png"}
    assert set(list(shown)[:2]) == wrong
    assert shown["right.png"] == "correct" and shown["unsure.png"] == "unlabeled"


@pytest.mark.parametrize("task", TASKS)
def test_a_tile_has_picture_label_and_prediction(drive: Any, task: str) -> None:
    driven = drive(task)
    image = driven.gallery.project.images["right.png"]
    answer, buffers = driven.ask("tiles", ids=[image.id])
    (tile,) = answer["tiles"]
    assert tile["name"] == "right.png"
    assert tile["label"] is not None and tile["prediction"] is not None
    assert buffers[0][:2] == b"\xff\xd8" and tile["buffers"] == len(buffers)
    for (_, height, width), buffer in zip(tile["layers"], buffers[1:]):
        assert len(zlib.decompress(buffer)) == height * width
    expected = {"segmentation": {"label", "candidates", "foreground"}, "anomaly": {"heat"}}
    assert {name for name, *_ in tile["layers"]} == expected.get(task, set())
    json.dumps(answer)


@pytest.mark.parametrize("task", TASKS)
def test_an_image_is_shown_large_at_the_threshold(drive: Any, task: str) -> None:
    driven = drive(task)
    image = driven.gallery.project.images["made up.png"]
    answer, buffers = driven.ask("image", image=image.id)
    assert answer["image"]["name"] == "made up.png" and buffers[0][:4] == b"\x89PNG"
    assert driven.gallery.image == image
    if task == "segmentation":
        names = [name for name, *_ in answer["image"]["layers"]]
        mask = np.frombuffer(zlib.decompress(buffers[1 + names.index("prediction")]), np.uint8)
        assert mask.sum() == SIZE[0] * SIZE[1] / 2
        driven.gallery.threshold = 0.85
        _, buffers = driven.ask("image", image=image.id, photo=False)
        mask = np.frombuffer(zlib.decompress(buffers[1 + names.index("prediction")]), np.uint8)
        assert (len(buffers[0]), mask.sum()) == (0, 0)


def test_filters_and_orders(drive: Any) -> None:
    driven = drive("detection")
    for wanted, names in (
        ({"outcomes": ["false-positive"]}, {"made up.png"}),
        ({"outcomes": None, "order": "suspect"}, {"made up.png"}),
        ({"order": "added", "class_name": "nut"}, {*NAMES} - {"empty.png", "unsure.png"}),
        ({"class_name": "bolt"}, set()),
        ({"class_name": "", "low": 0.75, "high": 1}, {"right.png", "made up.png"}),
        ({"low": 0, "text": "NEW <"}, {"new <b>.png"}),
        ({"text": "", "cell": ["nut", "background"]}, {"missed.png"}),
    ):
        assert driven.ask("choose", **wanted)[0]["ok"]
        assert set(driven.shown()) == names, wanted
    for wrong in ({"order": "best"}, {"outcomes": ["bad"]}, {"low": 0.9, "high": 0.1}):
        assert not driven.ask("choose", **wrong)[0]["ok"]
    assert set(driven.shown()) == {"missed.png"}  # as before


@pytest.mark.parametrize("task", TASKS)
def test_the_threshold_moves_report_and_tiles(drive: Any, task: str) -> None:
    driven = drive(task)
    assert driven.ask("move", driven.head, threshold=0.85)[0]["ok"]
    told = [content for content, _ in driven.sent[driven.head] if content["kind"] == "report"][-1]
    report = driven.gallery.run.report(threshold=0.85)
    assert told["report"]["headline"] == report.headline
    assert told["report"]["confusion"] == report.confusion.tolist()
    assert driven.shown() == driven.gallery.run.review().outcomes(0.85)
    assert driven.gallery.run.threshold != 0.85  # until it is saved
    assert driven.ask("save", driven.head)[0]["ok"]
    assert driven.gallery.run.threshold == 0.85
    assert not driven.ask("move", driven.head, threshold=7)[0]["ok"]


def test_a_rate_moves_the_threshold(drive: Any) -> None:
    driven = drive("anomaly")
    assert driven.ask("rate", driven.head, overkill=0.0)[0]["ok"]
    assert driven.gallery.look.report()["overkill"] == 0
    driven = drive("detection")
    assert not driven.ask("rate", driven.head, overkill=0.0)[0]["ok"]


@pytest.mark.parametrize("task", TASKS)
def test_a_prediction_is_accepted_and_the_tile_stays_in_its_place(drive: Any, task: str) -> None:
    driven = drive(task)
    before = list(driven.shown())
    image = driven.gallery.project.images["new <b>.png"]
    assert driven.ask("act", act="accept", image=image.id)[0]["ok"]
    assert image.label == make_label(task, True)
    shown = driven.shown()
    assert list(shown) == before and shown["new <b>.png"] == "correct"
    assert driven.ask("act", act="undo", image=image.id)[0]["ok"] and image.label is None
    assert driven.shown()["new <b>.png"] == "unlabeled"


def test_drafts_are_offered_until_they_are_rejected(drive: Any) -> None:
    driven = drive("detection")
    driven.ask("scope", scope="unlabeled")
    assert list(driven.shown()) == ["unsure.png", "new <b>.png"]  # the least sure first
    image = driven.gallery.project.images["unsure.png"]
    assert driven.ask("act", act="reject", image=image.id)[0]["ok"]
    assert image.state == "draft rejected" and image.label is None
    driven.ask("sort")
    assert list(driven.shown()) == ["new <b>.png"]
    driven.gallery.undo(image)
    assert image.state == "unlabeled"
    labeled = driven.gallery.project.images["right.png"]
    assert not driven.ask("act", act="reject", image=labeled.id)[0]["ok"]


def test_a_label_is_corrected_in_place(drive: Any) -> None:
    driven = drive("detection")
    gallery = driven.gallery
    image = gallery.project.images["made up.png"]
    driven.ask("act", act="correct", image=image.id)
    assert gallery.labeler.image == image and gallery.tiles.layout.display == "none"
    gallery.labeler.act("box", class_name="nut", x0=0, y0=0, x1=32, y1=48)
    gallery.back()
    assert gallery.labeler is None and gallery.tiles.layout.display == ""
    assert driven.shown()["made up.png"] == "correct"
    draft = gallery.project.images["new <b>.png"]
    driven.ask("act", act="draft", image=draft.id)
    assert gallery.labeler.label == make_label("detection", True)


def test_others_may_label_meanwhile(drive: Any) -> None:
    driven = drive("anomaly")
    driven.gallery.project.images["unsure.png"].label = wb.AnomalyLabel("abnormal")
    driven.tiles.tick()
    assert driven.shown()["unsure.png"] == "false-negative"
    changed = [content for content, _ in driven.sent[driven.tiles] if content["kind"] == "changed"]
    assert changed[-1]["images"] == [driven.gallery.project.images["unsure.png"].id]


@pytest.mark.parametrize("task", TASKS)
def test_the_confusion_is_clicked_and_the_line_dragged(drive: Any, task: str) -> None:
    driven = drive(task)
    report = driven.gallery.report
    figures = report._report.figures
    row, column = np.argwhere(figures.confusion)[0].tolist()
    grid = Grid.of(figures)
    width, height = grid.size
    assert report._canvases["confusion"].layout.height == f"{grid.height}px"
    assert 0 < grid.height - (grid.top + grid.rows * height) < 20  # no gap below the cells
    report._press_cell((grid.left + (column + 0.5) * width, grid.top + (row + 0.5) * height))
    cell = figures.row_names[row], figures.column_names[column]
    assert driven.gallery.look.filter.cell == cell and driven.gallery.names
    assert driven.gallery.names == driven.gallery.run.review().find_in_cell(*cell)
    report._press_cell((2, 2))  # beside the cells
    assert driven.gallery.look.filter.cell == cell
    report._drag_threshold(FRAME.place(0.6, 0.5))
    assert driven.gallery.threshold == pytest.approx(0.6, abs=0.002)
    report._drag_recall(FRAME.place(0, 1))
    assert 0 <= driven.gallery.threshold <= 1


def test_nothing_is_drawn_that_can_fail(drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(
        "workbench.widgets.inspect.report_panel.paint",
        lambda canvas, strokes: drawn.extend(strokes),
    )
    for task in TASKS:
        drive(task)
    assert {stroke.method for stroke in drawn} == {
        *("fill_rect", "stroke_lines", "fill_text", "fill_circle")
    }
    for stroke in drawn:
        assert all(hasattr(painting.make_canvas(2, 2), name) for name, _ in stroke.style)


def test_a_folder_becomes_a_table(drive: Any, tmp_path: Path) -> None:
    driven = drive("detection")
    target = str(tmp_path / "out.xlsx")
    driven.ask("batch", source=str(tmp_path), target=target)
    told = [content for content, _ in driven.sent[driven.tiles] if content["kind"] == "batch"][-1]
    assert ".csv or .json" in told["batch"]["words"]
    assert not driven.ask("try", data=b"no photo", name="x.png")[0]["ok"]


def test_a_large_count_fits_beside_the_axis():
    series = {"found": (np.linspace(0, 1, 3), np.array([1_234_567, 3]))}
    strokes = draw_histogram(series, 0.5)
    written = [stroke.arguments[0] for stroke in strokes if stroke.method == "fill_text"]
    assert "1.2M" in written and "1234567" not in written


def test_white_counts_can_be_read_on_every_cell() -> None:
    """Whatever lies behind the chart: the cells are opaque. Contrast as WCAG 2.1 has it, 4.5."""
    for is_right in (True, False):
        for share in (0.001, 0.3, 0.7, 1.0):
            shade = shade_cell(is_right, share, 1)
            assert len(shade) == 7  # without alpha
            levels = (
                np.array([int(shade[i : i + 2], 16) for i in (1, 3, 5)]) / 255 + 0.055
            ) / 1.055
            luminance = (levels**2.4) @ (0.2126, 0.7152, 0.0722)
            assert 1.05 / (luminance + 0.05) > 4.5, (is_right, share)
    assert shade_cell(True, 0.001, 1) != shade_cell(False, 0.001, 1)
    assert len(shade_cell(True, 0.0, 0)) == 9  # hardly seen where there is nothing
