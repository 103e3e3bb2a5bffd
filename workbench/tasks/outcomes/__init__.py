"""What a model got right and wrong, image by image, at any threshold without predicting again.

Each room has a Table: `add` one image after the other, then ask it for all thresholds. Figures are
those of the task's `evaluate`. An image without a label has an outcome too, and a doubt.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from ..figures import Figures
from . import anomaly, classification, detection, segmentation

# In the order of their numbers. An image with several errors counts as the gravest: a thing that
# was missed, then a wrong class, then a false alarm.
OUTCOMES = ("unlabeled", "correct", "false-positive", "wrong-class", "false-negative")

_ROOMS: dict[str, ModuleType] = {
    "classification": classification,
    "detection": detection,
    "segmentation": segmentation,
    "anomaly": anomaly,
}


class Table(Protocol):
    """What is kept of predictions and labels: N images, in the order in which they were added."""

    def add(self, prediction: Any, label: Any) -> None:
        """Add one image; label: None where it has none."""

    def replace(self, place: int, prediction: Any, before: Any, after: Any) -> None:
        """Take another label for the image at a place; before: the one that was added."""

    def measure(self, threshold: float) -> Figures:
        """Return the figures of the labeled images."""

    def judge(self, threshold: float) -> np.ndarray:
        """Return the outcome of each image: uint8 (N,), places in OUTCOMES."""

    def count_cell(self, row: int, column: int, threshold: float) -> np.ndarray:
        """Return how much of one cell of the confusion each image holds: int64 (N,)."""

    def rank_errors(self, threshold: float) -> np.ndarray:
        """Return how wrong each image is: float64 (N,), 0 to 1, the worst highest."""

    def rank_doubts(self, threshold: float) -> np.ndarray:
        """Return how unsure the model is of each image: float64 (N,), 0 to 1."""

    def rank_suspects(self, threshold: float) -> np.ndarray:
        """Return how surely the model contradicts each label: float64 (N,), 0 to 1, 0: not at all.

        The label may be wrong there, or the model is; a person looks.
        """

    def measure_weighted(self, weights: np.ndarray, threshold: float) -> float:
        """Return the task's main figure where each image counts so often: float (N,) weights.

        Quick enough for a bootstrap; nan where it is not defined.
        """

    def find_scores(self) -> np.ndarray:
        """Return the highest score in each image, 0 for none: float64 (N,), 0 to 1."""

    def holds_class(self, class_index: int, threshold: float) -> np.ndarray:
        """Return whether each image's label or prediction holds a class: bool (N,)."""


def make_table(task: str, classes: Sequence[str]) -> Table:
    """Return an empty table of a project type."""
    table: Table = _ROOMS[task].Table(classes)
    return table
