"""One class an image by hand."""

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidSetting
from ...image_set import Image
from ...tasks.classification import ClassLabel
from .change import Change

TOOLS = ("class",)


def empty_label(image: Image) -> None:
    """Return no label: an image of a classification project always is of some class."""
    return


def change_label(
    label: ClassLabel | None, tool: str, params: Mapping[str, Any], image: Image, classes: list[str]
) -> Change:
    """Return the label of the class that the gesture names, or None for none."""
    name = params.get("class_name")
    if name is not None and not isinstance(name, str):
        raise InvalidSetting(f"A class has a name, not {name!r:.40}.")
    return Change(None if name is None else ClassLabel(name))


def describe_label(label: ClassLabel | None) -> dict[str, Any]:
    """Return what the browser shows: {class_name: its name, or None}."""
    return {"class_name": None if label is None else label.class_name}
