"""What every room's evaluate and draw must do, written once."""

import math
import weakref

import numpy as np
import pytest

from workbench.tasks import TASKS
from workbench.tasks.anomaly import AnomalyLabel, AnomalyPrediction
from workbench.tasks.classification import ClassLabel, ClassPrediction
from workbench.tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox
from workbench.tasks.segmentation import MaskLabel, MaskPrediction

SIZE = (120, 160)
CLASSES = {
    "classification": ("a", "b"),
    "detection": ("a", "b"),
    "segmentation": ("a", "b"),
    "anomaly": ("normal", "abnormal"),
}


def make_mask(size=SIZE):
    mask = np.zeros(size, np.uint8)
    mask[: size[0] // 2 + 1] = 1
    return mask


def make_label(task, size=SIZE, name="a"):
    height, width = size
    if task == "classification":
        return ClassLabel(name)
    if task == "detection":
        return BoxLabel([Box(name, 0, 0, width / 2, height / 2), Box(name, 0, 0, width, height)])
    if task == "segmentation":
        return MaskLabel(make_mask(size))
    return AnomalyLabel("abnormal", make_mask(size))


def make_prediction(task, size=SIZE, name="a"):
    height, width = size
    if task == "classification":
        return ClassPrediction({name: 0.75, "b": 0.25})
    if task == "detection":
        return BoxPrediction(
            (ScoredBox(name, 0, 0, width / 2, height / 2, 0.9), ScoredBox(name, 0, 0, 1, 1, 0.8))
        )
    if task == "segmentation":
        return MaskPrediction(np.ones(size, np.uint8), make_mask(size) * 200, (name, "b"))
    return AnomalyPrediction(0.8, 0.5, np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4), size)


rooms = pytest.mark.parametrize("task", TASKS)


@rooms
def test_nothing_to_measure_gives_nan(task):
    figures = TASKS[task].room.evaluate([], [], CLASSES[task], None)
    assert figures.overall
    assert all(math.isnan(value) for value in figures.overall.values())
    assert figures.confusion.sum() == 0
    assert figures.counts == {"images": 0, "items": 0}


@rooms
def test_images_without_a_label_are_left_out(task):
    room = TASKS[task].room
    both = [make_prediction(task)] * 2
    figures = room.evaluate(both, [make_label(task), None], CLASSES[task], None)
    alone = room.evaluate(both[:1], [make_label(task)], CLASSES[task], None)
    assert figures.counts["images"] == 1
    assert figures.overall == pytest.approx(alone.overall, nan_ok=True)
    assert figures.confusion.tolist() == alone.confusion.tolist()


@rooms
def test_both_sides_must_be_as_long(task):
    with pytest.raises(ValueError):
        TASKS[task].room.evaluate([make_prediction(task)], [], CLASSES[task], None)


@rooms
def test_predictions_are_not_held(task):
    """So that 100,000 masks need the memory of one."""
    born, most = [], 0

    def predict():
        nonlocal most
        for _ in range(10):
            prediction = make_prediction(task)
            born.append(weakref.ref(prediction))
            yield prediction
            del prediction
            most = max(most, sum(reference() is not None for reference in born))

    labels = (make_label(task) for _ in range(10))
    figures = TASKS[task].room.evaluate(predict(), labels, CLASSES[task], None)
    assert figures.counts["images"] == 10
    assert most == 1


@rooms
def test_confusion_names_fit_its_shape(task):
    figures = TASKS[task].room.evaluate(
        [make_prediction(task)], [make_label(task)], CLASSES[task], None
    )
    assert figures.confusion.shape == (len(figures.row_names), len(figures.column_names))
    assert figures.confusion.dtype == np.int64
    assert set(figures.per_class) == set(CLASSES[task])


@rooms
def test_repeating_every_image_changes_no_figure(task):
    room = TASKS[task].room
    once = room.evaluate([make_prediction(task)], [make_label(task)], CLASSES[task], None)
    twice = room.evaluate([make_prediction(task)] * 2, [make_label(task)] * 2, CLASSES[task], None)
    shared = [name for name in once.overall if not name.endswith(("_low", "_high"))]
    for name in shared:
        assert twice.overall[name] == pytest.approx(once.overall[name], nan_ok=True, abs=0.02)


@rooms
@pytest.mark.parametrize("make", [make_label, make_prediction])
@pytest.mark.parametrize("size", [(120, 160), (1, 1), (4, 4), (20, 900), (900, 3)])
def test_draw_gives_a_new_image_and_leaves_the_old_one(task, make, size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    before = image.copy()
    image.setflags(write=False)
    drawn = TASKS[task].room.draw(image, make(task, size), CLASSES[task], {})
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    assert np.array_equal(image, before)
    assert not np.shares_memory(drawn, image)
    if min(size) > 4:
        assert not np.array_equal(drawn, before)


@rooms
def test_draw_without_a_value_gives_a_copy(task):
    image = np.zeros((8, 8, 3), np.uint8)
    drawn = TASKS[task].room.draw(image, None, CLASSES[task], {})
    assert np.array_equal(drawn, image) and not np.shares_memory(drawn, image)


AWKWARD = ["😀 smile", "مرحبا", "a\nb", "\ud800", "\x00", "", "x" * 500, "<b>&", "$a$"]


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_draw_takes_any_name(task, name):
    image = np.zeros((*SIZE, 3), np.uint8)
    for value in (make_label(task, name=name), make_prediction(task, name=name)):
        drawn = TASKS[task].room.draw(image, value, (name, "b"), {name: "not a colour"})
        assert drawn.any()
