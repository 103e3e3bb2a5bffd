"""Anomaly detection: normal or abnormal, learned from normal images alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InvalidLabel
from .arrays import freeze, same_array
from .framing import Frame, merge_maps, resize_map

VERDICTS = ("normal", "abnormal")


@dataclass(frozen=True, eq=False)
class AnomalyLabel:
    """Normal or abnormal, as a person says it.

    mask: bool (H, W), read-only, optional: where the abnormality lies; only used to measure.
    """

    verdict: str
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Keep a read-only bool copy of the mask. Raises InvalidLabel for an unknown verdict."""
        if self.verdict not in VERDICTS:
            raise InvalidLabel(f"A verdict is 'normal' or 'abnormal', not {self.verdict!r}.")
        if self.mask is None:
            return
        if np.ndim(self.mask) != 2:
            raise InvalidLabel(f"A mask is an array (H, W), not {np.shape(self.mask)}.")
        object.__setattr__(self, "mask", freeze(np.asarray(self.mask) != 0, np.bool_))

    def __eq__(self, other: object) -> bool:
        """Tell whether verdict and mask are the same."""
        return (
            isinstance(other, AnomalyLabel)
            and self.verdict == other.verdict
            and same_array(self.mask, other.mask)
        )

    def __hash__(self) -> int:
        """Return a hash of verdict and mask."""
        return hash((self.verdict, None if self.mask is None else self.mask.tobytes()))


@dataclass(frozen=True, eq=False)
class AnomalyPrediction:
    """What a model says of an image, on the run's one fixed scale: 0..1, where 0.5 is the line
    that was calibrated in training.

    grid: float32 (h, w), the heat map at the network's own resolution; `heatmap` is the same at (H, W).
    """

    score: float
    threshold: float
    grid: np.ndarray
    image_size: tuple[int, int]

    def __eq__(self, other: object) -> bool:
        """Tell whether score, threshold and heat map are the same."""
        mine = (self.score, self.threshold, self.image_size)
        return (
            isinstance(other, AnomalyPrediction)
            and mine == (other.score, other.threshold, other.image_size)
            and same_array(self.grid, other.grid)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_abnormal(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    @cached_property
    def heatmap(self) -> np.ndarray:
        """The anomaly of every pixel: float32 (H, W), 0..1, on the run's fixed scale."""
        return freeze(resize_map(self.grid, self.image_size), np.float32)


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel unless the label fits an image of (height, width)."""
    if not isinstance(label, AnomalyLabel):
        raise InvalidLabel(f"An anomaly label is an AnomalyLabel, not {type(label).__name__}.")
    if label.mask is not None and label.mask.shape != tuple(image_size):
        raise InvalidLabel(
            f"The mask is {label.mask.shape} (height, width), its image {tuple(image_size)}."
        )
    if label.verdict == "normal" and label.mask is not None and label.mask.any():
        raise InvalidLabel("A normal image has no abnormal pixels; leave out its mask.")


def count_items(label: AnomalyLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return one item, of the label's verdict."""
    return {label.verdict: 1}


def pack_label(
    label: AnomalyLabel, class_ids: Mapping[str, int]
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the verdict as a record, and the mask as uint8 (H, W) of 0 and 1 where there is one."""
    mask = None if label.mask is None else label.mask.astype(np.uint8)
    return {"verdict": label.verdict}, mask


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> AnomalyLabel:
    """Return the label of a record and its mask."""
    return AnomalyLabel(record["verdict"], mask)


def pack_prediction(prediction: AnomalyPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and its grid."""
    record = {
        "score": prediction.score,
        "threshold": prediction.threshold,
        "image_size": list(prediction.image_size),
    }
    return record, {"grid": prediction.grid}


def unpack_prediction(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> AnomalyPrediction:
    """Return the prediction that `pack_prediction` packed."""
    height, width = record["image_size"]
    return AnomalyPrediction(
        record["score"], record["threshold"], np.asarray(arrays["grid"]), (height, width)
    )


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> AnomalyPrediction:
    """Return the prediction for what a network said of one image, frame by frame.

    outputs: one for each frame, with heatmap: float32 (h, w), 0..1 on the run's fixed scale, one value
    for each stride of the input. The score is the highest value of the merged heat map.
    """
    stride = frames[0].input_size[0] / outputs[0]["heatmap"].shape[0]
    coarse = [frame.shrunk(stride) for frame in frames]
    grid = merge_maps([output["heatmap"][None] for output in outputs], coarse)[0]  # (h, w)
    return AnomalyPrediction(
        float(grid.max()), threshold, freeze(grid, np.float32), frames[0].image_size
    )
