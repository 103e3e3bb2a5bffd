"""Painting by hand: the gestures that the pixel painter and the abnormal mask share."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InvalidSetting
from ...image_set import Image
from ...tasks.painting import fill_region, paint_polygon, paint_stroke, quantize
from ...tasks.regions import box_to_mask, wand
from .change import Rect, find_difference

TOOLS = ("brush", "polygon", "lasso", "fill", "wand", "box_mask", "clear")
LARGEST_BRUSH = 1000  # pixels


def paint(
    mask: np.ndarray, tool: str, params: Mapping[str, Any], image: Image, classes: list[str]
) -> Rect | None:
    """Paint one gesture into mask, uint8 (H, W), in place; return the rect that may have changed.

    Raises InvalidSetting for a gesture that cannot be.
    """
    index = find_index(params, classes)
    protect = bool(params.get("protect", False))
    if tool == "brush":
        return paint_stroke(mask, read_points(params), *read_brush(params), index, protect)
    if tool in ("polygon", "lasso"):
        return paint_polygon(mask, read_points(params), index, protect)
    if tool == "clear":
        return _clear(mask)
    if tool == "fill":
        x, y = read_pixel(params, image)
        return fill_region(mask, x, y, index, protect)
    return put_region(mask, find_region(tool, params, image), index, protect)


def find_region(tool: str, params: Mapping[str, Any], image: Image) -> np.ndarray:
    """Return the region that the magic wand or the box finds in the photo: bool (H, W)."""
    if tool == "wand":
        x, y = read_pixel(params, image)
        return np.asarray(wand(image.read(), x, y, read_number(params, "tolerance")))
    x0, y0, x1, y1 = (read_number(params, side) for side in ("x0", "y0", "x1", "y1"))
    return box_to_mask(image.read(), (x0, y0, x1, y1))


def put_region(
    mask: np.ndarray, region: np.ndarray, class_index: int, protect: bool
) -> Rect | None:
    """Give the pixels of a region, bool (H, W), the class; with protect not those of others."""
    if protect and class_index:
        region = region & ((mask == 0) | (mask == class_index))
    before = mask.copy()
    mask[region] = class_index
    return find_difference(before, mask)


def _clear(mask: np.ndarray) -> Rect | None:
    """Make all of the mask background."""
    before = mask.copy()
    mask[:] = 0
    return find_difference(before, mask)


def find_index(params: Mapping[str, Any], classes: list[str]) -> int:
    """Return the index in the mask of the gesture's class: class_name, or else class_index.

    The name goes before the index, because classes may have changed while a gesture waited.
    """
    name = params.get("class_name")
    if name is not None:
        if name not in classes:
            raise InvalidSetting(f"There is no class {name!r} to paint with; add it first.")
        return classes.index(name) + 1
    index = params.get("class_index", 0)
    if not isinstance(index, int) or not 0 <= index <= len(classes):
        raise InvalidSetting(f"class_index is 0 for the eraser up to {len(classes)}, not {index}.")
    return index


def read_points(params: Mapping[str, Any]) -> np.ndarray:
    """Return the gesture's points in 1/16 pixels: int32 (N, 2). Raises InvalidSetting."""
    points = np.asarray(params.get("points", ()))
    if points.size < 2 or points.size % 2 or points.dtype.kind not in "iuf":
        raise InvalidSetting("A stroke needs points: [(x, y), …] in pixels of the image.")
    points = points.reshape(-1, 2)  # (N, 2)
    if params.get("are_quantized"):
        return points.astype(np.int32)
    return quantize(points)


def read_brush(params: Mapping[str, Any]) -> tuple[int, str]:
    """Return size in pixels and shape of the brush. Raises InvalidSetting."""
    size, shape = params.get("size", 12), params.get("shape", "round")
    if not isinstance(size, int) or not 1 <= size <= LARGEST_BRUSH:
        raise InvalidSetting(f"A brush is 1 to {LARGEST_BRUSH} pixels wide, not {size!r:.40}.")
    if shape not in ("round", "square"):
        raise InvalidSetting(f"A brush is 'round' or 'square', not {shape!r:.40}.")
    return size, shape


def read_pixel(params: Mapping[str, Any], image: Image) -> tuple[int, int]:
    """Return the pixel under the gesture's x and y. Raises InvalidSetting outside the image."""
    x, y = int(np.floor(read_number(params, "x"))), int(np.floor(read_number(params, "y")))
    if not (0 <= x < image.width and 0 <= y < image.height):
        raise InvalidSetting(f"({x}, {y}) lies outside of {image.name!r}.")
    return x, y


def read_number(params: Mapping[str, Any], name: str) -> float:
    """Return a finite number of a gesture. Raises InvalidSetting."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InvalidSetting(f"The gesture needs a number {name}, not {value!r:.40}.")
    return float(value)
