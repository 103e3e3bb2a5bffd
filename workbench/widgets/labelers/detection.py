"""Boxes by hand: each gesture of the box labeler as a change of a BoxLabel."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InvalidSetting, LabelConflict
from ...image_set import Image
from ...tasks.detection import Box, BoxLabel
from .change import Change

SIDES = ("x0", "y0", "x1", "y1")
LEAST_SIDE = 1.0  # pixels: what is thinner cannot be seen, nor grabbed again
OFFSET = 10.0  # pixels from a box to its duplicate

TOOLS = ("box", "change_box", "delete_box", "duplicate_box", "copy_previous", "clear", "nothing")


@dataclass(frozen=True)
class Frame:
    """The size of an image in pixels, to which boxes are clamped."""

    width: int
    height: int

    def clamp(self, box: Box) -> Box:
        """Return the box inside the image, its corners in order and at least a pixel apart."""
        x0, x1 = _clamp_side(box.x0, box.x1, self.width)
        y0, y1 = _clamp_side(box.y0, box.y1, self.height)
        return Box(box.class_name, x0, y0, x1, y1)


def _clamp_side(low: float, high: float, limit: float) -> tuple[float, float]:
    """Return both ends of one side within 0..limit, in order, at least LEAST_SIDE apart."""
    low, high = sorted((min(max(low, 0.0), limit), min(max(high, 0.0), limit)))
    if high - low < LEAST_SIDE:
        low = min(low, limit - LEAST_SIDE)
        high = low + LEAST_SIDE
    return max(low, 0.0), min(high, limit)


def empty_label(image: Image) -> BoxLabel:
    """Return the label that says: looked at, nothing there."""
    return BoxLabel()


def change_label(
    label: BoxLabel | None, tool: str, params: Mapping[str, Any], image: Image, classes: list[str]
) -> Change:
    """Return the label after one gesture.

    Raises InvalidSetting for a gesture that cannot be, LabelConflict for a box that is gone.
    """
    boxes = list(label.boxes) if label is not None else []
    frame = Frame(image.width, image.height)
    if tool == "box":
        boxes.append(frame.clamp(read_box(params)))
    elif tool in ("clear", "nothing"):
        boxes = []
    elif tool == "copy_previous":
        boxes += [frame.clamp(box) for box in params["boxes"]]
    else:
        place = find_box(boxes, params, image.name)
        _change_one(boxes, place, tool, params, frame)
    return Change(BoxLabel(boxes))


def _change_one(
    boxes: list[Box], place: int, tool: str, params: Mapping[str, Any], frame: Frame
) -> None:
    """Change, delete or duplicate one box of the list."""
    if tool == "change_box":
        boxes[place] = frame.clamp(read_box(params["new"]))
    elif tool == "delete_box":
        del boxes[place]
    else:
        boxes.append(duplicate(boxes[place], frame))


def duplicate(box: Box, frame: Frame) -> Box:
    """Return the box again, moved a little, whole inside the image."""
    x = -OFFSET if box.x1 + OFFSET > frame.width else OFFSET
    y = -OFFSET if box.y1 + OFFSET > frame.height else OFFSET
    moved = replace(box, x0=box.x0 + x, y0=box.y0 + y, x1=box.x1 + x, y1=box.y1 + y)
    return frame.clamp(moved)


def read_box(params: Mapping[str, Any]) -> Box:
    """Return the box that a gesture names. Raises InvalidSetting for one that is none."""
    try:
        return Box(str(params["class_name"]), *(float(params[side]) for side in SIDES))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidSetting(
            f"A box has a class_name, x0, y0, x1 and y1 in pixels, not {dict(params)!r:.120}."
        ) from error


def find_box(boxes: list[Box], params: Mapping[str, Any], name: str) -> int:
    """Return the place of the box that a gesture was made on.

    The gesture names the box as it was seen, because another notebook may have moved it since.
    """
    index = params.get("index", -1)
    if "old" not in params:
        if isinstance(index, int) and 0 <= index < len(boxes):
            return index
        raise InvalidSetting(f"{name!r} has {len(boxes)} boxes; there is no box {index!r}.")
    old = read_box(params["old"])
    places = [place for place, box in enumerate(boxes) if box == old]
    if not places:
        raise LabelConflict(
            f"That box of {name!r} was changed or removed in another place meanwhile; "
            "look at the boxes as they are now, and do it again."
        )
    return index if index in places else places[0]


def describe_label(label: BoxLabel | None) -> dict[str, Any]:
    """Return what the browser shows: {boxes: [{class_name, x0, y0, x1, y1}]}."""
    boxes = label.boxes if label is not None else ()
    return {
        "boxes": [{"class_name": box.class_name, **dict(zip(SIDES, box.xyxy))} for box in boxes]
    }
