import math

import numpy as np
import pytest

from workbench.errors import UnknownClass
from workbench.tasks.classification import ClassLabel, ClassPrediction, draw, evaluate

CLASSES = ["a", "b", "c"]
LABELS = [ClassLabel(name) for name in "aabb"]
PREDICTIONS = [
    ClassPrediction({"a": 0.9, "b": 0.1, "c": 0.0}),
    ClassPrediction({"a": 0.4, "b": 0.6, "c": 0.0}),
    ClassPrediction({"a": 0.1, "b": 0.8, "c": 0.1}),
    ClassPrediction({"a": 0.45, "b": 0.55, "c": 0.0}),
]


def test_figures_are_those_counted_by_hand():
    figures = evaluate(PREDICTIONS, LABELS, CLASSES, None)
    assert figures.overall["accuracy"] == 3 / 4
    assert figures.overall["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert figures.per_class["a"] == pytest.approx(
        {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2}
    )
    assert figures.per_class["b"] == pytest.approx(
        {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2}
    )
    assert figures.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert figures.counts == {"images": 4, "items": 4}


def test_a_class_that_never_occurs_is_not_measured():
    figures = evaluate(PREDICTIONS, LABELS, CLASSES, None).per_class["c"]
    assert all(math.isnan(figures[name]) for name in ("precision", "recall", "f1"))
    assert figures["support"] == 0


def test_a_class_that_is_never_predicted_has_no_precision_but_a_recall_of_zero():
    figures = evaluate(PREDICTIONS[:1], [ClassLabel("c")], CLASSES, None).per_class["c"]
    assert math.isnan(figures["precision"])
    assert (figures["recall"], figures["f1"]) == (0.0, 0.0)


def test_below_the_threshold_an_image_is_undecided_and_never_correct():
    figures = evaluate(PREDICTIONS, LABELS, CLASSES, 0.6)  # 0.6 itself counts
    assert figures.overall["accuracy"] == 2 / 4
    assert figures.column_names == ("a", "b", "c", "undecided")
    assert figures.confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]
    assert figures.per_class["b"]["precision"] == 1 / 2
    assert figures.per_class["b"]["recall"] == 1 / 2


def test_a_threshold_of_zero_is_none():
    figures = evaluate(PREDICTIONS, LABELS, CLASSES, 0.0)
    assert figures.column_names == ("a", "b", "c")
    assert figures.threshold is None


def test_level_probabilities_go_to_the_first_class():
    level = ClassPrediction({"a": 0.5, "b": 0.5, "c": 0.0})
    assert evaluate([level], [ClassLabel("a")], CLASSES, None).overall["accuracy"] == 1.0
    assert evaluate([level], [ClassLabel("b")], CLASSES, None).overall["accuracy"] == 0.0


def test_scores_are_split_into_correct_and_wrong():
    scores = evaluate(PREDICTIONS, LABELS, CLASSES, None).curves["scores"]
    edges, correct = scores["correct"]
    assert len(edges) == len(correct) + 1
    assert (correct.sum(), scores["wrong"][1].sum()) == (3, 1)


def test_a_class_that_is_not_measured_is_named():
    with pytest.raises(UnknownClass, match="'d'"):
        evaluate(PREDICTIONS[:1], [ClassLabel("d")], CLASSES, None)


def test_the_banner_has_the_colour_of_the_class():
    image = np.full((100, 200, 3), 255, np.uint8)
    drawn = draw(image, ClassLabel("a"), CLASSES, {"a": "#ff0000"})
    red, green, blue = drawn[1, -1].tolist()
    assert red > 250 and green < 60 and blue < 60
    assert (drawn[50:] == 255).all()
