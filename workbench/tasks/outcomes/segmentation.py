"""Outcomes of segmentation: how well the areas of an image lie over each other."""

from collections.abc import Sequence

import numpy as np

from ...errors import InvalidLabel
from ..arrays import row_strips
from ..figures import Figures, find_index
from ..segmentation import MaskLabel, MaskPrediction, measure_confusion
from .words import CORRECT, FALSE_NEGATIVE, FALSE_POSITIVE, UNLABELED, WRONG_CLASS

LEVELS = 256  # of the probability that a pixel is not background
GOOD_OVERLAP = 0.5  # IoU of all classes together from which an image counts as correct


class Table:
    """How many pixels of each label have each candidate at each level of probability.

    Only what occurs is kept, some kilobytes an image.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._size = len(classes) + 1
        self._indexes = {name: index for index, name in enumerate(classes, 1)}
        self._places: list[int] = []  # of an image among the labeled ones, -1 without a label
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._doubts: list[float] = []
        self._labeled = 0

    def add(self, prediction: MaskPrediction, label: MaskLabel | None) -> None:
        """Add one image; label: None where it has none. Raises InvalidLabel for another size."""
        share = prediction.foreground.astype(np.float32) / 255
        self._doubts.append(float((4 * share * (1 - share)).max(initial=0)))
        if label is None:
            self._places.append(-1)
            return
        if label.mask.shape != prediction.candidates.shape:
            raise InvalidLabel(
                f"The mask is {label.mask.shape} (height, width), its prediction "
                f"{prediction.candidates.shape}; predict the image again."
            )
        counts = self._count(prediction, label.mask)
        keys = np.flatnonzero(counts)
        self._places.append(self._labeled)
        self._keys.append(keys + self._labeled * len(counts))
        self._counts.append(counts[keys])
        self._labeled += 1

    def _count(self, prediction: MaskPrediction, truth: np.ndarray) -> np.ndarray:
        """Return pixels by label, candidate and level: int64 (size * size * LEVELS,)."""
        order = [0, *(find_index(name, self._indexes) for name in prediction.classes)]
        table = np.array(order, np.uint32)
        length = self._size * self._size * LEVELS
        counts = np.zeros(length, np.int64)
        for rows in row_strips(truth.shape):
            candidates = table[prediction.candidates[rows]]
            keys = (truth[rows].astype(np.uint32) * self._size + candidates) * LEVELS
            counts += np.bincount((keys + prediction.foreground[rows]).ravel(), minlength=length)
        return counts

    def count_pixels(self, threshold: float) -> np.ndarray:
        """Return the confusion of each labeled image: int64 (M, size, size), background first."""
        size = self._size
        keys = np.concatenate([np.zeros(0, np.int64), *self._keys])
        counts = np.concatenate([np.zeros(0, np.int64), *self._counts])
        pairs, levels = keys // LEVELS, keys % LEVELS
        is_found = levels >= np.ceil(threshold * (LEVELS - 1))
        found = np.where(is_found, pairs % size, 0)
        cells = pairs // size * size + found
        shape = (self._labeled, size, size)
        confusion = np.bincount(cells, counts, minlength=int(np.prod(shape)))
        return np.rint(confusion).astype(np.int64).reshape(shape)

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images."""
        decided = threshold if self._labeled else None
        confusion = self.count_pixels(threshold).sum(axis=0)
        return measure_confusion(confusion, self.classes, self._labeled, decided)

    def judge(self, threshold: float) -> np.ndarray:
        """Return the outcome of each image: uint8 (N,).

        Correct is an overlap of one half; else the kind of most of the wrong pixels counts.
        """
        confusion = self.count_pixels(threshold)
        missed, made_up, mistaken = _count_wrong(confusion)
        kinds = np.stack([missed, mistaken, made_up])  # the gravest first: it wins a tie
        words = np.array([FALSE_NEGATIVE, WRONG_CLASS, FALSE_POSITIVE])
        gravest = words[kinds.argmax(axis=0)]
        known = np.where(_measure_overlap(confusion) >= GOOD_OVERLAP, CORRECT, gravest)
        return self._spread(known, UNLABELED).astype(np.uint8)

    def count_cell(self, row: int, column: int, threshold: float) -> np.ndarray:
        """Return how many pixels of one cell of the confusion each image holds: int64 (N,)."""
        return self._spread(self.count_pixels(threshold)[:, row, column], 0)

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return one minus the overlap (IoU) of all classes together: float64 (N,)."""
        return self._spread(1 - _measure_overlap(self.count_pixels(threshold)), 0.0)

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return how near to one half the probability of the least sure pixel is: float64 (N,)."""
        return np.array(self._doubts, np.float64)

    def _spread(self, values: np.ndarray, absent: float) -> np.ndarray:
        """Return values of the labeled images at the places of all: (N,)."""
        return np.append(values, absent)[np.array(self._places, np.int64)]


def _count_wrong(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return missed, made up and mistaken pixels of int64 (M, K + 1, K + 1): int64 (M,) each."""
    missed = confusion[:, 1:, 0].sum(axis=1)
    made_up = confusion[:, 0, 1:].sum(axis=1)
    inside = confusion[:, 1:, 1:]
    return missed, made_up, inside.sum(axis=(1, 2)) - np.trace(inside, axis1=1, axis2=2)


def _measure_overlap(confusion: np.ndarray) -> np.ndarray:
    """Return hits / (hits + all wrong pixels) of each image: float64 (M,); 1 for nothing at all."""
    hits = np.trace(confusion[:, 1:, 1:], axis1=1, axis2=2)
    union = hits + np.sum(_count_wrong(confusion), axis=0)
    return np.where(union > 0, hits / np.maximum(union, 1), 1.0)
