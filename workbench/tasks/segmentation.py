"""Segmentation: a class for each pixel."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InvalidLabel
from .arrays import freeze, row_strips, same_array
from .drawing import draw_mask, find_color
from .enough import check_every_class
from .figures import (
    Figures,
    count_figures,
    divide,
    find_index,
    labeled_pairs,
    mean_defined,
    shared_threshold,
)
from .framing import Frame, merge_maps, resize_map

FEW_CLASSES = 8


@dataclass(frozen=True, eq=False)
class MaskLabel:
    """The class of every pixel, as a person says it.

    mask: uint8 (H, W), read-only; 0 is background, k is classes[k - 1]. All 0: looked at, nothing
    there.
    """

    mask: np.ndarray

    def __post_init__(self) -> None:
        """Keep a read-only uint8 copy. Raises InvalidLabel where the array cannot be a mask."""
        mask = np.asarray(self.mask)
        if mask.ndim != 2 or mask.dtype.kind not in "bui":
            raise InvalidLabel(
                f"A mask is an array of integers (H, W), not {mask.dtype} {mask.shape}."
            )
        if mask.size and (mask.min() < 0 or mask.max() > 255):
            raise InvalidLabel("A mask holds 0 for background and k for classes[k - 1], up to 255.")
        object.__setattr__(self, "mask", freeze(mask, np.uint8))

    def __eq__(self, other: object) -> bool:
        """Tell whether both masks hold the same classes at the same pixels."""
        return isinstance(other, MaskLabel) and same_array(self.mask, other.mask)

    def __repr__(self) -> str:
        """Return the mask in a line, without its pixels."""
        height, width = self.mask.shape
        found = [int(k) for k in np.unique(self.mask) if k]
        return f"MaskLabel({width} x {height} pixels, holds {found or 'nothing'})"

    def __hash__(self) -> int:
        """Return a hash of the pixels."""
        return hash((self.mask.shape, self.mask.tobytes()))


@dataclass(frozen=True, eq=False)
class MaskPrediction:
    """What a model says of every pixel.

    candidates: uint8 (H, W), the most probable class other than background, 1-based.
    foreground: uint8 (H, W), the probability that the pixel is not background, in 255ths.
    A pixel belongs to its candidate where its probability >= threshold.
    """

    candidates: np.ndarray
    foreground: np.ndarray
    classes: tuple[str, ...]
    threshold: float = 0.5

    def __eq__(self, other: object) -> bool:
        """Tell whether both predictions say the same of every pixel."""
        return (
            isinstance(other, MaskPrediction)
            and (self.classes, self.threshold) == (other.classes, other.threshold)
            and same_array(self.candidates, other.candidates)
            and same_array(self.foreground, other.foreground)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the prediction in a line: which fraction of the image each class covers."""
        areas = ", ".join(f"{name} {share:.2%}" for name, share in self.areas.items())
        return f"MaskPrediction({areas}; threshold {self.threshold:.2f})"

    @cached_property
    def mask(self) -> np.ndarray:
        """The predicted classes: uint8 (H, W), 0 is background, k is classes[k - 1]."""
        counts = self.foreground >= np.ceil(self.threshold * 255)
        return freeze(np.where(counts, self.candidates, 0), np.uint8)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of what `mask` says: float16 (H, W), 0..1."""
        foreground = self.foreground.astype(np.float16) / np.float16(255)
        return freeze(np.where(self.mask > 0, foreground, 1 - foreground), np.float16)

    @property
    def areas(self) -> dict[str, float]:
        """The fraction of the image that each class covers, 0..1."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes) + 1)
        return {name: float(n) / self.mask.size for name, n in zip(self.classes, counts[1:])}


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel unless the label fits an image of (height, width)."""
    if not isinstance(label, MaskLabel):
        raise InvalidLabel(f"A segmentation label is a MaskLabel, not {type(label).__name__}.")
    if label.mask.shape != tuple(image_size):
        raise InvalidLabel(
            f"The mask is {label.mask.shape} (height, width), its image {tuple(image_size)}."
        )
    highest = int(label.mask.max(initial=0))
    if highest > len(classes):
        raise InvalidLabel(f"The mask holds {highest}, but the project has {len(classes)} classes.")


def count_items(label: MaskLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return how many pixels of each class the label holds; classes without any are left out."""
    if len(classes) <= FEW_CLASSES:  # comparing is ten times as fast as a histogram
        counts = [np.count_nonzero(label.mask == k) for k in range(1, len(classes) + 1)]
    else:
        counts = np.bincount(label.mask.ravel(), minlength=len(classes) + 1)[1:].tolist()
    return {name: int(n) for name, n in zip(classes, counts) if n}


