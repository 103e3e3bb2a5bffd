"""Rows of label files to box labels that fit their image."""

import math
from collections.abc import Iterable

from ..tasks.detection import Box, BoxLabel
from .items import ImageSize, LabelSet

TOLERANCE = 1.0  # pixels beyond the border that rounding explains; clamped without a note

Row = tuple[str, float, float, float, float]


def make_box_label(
    name: str, rows: Iterable[Row], image_size: ImageSize, found: LabelSet
) -> BoxLabel | None:
    """Return the label of an image from (class, x0, y0, x1, y1) rows in pixels, half-open.

    Boxes that leave the image are clamped, with a note; those without an area become problems. No
    rows say: nothing there. None where no row of several can be used: nobody said "nothing there".
    """
    rows = list(rows)
    boxes = [box for row in rows if (box := _fit(name, row, image_size, found)) is not None]
    return None if rows and not boxes else BoxLabel(boxes)


def _fit(name: str, row: Row, image_size: ImageSize, found: LabelSet) -> Box | None:
    """Return the row as a box inside of the image, or None and a problem where it has no area."""
    height, width = image_size
    class_name, *sides = row
    if not all(map(math.isfinite, sides)):
        found.problems.append((name, f"a box of {class_name!r} has a side that is no number."))
        return None
    x0, y0, x1, y1 = sides
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))
    if x1 <= x0 or y1 <= y0:
        found.problems.append((name, f"a box of {class_name!r} has no area: {_show(sides)}."))
        return None
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        found.problems.append((name, f"a box of {class_name!r} is outside of it: {_show(sides)}."))
        return None
    if max(abs(a - b) for a, b in zip(sides, inside)) > TOLERANCE:
        found.notes.append(f"{name}: a box of {class_name!r} was cut at the image's border")
    return Box(class_name, *inside)


def _show(sides: Iterable[float]) -> str:
    """Return the sides of a box in words."""
    return ", ".join(f"{side:g}" for side in sides)
