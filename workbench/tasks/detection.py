"""Object detection: boxes of several classes, several to an image or none."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidLabel, UnknownClass
from .drawing import draw_boxes, find_color
from .enough import check_every_class
from .figures import Figures, Series, labeled_pairs, mean_defined, shared_threshold
from .framing import Frame
from .matching import AveragePrecision, BoxMatches, make_box_arrays
from .peaks import MAX_BOXES, find_boxes, suppress_overlaps


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
        raise UnknownClass(
            f"There is no class {box.class_name!r}; add it with project.add_class()."
        )
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


def make_label(
    prediction: BoxPrediction, names: Mapping[str, str], classes: Sequence[str]
) -> BoxLabel:
    """Return the label with the boxes that count, without those whose class is gone.

    names: {the model's class name: the project's of today}. classes: the project's.
    """
    return BoxLabel(
        Box(names[box.class_name], *box.xyxy) for box in prediction.found if box.class_name in names
    )


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> BoxPrediction:
    """Return the prediction for what a network said of one image, frame by frame.

    outputs: one for each frame, with
        heatmap: float32 (K, h, w), logits of how likely a thing of that class has its centre there;
        sides: float32 (4, h, w), distances from there to the left, top, right and bottom side of
        the box, in input pixels.
    Source: Objects as Points (Zhou et al., 2019), with distances as in FCOS (Tian et al., 2019).
    """
    parts = [
        find_boxes(output["heatmap"], output["sides"], frame)
        for output, frame in zip(outputs, frames)
    ]
    boxes, scores, labels = (np.concatenate(part) for part in zip(*parts))  # (N, 4), (N,), (N,)
    kept = suppress_overlaps(boxes, scores, labels)[:MAX_BOXES]
    rows = zip(labels[kept].tolist(), boxes[kept].tolist(), scores[kept].tolist())
    return BoxPrediction(
        tuple(ScoredBox(classes[k], x0, y0, x1, y1, score) for k, (x0, y0, x1, y1), score in rows),
        threshold,
    )


def evaluate(
    predictions: Iterable[BoxPrediction | None],
    labels: Iterable[BoxLabel | None],
    classes: Sequence[str],
    threshold: float | None = None,
) -> Figures:
    """Return the figures of parallel predictions and labels; images without a label are left out.

    threshold: the score from which a box counts; None: each prediction's own.
    map, map_50 and each class's ap, ap_50 are COCO's (pycocotools): over all scores, 101 recall
    steps, the 100 best boxes of a class in an image, mean over the classes that have labels; map
    is the mean over IoU .50, .55 … .95. precision, recall and f1 are those at the threshold: boxes
    of one class, best first, each take the free labeled box that they overlap most, from IoU .5
    on; overall they count the boxes of all classes together (micro). The confusion matches boxes
    in the same way but whatever their class; its last row and column are background: false alarms
    and missed things.
    """
    indexes = {name: index for index, name in enumerate(classes)}
    average, matches = AveragePrecision(len(classes)), BoxMatches(len(classes))
    limits: list[float] = []
    for prediction, label in labeled_pairs(predictions, labels):
        limits.append(prediction.threshold if threshold is None else threshold)
        truth = make_box_arrays(label.boxes, indexes)
        found = make_box_arrays(prediction.boxes, indexes)
        average.add_image(truth, found)
        matches.add_image(truth, found)
    return measure_boxes(average.measure(), matches, classes, np.array(limits, np.float64))


def measure_boxes(
    average: tuple[np.ndarray, np.ndarray, np.ndarray],
    matches: BoxMatches,
    classes: Sequence[str],
    limits: np.ndarray,
) -> Figures:
    """Return the figures of matched boxes.

    average: what AveragePrecision.measure returns. limits: float64 (images,), the score of each
    image from which its boxes count.
    """
    precision, steps, reached = average
    counts = matches.count(limits)
    ap_50, ap = precision[0].mean(axis=0), precision.mean(axis=(0, 1))  # (K,), nan without labels
    per_class = {
        name: {"ap_50": float(ap_50[k]), "ap": float(ap[k]), **counts.measure(k)}
        for k, name in enumerate(classes)
    }
    return Figures(
        overall={"map": mean_defined(ap), "map_50": mean_defined(ap_50), **counts.measure()},
        per_class=per_class,
        confusion=counts.confusion,
        row_names=(*classes, "background"),
        column_names=(*classes, "background"),
        curves={
            "precision_recall": _make_curves(precision[0], steps, reached, classes),
            "scores": matches.make_histograms(),
        },
        counts={"images": matches.image_count, "items": int(counts.labeled.sum())},
        threshold=shared_threshold(set(limits.tolist())),
    )


def best_threshold(
    predictions: Iterable[BoxPrediction | None],
    labels: Iterable[BoxLabel | None],
    classes: Sequence[str],
) -> float:
    """Return the score from which boxes should count for the highest f1 over all classes together.

    0.5 where no predicted box finds a labeled one. Of several scores the highest is returned.
    """
    indexes = {name: index for index, name in enumerate(classes)}
    matches = BoxMatches(len(classes))
    for prediction, label in labeled_pairs(predictions, labels):
        found = make_box_arrays(prediction.boxes, indexes)
        matches.add_image(make_box_arrays(label.boxes, indexes), found)
    return matches.best_threshold()


def _make_curves(
    precision: np.ndarray, steps: np.ndarray, reached: np.ndarray, classes: Sequence[str]
) -> dict[str, Series]:
    """Return (recall, precision) of each class that has labels, as far as its recall reaches.

    precision: float64 (101, K) at the recall steps (101,); reached: the highest recall, float64
    (K,).
    """
    return {
        name: (steps[steps <= reached[k]], precision[steps <= reached[k], k])
        for k, name in enumerate(classes)
        if reached[k] >= 0
    }


def draw(
    image: np.ndarray,
    label_or_prediction: BoxLabel | BoxPrediction | None,
    classes: Sequence[str],
    colors: Mapping[str, str],
) -> np.ndarray:
    """Return a copy of a uint8 (H, W, 3) image with its boxes; of a prediction those that count.

    colors: {class name: "#rrggbb"}. None gives a plain copy.
    """
    if label_or_prediction is None:
        return image.copy()
    if isinstance(label_or_prediction, BoxPrediction):
        boxes: Sequence[Box] = label_or_prediction.found
    else:
        boxes = label_or_prediction.boxes
    named = (
        (
            box.xyxy,
            box.class_name,
            f" {box.score:.2f}" if isinstance(box, ScoredBox) else "",
            find_color(box.class_name, classes, colors),
        )
        for box in boxes
    )
    return draw_boxes(image, named)


def check_enough(labeled: int, images_per_class: Mapping[str, int]) -> None:
    """Raise NotEnoughLabels unless a model can learn from the train split.

    labeled: its labeled images. images_per_class: how many of them hold each class.
    """
    check_every_class(images_per_class)
