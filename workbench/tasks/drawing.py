"""The pixel drawing that the four rooms share: boxes, masks, heat maps, banners.

Each function takes and returns a PIL image or an array of its own; what the caller holds never
changes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .arrays import row_strips

Color = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]
NamedBox = tuple[Rectangle, str, str, Color]

FALLBACK_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2")
FILL = 0.4  # how much of a mask's colour lies over the image
BANNER_FILL = 0.85
SMALLEST_WITH_TEXT = 48  # pixels; text in a smaller image would hide all of it

# One scale for every heat map: cool below the decision line of 0.5, warm above, fainter when low.
HEAT_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
HEAT_COLORS = ((38, 62, 160), (96, 150, 210), (250, 226, 130), (240, 110, 40), (170, 0, 30))
HEAT_FILLS = (0.1, 0.2, 0.4, 0.6, 0.7)


def find_color(class_name: str, classes: Sequence[str], colors: Mapping[str, str]) -> Color:
    """Return the colour of a class as (r, g, b), 0..255; one by its place where it has none."""
    written = colors.get(class_name, "")
    if not re.fullmatch("#[0-9a-fA-F]{6}", written):
        place = list(classes).index(class_name) if class_name in classes else -1
        written = FALLBACK_COLORS[place % len(FALLBACK_COLORS)]
    return int(written[1:3], 16), int(written[3:5], 16), int(written[5:7], 16)


def line_width(image_size: tuple[int, int]) -> int:
    """Return how many pixels wide a line is that shows well in an image of (height, width)."""
    return max(1, round(max(image_size) / 400))


def blend(
    image: np.ndarray, levels: np.ndarray, colors: np.ndarray, fills: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return the image with a colour laid over each pixel: uint8 (H, W, 3).

    levels: uint8 (H, W), which of the colors (N, 3), 0..255, and of the fills (N,), 0..1, each
    pixel takes. Computed in uint16, because a large photo in float32 would take four times the
    memory.
    """
    fill = np.asarray(fills, np.float64)
    kept = np.round((1 - fill) * 256).astype(np.uint16)  # (N,)
    added = np.floor(np.asarray(colors) * (256 - kept)[:, None]).astype(np.uint16)  # (N, 3)
    blended = np.empty_like(image)
    for rows in row_strips(levels.shape):
        level = levels[rows]
        blended[rows] = (image[rows] * kept[level][..., None] + added[level]) >> 8
    return blended


