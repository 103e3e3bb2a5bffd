"""Outlines to masks and back, by one rule: a pixel belongs to it when its centre lies inside."""

from collections import defaultdict

import numpy as np


def fill_polygon(mask: np.ndarray, points: np.ndarray, value: int) -> None:
    """Set the pixels whose centre lies inside of a polygon (even-odd rule).

    mask: uint8 (H, W), changed in place. points: float (N, 2), x and y in pixels, also outside.
    """
    height, width = mask.shape
    top = int(np.clip(np.floor(points[:, 1].min()), 0, height))
    bottom = int(np.clip(np.ceil(points[:, 1].max()), top, height))
    toggles = np.zeros((bottom - top, width + 1), bool)
    for start, end in zip(points, np.roll(points, -1, axis=0)):
        # The same arithmetic in both directions, so that an edge walked twice cancels exactly.
        (x0, y0), (x1, y1) = (start, end) if start[1] <= end[1] else (end, start)
        first = int(np.clip(np.ceil(y0 - 0.5), top, bottom))
        last = int(np.clip(np.ceil(y1 - 0.5), top, bottom))
        if last > first:
            rows = np.arange(first, last)
            crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
            toggles[rows - top, columns] ^= True
    inside = np.logical_xor.accumulate(toggles, axis=1)[:, :width]
    mask[top:bottom][inside] = value


def trace_polygons(mask: np.ndarray) -> list[np.ndarray]:
    """Return one polygon for each connected part of a bool (H, W) mask: float (N, 2), x and y.

    They follow the pixels' edges, so that `fill_polygon` gives back the same mask. A hole is joined
    to its outline by a cut of no width.
    """
    from scipy import ndimage  # imported here: it takes a tenth of a second

    parts, _ = ndimage.label(mask)
    polygons = []
    for number, place in enumerate(ndimage.find_objects(parts), 1):
        loops = _trace_loops(parts[place] == number)
        joined = [point for loop in loops for point in [*loop, loop[0], loops[0][0]]]
        corner = (place[1].start, place[0].start)
        polygons.append(np.array(joined, float) + corner)
    return polygons


def _trace_loops(part: np.ndarray) -> list[list[tuple[int, int]]]:
    """Return the closed loops of corners (x, y) around and inside of a bool (H, W) part."""
    following = _find_edges(part)
    loops = []
    while following:
        start = here = next(iter(following))
        loop = [start]
        while True:
            nexts = following[here]
            there = nexts.pop()
            if not nexts:
                del following[here]
            if there == start:
                break
            loop.append(there)
            here = there
        loops.append(_drop_straight(loop))
    return loops


def _find_edges(part: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return, for each corner (x, y), the corners that edges lead to; the part is on the right."""
    padded = np.pad(part.astype(np.int8), 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    down = np.diff(padded, axis=0)[:, 1:-1]  # (H + 1, W): 1 where the part begins below
    for y, x in np.argwhere(down):
        left, right = (int(x), int(y)), (int(x) + 1, int(y))
        start, end = (left, right) if down[y, x] > 0 else (right, left)
        following[start].append(end)
    across = np.diff(padded, axis=1)[1:-1]  # (H, W + 1): 1 where the part begins at the right
    for y, x in np.argwhere(across):
        upper, lower = (int(x), int(y)), (int(x), int(y) + 1)
        start, end = (lower, upper) if across[y, x] > 0 else (upper, lower)
        following[start].append(end)
    return following


def _drop_straight(loop: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a loop of corners without those in the middle of a straight line."""
    around = zip([loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]])
    return [b for a, b, c in around if (a[0] == b[0]) != (b[0] == c[0])]
