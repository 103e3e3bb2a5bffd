"""Outcomes: the same figures as `evaluate` at any threshold, and each image's own verdict."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.tasks import TASKS
from workbench.tasks.anomaly import VERDICTS, AnomalyLabel, AnomalyPrediction
from workbench.tasks.classification import ClassLabel, ClassPrediction
from workbench.tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox
from workbench.tasks.outcomes import OUTCOMES, make_table
from workbench.tasks.segmentation import MaskLabel, MaskPrediction

CLASSES = ["nut", "bolt"]
SIZE = (9, 12)  # height, width
SCENES: dict[str, Callable[[np.random.Generator], tuple[Any, Any]]] = {}

Pairs = list[tuple[Any, Any]]


def scene(task: str) -> Callable[[Any], Any]:
    """Register what draws one prediction and its label."""
    return lambda draw: SCENES.setdefault(task, draw)


@scene("classification")
def draw_classes(random: np.random.Generator) -> tuple[Any, Any]:
    score = float(random.integers(0, 11)) / 10
    scores = {"nut": score, "bolt": 1 - score}
    return ClassPrediction(scores), ClassLabel(str(random.choice(CLASSES)))


@scene("detection")
def draw_boxes(random: np.random.Generator) -> tuple[Any, Any]:
    def sides() -> list[float]:
        x, y = random.integers(0, 4, 2) * 5.0
        return [x, y, x + 10.0, y + 10.0]

    labeled = [Box(str(random.choice(CLASSES)), *sides()) for _ in range(random.integers(0, 4))]
    count = random.integers(0, 5)
    scores = np.sort(random.integers(1, 10, count) / 10)[::-1]
    found = [ScoredBox(str(random.choice(CLASSES)), *sides(), float(s)) for s in scores]
    return BoxPrediction(tuple(found)), BoxLabel(labeled)


@scene("segmentation")
def draw_pixels(random: np.random.Generator) -> tuple[Any, Any]:
    truth = random.integers(0, 3, SIZE).astype(np.uint8)
    candidates = random.integers(1, 3, SIZE).astype(np.uint8)
    foreground = random.integers(0, 256, SIZE).astype(np.uint8)
    order = tuple(random.permutation(CLASSES).tolist())
    return MaskPrediction(candidates, foreground, order), MaskLabel(truth)


@scene("anomaly")
def draw_heat(random: np.random.Generator) -> tuple[Any, Any]:
    verdict = str(random.choice(VERDICTS))
    grid = random.random((3, 4)).astype(np.float32)
    has_mask = verdict == "abnormal" and random.random() < 0.5
    mask = random.random(SIZE) < 0.3 if has_mask else None
    score = float(random.integers(0, 11)) / 10
    return AnomalyPrediction(score, 0.5, grid, SIZE), AnomalyLabel(verdict, mask=mask)


def draw(task: str, seed: int, images: int = 6) -> Pairs:
    """Return predictions with labels; some images have none."""
    random = np.random.default_rng(seed)
    pairs = [SCENES[task](random) for _ in range(images)]
    return [(prediction, label if random.random() < 0.8 else None) for prediction, label in pairs]


def fill(task: str, pairs: Pairs) -> Any:
    """Return the table of these images."""
    table = make_table(task, VERDICTS if task == "anomaly" else CLASSES)
    for prediction, label in pairs:
        table.add(prediction, label)
    return table


def same_figures(found: Any, expected: Any) -> None:
    """Assert that two sets of figures are equal, nan included."""
    np.testing.assert_equal(found.overall, expected.overall)
    np.testing.assert_equal(found.per_class, expected.per_class)
    np.testing.assert_array_equal(found.confusion, expected.confusion)
    np.testing.assert_equal(found.curves, expected.curves)
    assert (found.counts, found.threshold) == (expected.counts, expected.threshold)
    assert (found.row_names, found.column_names) == (expected.row_names, expected.column_names)


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_the_figures_are_those_of_evaluate_at_every_threshold(task: str, seed: int) -> None:
    pairs = draw(task, seed)
    table = fill(task, pairs)
    classes = VERDICTS if task == "anomaly" else CLASSES
    for threshold in (0.05, 0.3, 0.5, 0.8):
        expected = TASKS[task].room.evaluate(*zip(*pairs), classes, threshold)
        same_figures(table.measure(threshold), expected)


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_the_images_of_a_cell_add_up_to_the_confusion(task: str, seed: int) -> None:
    table = fill(task, draw(task, seed))
    for threshold in (0.3, 0.6):
        confusion = table.measure(threshold).confusion
        for row, column in np.ndindex(confusion.shape):
            held = table.count_cell(row, column, threshold)
            assert held.sum() == confusion[row, column]
            assert not held[table.judge(threshold) == 0].any()  # the unlabeled are in none


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_every_image_has_an_outcome_and_ranks_within_bounds(task: str, seed: int) -> None:
    pairs = draw(task, seed)
    table = fill(task, pairs)
    outcomes = table.judge(0.5)
    assert len(outcomes) == len(pairs)
    for outcome, (_, label) in zip(outcomes, pairs):
        assert (OUTCOMES[outcome] == "unlabeled") == (label is None)
    for ranks in (table.rank_errors(0.5), table.rank_doubts(0.5)):
        assert ranks.shape == (len(pairs),)
        assert ((ranks >= 0) & (ranks <= 1)).all()
    for outcome, error, (_, label) in zip(outcomes, table.rank_errors(0.5), pairs):
        if label is None:
            assert error == 0
        if task == "detection" and label is not None:
            assert (error == 0) == (OUTCOMES[outcome] == "correct")


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_another_label_gives_the_table_that_it_would_have_made(task: str, seed: int) -> None:
    before, others = draw(task, seed), draw(task, seed + 1)
    table = fill(task, before)
    table.measure(0.5)
    after = list(before)
    random = np.random.default_rng(seed)
    for place in random.integers(0, len(before), 8):
        prediction, old = after[place]
        label = others[random.integers(0, len(others))][1]
        table.replace(place, prediction, old, label)
        after[place] = (prediction, label)
    expected = fill(task, after)
    same_figures(table.measure(0.4), expected.measure(0.4))
    for method in ("judge", "rank_errors", "rank_doubts", "rank_suspects"):
        found, wanted = (getattr(each, method)(0.4) for each in (table, expected))
        np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_suspects_are_labeled_and_within_bounds(task: str, seed: int) -> None:
    pairs = draw(task, seed)
    suspects = fill(task, pairs).rank_suspects(0.5)
    assert ((suspects >= 0) & (suspects <= 1)).all()
    assert not any(suspects[place] for place, (_, label) in enumerate(pairs) if label is None)


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_weights_stand_for_repeated_images(task: str, seed: int) -> None:
    pairs = draw(task, seed)
    weights = np.random.default_rng(seed).integers(0, 3, len(pairs))
    repeated = [pair for pair, weight in zip(pairs, weights) for _ in range(weight)]
    found = fill(task, pairs).measure_weighted(weights.astype(float), 0.5)
    expected = fill(task, repeated).measure(0.5).overall[TASKS[task].main_figure]
    np.testing.assert_allclose(found, expected, atol=0.05 if task == "detection" else 1e-9)


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_class_is_held_by_label_or_prediction(task: str, seed: int) -> None:
    pairs = draw(task, seed)
    table = fill(task, pairs)
    room = TASKS[task].room
    classes = list(VERDICTS) if task == "anomaly" else CLASSES
    assert ((table.find_scores() >= 0) & (table.find_scores() <= 1)).all()
    for index, name in enumerate(classes):
        held = table.holds_class(index, 0.5)
        for is_held, (prediction, label) in zip(held, pairs):
            said = [room.make_label(prediction, dict(zip(classes, classes)), classes), label]
            if task == "classification" and prediction.score < 0.5:
                continue
            names = {key for one in said if one for key in room.count_items(one, classes)}
            assert is_held == (name in names)


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_table_has_no_outcomes(task: str) -> None:
    table = fill(task, [])
    assert len(table.find_scores()) == len(table.holds_class(0, 0.5)) == 0
    assert len(table.judge(0.5)) == len(table.rank_errors(0.5)) == len(table.rank_doubts(0.5)) == 0
    assert table.measure(0.5).counts["images"] == 0


def judge(task: str, prediction: Any, label: Any, threshold: float = 0.5) -> str:
    """Return the outcome of one image."""
    return OUTCOMES[fill(task, [(prediction, label)]).judge(threshold)[0]]


def test_a_class_is_right_wrong_or_undecided() -> None:
    prediction = ClassPrediction({"nut": 0.7, "bolt": 0.3})
    assert judge("classification", prediction, ClassLabel("nut")) == "correct"
    assert judge("classification", prediction, ClassLabel("bolt")) == "wrong-class"
    assert judge("classification", prediction, ClassLabel("nut"), 0.8) == "false-negative"
    assert judge("classification", prediction, None) == "unlabeled"


def test_the_gravest_error_of_the_boxes_counts() -> None:
    here, there = (0, 0, 10, 10), (20, 0, 30, 10)
    found = BoxPrediction((ScoredBox("nut", *here, 0.9), ScoredBox("nut", *there, 0.6)))
    outcomes = {
        "correct": [Box("nut", *here), Box("nut", *there)],
        "wrong-class": [Box("nut", *here), Box("bolt", *there)],
        "false-positive": [Box("nut", *here)],
        "false-negative": [Box("nut", *here), Box("bolt", *there), Box("nut", 0, 20, 9, 29)],
    }
    for outcome, boxes in outcomes.items():
        assert judge("detection", found, BoxLabel(boxes)) == outcome
    assert judge("detection", found, BoxLabel(outcomes["false-positive"]), 0.7) == "correct"
    assert judge("detection", found, BoxLabel(outcomes["correct"]), 0.7) == "false-negative"
    assert judge("detection", BoxPrediction(()), BoxLabel([])) == "correct"


def test_areas_are_correct_from_half_an_overlap_on() -> None:
    truth = np.zeros(SIZE, np.uint8)
    truth[:6] = 1
    sure = np.full(SIZE, 255, np.uint8)

    def predict(rows: int, k: int = 1) -> MaskPrediction:
        foreground = sure.copy()
        foreground[rows:] = 0
        return MaskPrediction(np.full(SIZE, k, np.uint8), foreground, tuple(CLASSES))

    label = MaskLabel(truth)
    assert judge("segmentation", predict(3), label) == "correct"
    assert judge("segmentation", predict(2), label) == "false-negative"
    assert judge("segmentation", predict(6, k=2), label) == "wrong-class"
    assert judge("segmentation", predict(4), MaskLabel(0 * truth)) == "false-positive"
    assert judge("segmentation", predict(0), MaskLabel(0 * truth)) == "correct"


def test_overkill_and_escape_are_named() -> None:
    hot = AnomalyPrediction(0.7, 0.5, np.zeros((2, 2), np.float32), SIZE)
    assert judge("anomaly", hot, AnomalyLabel("normal")) == "false-positive"
    assert judge("anomaly", hot, AnomalyLabel("normal"), 0.8) == "correct"
    assert judge("anomaly", hot, AnomalyLabel("abnormal"), 0.8) == "false-negative"
    assert judge("anomaly", hot, AnomalyLabel("abnormal")) == "correct"


def test_a_label_is_suspect_where_the_model_is_sure_of_another() -> None:
    def suspect(task: str, prediction: Any, label: Any) -> float:
        return float(fill(task, [(prediction, label)]).rank_suspects(0.5)[0])

    sure = ClassPrediction({"nut": 0.9, "bolt": 0.1})
    assert suspect("classification", sure, ClassLabel("nut")) == 0
    assert suspect("classification", sure, ClassLabel("bolt")) == pytest.approx(0.8)
    hot = AnomalyPrediction(0.8, 0.5, np.zeros((2, 2), np.float32), SIZE)
    assert suspect("anomaly", hot, AnomalyLabel("normal")) == pytest.approx(0.6)
    assert suspect("anomaly", hot, AnomalyLabel("abnormal")) == 0
    found = BoxPrediction((ScoredBox("nut", 0, 0, 10, 10, 0.9),))
    assert suspect("detection", found, BoxLabel([])) == pytest.approx(0.9)
    assert suspect("detection", found, BoxLabel([Box("nut", 0, 0, 10, 10)])) == 0
    half = np.zeros(SIZE, np.uint8)
    half[:3] = 1
    painted = MaskPrediction(np.ones(SIZE, np.uint8), half * 255, tuple(CLASSES))
    assert suspect("segmentation", painted, MaskLabel(half)) == 0
    assert suspect("segmentation", painted, MaskLabel(0 * half)) == 1


def test_a_rate_sets_the_threshold() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    labels = ["normal"] * 5 + ["abnormal"] * 3
    pairs = [
        (AnomalyPrediction(score, 0.5, np.zeros((2, 2), np.float32), SIZE), AnomalyLabel(verdict))
        for score, verdict in zip(scores, labels)
    ]
    table = fill("anomaly", pairs)
    for rate in (0.0, 0.2, 0.45, 0.8):
        found = table.find_threshold(rate, None)
        overkill = table.measure(found).overall["overkill"]
        assert rate - 0.2 < overkill <= rate
        escape = table.measure(table.find_threshold(None, rate)).overall["escape"]
        assert rate - 1 / 3 < escape <= rate
    normals = fill("anomaly", pairs[:5])
    assert 0.5 < normals.find_threshold(0.0, None) < 0.6
    assert normals.find_threshold(None, 0.1) is None


def test_the_worst_and_the_least_sure_come_first() -> None:
    predictions = [ClassPrediction({"nut": p, "bolt": 1 - p}) for p in (0.9, 0.55, 0.1)]
    table = fill("classification", [(p, ClassLabel("nut")) for p in predictions])
    assert table.rank_errors(0.5).argmax() == 2
    assert table.rank_doubts(0.5).argmax() == 1
