"""Outcomes of classification: the right class, a wrong one, or none that was sure enough."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..classification import ClassLabel, ClassPrediction, decide, measure_table, score_row
from ..figures import Figures, divide, find_index
from .words import CORRECT, FALSE_NEGATIVE, UNLABELED, WRONG_CLASS


class Table:
    """The probabilities of N images, and their labels."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._indexes = {name: index for index, name in enumerate(classes)}
        self._scores: list[np.ndarray] = []
        self._labels: list[int] = []
        self._joined: np.ndarray | None = None

    def add(self, prediction: ClassPrediction, label: ClassLabel | None) -> None:
        """Add one image; label: None where it has none."""
        self._scores.append(score_row(prediction, self._indexes))
        self._labels.append(self._find(label))
        self._joined = None

    def replace(
        self, place: int, prediction: ClassPrediction, before: Any, after: ClassLabel | None
    ) -> None:
        """Take another label for the image at a place."""
        self._labels[place] = self._find(after)

    def _find(self, label: ClassLabel | None) -> int:
        """Return the index of the labeled class, -1 without a label."""
        return -1 if label is None else find_index(label.class_name, self._indexes)

    @property
    def scores(self) -> np.ndarray:
        """The probability of each class: float64 (N, K)."""
        if self._joined is None:
            shape = len(self._labels), len(self.classes)
            self._joined = np.array(self._scores, np.float64).reshape(shape)
        return self._joined

    @property
    def labels(self) -> np.ndarray:
        """The labeled class indexes, -1 for none: int64 (N,)."""
        return np.array(self._labels, np.int64)

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images; below the threshold an image is undecided."""
        scores, labels = self.scores, self.labels
        return measure_table(scores[labels >= 0], labels[labels >= 0], self.classes, threshold)

    def judge(self, threshold: float) -> np.ndarray:
        """Return the outcome of each image: uint8 (N,); undecided counts as a false negative."""
        decided, labels = decide(self.scores, threshold), self.labels
        outcomes = np.where(decided == labels, CORRECT, WRONG_CLASS)
        outcomes[decided == len(self.classes)] = FALSE_NEGATIVE
        outcomes[labels < 0] = UNLABELED
        return outcomes.astype(np.uint8)

    def count_cell(self, row: int, column: int, threshold: float) -> np.ndarray:
        """Return which images lie in one cell of the confusion: int64 (N,), 0 or 1."""
        decided = decide(self.scores, threshold)
        held: np.ndarray = (self.labels == row) & (decided == column)
        return held.astype(np.int64)

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return one minus the probability of the labeled class: float64 (N,), 0 without label."""
        scores, labels = self.scores, self.labels
        if not scores.size:
            return np.zeros(len(labels))
        of_label = np.take_along_axis(scores, np.maximum(labels, 0)[:, None], 1)[:, 0]
        return np.where(labels < 0, 0.0, 1 - of_label)

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return one minus the lead of the best class over the second: float64 (N,).

        Source: margin sampling (Scheffer et al., 2001).
        """
        if len(self.classes) < 2:
            return np.zeros(len(self._labels))
        best = np.sort(self.scores, axis=1)
        doubts: np.ndarray = 1 - (best[:, -1] - best[:, -2])
        return doubts

    def rank_suspects(self, threshold: float) -> np.ndarray:
        """Return the lead of the predicted class over the labeled one: float64 (N,), 0 for none.

        Source: the margin of confident learning (Northcutt et al., 2021).
        """
        scores, labels = self.scores, self.labels
        if not scores.size:
            return np.zeros(len(labels))
        of_label = np.take_along_axis(scores, np.maximum(labels, 0)[:, None], 1)[:, 0]
        return np.where(labels < 0, 0.0, scores.max(axis=1) - of_label)

    def measure_weighted(self, weights: np.ndarray, threshold: float) -> float:
        """Return the accuracy of images that count so often: float (N,) weights."""
        labels = self.labels
        counted = weights * (labels >= 0)
        is_right = decide(self.scores, threshold) == labels
        return divide(float((counted * is_right).sum()), float(counted.sum()))

    def find_scores(self) -> np.ndarray:
        """Return the highest probability of each image: float64 (N,)."""
        best: np.ndarray = self.scores.max(axis=1, initial=0)
        return best

    def holds_class(self, class_index: int, threshold: float) -> np.ndarray:
        """Return whether a class is labeled or predicted: bool (N,)."""
        is_predicted = decide(self.scores, threshold) == class_index
        held: np.ndarray = (self.labels == class_index) | is_predicted
        return held
