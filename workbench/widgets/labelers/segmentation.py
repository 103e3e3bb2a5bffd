"""Pixels by hand: each gesture of the painter as a change of a MaskLabel."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...image_set import Image
from ...tasks.segmentation import MaskLabel
from . import painting
from .change import Change, find_difference

TOOLS = (*painting.TOOLS, "nothing")


def empty_label(image: Image) -> MaskLabel:
    """Return the label that says: looked at, nothing there."""
    return MaskLabel(np.zeros(image.size, np.uint8))


def read_mask(label: MaskLabel | None) -> np.ndarray | None:
    """Return the mask that the browser shows: uint8 (H, W), or None for none."""
    return None if label is None else label.mask


def change_label(
    label: MaskLabel | None, tool: str, params: Mapping[str, Any], image: Image, classes: list[str]
) -> Change:
    """Return the label after one gesture. Raises InvalidSetting for one that cannot be."""
    before = label if label is not None else empty_label(image)
    if tool == "nothing":
        after = empty_label(image)
        return Change(after, find_difference(before.mask, after.mask))
    mask = before.mask.copy()
    rect = painting.paint(mask, tool, params, image, classes)
    return Change(MaskLabel(mask), rect)


def describe_label(label: MaskLabel | None) -> dict[str, Any]:
    """Return what the browser shows beside the mask: nothing more."""
    return {}
