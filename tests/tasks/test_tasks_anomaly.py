import math

import numpy as np
import pytest

from workbench.errors import InvalidLabel
from workbench.tasks.anomaly import VERDICTS, AnomalyLabel, AnomalyPrediction, draw, evaluate

NORMAL, ABNORMAL = AnomalyLabel("normal"), AnomalyLabel("abnormal")


def predict(score, grid=None, threshold=0.5):
    """Return a prediction of an image of 4 x 4 pixels."""
    grid = np.full((4, 4), score) if grid is None else grid
    return AnomalyPrediction(score, threshold, np.asarray(grid, np.float32), (4, 4))


PREDICTIONS = [predict(score) for score in (0.1, 0.4, 0.6, 0.5, 0.9)]
LABELS = [NORMAL, NORMAL, NORMAL, ABNORMAL, ABNORMAL]


def test_figures_are_those_counted_by_hand():
    overall = evaluate(PREDICTIONS, LABELS, VERDICTS, None).overall
    assert overall["overkill"] == pytest.approx(1 / 3)
    assert overall["escape"] == 0.0  # a score of 0.5 counts
    assert overall["precision"] == pytest.approx(2 / 3)
    assert (overall["recall"], overall["f1"]) == (1.0, pytest.approx(0.8))
    assert overall["auroc"] == pytest.approx(5 / 6)  # 5 of the 6 pairs are in order
    assert overall["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


def test_each_verdict_has_its_own_figures():
    figures = evaluate(PREDICTIONS, LABELS, VERDICTS, None)
    assert figures.per_class["normal"] == pytest.approx(
        {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    )
    assert figures.per_class["abnormal"]["support"] == 2
    assert figures.confusion.tolist() == [[2, 1], [0, 2]]


def test_a_given_threshold_decides_instead_of_the_predictions_own():
    figures = evaluate(PREDICTIONS, LABELS, VERDICTS, 0.7)
    assert (figures.overall["overkill"], figures.overall["escape"]) == (0.0, 0.5)
    own = evaluate([predict(0.6, threshold=0.7)], [NORMAL], VERDICTS, None)
    assert own.overall["overkill"] == 0.0


def test_predictions_with_different_thresholds_have_no_threshold_in_common():
    mixed = [predict(0.6, threshold=0.7), predict(0.6)]
    assert math.isnan(evaluate(mixed, [NORMAL, NORMAL], VERDICTS, None).threshold)


def test_intervals_are_wilsons():
    predictions = [predict(0.9)] * 2 + [predict(0.1)] * 98
    overall = evaluate(predictions, [NORMAL] * 100, VERDICTS, None).overall
    assert overall["overkill_low"] == pytest.approx(0.0055, abs=1e-4)
    assert overall["overkill_high"] == pytest.approx(0.0700, abs=1e-4)
    none = evaluate(predictions[2:], [NORMAL] * 98, VERDICTS, None).overall
    assert none["overkill_low"] == 0.0 < none["overkill_high"]


@pytest.mark.parametrize("label", [NORMAL, ABNORMAL])
def test_one_verdict_alone_cannot_be_ranked(label):
    overall = evaluate([predict(0.2), predict(0.8)], [label] * 2, VERDICTS, None).overall
    assert math.isnan(overall["auroc"]) and math.isnan(overall["average_precision"])
    assert math.isnan(overall["escape"]) == (label is NORMAL)
    assert math.isnan(overall["overkill_high"]) == (label is ABNORMAL)


def test_level_scores_count_half():
    overall = evaluate([predict(0.5), predict(0.5)], [NORMAL, ABNORMAL], VERDICTS, None).overall
    assert overall["auroc"] == 0.5


def test_pixels_are_ranked_where_masks_exist():
    mask = np.zeros((4, 4), bool)
    mask[0] = True  # 4 of 16 pixels
    grid = np.zeros((4, 4))
    grid[0, :2] = 0.9  # half of the mask stands out, the other half is level with the rest
    abnormal = evaluate([predict(0.9, grid)], [AnomalyLabel("abnormal", mask)], VERDICTS, None)
    assert abnormal.overall["pixel_auroc"] == pytest.approx(0.75)
    with_normal = evaluate(
        [predict(0.9, grid), predict(0.95)],
        [AnomalyLabel("abnormal", mask), NORMAL],
        VERDICTS,
        None,
    )
    # 28 pixels outside: 12 at 0, 16 at 0.95. Of 4 inside, two at 0.9 beat 12, two at 0 tie with 12.
    assert with_normal.overall["pixel_auroc"] == pytest.approx((2 * 12 + 2 * 6) / (4 * 28))


def test_without_masks_pixels_are_not_measured():
    overall = evaluate(PREDICTIONS, LABELS, VERDICTS, None).overall
    assert math.isnan(overall["pixel_auroc"])


def test_a_prediction_of_another_size_is_refused():
    label = AnomalyLabel("abnormal", np.ones((3, 3), bool))
    with pytest.raises(InvalidLabel, match="predict the image again"):
        evaluate([predict(0.9)], [label], VERDICTS, None)


def test_heat_has_one_scale_for_all_images():
    image = np.full((60, 80, 3), 128, np.uint8)
    hot = AnomalyPrediction(0.9, 0.5, np.full((6, 8), 0.9, np.float32), (60, 80))
    mixed = np.full((60, 80), 0.1, np.float32)
    mixed[40:, 40:] = 0.9
    partly = AnomalyPrediction(0.9, 0.5, mixed, (60, 80))
    drawn, other = draw(image, hot, VERDICTS, {}), draw(image, partly, VERDICTS, {})
    assert drawn[-1, -1].tolist() == other[-1, -1].tolist()
    assert drawn[-1, -1, 0] > drawn[-1, -1, 2] + 50  # warm above the line
    assert other[-1, 0, 2] >= other[-1, 0, 0]  # cool below


def test_the_mask_of_a_label_is_outlined():
    image = np.zeros((20, 20, 3), np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[8:12, 8:12] = True
    drawn = draw(image, AnomalyLabel("abnormal", mask), VERDICTS, {"abnormal": "#ff0000"})
    assert drawn[8, 8].tolist() == [255, 0, 0]
    assert 0 < drawn[9, 9, 0] < 255
