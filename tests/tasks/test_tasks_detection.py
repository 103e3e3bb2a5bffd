import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import UnknownClass
from workbench.tasks.detection import (
    Box,
    BoxLabel,
    BoxPrediction,
    ScoredBox,
    best_threshold,
    draw,
    evaluate,
)
from workbench.tasks.matching import box_overlap, match_boxes, pair_overlap

CLASSES = ["nut", "bolt"]
LABEL = BoxLabel([Box("nut", 0, 0, 10, 10), Box("nut", 20, 0, 30, 10)])
PREDICTION = BoxPrediction(
    (
        ScoredBox("nut", 0, 0, 10, 10, 0.9),
        ScoredBox("nut", 0, 0, 10, 10, 0.8),  # the same thing again: a false alarm
        ScoredBox("nut", 20, 0, 30, 10, 0.7),
    ),
    threshold=0.75,
)


def test_average_precision_is_the_one_counted_by_hand():
    figures = evaluate([PREDICTION], [LABEL], CLASSES, None)
    expected = (51 * 1 + 50 * 2 / 3) / 101  # precision 1 up to recall .5, then 2/3
    assert figures.per_class["nut"]["ap_50"] == pytest.approx(expected)
    assert figures.per_class["nut"]["ap"] == pytest.approx(expected)  # the boxes fit exactly
    assert figures.overall["map_50"] == pytest.approx(expected)
    assert math.isnan(figures.per_class["bolt"]["ap_50"])  # no labels, so not in the mean


def test_the_predictions_own_threshold_decides_unless_one_is_given():
    own = evaluate([PREDICTION], [LABEL], CLASSES, None)
    assert own.threshold == 0.75
    assert (own.overall["precision"], own.overall["recall"]) == (1 / 2, 1 / 2)
    lower = evaluate([PREDICTION], [LABEL], CLASSES, 0.7)  # 0.7 itself counts
    assert lower.overall["precision"] == pytest.approx(2 / 3)
    assert lower.overall["recall"] == 1.0
    assert lower.per_class["nut"]["f1"] == pytest.approx(0.8)
    assert lower.overall["map"] == own.overall["map"]


def test_an_overlap_of_one_half_is_a_match_and_counts_for_one_tenth_of_map():
    half = BoxPrediction((ScoredBox("nut", 0, 0, 10, 5, 0.9),))
    figures = evaluate([half], [BoxLabel([Box("nut", 0, 0, 10, 10)])], CLASSES, None)
    assert figures.overall["recall"] == 1.0
    assert figures.overall["map_50"] == pytest.approx(1.0)
    assert figures.overall["map"] == pytest.approx(0.1)


def test_confusion_matches_whatever_the_class_and_counts_background():
    label = BoxLabel([Box("nut", 0, 0, 10, 10), Box("bolt", 50, 50, 60, 60)])
    prediction = BoxPrediction(
        (
            ScoredBox("bolt", 0, 0, 10, 10, 0.9),
            ScoredBox("nut", 80, 80, 90, 90, 0.8),
            ScoredBox("nut", 80, 0, 90, 10, 0.1),
        )
    )
    figures = evaluate([prediction], [label], CLASSES, None)
    assert figures.row_names == figures.column_names == ("nut", "bolt", "background")
    assert figures.confusion.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert figures.overall["precision"] == figures.overall["recall"] == 0.0
    assert figures.counts == {"images": 1, "items": 2}


def test_an_image_where_nothing_is_has_false_alarms_but_no_recall():
    alarm = BoxPrediction((ScoredBox("nut", 0, 0, 10, 10, 0.9),))
    figures = evaluate([alarm, BoxPrediction(())], [BoxLabel(), BoxLabel()], CLASSES, None)
    assert figures.overall["precision"] == 0.0
    assert math.isnan(figures.overall["recall"]) and math.isnan(figures.overall["map"])
    assert figures.confusion.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_a_class_that_is_never_predicted_has_no_precision():
    figures = evaluate([BoxPrediction(())], [LABEL], CLASSES, None)
    assert math.isnan(figures.per_class["nut"]["precision"])
    assert figures.per_class["nut"]["recall"] == figures.per_class["nut"]["ap_50"] == 0.0


def test_matching_is_best_first_and_takes_the_largest_overlap():
    overlap = np.array([[0.6, 0.9], [0.0, 0.8], [0.55, 0.0], [0.49, 0.0]])
    assert match_boxes(overlap).tolist() == [1, -1, 0, -1]
    assert match_boxes(np.zeros((2, 0))).tolist() == [-1, -1]
    assert match_boxes(np.zeros((0, 3))).tolist() == []


def test_overlap_is_intersection_over_union():
    boxes = np.array([[0, 0, 10, 10], [5, 5, 5, 9]])
    others = np.array([[0, 0, 10, 5], [10, 0, 20, 10], [5, 0, 15, 10]])
    assert box_overlap(boxes, others).tolist() == [[0.5, 0.0, pytest.approx(1 / 3)], [0, 0, 0]]
    assert box_overlap(np.zeros((0, 4)), others).shape == (0, 3)
    rows, columns = np.mgrid[:2, :3].reshape(2, -1)
    in_pairs = pair_overlap(boxes[rows].astype(float), others[columns].astype(float))
    assert in_pairs.tolist() == box_overlap(boxes, others).ravel().tolist()


