"""Review: outcomes of images by name, sorted and filtered, at any threshold."""

import pytest

import workbench as wb
from workbench.review import Review
from workbench.tasks.outcomes import make_table

NAMES = ("a.png", "b.png", "c.png", "d.png", "e <b>.png")
SCORES = (0.9, 0.55, 0.1, 0.4, 0.52)
LABELS = ("nut", "nut", "nut", "bolt", None)


@pytest.fixture
def review() -> Review:
    """Five images: two right, one certainly wrong, one right, one without a label."""
    table = make_table("classification", ["nut", "bolt"])
    for score, label in zip(SCORES, LABELS):
        prediction = wb.ClassPrediction({"nut": score, "bolt": 1 - score})
        table.add(prediction, None if label is None else wb.ClassLabel(label))
    ids = tuple(range(1, 6))
    return Review("classification", "run 1", "then", 0, "test", 0.0, ids, NAMES, table)


def test_every_image_has_its_outcome(review: Review) -> None:
    assert review.outcomes() == {
        "a.png": "correct",
        "b.png": "correct",
        "c.png": "wrong-class",
        "d.png": "correct",
        "e <b>.png": "unlabeled",
    }
    assert review.outcomes(0.6)["b.png"] == "false-negative"  # nobody was sure enough
    assert review.count(0.6)["correct"] == 2
    assert "3 correct" in repr(review) and "1 unlabeled" in repr(review)


def test_images_are_found_by_outcome_and_sorted(review: Review) -> None:
    assert review.find("wrong-class") == ["c.png"]
    assert review.find()[:2] == ["c.png", "b.png"]
    assert review.find("correct", order="worst") == ["b.png", "d.png", "a.png"]
    assert review.find(order="unsure")[0] == "e <b>.png"
    assert review.find(["correct", "unlabeled"], order="added") == [
        "a.png",
        "b.png",
        "d.png",
        "e <b>.png",
    ]


def test_the_images_of_a_cell_of_the_confusion(review: Review) -> None:
    assert review.find_in_cell("nut", "bolt") == ["c.png"]
    assert review.find_in_cell("nut", "undecided", 0.6) == ["b.png"]
    assert review.find_in_cell("bolt", "nut") == []


def test_the_report_has_the_labeled_images_alone(review: Review) -> None:
    report = review.report()
    assert (report.images, report["accuracy"]) == (4, 0.75)
    assert review.report(0.6)["accuracy"] == 0.5


def test_wrong_questions_are_refused(review: Review) -> None:
    for ask in (
        lambda: review.find("wrong"),
        lambda: review.find(order="best"),
        lambda: review.outcomes(1.5),
        lambda: review.find_in_cell("nut", "screw"),
    ):
        with pytest.raises(wb.InvalidSetting):
            ask()
