"""Normal or abnormal by hand, and where the abnormality lies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InvalidSetting
from ...image_set import Image
from ...tasks.anomaly import VERDICTS, AnomalyLabel
from . import painting
from .change import Change, Rect, find_difference

TOOLS = ("verdict", *painting.TOOLS, "nothing")
PAINTED = ["abnormal"]  # the only class of the mask


def empty_label(image: Image) -> AnomalyLabel:
    """Return the label that says: looked at, nothing there."""
    return AnomalyLabel("normal")


def read_mask(label: AnomalyLabel | None) -> np.ndarray | None:
    """Return the mask that the browser shows: uint8 (H, W), or None for none."""
    return None if label is None or label.mask is None else label.mask.astype(np.uint8)


def change_label(
    label: AnomalyLabel | None,
    tool: str,
    params: Mapping[str, Any],
    image: Image,
    classes: list[str],
) -> Change:
    """Return the label after one gesture; painting makes an image abnormal.

    Raises InvalidSetting for a gesture that cannot be.
    """
    mask = read_mask(label)
    before = np.zeros(image.size, np.uint8) if mask is None else mask
    if tool == "nothing":
        return _give_verdict("normal", before)
    if tool == "verdict":
        verdict = params.get("verdict")
        if verdict is not None and verdict not in VERDICTS:
            raise InvalidSetting(f"A verdict is 'normal', 'abnormal' or None, not {verdict!r:.40}.")
        if verdict == "abnormal" and mask is not None:
            return Change(AnomalyLabel("abnormal", mask=mask > 0))
        return _give_verdict(verdict, before)
    after = before.copy()
    rect = painting.paint(after, tool, _as_painted(params), image, PAINTED)
    return Change(AnomalyLabel("abnormal", mask=after > 0 if after.any() else None), rect)


def _as_painted(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gesture with the class index of the mask, 0 or 1, whatever class it names."""
    index = 0 if params.get("class_index") == 0 and params.get("class_name") is None else 1
    return {**params, "class_index": index, "class_name": None}


def _give_verdict(verdict: str | None, before: np.ndarray) -> Change:
    """Return the label of a verdict without a mask; the old mask is gone from the screen."""
    rect: Rect | None = find_difference(before, np.zeros_like(before))
    return Change(None if verdict is None else AnomalyLabel(verdict), rect)


def describe_label(label: AnomalyLabel | None) -> dict[str, Any]:
    """Return what the browser shows: {verdict: "normal", "abnormal" or None}."""
    return {"verdict": None if label is None else label.verdict}
