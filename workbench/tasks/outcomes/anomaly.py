"""Outcomes of anomaly detection: overkill is a false positive, escape a false negative."""

from collections.abc import Sequence

import numpy as np

from ..anomaly import AnomalyLabel, AnomalyPrediction, HeatTally, measure_scores
from ..figures import Figures, divide
from .words import CORRECT, FALSE_NEGATIVE, FALSE_POSITIVE, UNLABELED

NONE, NORMAL, ABNORMAL = -1, 0, 1


class Table:
    """The scores of N images, and their verdicts."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._scores: list[float] = []
        self._verdicts: list[int] = []
        self._heat = HeatTally()

    def add(self, prediction: AnomalyPrediction, label: AnomalyLabel | None) -> None:
        """Add one image; label: None where it has none."""
        if label is not None:
            self._heat.add_image(prediction, label)
        self._scores.append(prediction.score)
        self._verdicts.append(find_verdict(label))

    def replace(
        self,
        place: int,
        prediction: AnomalyPrediction,
        before: AnomalyLabel | None,
        after: AnomalyLabel | None,
    ) -> None:
        """Take another label for the image at a place; before: the one that was added."""
        for label, sign in ((after, 1), (before, -1)):
            if label is not None:
                self._heat.add_image(prediction, label, sign)
        self._verdicts[place] = find_verdict(after)

    @property
    def scores(self) -> np.ndarray:
        """The scores: float64 (N,)."""
        return np.array(self._scores, np.float64)

    @property
    def verdicts(self) -> np.ndarray:
        """-1 without a label, 0 normal, 1 abnormal: int64 (N,)."""
        return np.array(self._verdicts, np.int64)

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images."""
        scores, verdicts = self.scores, self.verdicts
        known = verdicts != NONE
        flagged = scores[known] >= threshold
        abnormal = verdicts[known] == ABNORMAL
        decided = threshold if known.any() else None
        return measure_scores(scores[known], flagged, abnormal, self._heat.measure(), decided)

    def judge(self, threshold: float) -> np.ndarray:
        """Return the outcome of each image: uint8 (N,)."""
        flagged, verdicts = self.scores >= threshold, self.verdicts
        outcomes = np.full(len(verdicts), CORRECT, np.uint8)
        outcomes[flagged & (verdicts == NORMAL)] = FALSE_POSITIVE
        outcomes[~flagged & (verdicts == ABNORMAL)] = FALSE_NEGATIVE
        outcomes[verdicts == NONE] = UNLABELED
        return outcomes

    def count_cell(self, row: int, column: int, threshold: float) -> np.ndarray:
        """Return which images lie in one cell of the confusion: int64 (N,), 0 or 1."""
        flagged = (self.scores >= threshold).astype(np.int64)
        held: np.ndarray = (self.verdicts == row) & (flagged == column)
        return held.astype(np.int64)

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return how hot a normal and how cool an abnormal image is: float64 (N,), 0 to 1."""
        scores = np.clip(self.scores, 0, 1)
        return np.select([self.verdicts == NORMAL, self.verdicts == ABNORMAL], [scores, 1 - scores])

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return how near each score is to the threshold: float64 (N,), 1 on it."""
        doubts: np.ndarray = 1 - np.clip(np.abs(np.clip(self.scores, 0, 1) - threshold), 0, 1)
        return doubts

    def find_threshold(self, overkill: float | None, escape: float | None) -> float | None:
        """Return the threshold at which a rate, 0..1, is just met on the labeled images.

        overkill: of normal images; the lowest such threshold. escape: of abnormal ones; the
        highest. None where no image has that verdict.
        """
        verdict, rate = (NORMAL, overkill) if overkill is not None else (ABNORMAL, escape)
        assert rate is not None
        scores = np.sort(np.clip(self.scores[self.verdicts == verdict], 0, 1))
        if not len(scores):
            return None
        wrong = int(rate * len(scores) + 1e-9)  # so many may lie on the wrong side
        if wrong >= len(scores):
            return 0.0 if verdict == NORMAL else 1.0
        if verdict == ABNORMAL:
            return float(scores[wrong])
        low = scores[-1 - wrong]
        high = scores[-wrong] if wrong else min(1.0, low + 0.02)
        return float((low + high) / 2) if high > low else float(np.nextafter(low, 2))

    def rank_suspects(self, threshold: float) -> np.ndarray:
        """Return how far beyond the threshold a score contradicts its verdict: float64 (N,)."""
        room = max(threshold, 1 - threshold, 1e-9)
        beyond = (np.clip(self.scores, 0, 1) - threshold) / room
        contradicts = np.select(
            [self.verdicts == NORMAL, self.verdicts == ABNORMAL], [beyond, -beyond]
        )
        suspects: np.ndarray = np.maximum(contradicts, 0)
        return suspects

    def measure_weighted(self, weights: np.ndarray, threshold: float) -> float:
        """Return the AUROC of images that count so often: float (N,) weights.

        How often an abnormal image scores above a normal one, ties counting half.
        """
        levels, places = np.unique(self.scores, return_inverse=True)
        normal, abnormal = (
            np.bincount(places, weights * (self.verdicts == verdict), minlength=len(levels))
            for verdict in (NORMAL, ABNORMAL)
        )
        below = normal.cumsum() - normal / 2
        return divide(float((abnormal * below).sum()), float(abnormal.sum() * normal.sum()))

    def find_scores(self) -> np.ndarray:
        """Return the scores, cut off at 0 and 1: float64 (N,)."""
        scores: np.ndarray = np.clip(self.scores, 0, 1)
        return scores

    def holds_class(self, class_index: int, threshold: float) -> np.ndarray:
        """Return whether a verdict (0 normal, 1 abnormal) is labeled or predicted: bool (N,)."""
        flagged = (self.scores >= threshold).astype(np.int64)
        held: np.ndarray = (self.verdicts == class_index) | (flagged == class_index)
        return held


def find_verdict(label: AnomalyLabel | None) -> int:
    """Return the number of a label's verdict."""
    if label is None:
        return NONE
    return ABNORMAL if label.verdict == "abnormal" else NORMAL
