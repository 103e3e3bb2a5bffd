import math

import numpy as np
import pytest

from workbench.errors import InvalidLabel, UnknownClass
from workbench.tasks.drawing import find_contour
from workbench.tasks.segmentation import MaskLabel, MaskPrediction, draw, evaluate

CLASSES = ("crack", "chip")
TOP = np.repeat([[1], [1], [0], [0]], 4, axis=1)  # (4, 4)
LEFT = TOP.T


def predict(mask, probability=0.8, classes=CLASSES, threshold=0.5):
    """Return the prediction that shows `mask`, its pixels at one probability."""
    foreground = np.where(mask > 0, round(probability * 255), 0).astype(np.uint8)
    return MaskPrediction(np.maximum(mask, 1).astype(np.uint8), foreground, classes, threshold)


def test_figures_are_those_counted_by_hand():
    figures = evaluate([predict(LEFT)], [MaskLabel(TOP)], CLASSES, None)
    assert figures.per_class["crack"] == pytest.approx(
        {"iou": 4 / 12, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    )
    assert figures.overall == pytest.approx(
        {"mean_iou": 4 / 12, "pixel_accuracy": 0.5, "background_iou": 4 / 12}
    )
    assert figures.confusion.tolist() == [[4, 4, 0], [4, 4, 0], [0, 0, 0]]
    assert figures.row_names == ("background", "crack", "chip")
    assert figures.counts == {"images": 1, "items": 16}


def test_a_class_that_occurs_nowhere_is_left_out_of_the_mean():
    figures = evaluate([predict(TOP)], [MaskLabel(TOP)], CLASSES, None)
    assert figures.overall["mean_iou"] == 1.0
    assert all(math.isnan(value) for value in figures.per_class["chip"].values())


def test_a_class_that_is_only_predicted_counts_as_zero():
    figures = evaluate([predict(2 * TOP)], [MaskLabel(TOP)], CLASSES, None)
    assert figures.per_class["chip"]["iou"] == 0.0
    assert math.isnan(figures.per_class["chip"]["recall"])
    assert math.isnan(figures.per_class["crack"]["precision"])
    assert figures.overall["mean_iou"] == 0.0


def test_sound_images_alone_have_no_mean_iou():
    figures = evaluate([predict(0 * TOP)], [MaskLabel(0 * TOP)], CLASSES, None)
    assert math.isnan(figures.overall["mean_iou"])
    assert figures.overall["pixel_accuracy"] == figures.overall["background_iou"] == 1.0


def test_images_are_summed_by_their_pixels():
    large = np.ones((8, 8), np.uint8)
    figures = evaluate(
        [predict(LEFT), predict(large)], [MaskLabel(TOP), MaskLabel(large)], CLASSES, None
    )
    assert figures.per_class["crack"]["iou"] == pytest.approx((4 + 64) / (12 + 64))


def test_a_threshold_decides_again():
    unsure = predict(TOP, probability=0.6)
    assert evaluate([unsure], [MaskLabel(TOP)], CLASSES, 0.7).per_class["crack"]["recall"] == 0.0
    assert evaluate([unsure], [MaskLabel(TOP)], CLASSES, 0.6).per_class["crack"]["recall"] == 1.0
    strict = predict(TOP, probability=0.6, threshold=0.7)
    figures = evaluate([strict], [MaskLabel(TOP)], CLASSES, None)
    assert figures.threshold == 0.7
    assert figures.per_class["crack"]["recall"] == 0.0


def test_classes_in_another_order_are_matched_by_name():
    swapped = predict(2 * TOP, classes=("chip", "crack"))
    figures = evaluate([swapped], [MaskLabel(TOP)], CLASSES, None)
    assert figures.per_class["crack"]["iou"] == 1.0
    with pytest.raises(UnknownClass, match="'dent'"):
        evaluate([predict(TOP, classes=("dent",))], [MaskLabel(TOP)], CLASSES, None)


def test_masks_larger_than_one_strip_are_counted_whole(monkeypatch):
    whole = evaluate([predict(LEFT)], [MaskLabel(TOP)], CLASSES, None).confusion
    monkeypatch.setattr("workbench.tasks.arrays.PIXELS_AT_ONCE", 5)
    strips = evaluate([predict(LEFT)], [MaskLabel(TOP)], CLASSES, None).confusion
    assert strips.tolist() == whole.tolist()


def test_a_prediction_of_another_size_is_refused():
    with pytest.raises(InvalidLabel, match="predict the image again"):
        evaluate([predict(TOP[:2])], [MaskLabel(TOP)], CLASSES, None)


def test_the_contour_is_opaque_and_the_fill_translucent():
    image = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    drawn = draw(image, MaskLabel(mask), CLASSES, {"crack": "#ff0000"})
    assert drawn[5, 5].tolist() == [255, 0, 0]
    assert drawn[10, 10].tolist() == pytest.approx([162, 60, 60], abs=1)  # 60 % grey, 40 % red
    assert (drawn[mask == 0] == 100).all()


def test_the_contour_lies_on_the_mask_and_not_along_the_border():
    mask = np.zeros((6, 6), np.uint8)
    mask[:4, :4] = 1
    assert np.argwhere(find_contour(mask)).tolist() == [
        [0, 3],
        [1, 3],
        [2, 3],
        [3, 0],
        [3, 1],
        [3, 2],
        [3, 3],
    ]
    assert not find_contour(np.ones((4, 4), np.uint8)).any()


def test_mask_confidence_and_areas_follow_the_threshold():
    candidates = np.array([[1, 2], [2, 1]], np.uint8)
    foreground = np.array([[255, 51], [153, 0]], np.uint8)  # 1.0, 0.2, 0.6, 0.0
    half = MaskPrediction(candidates, foreground, ("crack", "chip"))
    assert half.mask.tolist() == [[1, 0], [2, 0]] and half.mask.dtype == np.uint8
    assert half.confidence.dtype == np.float16
    np.testing.assert_allclose(half.confidence, [[1.0, 0.8], [0.6, 1.0]], atol=1e-3)
    assert half.areas == {"crack": 0.25, "chip": 0.25}
    low = MaskPrediction(candidates, foreground, ("crack", "chip"), threshold=0.2)
    assert low.mask.tolist() == [[1, 2], [2, 0]]
    assert low.areas == {"crack": 0.25, "chip": 0.5}
