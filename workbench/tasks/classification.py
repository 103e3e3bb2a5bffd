"""Classification: one class for the whole image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidLabel, UnknownClass
from .framing import Frame


@dataclass(frozen=True)
class ClassLabel:
    """The class of an image, as a person says it."""

    class_name: str


@dataclass(frozen=True)
class ClassPrediction:
    """The probability of every class, 0..1, as a model says it; they sum to 1."""

    scores: dict[str, float]

    @property
    def class_name(self) -> str:
        """The most probable class; the first in the project's order where two are level."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def score(self) -> float:
        """The probability of the most probable class."""
        return max(self.scores.values())


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel or UnknownClass unless the label fits an image of (height, width)."""
    if not isinstance(label, ClassLabel):
        raise InvalidLabel(f"A classification label is a ClassLabel, not {type(label).__name__}.")
    if label.class_name not in classes:
        raise UnknownClass(
            f"There is no class {label.class_name!r}; add it with project.add_class()."
        )


def count_items(label: ClassLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return how many items of each class the label holds: one, of its class."""
    return {label.class_name: 1}


def pack_label(label: ClassLabel, class_ids: Mapping[str, int]) -> tuple[dict[str, Any], None]:
    """Return the label as a record of class ids for the store, and no mask."""
    return {"class": class_ids[label.class_name]}, None


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> ClassLabel | None:
    """Return the label of a record, or None where its class is no longer there."""
    names = {class_id: name for name, class_id in class_ids.items()}
    name = names.get(record["class"])
    return None if name is None else ClassLabel(name)


def pack_prediction(prediction: ClassPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and no arrays."""
    return {"scores": prediction.scores}, {}


def unpack_prediction(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ClassPrediction:
    """Return the prediction that `pack_prediction` packed."""
    return ClassPrediction(dict(record["scores"]))


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> ClassPrediction:
    """Return the prediction for what a network said of one image.

    outputs: one for each frame (here always one), with logits: float32 (K,).
    """
    logits = np.mean([output["logits"] for output in outputs], axis=0, dtype=np.float64)
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    return ClassPrediction({name: float(score) for name, score in zip(classes, scores)})
