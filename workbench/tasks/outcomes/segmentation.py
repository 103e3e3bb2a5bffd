"""Outcomes of segmentation: how well the areas of an image lie over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InvalidLabel
from ..arrays import row_strips
from ..figures import HISTOGRAM_EDGES, Figures, Series, divide, find_index, mean_defined
from ..segmentation import MaskLabel, MaskPrediction, measure_confusion
from .words import CORRECT, FALSE_NEGATIVE, FALSE_POSITIVE, UNLABELED, WRONG_CLASS

LEVELS = 256  # of the probability that a pixel is not background
CONFIDENT = 0.9  # probability from which a model's word is held against a label
GOOD_OVERLAP = 0.5  # IoU of all classes together from which an image counts as correct


@dataclass(frozen=True, eq=False)
class Counts:
    """The pixels of one labeled image: keys of label, candidate and level, and how many of each."""

    keys: np.ndarray
    numbers: np.ndarray


class Table:
    """How many pixels of each label have each candidate at each level of probability.

    Only what occurs is kept, some kilobytes an image.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._size = len(classes) + 1
        self._indexes = {name: index for index, name in enumerate(classes, 1)}
        self._counts: list[Counts] = []  # without a label: as if it said background everywhere
        self._labeled: list[bool] = []
        self._doubts: list[float] = []
        self._joined: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._last: tuple[float, np.ndarray] | None = None  # a threshold and its confusion

    def add(self, prediction: MaskPrediction, label: MaskLabel | None) -> None:
        """Add one image; label: None where it has none. Raises InvalidLabel for another size."""
        counts = self._count(prediction, label)
        self._labeled.append(label is not None)
        share = prediction.foreground.astype(np.float32) / 255
        self._doubts.append(float((4 * share * (1 - share)).max(initial=0)))
        self._counts.append(counts)
        self._joined = self._last = None

    def replace(
        self, place: int, prediction: MaskPrediction, before: Any, after: MaskLabel | None
    ) -> None:
        """Take another label for the image at a place. Raises InvalidLabel for another size."""
        self._counts[place] = self._count(prediction, after)
        self._labeled[place] = after is not None
        self._joined = self._last = None

    def _count(self, prediction: MaskPrediction, label: MaskLabel | None) -> Counts:
        """Return the pixels by label, candidate and level."""
        if label is None:
            label = MaskLabel(np.zeros(prediction.candidates.shape, np.uint8))
        if label.mask.shape != prediction.candidates.shape:
            raise InvalidLabel(
                f"The mask is {label.mask.shape} (height, width), its prediction "
                f"{prediction.candidates.shape}; predict the image again."
            )
        order = [0, *(find_index(name, self._indexes) for name in prediction.classes)]
        table = np.array(order, np.uint32)
        length = self._size * self._size * LEVELS
        counts = np.zeros(length, np.int64)
        for rows in row_strips(label.mask.shape):
            candidates = table[prediction.candidates[rows]]
            keys = (label.mask[rows].astype(np.uint32) * self._size + candidates) * LEVELS
            counts += np.bincount((keys + prediction.foreground[rows]).ravel(), minlength=length)
        found = np.flatnonzero(counts)
        return Counts(found.astype(np.int32), counts[found])

    @property
    def labeled(self) -> np.ndarray:
        """Which images have a label: bool (N,)."""
        return np.array(self._labeled, np.bool_)

    def _join(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return image (among the labeled), key and number of pixels of all counts: int64 (C,)."""
        if self._joined is None:
            known = [counts for counts, is_known in zip(self._counts, self._labeled) if is_known]
            self._joined = join_counts(known)
        return self._joined

    def count_pixels(self, threshold: float) -> np.ndarray:
        """Return the confusion of each labeled image: int64 (M, size, size), background first."""
        if self._last is None or self._last[0] != threshold:
            self._last = threshold, self._count_pixels(threshold)
        return self._last[1]

    def _count_pixels(self, threshold: float) -> np.ndarray:
        """Return what `count_pixels` does, counted."""
        size = self._size
        images, keys, numbers = self._join()
        pairs, levels = keys // LEVELS, keys % LEVELS
        is_found = levels >= np.ceil(threshold * (LEVELS - 1))
        found = np.where(is_found, pairs % size, 0)
        cells = (images * size + pairs // size) * size + found
        shape = (int(self.labeled.sum()), size, size)
        confusion = np.bincount(cells, numbers, minlength=int(np.prod(shape)))
        return np.rint(confusion).astype(np.int64).reshape(shape)

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images."""
        confusion = self.count_pixels(threshold)
        decided = threshold if len(confusion) else None
        return measure_confusion(confusion.sum(axis=0), self.classes, len(confusion), decided)

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
        return self._spread(self.count_pixels(threshold)[:, row, column], 0).astype(np.int64)

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return one minus the overlap (IoU) of all classes together: float64 (N,)."""
        return self._spread(1 - _measure_overlap(self.count_pixels(threshold)), 0.0)

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return how near to one half the probability of the least sure pixel is: float64 (N,)."""
        return np.array(self._doubts, np.float64)

    def rank_suspects(self, threshold: float) -> np.ndarray:
        """Return the share of areas on which the model is sure of another class: float64 (N,).

        Sure is a probability of CONFIDENT that a pixel is its candidate's, or that it is none.
        """
        images, keys, numbers = self._join()
        pairs, levels = keys // LEVELS, keys % LEVELS
        labeled, candidate = pairs // self._size, pairs % self._size
        sure = CONFIDENT * (LEVELS - 1)
        is_other = (levels >= sure) & (candidate != labeled)
        is_other |= (levels <= LEVELS - 1 - sure) & (labeled > 0)
        count = int(self.labeled.sum())
        wrong = np.bincount(images, numbers * is_other, minlength=count)
        area = np.bincount(images, numbers * (is_other | (labeled > 0)), minlength=count)
        return self._spread(wrong / np.maximum(area, 1), 0.0)

    def measure_weighted(self, weights: np.ndarray, threshold: float) -> float:
        """Return the mean IoU of images that count so often: float (N,) weights."""
        confusion = np.tensordot(weights[self.labeled], self.count_pixels(threshold), axes=1)
        hits = confusion.diagonal()
        union = confusion.sum(axis=1) + confusion.sum(axis=0) - hits
        return mean_defined(divide(hits[k], union[k]) for k in range(1, self._size))

    def find_scores(self) -> np.ndarray:
        """Return the highest probability of a pixel that it is not background: float64 (N,)."""
        highest = [(counts.keys % LEVELS).max(initial=0) for counts in self._counts]
        return np.array(highest, np.float64) / (LEVELS - 1)

    def count_scores(self) -> dict[str, Series]:
        """Return histograms of the probability of pixels: of those with and without a class."""
        _, keys, numbers = self._join()
        pairs, levels = keys // LEVELS, (keys % LEVELS) / (LEVELS - 1)
        has_class = pairs // self._size > 0
        found = {}
        for name, chosen in (("of a class", has_class), ("background", ~has_class)):
            counts = np.histogram(levels[chosen], HISTOGRAM_EDGES, weights=numbers[chosen])[0]
            found[name] = HISTOGRAM_EDGES, counts.astype(np.int64)
        return found

    def holds_class(self, class_index: int, threshold: float) -> np.ndarray:
        """Return whether any pixel is labeled or predicted as a class: bool (N,)."""
        images, keys, _ = join_counts(self._counts)
        pairs, levels = keys // LEVELS, keys % LEVELS
        is_found = levels >= np.ceil(threshold * (LEVELS - 1))
        is_its = (pairs // self._size == class_index + 1) | (
            is_found & (pairs % self._size == class_index + 1)
        )
        held: np.ndarray = np.bincount(images[is_its], minlength=len(self._counts)) > 0
        return held

    def _spread(self, values: np.ndarray, absent: float) -> np.ndarray:
        """Return values of the labeled images at the places of all: (N,)."""
        spread = np.full(len(self._counts), absent, np.float64)
        spread[self.labeled] = values
        return spread


def join_counts(parts: Sequence[Counts]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, key and number of pixels of all counts, one after the other: int64 (C,)."""
    images = np.repeat(np.arange(len(parts)), [len(counts.keys) for counts in parts])
    empty = np.zeros(0, np.int64)
    keys = np.concatenate([empty, *(counts.keys for counts in parts)])
    numbers = np.concatenate([empty, *(counts.numbers for counts in parts)])
    return images.astype(np.int64), keys, numbers


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
