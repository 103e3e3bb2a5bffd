"""Tiles and images as a browser shows them: names and words, boxes, and small masks and maps."""

from typing import Any

import numpy as np

from ...errors import UnreadableImage
from ...predicting import decide
from ...store.images import ImageRow, find_image, read_thumbnail
from ...store.labels import read_label
from ...store.predictions import read_prediction
from ...tasks.anomaly import AnomalyLabel, AnomalyPrediction
from ...tasks.classification import ClassLabel, ClassPrediction
from ...tasks.detection import BoxLabel, BoxPrediction
from ...tasks.segmentation import MaskLabel, MaskPrediction
from ..surface.masks import pack_mask, shrink_mask
from .look import Look

TILE_SIDE = 256  # pixels, as a thumbnail
MOST_BOXES = 100  # of a prediction, the surest

Layers = dict[str, np.ndarray]
Described = tuple[dict[str, Any], list[bytes]]


def describe_tile(look: Look, image_id: int) -> Described:
    """Return what a tile shows: its words and boxes; its picture, then masks and maps, deflated.

    Masks are small, and say of every pixel what it may be at all thresholds.
    """
    row = find_image(look.run.store, image_id)
    label, prediction = read_pair(look, row)
    layers = find_layers(label, prediction)
    small = {name: shrink_mask(layer, TILE_SIDE) for name, layer in layers.items()}
    described, buffers = describe_layers(small)
    try:
        picture = read_thumbnail(look.run.store, image_id)
    except UnreadableImage:
        picture = b""
    return {**describe_row(look, row, label, prediction), **described}, [picture, *buffers]


def read_pair(look: Look, row: ImageRow) -> tuple[Any, Any]:
    """Return the label of an image and what the run says of it; None for what there is not."""
    prediction = read_prediction(look.run.store, look.run.id, row.id)
    if prediction is not None:
        prediction = decide(prediction, look.threshold)
    return read_label(look.run.store, row.id), prediction


def describe_row(look: Look, row: ImageRow, label: Any, prediction: Any) -> dict[str, Any]:
    """Return the words and boxes of an image."""
    height, width = row.image_size
    return {
        "id": row.id,
        "name": row.name,
        "width": width,
        "height": height,
        "split": row.split or "",
        "state": row.state,
        "label": describe_value(label),
        "prediction": describe_value(prediction),
    }


def describe_value(value: Any) -> dict[str, Any] | None:
    """Return a label or prediction without its pixels; None for none."""
    match value:
        case ClassLabel():
            return {"class_name": value.class_name}
        case ClassPrediction():
            return {"class_name": value.class_name, "score": value.score, "scores": value.scores}
        case BoxLabel():
            return {"boxes": [[box.class_name, *box.xyxy, 1.0] for box in value.boxes]}
        case BoxPrediction():
            boxes = value.boxes[:MOST_BOXES]
            return {"boxes": [[box.class_name, *box.xyxy, box.score] for box in boxes]}
        case MaskPrediction():
            return {"areas": value.areas}
        case AnomalyLabel():
            return {"class_name": value.verdict}
        case AnomalyPrediction():
            return {"class_name": "", "score": min(max(value.score, 0.0), 1.0)}
        case MaskLabel():
            return {}
    return None


def find_layers(label: Any, prediction: Any) -> Layers:
    """Return the masks and maps of an image by name, uint8 (h, w) each.

    label: 0 is background. candidates and foreground: as in MaskPrediction. heat: in 255ths.
    """
    layers: Layers = {}
    if isinstance(label, MaskLabel):
        layers["label"] = label.mask
    if isinstance(label, AnomalyLabel) and label.mask is not None:
        layers["label"] = label.mask.astype(np.uint8)
    if isinstance(prediction, MaskPrediction):
        layers["candidates"] = prediction.candidates
        layers["foreground"] = prediction.foreground
    if isinstance(prediction, AnomalyPrediction):
        layers["heat"] = scale_heat(prediction.grid)
    return layers


def scale_heat(grid: np.ndarray) -> np.ndarray:
    """Return a heat map, float32 (h, w), 0..1, in 255ths: uint8 (h, w)."""
    scaled: np.ndarray = np.round(np.clip(grid, 0, 1) * 255).astype(np.uint8)
    return scaled


def describe_layers(layers: Layers) -> Described:
    """Return {"layers": [[name, height, width]]} and a deflated buffer for each."""
    names = [[name, *layer.shape] for name, layer in layers.items()]
    return {"layers": names}, [pack_mask(layer) for layer in layers.values()]
