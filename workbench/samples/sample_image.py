"""One image of a sample project, with what it shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class SampleImage:
    """A drawn photo and its label.

    name: as of an imported folder, "bolt/003.png". image: uint8 (H, W, 3). label: a value of the
    sample's task. split: train, dev or test where the drawing decides it, else None.
    """

    name: str
    image: np.ndarray
    label: Any
    split: str | None = None
