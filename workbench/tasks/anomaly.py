"""Anomaly detection: normal or abnormal, learned from normal images alone."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InvalidLabel, NotEnoughLabels
from .arrays import freeze, row_strips, same_array
from .drawing import FILL, draw_banner, draw_heat, draw_mask, find_color
from .figures import (
    Figures,
    Series,
    count_figures,
    divide,
    labeled_pairs,
    score_histogram,
    shared_threshold,
    thin_curve,
    wilson_interval,
)
from .framing import Frame, merge_maps, resize_map

VERDICTS = ("normal", "abnormal")
FEWEST_NORMALS = 2
HOT_SHARE = 0.01  # of the heat map, whose mean is the score


@dataclass(frozen=True, eq=False)
class AnomalyLabel:
    """Normal or abnormal, as a person says it.

    mask: bool (H, W), read-only, optional: where the abnormality lies; only used to measure.
    """

    verdict: str
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Keep a read-only bool copy of the mask. Raises InvalidLabel for an unknown verdict."""
        if self.verdict not in VERDICTS:
            raise InvalidLabel(f"A verdict is 'normal' or 'abnormal', not {self.verdict!r}.")
        if self.mask is None:
            return
        if np.ndim(self.mask) != 2:
            raise InvalidLabel(f"A mask is an array (H, W), not {np.shape(self.mask)}.")
        object.__setattr__(self, "mask", freeze(np.asarray(self.mask) != 0, np.bool_))

    def __eq__(self, other: object) -> bool:
        """Tell whether verdict and mask are the same."""
        return (
            isinstance(other, AnomalyLabel)
            and self.verdict == other.verdict
            and same_array(self.mask, other.mask)
        )

    def __repr__(self) -> str:
        """Return the label in a line, without its pixels."""
        where = "" if self.mask is None else f", {int(self.mask.sum())} pixels marked"
        return f"AnomalyLabel({self.verdict!r}{where})"

    def __hash__(self) -> int:
        """Return a hash of verdict and mask."""
        return hash((self.verdict, None if self.mask is None else self.mask.tobytes()))


