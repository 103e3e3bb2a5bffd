"""Stills: what a saved notebook shows of a widget when its kernel is gone.

Under the widget lies a second output: plain HTML with a picture and the key figures. It is hidden
while the widget lives (parts.css), and is brought up to date as the widget changes.
"""

import base64
import io
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

import numpy as np
from PIL import Image as Picture

QUIET_SECONDS = 5.0  # between two updates of a still
TILE_SIDE = 160  # pixels of each picture of a sheet
QUALITY = 80


class Still:
    """Adds a still to a widget. `make_still` gives its HTML, `sign_still` what it depends on."""

    _still: Any = None
    _still_sign: Any = None
    _still_at = 0.0

    def make_still(self) -> str:
        """Return the picture and the key figures as HTML, every name escaped."""
        return ""

    def sign_still(self) -> Any:
        """Return a value that changes when the still would."""
        return None

    def _ipython_display_(self, **options: Any) -> None:
        """Show the widget, and below it the still."""
        show, make_html = find_display()
        bundle = self._repr_mimebundle_()  # type: ignore[attr-defined]
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        show(data, metadata=metadata, raw=True)
        self._still_sign = self.sign_still()
        self._still = show(make_html(self._wrap_still()), display_id=True)

    def update_still(self) -> None:
        """Bring the still up to date where something changed, every few seconds at most."""
        now = time.monotonic()
        if self._still is None or now - self._still_at < QUIET_SECONDS:
            return
        self._still_at = now
        sign = self.sign_still()
        if sign != self._still_sign:
            _, make_html = find_display()
            self._still_sign = sign
            self._still.update(make_html(self._wrap_still()))

    def _wrap_still(self) -> str:
        """Return the still with its date."""
        words = f"As of {datetime.now():%Y-%m-%d %H:%M}. Run the cell again to work with it."
        return f'<div class="workbench-still">{self.make_still()}<p><i>{words}</i></p></div>'


def find_display() -> tuple[Any, Any]:
    """Return IPython's display and HTML, which only a notebook needs."""
    from IPython import display

    return display.display, display.HTML


def make_table(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as an HTML table, the first one the heading; every cell is escaped."""
    lines = []
    for number, row in enumerate(rows):
        kind = "td" if number else "th"
        lines.append("".join(f"<{kind}>{escape(str(cell))}</{kind}>" for cell in row))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def make_picture(image: np.ndarray, words: str) -> str:
    """Return a uint8 (H, W, 3) image as an HTML picture that needs no file."""
    buffer = io.BytesIO()
    Picture.fromarray(image).save(buffer, "jpeg", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(words)}" src="data:image/jpeg;base64,{data}">'


def make_sheet(images: Sequence[np.ndarray], columns: int = 4) -> np.ndarray:
    """Return images, uint8 (H, W, 3) each, side by side: uint8 (H', W', 3), white between."""
    rows = -(-len(images) // columns)
    step = TILE_SIDE + 6
    sheet = Picture.new("RGB", (columns * step, max(rows, 1) * step), "white")
    for number, image in enumerate(images):
        picture = Picture.fromarray(image)
        picture.thumbnail((TILE_SIDE, TILE_SIDE))
        sheet.paste(picture, (number % columns * step, number // columns * step))
    return np.asarray(sheet)
