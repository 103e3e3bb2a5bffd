"""Painting a mask: the exact rule of brush and polygon, the same here and in the browser.

All arithmetic is on integers, in sixteenths of a pixel, so that both languages give the same pixels
to the last one; surface/raster.js says the same in JavaScript.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

UNITS = 16  # in a pixel
Rect = tuple[int, int, int, int]  # x, y, width, height in pixels


def quantize(points: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return points in pixels, (N, 2) or flat x, y, …, as int32 (N, 2) in sixteenths of a pixel.

    They are rounded down, so that no point leaves the pixel that it lies in.
    """
    values = np.asarray(points, np.float64).reshape(-1, 2)
    return np.floor(values * UNITS).astype(np.int32)


def decode_points(data: bytes) -> np.ndarray:
    """Return the points of a browser's message: int32 (N, 2) in sixteenths of a pixel.

    data: the first point as two little-endian int32, then a step of two int16 for each further one.
    Raises ValueError for bytes that are none.
    """
    if len(data) < 8 or len(data) % 4:
        raise ValueError(f"{len(data)} bytes are no points.")
    first = np.frombuffer(data, "<i4", 2).reshape(1, 2)
    steps = np.frombuffer(data, "<i2", offset=8).reshape(-1, 2)
    return np.concatenate([first, steps]).cumsum(axis=0, dtype=np.int64).astype(np.int32)