@dataclass(frozen=True, eq=False)
class AnomalyPrediction:
    """What a model says of an image, on the run's one fixed scale: 0..1, where 0.5 is the line
    that was calibrated in training.

    grid: float32 (h, w), the heat map at the network's own resolution; `heatmap` is the same at
    (H, W).
    """

    score: float
    threshold: float
    grid: np.ndarray
    image_size: tuple[int, int]

    def __eq__(self, other: object) -> bool:
        """Tell whether score, threshold and heat map are the same."""
        mine = (self.score, self.threshold, self.image_size)
        return (
            isinstance(other, AnomalyPrediction)
            and mine == (other.score, other.threshold, other.image_size)
            and same_array(self.grid, other.grid)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the prediction in a line, without its heat map."""
        verdict = "abnormal" if self.is_abnormal else "normal"
        return (
            f"AnomalyPrediction({verdict}, score {self.score:.3f}, threshold {self.threshold:.3f})"
        )

    @property
    def is_abnormal(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    @cached_property
    def heatmap(self) -> np.ndarray:
        """The anomaly of every pixel: float32 (H, W), 0..1, on the run's fixed scale."""
        return freeze(resize_map(self.grid, self.image_size), np.float32)


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel unless the label fits an image of (height, width)."""
    if not isinstance(label, AnomalyLabel):
        raise InvalidLabel(f"An anomaly label is an AnomalyLabel, not {type(label).__name__}.")
    if label.mask is not None and label.mask.shape != tuple(image_size):
        raise InvalidLabel(
            f"The mask is {label.mask.shape} (height, width), its image {tuple(image_size)}."
        )
    if label.verdict == "normal" and label.mask is not None and label.mask.any():
        raise InvalidLabel("A normal image has no abnormal pixels; leave out its mask.")


def count_items(label: AnomalyLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return one item, of the label's verdict."""
    return {label.verdict: 1}


def pack_label(
    label: AnomalyLabel, class_ids: Mapping[str, int]
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the verdict as a record, and its mask, if any, as uint8 (H, W) of 0 and 1."""
    mask = None if label.mask is None else label.mask.astype(np.uint8)
    return {"verdict": label.verdict}, mask


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> AnomalyLabel:
    """Return the label of a record and its mask."""
    return AnomalyLabel(record["verdict"], mask)


def pack_prediction(prediction: AnomalyPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and its grid."""
    record = {
        "score": prediction.score,
        "threshold": prediction.threshold,
        "image_size": list(prediction.image_size),
    }
    return record, {"grid": prediction.grid}


def unpack_prediction(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> AnomalyPrediction:
    """Return the prediction that `pack_prediction` packed."""
    height, width = record["image_size"]
    return AnomalyPrediction(
        record["score"], record["threshold"], np.asarray(arrays["grid"]), (height, width)
    )


def make_label(
    prediction: AnomalyPrediction, names: Mapping[str, str], classes: Sequence[str]
) -> AnomalyLabel:
    """Return the verdict as a label; where it lies is for a person to say."""
    return AnomalyLabel("abnormal" if prediction.is_abnormal else "normal")


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> AnomalyPrediction:
    """Return the prediction for what a network said of one image, frame by frame.

    outputs: one for each frame, with heatmap: float32 (h, w), 0..1 on the run's fixed scale, one
    value for each stride of the input. The score is the mean of the hottest HOT_SHARE of the merged
    heat map: steadier than its highest value, which is one patch's.
    """
    stride = frames[0].input_size[0] / outputs[0]["heatmap"].shape[0]
    coarse = [frame.shrunk(stride) for frame in frames]
    grid = merge_maps([output["heatmap"][None] for output in outputs], coarse)[0]  # (h, w)
    hot = max(1, round(grid.size * HOT_SHARE))
    score = float(np.partition(grid, grid.size - hot, axis=None)[-hot:].mean(dtype=np.float64))
    return AnomalyPrediction(score, threshold, freeze(grid, np.float32), frames[0].image_size)


def evaluate(
    predictions: Iterable[AnomalyPrediction | None],
    labels: Iterable[AnomalyLabel | None],
    classes: Sequence[str] = VERDICTS,
    threshold: float | None = None,
) -> Figures:
    """Return the figures of parallel predictions and labels; images without a label are left out.

    threshold: the score from which an image is abnormal; None: each prediction's own.
    auroc and average_precision are scikit-learn's, nan unless both verdicts occur. precision,
    recall and f1 are those of "abnormal". overkill is the share of normal images that were flagged
    (false positive rate), escape the share of abnormal ones that were not (false negative rate);
    _low and _high are the ends of their 95 % Wilson interval. pixel_auroc is over all pixels of
    the abnormal images that have a mask and of all normal images, from histograms of 1024 bins of
    the heat map, so that memory stays bounded: pixels of one bin count as ties. nan without a mask.
    """
    scores, is_flagged, is_abnormal, thresholds = [], [], [], set()
    heat = HeatTally()
    for prediction, label in labeled_pairs(predictions, labels):
        limit = prediction.threshold if threshold is None else threshold
        thresholds.add(limit)
        scores.append(prediction.score)
        is_flagged.append(prediction.score >= limit)
        is_abnormal.append(label.verdict == "abnormal")
        heat.add_image(prediction, label)
    flagged, abnormal = np.array(is_flagged, np.bool_), np.array(is_abnormal, np.bool_)
    measured = np.array(scores, np.float64)
    limit_of_all = shared_threshold(thresholds)
    return measure_scores(measured, flagged, abnormal, heat.measure(), limit_of_all)


def measure_scores(
    scores: np.ndarray,
    flagged: np.ndarray,
    abnormal: np.ndarray,
    pixel_auroc: float,
    threshold: float | None,
) -> Figures:
    """Return the figures of scores, float64 (N,), of what was flagged and what is so, bool (N,)."""
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (abnormal.astype(np.int64), flagged.astype(np.int64)), 1)
    per_class = _measure_verdicts(confusion)
    ranking, curves = _rank(scores, abnormal)
    best = {name: per_class["abnormal"][name] for name in ("f1", "precision", "recall")}
    return Figures(
        overall={**ranking, **best, **_measure_rates(confusion), "pixel_auroc": pixel_auroc},
        per_class=per_class,
        confusion=confusion,
        row_names=VERDICTS,
        column_names=VERDICTS,
        curves=curves,
        counts={"images": len(scores), "items": len(scores)},
        threshold=threshold,
    )


def _measure_verdicts(confusion: np.ndarray) -> dict[str, dict[str, float]]:
    """Return precision, recall, f1 and support of both verdicts, from int64 (2, 2)."""
    sides = zip(VERDICTS, confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
    return {
        verdict: {**count_figures(hits, predicted, labeled), "support": float(labeled)}
        for verdict, hits, predicted, labeled in sides
    }


def _measure_rates(confusion: np.ndarray) -> dict[str, float]:
    """Return overkill and escape with their intervals, from int64 (2, 2)."""
    figures = {}
    for name, row in (("overkill", confusion[0]), ("escape", confusion[1, ::-1])):
        wrong, total = int(row[1]), int(row.sum())
        figures[name] = divide(wrong, total)
        figures[f"{name}_low"], figures[f"{name}_high"] = wilson_interval(wrong, total)
    return figures


def _rank(
    scores: np.ndarray, abnormal: np.ndarray
) -> tuple[dict[str, float], dict[str, dict[str, Series]]]:
    """Return figures and curves of how scores, float64 (N,), rank verdicts, bool (N,)."""
    groups = {"normal": scores[~abnormal], "abnormal": scores[abnormal]}
    histograms = {name: score_histogram(group) for name, group in groups.items()}
    if not all(map(len, groups.values())):
        return {"auroc": math.nan, "average_precision": math.nan}, {"scores": histograms}
    # scikit-learn takes a second to import, and only reports need it.
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(abnormal, scores)
    false_rate, true_rate, _ = metrics.roc_curve(abnormal, scores)
    figures = {
        "auroc": float(metrics.roc_auc_score(abnormal, scores)),
        "average_precision": float(metrics.average_precision_score(abnormal, scores)),
    }
    curves = {
        "precision_recall": {"abnormal": thin_curve(recall, precision)},
        "roc": {"abnormal": thin_curve(false_rate, true_rate)},
        "scores": histograms,
    }
    return figures, curves


class HeatTally:
    """Counts image by image how hot the pixels are, inside and outside of the masks."""

    BINS = 1024

    def __init__(self) -> None:
        self.outside, self.inside = np.zeros((2, self.BINS), np.int64)

    def add_image(self, prediction: AnomalyPrediction, label: AnomalyLabel, sign: int = 1) -> None:
        """Count one image's pixels; an abnormal image without a mask says nothing of its pixels.

        sign: -1 takes them out again. Raises InvalidLabel where the mask and the heat map differ
        in size.
        """
        if label.mask is None and label.verdict == "abnormal":
            return
        if label.mask is not None and label.mask.shape != tuple(prediction.image_size):
            raise InvalidLabel(
                f"The mask is {label.mask.shape} (height, width), its prediction "
                f"{tuple(prediction.image_size)}; predict the image again."
            )
        # Not prediction.heatmap, which would stay in memory with its prediction.
        heat = resize_map(prediction.grid, prediction.image_size)
        mask = np.zeros(heat.shape, np.bool_) if label.mask is None else label.mask
        for rows in row_strips(heat.shape):
            bins = np.clip(heat[rows] * self.BINS, 0, self.BINS - 1).astype(np.uint16)
            self.outside += sign * np.bincount(bins[~mask[rows]], minlength=self.BINS)
            self.inside += sign * np.bincount(bins[mask[rows]], minlength=self.BINS)

    def measure(self) -> float:
        """Return how often a pixel inside is hotter than one outside, ties counting half.

        nan where one side is empty. Source: Mann and Whitney, 1947; Hanley and McNeil, 1982.
        """
        cooler = self.outside.cumsum() - self.outside / 2
        pairs = float(self.inside.sum()) * float(self.outside.sum())
        return divide(float((self.inside * cooler).sum()), pairs)


def draw(
    image: np.ndarray,
    label_or_prediction: AnomalyLabel | AnomalyPrediction | None,
    classes: Sequence[str] = VERDICTS,
    colors: Mapping[str, str] = MappingProxyType({}),
) -> np.ndarray:
    """Return a copy of a uint8 (H, W, 3) image with its verdict along the top.

    A label's mask is filled and outlined. A prediction's heat map has the same colours in every
    image, cool below 0.5 and warm above; what reaches the threshold is outlined.
    colors: {verdict: "#rrggbb"}. None gives a plain copy.
    """
    if label_or_prediction is None:
        return image.copy()
    abnormal = find_color("abnormal", classes, colors)
    if isinstance(label_or_prediction, AnomalyLabel):
        verdict = text = label_or_prediction.verdict
        mask, fill, drawn = label_or_prediction.mask, FILL, image
    else:
        verdict = "abnormal" if label_or_prediction.is_abnormal else "normal"
        text = f"{verdict} {label_or_prediction.score:.2f}"
        heat = label_or_prediction.heatmap
        mask, fill, drawn = heat >= label_or_prediction.threshold, 0.0, draw_heat(image, heat)
    if mask is not None:
        drawn = draw_mask(drawn, mask.astype(np.uint8), [abnormal], fill)
    return draw_banner(drawn, text, find_color(verdict, classes, colors))


def check_enough(labeled: int, images_per_class: Mapping[str, int]) -> None:
    """Raise NotEnoughLabels unless a model can learn from the train split.

    labeled: its labeled images. images_per_class: how many of them have each verdict.
    """
    normal = images_per_class["normal"]
    if normal < FEWEST_NORMALS:
        raise NotEnoughLabels(
            f"The train split holds {normal} normal images; anomaly detection needs at least "
            f"{FEWEST_NORMALS}, and is better with 20 or more. Label more as normal."
        )
