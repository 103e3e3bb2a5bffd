"""Charts that Python draws with ipycanvas: one guarded way to paint, for all of them.

ipycanvas keeps one queue of commands for each canvas and none of it is safe against threads or
errors: an exception inside of `hold_canvas` would leave it held for ever, and two threads lose
commands. So all is computed first, one lock holds the whole process, and nothing that can fail is
drawn: no images, only shapes and text.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipycanvas

SHARP = 2  # canvas pixels for each CSS pixel, so that charts are crisp on any screen
TEXT = "#808080"  # reads on light and on dark
LINE = "#9e9e9e"
WHITE = "#ffffff"  # on what is filled
BLUE, GREEN, RED = "#1976d2", "#2e9e4f", "#d95f4b"
_PAINTING = threading.RLock()

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """One command: the name of a canvas method, its arguments, and the style it is drawn in."""

    method: str
    arguments: tuple[Any, ...]
    style: tuple[tuple[str, Any], ...] = ()


def rectangle(x: float, y: float, width: float, height: float, color: str) -> Stroke:
    """Return a filled rectangle."""
    return Stroke("fill_rect", (x, y, width, height), (("fill_style", color),))


def line(points: Sequence[Point], color: str, width: float = 1.5) -> Stroke:
    """Return a line through points."""
    return Stroke("stroke_lines", (list(points),), (("stroke_style", color), ("line_width", width)))


def words(text: str, x: float, y: float, align: str = "left", color: str = TEXT) -> Stroke:
    """Return a line of text."""
    style = (("fill_style", color), ("text_align", align), ("font", "12px sans-serif"))
    return Stroke("fill_text", (text, x, y), style)


def dot(x: float, y: float, radius: float, color: str) -> Stroke:
    """Return a filled circle."""
    return Stroke("fill_circle", (x, y, radius), (("fill_style", color),))


def make_canvas(width: int, height: int) -> Any:
    """Return an empty canvas of so many CSS pixels."""
    canvas = ipycanvas.Canvas(width=width * SHARP, height=height * SHARP)
    canvas.layout.width, canvas.layout.height = f"{width}px", f"{height}px"
    return canvas


def set_height(canvas: Any, height: int) -> None:
    """Give the canvas so many CSS pixels of height; where it had others, it is empty then."""
    if canvas.height != height * SHARP:
        canvas.height, canvas.layout.height = height * SHARP, f"{height}px"


def paint(canvas: Any, strokes: Sequence[Stroke]) -> None:
    """Clear the canvas and draw, all at once."""
    with _PAINTING, ipycanvas.hold_canvas():
        canvas.reset_transform()
        canvas.clear()
        canvas.scale(SHARP, SHARP)
        for stroke in strokes:
            for name, value in stroke.style:
                setattr(canvas, name, value)
            getattr(canvas, stroke.method)(*stroke.arguments)


OnPoint = Callable[[Point], None]


def follow(canvas: Any, on_press: OnPoint, on_drag: OnPoint) -> None:
    """Call on_press(point) where the canvas is pressed, and on_drag while it stays pressed.

    Points are CSS pixels from the upper left corner.
    """
    pressed = {"is": False}

    def press(x: float, y: float) -> None:
        pressed["is"] = True
        on_press((x / SHARP, y / SHARP))

    def move(x: float, y: float) -> None:
        if pressed["is"]:
            on_drag((x / SHARP, y / SHARP))

    def release(x: float, y: float) -> None:
        pressed["is"] = False

    canvas.on_mouse_down(press)
    canvas.on_mouse_move(move)
    canvas.on_mouse_up(release)
    canvas.on_mouse_out(release)