def encode_points(points16: np.ndarray) -> bytes:
    """Return what `decode_points` reads; a step too long for int16 goes in several, on its line."""
    found = np.asarray(points16, np.int64).reshape(-1, 2)
    parts = [found[:1].astype("<i4").tobytes()]
    for start, end in pairwise(found):
        count = max(1, -(-int(np.abs(end - start).max()) // 32767))
        between = [(start * (count - k) + end * k) // count for k in range(count + 1)]
        parts.append(np.diff(between, axis=0).astype("<i2").tobytes())
    return b"".join(parts)


def paint_stroke(
    mask: np.ndarray,
    points16: np.ndarray,
    size: int,
    shape: str,
    class_index: int,
    protect: bool,
) -> Rect | None:
    """Paint a polyline into mask, uint8 (H, W), in place; return the rect it may have changed.

    points16: int32 (N, 2), sixteenths of a pixel. A pixel is painted when its centre is within
    size / 2 of the line: shape "round" by distance, "square" by the larger of both differences.
    Points of a brush of 1 pixel snap to the middle of a pixel, those of a square brush to the
    middle (odd size) or a corner (even). class_index 0 erases. protect: pixels of other classes
    stay.
    """
    points = snap_points(np.asarray(points16, np.int64).reshape(-1, 2), size, shape)
    rect = None
    for start, end in pairwise([points[0].tolist(), *points.tolist()]):  # a click, then segments
        window = _find_window(mask, start, end, size)
        if window is None:
            continue
        x0, y0, x1, y1 = window
        centres_x = np.arange(x0, x1, dtype=np.int64)[None, :] * UNITS + UNITS // 2
        centres_y = np.arange(y0, y1, dtype=np.int64)[:, None] * UNITS + UNITS // 2
        inside = (_is_near if shape == "round" else _is_beside)(
            centres_x, centres_y, start, end, size
        )
        _put(mask[y0:y1, x0:x1], inside, class_index, protect)
        rect = _join(rect, window)
    return None if rect is None else (rect[0], rect[1], rect[2] - rect[0], rect[3] - rect[1])


def snap_points(points: np.ndarray, size: int, shape: str) -> np.ndarray:
    """Return points (N, 2) in sixteenths where the brush is centred."""
    if size > 1 and shape == "round":
        return points
    if size % 2:
        return points // UNITS * UNITS + UNITS // 2
    return (points + UNITS // 2) // UNITS * UNITS


def _find_window(
    mask: np.ndarray, start: list[int], end: list[int], size: int
) -> tuple[int, int, int, int] | None:
    """Return x0, y0, x1, y1 of the pixels that a segment can reach, inside the mask."""
    reach = size * UNITS // 2 + UNITS
    height, width = mask.shape
    x0 = max((min(start[0], end[0]) - reach) // UNITS, 0)
    y0 = max((min(start[1], end[1]) - reach) // UNITS, 0)
    x1 = min((max(start[0], end[0]) + reach) // UNITS + 1, width)
    y1 = min((max(start[1], end[1]) + reach) // UNITS + 1, height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _is_near(
    x: np.ndarray, y: np.ndarray, start: list[int], end: list[int], size: int
) -> np.ndarray:
    """Tell which centres are within size / 2 of a segment, but for the disc around its start.

    That disc is the one around the end of the segment before. Returns bool (h, w).
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    radius2 = (size * UNITS // 2) ** 2
    length2 = dx * dx + dy * dy
    to_x, to_y = x - end[0], y - end[1]
    at_end = to_x * to_x + to_y * to_y <= radius2
    if not length2:
        return np.asarray(at_end)
    from_x, from_y = x - start[0], y - start[1]
    along = from_x * dx + from_y * dy
    across = from_x * dy - from_y * dx
    widest = math.isqrt(radius2 * length2)  # its square could pass 63 bits
    beside = (along >= 0) & (along <= length2) & (np.abs(across) <= widest)
    return np.asarray(at_end | beside)


def _is_beside(
    x: np.ndarray, y: np.ndarray, start: list[int], end: list[int], size: int
) -> np.ndarray:
    """Tell which centres a square of that size covers while it moves along a segment.

    Half-open at the right and lower side, so that a click with an even size paints size x size.
    """
    half = size * UNITS // 2
    dx, dy = end[0] - start[0], end[1] - start[1]
    (low_x, high_x), (low_y, high_y) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    inside = (x >= low_x - half) & (x < high_x + half) & (y >= low_y - half) & (y < high_y + half)
    across = (x - start[0]) * dy - (y - start[1]) * dx
    return np.asarray(inside & (np.abs(across) <= half * (abs(dx) + abs(dy))))


def paint_polygon(
    mask: np.ndarray, points16: np.ndarray, class_index: int, protect: bool
) -> Rect | None:
    """Fill a closed polygon into mask, uint8 (H, W), in place; return the rect it may have changed.

    points16: int32 (N, 2), sixteenths of a pixel. A pixel belongs to it when its centre does, by
    the even-odd rule, half-open.
    """
    points = np.asarray(points16, np.int64).reshape(-1, 2)
    height, width = mask.shape
    x0, y0 = (max(int(v) // UNITS, 0) for v in points.min(axis=0))
    x1 = min(int(points[:, 0].max()) // UNITS + 1, width)
    y1 = min(int(points[:, 1].max()) // UNITS + 1, height)
    if x0 >= x1 or y0 >= y1:
        return None
    for row in range(y0, y1):
        for left, right in _find_spans(points, row * UNITS + UNITS // 2, width):
            window = mask[row, left:right]
            _put(window, np.ones(window.shape, np.bool_), class_index, protect)
    return x0, y0, x1 - x0, y1 - y0


def _find_spans(points: np.ndarray, y: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield first and last + 1 of the pixels of one row inside the polygon; y in sixteenths."""
    starts, ends = points, np.roll(points, -1, axis=0)
    crosses = (starts[:, 1] <= y) != (ends[:, 1] <= y)
    (ax, ay), (bx, by) = starts[crosses].T, ends[crosses].T
    # A centre at x lies right of the crossing when x >= ax + (y - ay) (bx - ax) / (by - ay).
    over = by - ay
    top = (ax * over + (y - ay) * (bx - ax)) * np.sign(over) - UNITS // 2 * np.abs(over)
    first = np.sort(-(-top // (UNITS * np.abs(over))))  # the first pixel at or right of it
    for left, right in zip(first[::2].tolist(), first[1::2].tolist()):
        left, right = max(left, 0), min(right, width)
        if left < right:
            yield left, right


def fill_region(mask: np.ndarray, x: int, y: int, class_index: int, protect: bool) -> Rect | None:
    """Give the region of equal pixels around (x, y), joined by their sides, another class.

    mask: uint8 (H, W), changed in place. Returns the rect that holds the region; None where nothing
    changes: it has that class, or protect is on and it is of another class.
    """
    value = int(mask[y, x])
    if value == class_index or (protect and value and class_index):
        return None
    import cv2  # takes 0.1 s to load, and only this tool needs it here

    _, _, _, (left, top, width, height) = cv2.floodFill(mask, None, (x, y), class_index, flags=4)
    return int(left), int(top), int(width), int(height)


def _put(window: np.ndarray, inside: np.ndarray, class_index: int, protect: bool) -> None:
    """Give the pixels inside a class; with protect only those that are background or its own."""
    if protect and class_index:
        inside = inside & ((window == 0) | (window == class_index))
    window[inside] = class_index


def _join(
    rect: tuple[int, int, int, int] | None, other: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Return the smallest x0, y0, x1, y1 around both."""
    if rect is None:
        return other
    return (
        min(rect[0], other[0]),
        min(rect[1], other[1]),
        max(rect[2], other[2]),
        max(rect[3], other[3]),
    )
