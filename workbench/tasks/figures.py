"""What was measured, as one value, and the arithmetic that the four rooms share.

A figure that is not defined is nan, never 0 or 1: the precision of a class that was never
predicted, the AUROC of normal images alone.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnknownClass

Series = tuple[np.ndarray, np.ndarray]

HISTOGRAM_EDGES = np.linspace(0, 1, 41)
CURVE_POINTS = 400


@dataclass(frozen=True, eq=False)
class Figures:
    """All that `evaluate` found out about one set of predictions.

    overall: {figure: value}; per_class: {class name: {figure: value}}; nan where not defined.
    confusion: int64 (R, C): how many items of row_names[r] were predicted as column_names[c].
    curves: {kind: {series name: (x, y)}}. "precision_recall": recall, precision. "roc": false and
    true positive rate. "scores": a histogram, B + 1 edges and B counts, of scores from 0 to 1.
    counts: how many "images" and "items" (boxes, pixels) were measured.
    threshold: what decided: None where there was none, nan where predictions had different ones.
    """

    overall: dict[str, float]
    per_class: dict[str, dict[str, float]]
    confusion: np.ndarray
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    curves: dict[str, dict[str, Series]]
    counts: dict[str, int]
    threshold: float | None = None


def labeled_pairs(predictions: Iterable[Any], labels: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each (prediction, label) of the images that have a label, one at a time.

    Raises ValueError where one side is longer than the other.
    """
    pairs = zip(predictions, labels, strict=True)
    return ((prediction, label) for prediction, label in pairs if label is not None)


def find_index(class_name: str, indexes: Mapping[str, int]) -> int:
    """Return the index of a class in {name: index}. Raises UnknownClass, naming those there are."""
    if class_name not in indexes:
        names = ", ".join(map(repr, indexes))
        raise UnknownClass(
            f"A label or prediction names the class {class_name!r}, but only these are measured: "
            f"{names}. Measure with the classes the model was trained on."
        )
    return indexes[class_name]


def divide(part: float, whole: float) -> float:
    """Return part / whole, or nan where whole is 0."""
    return float(part) / float(whole) if whole else math.nan


def mean_defined(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where there are none."""
    defined = [value for value in values if not math.isnan(value)]
    return divide(sum(defined), len(defined))


def count_figures(hits: float, predicted: float, labeled: float) -> dict[str, float]:
    """Return precision, recall and f1 of counts.

    hits: what is predicted and labeled alike; predicted, labeled: what is so at all. precision is
    hits / predicted, recall is hits / labeled, f1 is their harmonic mean, 2 hits / (predicted +
    labeled), also known as Dice. Source: van Rijsbergen, Information Retrieval, 1979.
    """
    return {
        "precision": divide(hits, predicted),
        "recall": divide(hits, labeled),
        "f1": divide(2 * hits, predicted + labeled),
    }


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate of which hits in total were seen; nan where total is 0.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not total:
        return math.nan, math.nan
    z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
    rate = hits / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    spread = z / (1 + z * z / total) * math.sqrt(rate * (1 - rate) / total + (z / (2 * total)) ** 2)
    low = 0.0 if hits == 0 else middle - spread  # rounding would leave a crumb above 0
    return low, 1.0 if hits == total else middle + spread


def score_histogram(scores: Sequence[float] | np.ndarray) -> Series:
    """Return a histogram of scores from 0 to 1: float64 (B + 1,) edges and int64 (B,) counts."""
    clipped = np.clip(np.asarray(scores, np.float64), 0, 1)
    return HISTOGRAM_EDGES, np.histogram(clipped, HISTOGRAM_EDGES)[0]


def thin_curve(x: np.ndarray, y: np.ndarray) -> Series:
    """Return a curve with at most CURVE_POINTS of its points: first and last stay."""
    if len(x) <= CURVE_POINTS:
        return x, y
    kept = np.linspace(0, len(x) - 1, CURVE_POINTS).round().astype(int)
    return x[kept], y[kept]


def shared_threshold(thresholds: set[float]) -> float | None:
    """Return the one threshold that decided; nan where there were several, None without any."""
    if len(thresholds) > 1:
        return math.nan
    return next(iter(thresholds), None)
