"""Object detection: boxes of several classes, several to an image or none."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidLabel, UnknownClass


@dataclass(frozen=True)
class Box:
    """One thing in an image: its class and its box in pixels, half-open, x to the right, y down."""

    class_name: str
    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        """Hold plain floats, whatever number came in."""
        for name in ("x0", "y0", "x1", "y1"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """The four sides: x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1


@dataclass(frozen=True)
class ScoredBox(Box):
    """One thing that a model found, with its score, 0..1."""

    score: float = 1.0


@dataclass(frozen=True)
class BoxLabel:
    """All things in an image, as a person says it. No boxes: looked at, nothing there."""

    boxes: tuple[Box, ...] = ()

    def __init__(self, boxes: Iterable[Box] = ()) -> None:
        object.__setattr__(self, "boxes", tuple(boxes))


@dataclass(frozen=True)
class BoxPrediction:
    """What a model found, best first: every box above its score floor.

    A box counts where its score >= threshold; `found` holds those.
    """

    boxes: tuple[ScoredBox, ...]
    threshold: float = 0.5

    @property
    def found(self) -> tuple[ScoredBox, ...]:
        """The boxes that count: score >= threshold."""
        return tuple(box for box in self.boxes if box.score >= self.threshold)


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel or UnknownClass unless the label fits an image of (height, width)."""
    if not isinstance(label, BoxLabel):
        raise InvalidLabel(f"A detection label is a BoxLabel, not {type(label).__name__}.")
    for box in label.boxes:
        check_box(box, image_size, classes)


def check_box(box: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel or UnknownClass unless the box has an area inside of (height, width)."""
    if not isinstance(box, Box):
        raise InvalidLabel(f"A BoxLabel holds Box values, not {type(box).__name__}.")
    if box.class_name not in classes:
        raise UnknownClass(f"There is no class {box.class_name!r}; add it with project.add_class().")
    if not all(map(math.isfinite, box.xyxy)) or box.x1 <= box.x0 or box.y1 <= box.y0:
        raise InvalidLabel(f"{box} has no area: x1 must be above x0, and y1 above y0.")
    height, width = image_size
    if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
        raise InvalidLabel(f"{box} leaves its image of {width} x {height} pixels; clamp it first.")


def count_items(label: BoxLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return how many boxes of each class the label holds."""
    return dict(Counter(box.class_name for box in label.boxes))


def pack_label(label: BoxLabel, class_ids: Mapping[str, int]) -> tuple[dict[str, Any], None]:
    """Return the label as a record of class ids for the store, and no mask."""
    return {"boxes": [[class_ids[box.class_name], *box.xyxy] for box in label.boxes]}, None


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> BoxLabel:
    """Return the label of a record, without the boxes whose class is no longer there."""
    names = {class_id: name for name, class_id in class_ids.items()}
    return BoxLabel(Box(names[row[0]], *row[1:]) for row in record["boxes"] if row[0] in names)


def pack_prediction(prediction: BoxPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and no arrays."""
    rows = [[box.class_name, *box.xyxy, box.score] for box in prediction.boxes]
    return {"boxes": rows, "threshold": prediction.threshold}, {}


def unpack_prediction(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> BoxPrediction:
    """Return the prediction that `pack_prediction` packed."""
    return BoxPrediction(tuple(ScoredBox(*row) for row in record["boxes"]), record["threshold"])