def pack_label(label: MaskLabel, class_ids: Mapping[str, int]) -> tuple[dict[str, Any], np.ndarray]:
    """Return an empty record, and the mask as uint8 (H, W) of class ids, which never change."""
    if list(class_ids.values()) == list(range(1, len(class_ids) + 1)):
        return {}, label.mask  # positions and ids are the same until a class is removed
    table = np.zeros(256, np.uint8)
    table[1 : len(class_ids) + 1] = list(class_ids.values())
    return {}, table[label.mask]


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> MaskLabel:
    """Return the label of a mask of class ids; pixels of a removed class turn to background."""
    table = np.zeros(256, np.uint8)
    table[list(class_ids.values())] = np.arange(1, len(class_ids) + 1)
    return MaskLabel(table[np.asarray(mask)])


def pack_prediction(prediction: MaskPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and two uint8 arrays (H, W)."""
    record = {"classes": list(prediction.classes), "threshold": prediction.threshold}
    return record, {"candidates": prediction.candidates, "foreground": prediction.foreground}


def unpack_prediction(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> MaskPrediction:
    """Return the prediction that `pack_prediction` packed."""
    return MaskPrediction(
        arrays["candidates"], arrays["foreground"], tuple(record["classes"]), record["threshold"]
    )


def make_label(
    prediction: MaskPrediction, names: Mapping[str, str], classes: Sequence[str]
) -> MaskLabel:
    """Return the label with the mask that counts; pixels of a class that is gone are background.

    names: {the model's class name: the project's of today}. classes: the project's.
    """
    table = np.zeros(256, np.uint8)
    for index, name in enumerate(prediction.classes, 1):
        if name in names:
            table[index] = list(classes).index(names[name]) + 1
    return MaskLabel(table[prediction.mask])


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> MaskPrediction:
    """Return the prediction for what a network said of one image, frame by frame.

    outputs: one for each frame, with logits: float32 (K + 1, input height, input width), background
    first. Tiles are merged before the probabilities are resized to the image.
    """
    scores = merge_maps([output["logits"] for output in outputs], list(frames))  # (K + 1, h, w)
    scores -= scores.max(axis=0)  # in place, as a large photo makes each of these 100 MB and more
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    size = frames[0].image_size
    background = np.clip(resize_map(scores[0], size), 0, 1)  # (H, W)
    best = np.full(size, -1, np.float32)
    candidates = np.zeros(size, np.uint8)
    for index in range(1, len(scores)):
        values = resize_map(scores[index], size)  # (H, W)
        np.copyto(candidates, index, where=values > best)
        np.maximum(best, values, out=best)
    return MaskPrediction(
        freeze(candidates, np.uint8),
        freeze(np.round((1 - background) * 255), np.uint8),
        tuple(classes),
        threshold,
    )


def evaluate(
    predictions: Iterable[MaskPrediction | None],
    labels: Iterable[MaskLabel | None],
    classes: Sequence[str],
    threshold: float | None = None,
) -> Figures:
    """Return the figures of parallel predictions and labels; images without a label are left out.

    threshold: the probability from which a pixel is not background; None: each prediction's own.
    All figures come from one confusion of pixels, summed over all images (large images weigh more).
    iou is hits / (hits + false alarms + missed) of a class's pixels (Jaccard, 1901), f1 the same as
    Dice; mean_iou is the mean over the classes, background apart, that occur in labels or
    predictions; background_iou is background's; pixel_accuracy is the pixels that are right,
    background included.
    Raises InvalidLabel where a mask and its prediction differ in size.
    """
    size = len(classes) + 1
    confusion = np.zeros((size, size), np.int64)
    thresholds, image_count = set(), 0
    for prediction, label in labeled_pairs(predictions, labels):
        limit = prediction.threshold if threshold is None else threshold
        thresholds.add(limit)
        image_count += 1
        confusion += _count_pixels(label.mask, _decide(prediction, limit, classes), size)
    return measure_confusion(confusion, classes, image_count, shared_threshold(thresholds))


def measure_confusion(
    confusion: np.ndarray, classes: Sequence[str], image_count: int, threshold: float | None
) -> Figures:
    """Return the figures of a confusion of pixels, int64 (K + 1, K + 1), background first."""
    names = ("background", *classes)
    hits, labeled, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    measured = {
        name: {
            "iou": divide(hits[k], labeled[k] + predicted[k] - hits[k]),
            **count_figures(hits[k], predicted[k], labeled[k]),
        }
        for k, name in enumerate(names)
    }
    per_class = {name: measured[name] for name in classes}
    return Figures(
        overall={
            "mean_iou": mean_defined(figures["iou"] for figures in per_class.values()),
            "pixel_accuracy": divide(hits.sum(), confusion.sum()),
            "background_iou": measured["background"]["iou"],
        },
        per_class=per_class,
        confusion=confusion,
        row_names=names,
        column_names=names,
        curves={},
        counts={"images": image_count, "items": int(confusion.sum())},
        threshold=threshold,
    )


def _decide(prediction: MaskPrediction, threshold: float, classes: Sequence[str]) -> np.ndarray:
    """Return the mask that a threshold gives, in the order of `classes`: uint8 (H, W).

    A new value is made, because a prediction keeps the mask that it was once asked for, and a
    hundred thousand of them would fill the memory.
    """
    decided = MaskPrediction(
        prediction.candidates, prediction.foreground, prediction.classes, threshold
    )
    if prediction.classes == tuple(classes):
        return decided.mask
    indexes = {name: index for index, name in enumerate(classes, 1)}
    table = np.array([0, *(find_index(name, indexes) for name in prediction.classes)], np.uint8)
    mask: np.ndarray = table[decided.mask]
    return mask


def _count_pixels(truth: np.ndarray, found: np.ndarray, size: int) -> np.ndarray:
    """Return how many pixels of each label have each prediction: int64 (size, size).

    truth, found: uint8 (H, W). A strip at a time, because bincount turns its input to int64.
    """
    if truth.shape != found.shape:
        raise InvalidLabel(
            f"The mask is {truth.shape} (height, width), its prediction {found.shape}; "
            "predict the image again."
        )
    counts = np.zeros(size * size, np.int64)
    for rows in row_strips(truth.shape):
        pairs = truth[rows].astype(np.uint32) * size + found[rows]
        counts += np.bincount(pairs.ravel(), minlength=size * size)
    return counts.reshape(size, size)


def draw(
    image: np.ndarray,
    label_or_prediction: MaskLabel | MaskPrediction | None,
    classes: Sequence[str],
    colors: Mapping[str, str],
) -> np.ndarray:
    """Return a copy of a uint8 (H, W, 3) image with its mask, filled and outlined.

    colors: {class name: "#rrggbb"}. None gives a plain copy.
    """
    if label_or_prediction is None:
        return image.copy()
    if isinstance(label_or_prediction, MaskPrediction):
        names: Sequence[str] = label_or_prediction.classes
    else:
        names = classes
    shades = [find_color(name, classes, colors) for name in names]
    return draw_mask(image, label_or_prediction.mask, shades)


def check_enough(labeled: int, images_per_class: Mapping[str, int]) -> None:
    """Raise NotEnoughLabels unless a model can learn from the train split.

    labeled: its labeled images. images_per_class: how many of them hold each class.
    """
    check_every_class(images_per_class)