def test_best_threshold_is_the_score_with_the_highest_f1():
    assert best_threshold([PREDICTION], [LABEL], CLASSES) == 0.7  # f1: 2/3, 1/2, 4/5
    shorter = BoxPrediction(PREDICTION.boxes[:2])
    assert best_threshold([shorter], [LABEL], CLASSES) == 0.9
    assert best_threshold([BoxPrediction(())], [LABEL], CLASSES) == 0.5
    assert best_threshold([], [], CLASSES) == 0.5


def test_boxes_of_level_scores_count_together():
    level = BoxPrediction(
        (
            ScoredBox("nut", 0, 0, 10, 10, 0.9),
            ScoredBox("nut", 20, 0, 30, 10, 0.6),
            *(ScoredBox("nut", 50, 10 * k, 60, 10 * k + 10, 0.6) for k in range(3)),
        )
    )
    assert best_threshold([level], [LABEL], CLASSES) == 0.9  # f1 2/3; with all of .6: 4/7


def make_scene(seed, images=12):
    """Return random predictions and labels: shifted, missed, doubled and made-up boxes."""
    random = np.random.default_rng(seed)
    predictions, labels = [], []
    for _ in range(images):
        boxes, found = [], []
        for _ in range(random.integers(0, 5)):
            x, y = random.integers(0, 80, 2)
            width, height = random.integers(5, 30, 2)
            name = CLASSES[random.integers(2)]
            boxes.append(Box(name, x, y, x + width, y + height))
            shift = random.normal(0, 2, 2)
            for _ in range(random.integers(0, 3)):
                where = (x + shift[0], y + shift[1], x + shift[0] + width, y + shift[1] + height)
                found.append(ScoredBox(name, *where, float(random.random())))
        found.append(ScoredBox(CLASSES[random.integers(2)], 1, 1, 9, 9, float(random.random())))
        predictions.append(BoxPrediction(tuple(found)))
        labels.append(BoxLabel(boxes))
    return predictions, labels


def run_coco(predictions, labels):
    """Return map and map_50 by COCO's own whole program."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def annotate(values):
        rows = [(i, box) for i, value in enumerate(values, 1) for box in value.boxes]
        return [
            {
                "id": number,
                "image_id": i,
                "category_id": CLASSES.index(box.class_name),
                "bbox": [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0],
                "area": (box.x1 - box.x0) * (box.y1 - box.y0),
                "iscrowd": 0,
                "score": getattr(box, "score", 1.0),
            }
            for number, (i, box) in enumerate(rows, 1)
        ]

    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(1, len(labels) + 1)],
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        "annotations": annotate(labels),
    }
    truth.createIndex()
    judge = COCOeval(truth, truth.loadRes(annotate(predictions)), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge.stats[:2]


@pytest.mark.parametrize("seed", range(3))
def test_map_is_what_cocos_own_program_says(seed):
    predictions, labels = make_scene(seed)
    figures = evaluate(predictions, labels, CLASSES, None)
    expected = run_coco(predictions, labels)
    assert [figures.overall["map"], figures.overall["map_50"]] == pytest.approx(list(expected))


def test_nothing_is_printed(capsys):
    evaluate([PREDICTION], [LABEL], CLASSES, None)
    assert capsys.readouterr().out == ""


@given(st.integers(0, 10_000))
def test_the_best_threshold_is_the_best_of_all_scores(seed):
    predictions, labels = make_scene(seed, images=3)
    best = best_threshold(predictions, labels, CLASSES)
    f1 = measure_f1(predictions, labels, best)
    scores = {box.score for prediction in predictions for box in prediction.boxes}
    assert all(f1 >= measure_f1(predictions, labels, score) - 1e-12 for score in scores)


def measure_f1(predictions, labels, threshold):
    figures = evaluate(predictions, labels, CLASSES, threshold)
    return np.nan_to_num(figures.overall["f1"])  # nan where nothing is predicted or labeled


def test_a_class_that_is_not_measured_is_named():
    with pytest.raises(UnknownClass, match="'screw'"):
        evaluate([PREDICTION], [BoxLabel([Box("screw", 0, 0, 5, 5)])], CLASSES, None)


def test_boxes_are_drawn_on_their_own_pixels():
    image = np.zeros((40, 40, 3), np.uint8)  # too small for text
    drawn = draw(image, BoxLabel([Box("nut", 5, 10, 20, 30)]), CLASSES, {"nut": "#ff0000"})
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 5, 19)
    assert drawn[10, 5].tolist() == drawn[29, 19].tolist() == [255, 0, 0]
    assert not drawn[11:29, 6:19].any()


def test_only_boxes_that_count_are_drawn():
    image = np.zeros((40, 40, 3), np.uint8)
    weak = BoxPrediction((ScoredBox("nut", 5, 5, 20, 20, 0.2),), threshold=0.5)
    assert not draw(image, weak, CLASSES, {}).any()