def draw_mask(
    image: np.ndarray, mask: np.ndarray, colors: Sequence[Color], fill: float = FILL
) -> np.ndarray:
    """Return the image with a mask as a translucent fill and an opaque contour: uint8 (H, W, 3).

    mask: uint8 (H, W), 0 is left alone, k is colors[k - 1]. The contour lies on the mask's own
    pixels.
    """
    table = np.array([(0, 0, 0), *colors], np.uint8)  # (K + 1, 3)
    drawn = blend(image, mask, table, [0.0] + [fill] * len(colors))
    contour = find_contour(mask, max(1, line_width(mask.shape) // 2))
    drawn[contour] = table[mask[contour]]
    return drawn


def find_contour(mask: np.ndarray, width: int = 1) -> np.ndarray:
    """Return the pixels of a mask, uint8 or bool (H, W), that touch another class: bool (H, W).

    Touching is by a side, not by a corner; the border of the image is no contour.
    """
    contour: np.ndarray = _spread(mask)
    for _ in range(width - 1):
        contour |= _spread(contour)
    contour &= mask != 0
    return contour


def _spread(values: np.ndarray) -> np.ndarray:
    """Return which pixels have a neighbour of another value: bool (H, W)."""
    result = np.zeros(values.shape, np.bool_)
    for axis in (0, 1):
        along = (slice(None),) * axis
        first, second = (*along, slice(1, None)), (*along, slice(None, -1))
        differs = values[first] != values[second]
        result[first] |= differs
        result[second] |= differs
    return result


def draw_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return the image with a heat map, float32 (H, W), over it on the one fixed scale 0..1."""
    table = make_heat_table()
    levels = np.clip(heat * 255, 0, 255).astype(np.uint8)
    return blend(image, levels, table[:, :3], table[:, 3])


def make_heat_table() -> np.ndarray:
    """Return the one scale of heat from 0 to 1: float64 (256, 4), RGB 0..255 and fill 0..1."""
    steps = np.linspace(0, 1, 256)
    parts = [*zip(*HEAT_COLORS), HEAT_FILLS]
    return np.stack([np.interp(steps, HEAT_STOPS, part) for part in parts], axis=1)


def draw_banner(image: np.ndarray, text: str, color: Color, ending: str = "") -> np.ndarray:
    """Return the image with a line of text on a coloured band along its top: uint8 (H, W, 3).

    A text that is too long is cut, its ending (a score) stays.
    """
    height, width = image.shape[:2]
    font = _find_font((height, width))
    band = min(height, round(font.size * 1.6)) if _has_room((height, width)) else height // 8
    drawn = image.copy()
    if not band:
        return drawn
    levels = np.zeros((band, width), np.uint8)
    drawn[:band] = blend(image[:band], levels, np.array([color]), [BANNER_FILL])
    if not _has_room((height, width)):
        return drawn
    picture = Image.fromarray(drawn)
    place = (font.size * 0.4, band / 2)
    shown = fit_text(text, font, width - font.size * 0.8, ending)
    ImageDraw.Draw(picture).text(place, shown, fill=contrast(color), font=font, anchor="lm")
    return np.array(picture)


def draw_boxes(image: np.ndarray, boxes: Iterable[NamedBox]) -> np.ndarray:
    """Return the image with boxes and their names: uint8 (H, W, 3).

    boxes: ((x0, y0, x1, y1) half-open, name, ending, colour), best first: that one is drawn last,
    and its name gets the best place. A name that is too long is cut, its ending (a score) stays.
    """
    image_size = image.shape[:2]
    picture = Image.fromarray(image).copy()
    canvas = ImageDraw.Draw(picture)
    listed = list(boxes)
    for (x0, y0, x1, y1), *_, color in reversed(listed):
        left, top = round(x0), round(y0)
        corner = max(left, round(x1) - 1), max(top, round(y1) - 1)
        canvas.rectangle((left, top, *corner), outline=color, width=line_width(image_size))
    if _has_room(image_size):
        _draw_names(canvas, listed, image_size)
    return np.array(picture)


def _draw_names(
    canvas: ImageDraw.ImageDraw,
    boxes: Sequence[NamedBox],
    image_size: tuple[int, int],
) -> None:
    """Write each box's name on a plate of its colour, clear of the plates before it if possible."""
    font = _find_font(image_size)
    plates: list[Rectangle] = []
    for box, name, ending, color in boxes:
        shown = fit_text(name, font, 0.6 * image_size[1], ending)
        size = (round(font.size * 1.3), round(font.getlength(shown) + font.size * 0.6))
        plate = _place_plate(box, size, image_size, plates)
        plates.append(plate)
        canvas.rectangle((*plate[:2], plate[2] - 1, plate[3] - 1), fill=color)
        middle = (plate[0] + font.size * 0.3, (plate[1] + plate[3]) / 2)
        canvas.text(middle, shown, fill=contrast(color), font=font, anchor="lm")


def _place_plate(
    box: Rectangle,
    size: tuple[int, int],
    image_size: tuple[int, int],
    taken: Sequence[Rectangle],
) -> Rectangle:
    """Return where a name of (height, width) goes: above its box, below or inside, if free."""
    height, width = size
    x0, y0, x1, y1 = box
    places = ((x0, y0 - height), (x0, y1), (x0, y0), (x1 - width, y0))
    plates = []
    for x, y in places:
        left = max(0, min(round(x), image_size[1] - width))
        top = round(y)
        if 0 <= top <= image_size[0] - height:
            plates.append((left, top, left + width, top + height))
    free = [plate for plate in plates if not any(_touch(plate, other) for other in taken)]
    return (free or plates or [(0, 0, width, height)])[0]


def _touch(first: Rectangle, second: Rectangle) -> bool:
    """Tell whether two rectangles share a pixel."""
    across = first[0] < second[2] and second[0] < first[2]
    return across and first[1] < second[3] and second[1] < first[3]


def fit_text(text: str, font: ImageFont.FreeTypeFont, width: float, ending: str = "") -> str:
    """Return text and ending on one line; the text is cut so that both fit into `width` pixels."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    if font.getlength(line + ending) <= width:
        return line + ending
    while line and font.getlength(f"{line}…{ending}") > width:
        line = line[:-1]
    return f"{line}…{ending}"


def contrast(color: Color) -> Color:
    """Return black or white, whichever reads better on the colour. Source: ITU-R BT.601 luma."""
    red, green, blue = color
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)


def _has_room(image_size: tuple[int, int]) -> bool:
    """Tell whether text fits into an image of (height, width)."""
    return min(image_size) >= SMALLEST_WITH_TEXT


def _find_font(image_size: tuple[int, int]) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, in a size that reads well in an image of (height, width)."""
    size = max(10.0, round(max(image_size) / 36))
    font = ImageFont.load_default(size)
    if isinstance(font, ImageFont.FreeTypeFont):
        return font
    raise OSError("Pillow was built without FreeType; install its wheel to draw names.")
