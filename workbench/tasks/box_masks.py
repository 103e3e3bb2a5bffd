"""Boxes as masks: how a detection project's labels become a segmentation project's first masks."""

import math
from collections.abc import Sequence

import numpy as np

from .detection import BoxLabel
from .regions import box_to_mask
from .segmentation import MaskLabel


def make_mask_label(
    label: BoxLabel,
    image_size: tuple[int, int],
    classes: Sequence[str],
    image: np.ndarray | None = None,
) -> MaskLabel:
    """Return the boxes of a label painted into a mask, the smaller ones on top.

    image_size: (height, width). A pixel is painted when its centre lies in the box; a box paints
    one pixel at least. image: uint8 (H, W, 3), RGB; where it is given, what stands out in each box
    is painted rather than the whole box. A label without boxes gives a mask without classes.
    """
    mask = np.zeros(image_size, np.uint8)
    area = sorted(label.boxes, key=lambda box: (box.x1 - box.x0) * (box.y1 - box.y0), reverse=True)
    for box in area:
        index = classes.index(box.class_name) + 1
        if image is None:
            mask[_span(box.y0, box.y1), _span(box.x0, box.x1)] = index
        else:
            mask[box_to_mask(image, box.xyxy)] = index
    return MaskLabel(mask)


def _span(start: float, end: float) -> slice:
    """Return the pixels whose centres lie from start to end, or the one that start lies in."""
    first = math.ceil(start - 0.5)
    last = math.ceil(end - 0.5)
    return slice(first, last) if last > first else slice(math.floor(start), math.floor(start) + 1)
