"""What one gesture did to a label."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Rect = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class Change:
    """The label after a gesture (None: unlabeled), and where its mask may differ from before.

    rect: (x, y, width, height) in pixels; None for a label without a mask, or for no change.
    """

    label: Any
    rect: Rect | None = None


def find_difference(before: np.ndarray, after: np.ndarray) -> Rect | None:
    """Return the smallest rect that holds all pixels in which two masks (H, W) differ."""
    differs = before != after
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(differs[rows[0] : rows[-1] + 1].any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1
