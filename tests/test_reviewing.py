"""What a finished run's predictions are used for: reviews, thresholds, labels."""

from pathlib import Path

import numpy as np
import pytest
from finished import NAMES, SIZE, make_label, make_project

import workbench as wb
from workbench.reviewing import ReviewReader
from workbench.store.search import list_ids
from workbench.tasks import TASKS

OUTCOMES = {
    "classification": ("correct", "wrong-class", "wrong-class", "correct"),
    "detection": ("correct", "false-negative", "false-positive", "correct"),
    "segmentation": ("correct", "false-negative", "false-positive", "correct"),
    "anomaly": ("correct", "false-negative", "false-positive", "correct"),
}


@pytest.mark.parametrize("task", TASKS)
def test_every_image_of_a_split_is_reviewed(tmp_path: Path, task: str) -> None:
    _, run = make_project(tmp_path / "p", task)
    review = run.review()
    assert tuple(review.outcomes().values())[:4] == OUTCOMES[task]
    assert review.count()["unlabeled"] == 2
    assert run.review(labeled=False).names == NAMES[4:]
    is_sure = task != "segmentation"  # 0.8 is not enough there
    assert ("made up.png" in review.find(order="suspect")) == is_sure
    assert run.review("train").names == ()


@pytest.mark.parametrize("task", TASKS)
def test_a_prediction_becomes_a_label(tmp_path: Path, task: str) -> None:
    project, run = make_project(tmp_path / "p", task)
    image = project.images["new <b>.png"]
    run.accept(image)
    assert image.label == make_label(task, True)
    assert "from run r1" in image.history()[0].author
    assert image.undo() and image.label is None
    if task != "classification":
        run.accept(image, threshold=0.75)
        assert image.label == make_label(task, False)


def test_a_class_that_is_gone_is_left_out_of_accepted_labels(tmp_path: Path) -> None:
    project, run = make_project(tmp_path / "p", "detection")
    project.rename_class("nut", "hex nut")
    image = project.images["new <b>.png"]
    run.accept(image)
    assert image.label.boxes[0].class_name == "hex nut"
    project.remove_class("hex nut", remove_labels=True)
    run.accept(image)
    assert image.label == wb.BoxLabel([])
    project, run = make_project(tmp_path / "c", "classification")
    project.remove_class("nut", remove_labels=True)
    with pytest.raises(wb.UnknownClass, match="no class 'nut' any more"):
        run.accept(project.images["new <b>.png"])


def test_a_threshold_is_saved_with_the_run_and_exported(tmp_path: Path) -> None:
    project, run = make_project(tmp_path / "p", "anomaly")
    image = project.images["new <b>.png"]
    assert run.prediction(image).is_abnormal
    run.threshold = 0.75
    assert not run.prediction(image).is_abnormal
    again = project.runs[run.id]
    assert again.threshold == again.review().threshold == 0.75
    assert again.report()["overkill"] == 0.5  # 0.8 of a normal image
    assert wb.load_model(run.export(tmp_path / "out")).threshold == 0.75
    for wrong in (1.5, -1, "high", True):
        with pytest.raises(wb.InvalidSetting, match="between 0 and 1"):
            run.threshold = wrong


def test_a_rate_chooses_the_threshold_of_an_anomaly_project(tmp_path: Path) -> None:
    project, run = make_project(tmp_path / "p", "anomaly")
    review = run.review()
    assert review.report(review.find_threshold(overkill=0))["overkill"] == 0
    assert review.report(review.find_threshold(escape=0))["escape"] == 0
    for rates in ({}, {"overkill": 0.1, "escape": 0.1}, {"overkill": 2}):
        with pytest.raises(wb.InvalidSetting, match="overkill or escape"):
            review.find_threshold(**rates)
    for image in project.images.where(class_name="abnormal"):
        image.label = None
    with pytest.raises(wb.NotEnoughLabels, match="labeled abnormal"):
        run.review().find_threshold(escape=0.1)
    assert run.review().find_threshold(overkill=0) > 0.8  # from normal ones alone
    _, boxes = make_project(tmp_path / "d", "detection")
    with pytest.raises(wb.InvalidSetting, match="anomaly project"):
        boxes.review().find_threshold(overkill=0.1)


@pytest.mark.parametrize("task", TASKS)
def test_a_reader_takes_in_labels_that_changed(tmp_path: Path, task: str) -> None:
    project, run = make_project(tmp_path / "p", task)
    ids = list_ids(project.store)
    reader = ReviewReader(project.store, run.id, run.name, run.snapshot, ids)
    assert list(reader.read()) == [6]
    review = reader.make_review("test", run.threshold)
    assert not reader.update(ids)
    project.images["new <b>.png"].label = make_label(task, True)
    project.images["made up.png"].label = None
    assert reader.update(ids) and not reader.update(ids)
    assert review.outcomes() == run.review().outcomes()
    np.testing.assert_equal(review.report().overall, run.report().overall)
    assert project.images[0].read().shape == (*SIZE, 3)
