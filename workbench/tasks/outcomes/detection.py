"""Outcomes of detection: boxes that were missed, of the wrong class, or made up."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..detection import BoxLabel, BoxPrediction, measure_boxes
from ..figures import Figures, mean_defined
from ..matching import AveragePrecision, BoxArrays, BoxMatches, make_box_arrays
from .words import CORRECT, FALSE_NEGATIVE, FALSE_POSITIVE, UNLABELED, WRONG_CLASS


class Table:
    """The matched boxes of N images. `matches` has those with a label, in their order."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self.matches = BoxMatches(len(classes))
        self._indexes = {name: index for index, name in enumerate(classes)}
        self._average = AveragePrecision(len(classes))
        self._measured: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._places: list[int] = []  # of an image among the labeled ones, -1 without a label
        self._found: list[BoxArrays] = []

    def add(self, prediction: BoxPrediction, label: BoxLabel | None) -> None:
        """Add one image; label: None where it has none."""
        found = make_box_arrays(prediction.boxes, self._indexes)
        self._found.append(found)
        self._measured = None
        if label is None:
            self._places.append(-1)
            return
        self._places.append(self.matches.image_count)
        truth = make_box_arrays(label.boxes, self._indexes)
        self.matches.add_image(truth, found)
        self._average.add_image(truth, found)

    def replace(
        self, place: int, prediction: BoxPrediction, before: Any, after: BoxLabel | None
    ) -> None:
        """Take another label for the image at a place."""
        self._measured = None
        row, found = self._places[place], self._found[place]
        if after is None:
            self._forget(place)
            return
        truth = make_box_arrays(after.boxes, self._indexes)
        if row >= 0:
            self.matches.replace_image(row, truth, found)
            self._average.replace_image(row, truth, found)
            return
        row = sum(other >= 0 for other in self._places[:place])  # boxes of one score keep order
        self.matches.add_image(truth, found, row)
        self._average.add_image(truth, found, row)
        self._places = [other + (other >= row) for other in self._places]
        self._places[place] = row

    def _forget(self, place: int) -> None:
        """Leave the image at a place without a label."""
        row = self._places[place]
        if row < 0:
            return
        self.matches.remove_image(row)
        self._average.remove_image(row)
        self._places[place] = -1
        self._places = [other - (other > row) for other in self._places]

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images."""
        if self._measured is None:
            self._measured = self._average.measure()  # of all thresholds
        limits = np.full(self.matches.image_count, threshold, np.float64)
        return measure_boxes(self._measured, self.matches, self.classes, limits)

    def count_errors(self, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how many things each labeled image misses, mistakes and makes up: int64 (M,)."""
        columns, images = self.matches.columns, self.matches.image_count
        counts = columns["score"] >= threshold
        partner, image = columns["partner"][counts], columns["image"][counts]
        labeled = columns["labeled_class"]
        is_right = np.append(labeled, -1)[partner] == columns["class"][counts]
        is_missed = self._find_missed(threshold)
        missed = np.bincount(columns["labeled_image"][is_missed], minlength=images)
        mistaken = np.bincount(image[(partner >= 0) & ~is_right], minlength=images)
        made_up = np.bincount(image[partner < 0], minlength=images)
        return missed, mistaken, made_up

    def judge(self, threshold: float) -> np.ndarray:
        """Return the outcome of each image, its gravest: uint8 (N,)."""
        missed, mistaken, made_up = self.count_errors(threshold)
        gravest = [missed > 0, mistaken > 0, made_up > 0]
        known = np.select(gravest, [FALSE_NEGATIVE, WRONG_CLASS, FALSE_POSITIVE], CORRECT)
        return self._spread(known, UNLABELED).astype(np.uint8)

    def count_cell(self, row: int, column: int, threshold: float) -> np.ndarray:
        """Return how many things of one cell of the confusion each image holds: int64 (N,)."""
        columns, images = self.matches.columns, self.matches.image_count
        background = len(self.classes)
        if column == background:
            is_missed = self._find_missed(threshold) & (columns["labeled_class"] == row)
            held = np.bincount(columns["labeled_image"][is_missed], minlength=images)
        else:
            truth = np.append(columns["labeled_class"], background)[columns["partner"]]
            counts = (columns["score"] >= threshold) & (columns["class"] == column)
            held = np.bincount(columns["image"][counts & (truth == row)], minlength=images)
        return self._spread(held, 0)

    def _find_missed(self, threshold: float) -> np.ndarray:
        """Return which labeled things no box found, of whatever class: bool (L,)."""
        columns = self.matches.columns
        partner = columns["partner"][columns["score"] >= threshold]
        is_missed = np.ones(len(columns["labeled_class"]), np.bool_)
        is_missed[partner[partner >= 0]] = False
        return is_missed

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return the share of wrong things among all that is labeled or found: float64 (N,)."""
        errors = np.sum(self.count_errors(threshold), axis=0)
        columns, images = self.matches.columns, self.matches.image_count
        labeled = np.bincount(columns["labeled_image"], minlength=images)
        counts = (columns["score"] >= threshold) & (columns["partner"] < 0)
        things = labeled + np.bincount(columns["image"][counts], minlength=images)
        return self._spread(errors / np.maximum(things, 1), 0.0)

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return how near the least sure box is to the threshold: float64 (N,), 0 for no box."""
        nearest = [np.abs(found.scores - threshold).min(initial=1.0) for found in self._found]
        return 1 - np.array(nearest, np.float64)

    def rank_suspects(self, threshold: float) -> np.ndarray:
        """Return the score of the surest box that contradicts the label: float64 (N,).

        It found nothing that is labeled, or a thing of another class.
        """
        columns, images = self.matches.columns, self.matches.image_count
        labeled = np.append(columns["labeled_class"], -1)[columns["partner"]]
        contradicts = labeled != columns["class"]
        surest = np.zeros(images)
        np.maximum.at(surest, columns["image"][contradicts], columns["score"][contradicts])
        return self._spread(np.where(surest >= threshold, surest, 0.0), 0.0)

    def measure_weighted(self, weights: np.ndarray, threshold: float) -> float:
        """Return map_50 of images that count so often: float (N,) weights."""
        columns, images = self.matches.columns, self.matches.image_count
        places = np.array(self._places, np.int64)
        counted = np.zeros(images)
        counted[places[places >= 0]] = weights[places >= 0]
        order = np.argsort(-columns["score"], kind="stable")
        found = {name: columns[name][order] for name in ("image", "class", "is_hit")}
        labeled_weights = counted[columns["labeled_image"]]
        averages = []
        for index in range(len(self.classes)):
            labeled = float(labeled_weights[columns["labeled_class"] == index].sum())
            mine = found["class"] == index
            hits, weight = found["is_hit"][mine], counted[found["image"][mine]]
            averages.append(measure_average(hits * weight, weight, labeled))
        return mean_defined(averages)

    def find_scores(self) -> np.ndarray:
        """Return the score of the surest box of each image: float64 (N,)."""
        return np.array([found.scores.max(initial=0.0) for found in self._found], np.float64)

    def holds_class(self, class_index: int, threshold: float) -> np.ndarray:
        """Return whether a class is labeled or found: bool (N,)."""
        columns, images = self.matches.columns, self.matches.image_count
        labeled = columns["labeled_image"][columns["labeled_class"] == class_index]
        held = self._spread(np.bincount(labeled, minlength=images) > 0, False)
        found = [
            bool(((each.classes == class_index) & (each.scores >= threshold)).any())
            for each in self._found
        ]
        return held | np.array(found, np.bool_)

    def _spread(self, values: np.ndarray, absent: float) -> np.ndarray:
        """Return values of the labeled images at the places of all: (N,)."""
        places = np.array(self._places, np.int64)
        return np.append(values, absent)[places]


def measure_average(hits: np.ndarray, weights: np.ndarray, labeled: float) -> float:
    """Return the average precision of boxes, best first; nan without labels.

    hits, weights: float (B,), how often each box counts as right, and at all. labeled: how many
    there are to find. The mean of the highest precision from each of 101 recalls on. Source: COCO
    detection evaluation (Lin et al., 2014).
    """
    if not labeled:
        return math.nan
    found, shown = hits.cumsum(), weights.cumsum()
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    places = np.searchsorted(found / labeled, np.linspace(0, 1, 101), side="left")
    return float(highest[places].mean())
