"""Outcomes of anomaly detection: overkill is a false positive, escape a false negative."""

from collections.abc import Sequence

import numpy as np

from ..anomaly import AnomalyLabel, AnomalyPrediction, HeatTally, measure_scores
from ..figures import Figures
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
        self._scores.append(prediction.score)
        if label is None:
            self._verdicts.append(NONE)
            return
        self._verdicts.append(ABNORMAL if label.verdict == "abnormal" else NORMAL)
        self._heat.add_image(prediction, label)

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
