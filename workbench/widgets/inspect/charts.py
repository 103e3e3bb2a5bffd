"""The charts of a report, as strokes: confusion, score histogram, precision against recall."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...report import shorten
from ...tasks.figures import Figures, Series
from .painting import (
    BLUE,
    GREEN,
    LINE,
    RED,
    WHITE,
    Point,
    Stroke,
    dot,
    line,
    rectangle,
    words,
)

SERIES_COLORS = (GREEN, RED, BLUE, "#9050c0", "#e07b00", "#00838f")
# Series of a histogram that are as they should be.
GOOD = {
    "correct",
    "found",
    "normal",
    "of a class",
}
# A cell that holds something: from gray to these with its share. All are dark enough for white
# text, on a light page and on a dark one.
LEAST, RIGHT, WRONG = (110, 110, 110), (29, 122, 60), (181, 64, 45)
LEAST_TINT = 0.3  # of RIGHT or WRONG, however small the share: which it is can be told
LONGEST_NAME = 13  # characters
CHARACTER = 7.5  # CSS pixels that a wide one takes


@dataclass(frozen=True)
class Frame:
    """Where a chart of 0..1 by 0..1 lies, in CSS pixels."""

    width: int = 286
    height: int = 210
    left: int = 36
    right: int = 12
    top: int = 24
    bottom: int = 30

    def place(self, x: float, y: float) -> Point:
        """Return where (x, y), both 0..1, lies."""
        across = self.width - self.left - self.right
        down = self.height - self.top - self.bottom
        return self.left + x * across, self.height - self.bottom - y * down

    def find(self, point: Point) -> tuple[float, float]:
        """Return which (x, y), clamped to 0..1, lies at a point."""
        across = self.width - self.left - self.right
        down = self.height - self.top - self.bottom
        x = (point[0] - self.left) / across
        y = (self.height - self.bottom - point[1]) / down
        return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)


FRAME = Frame()


def draw_axes(title: str, x_name: str, frame: Frame = FRAME) -> list[Stroke]:
    """Return title, axes and their ends."""
    corner, top, end = frame.place(0, 0), frame.place(0, 1), frame.place(1, 0)
    foot = frame.height - 8
    return [
        words(title, frame.left, 14),
        line([top, corner, end], LINE),
        words("0", corner[0], foot, "center"),
        words("1", end[0], foot, "center"),
        words(x_name, (corner[0] + end[0]) / 2, foot, "center"),
    ]


def draw_histogram(
    series: Mapping[str, Series], threshold: float, frame: Frame = FRAME
) -> list[Stroke]:
    """Return histograms of scores by name, the threshold as a line that can be dragged."""
    strokes = draw_axes("Scores", "score (drag the line), log counts", frame)
    highest = max((int(counts.max(initial=0)) for _, counts in series.values()), default=0)
    for number, (name, (edges, counts)) in enumerate(series.items()):
        color = GREEN if name in GOOD else RED
        strokes.append(words(f"■ {name}", frame.left + 60 + 90 * number, 14, color=color))
        shares = np.log1p(counts) / math.log1p(max(highest, 1))
        strokes += draw_bars(edges, shares, color, number, len(series), frame)
    bottom, top = frame.place(threshold, 0), frame.place(threshold, 1)
    strokes += [
        words(format_count(highest), frame.left - 4, frame.top + 6, "right"),
        line([bottom, top], BLUE, 2.5),
        rectangle(bottom[0] - 5, top[1] - 5, 10, 10, BLUE),
    ]
    return strokes


def draw_bars(
    edges: np.ndarray, shares: np.ndarray, color: str, number: int, count: int, frame: Frame
) -> list[Stroke]:
    """Return the bars of one series, beside those of the others; shares: float (B,), 0..1."""
    strokes = []
    for low, high, share in zip(edges[:-1], edges[1:], shares):
        if not share:
            continue
        step = (high - low) / count
        x, y = frame.place(low + number * step, float(share))
        width = frame.place(low + (number + 1) * step, 0)[0] - x
        strokes.append(rectangle(x, y, max(width, 1), frame.place(0, 0)[1] - y, color))
    return strokes


def draw_precision(
    figures: Figures, sweep: np.ndarray, point: Sequence[float], frame: Frame = FRAME
) -> list[Stroke]:
    """Return precision against recall: of each class, of all together, and where we are.

    sweep: float (T, 2), recall and precision of all at rising thresholds; nan where not defined.
    point: recall and precision at the threshold.
    """
    strokes = draw_axes("Precision by recall", "recall (drag the dot)", frame)
    curves = figures.curves.get("precision_recall", {})
    for number, (_, (recall, precision)) in enumerate(curves.items()):
        color = SERIES_COLORS[number % len(SERIES_COLORS)] + "77"
        strokes.append(line(make_points(recall, precision, frame), color, 1.2))
    known = sweep[~np.isnan(sweep).any(axis=1)] if len(sweep) else sweep
    if len(known) > 1:
        strokes.append(line(make_points(known[:, 0], known[:, 1], frame), BLUE, 2))
    if not np.isnan(point).any():
        strokes.append(dot(*frame.place(*point), 6, BLUE))
    return strokes


def make_points(x: np.ndarray, y: np.ndarray, frame: Frame) -> list[Point]:
    """Return the points of a curve as they lie, at most 100 of them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), 100)).round().astype(int))
    return [frame.place(float(x[i]), float(y[i])) for i in kept]


@dataclass(frozen=True)
class Grid:
    """Where the cells of a confusion lie, in CSS pixels."""

    rows: int
    columns: int
    side: int = 236

    @classmethod
    def of(cls, figures: Figures) -> "Grid":
        """Return the grid of the figures' confusion."""
        return cls(len(figures.row_names), len(figures.column_names))

    @property
    def left(self) -> int:
        """Where the cells begin, right of the names of the rows."""
        return 96

    @property
    def top(self) -> int:
        """Where the cells begin, below the names of the columns."""
        return 40

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of one cell."""
        return min(90, self.side / max(self.columns, 1)), min(46, 210 / max(self.rows, 1))

    @property
    def height(self) -> int:
        """How much all of it takes, names included."""
        return math.ceil(self.top + self.rows * self.size[1]) + 12

    def find(self, point: Point) -> tuple[int, int] | None:
        """Return the row and the column at a point, or None beside the cells."""
        width, height = self.size
        column, row = int((point[0] - self.left) // width), int((point[1] - self.top) // height)
        is_inside = 0 <= row < self.rows and 0 <= column < self.columns
        return (row, column) if is_inside else None


def draw_confusion(figures: Figures, chosen: tuple[str, str] | None) -> list[Stroke]:
    """Return the confusion: labels in rows, predictions in columns, the chosen cell framed."""
    rows, columns, confusion = figures.row_names, figures.column_names, figures.confusion
    grid = Grid.of(figures)
    width, height = grid.size
    strokes = [words("Label \\ prediction (click a cell)", 4, 14)]
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    is_roomy = width >= 34
    for column, name in enumerate(columns):
        if is_roomy or len(columns) <= 12:
            length = max(3, int(width / CHARACTER))
            x = grid.left + (column + 0.5) * width
            strokes.append(words(shorten(name, length), x, grid.top - 6, "center"))
    for row, name in enumerate(rows):
        y = grid.top + (row + 0.5) * height
        strokes.append(words(shorten(name, LONGEST_NAME), grid.left - 6, y + 4, "right"))
        for column, other in enumerate(columns):
            x = grid.left + column * width
            count = int(confusion[row, column])
            shade = shade_cell(name == other, float(shares[row, column]), count)
            strokes.append(rectangle(x + 1, y - height / 2 + 1, width - 2, height - 2, shade))
            if count and is_roomy:
                strokes.append(words(format_count(count), x + width / 2, y + 4, "center", WHITE))
            if chosen == (name, other):
                strokes.append(frame_cell(x, y - height / 2, width, height))
    return strokes


def shade_cell(is_right: bool, share: float, count: int) -> str:
    """Return the color of a cell that holds `count` things, a share (0..1) of its row's."""
    if not count:
        return (GREEN if is_right else RED) + "10"
    tint = LEAST_TINT + (1 - LEAST_TINT) * share
    full = RIGHT if is_right else WRONG
    mixed = (round(least + tint * (most - least)) for least, most in zip(LEAST, full))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def frame_cell(x: float, y: float, width: float, height: float) -> Stroke:
    """Return the frame of the chosen cell."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    return line(corners, BLUE, 2.5)


def format_count(count: int) -> str:
    """Return a count that fits into a cell: 950, 12k, 3.4M."""
    for factor, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * factor:
            return f"{count / factor:.0f}{letter}"
        if count >= factor and factor > 1_000:
            return f"{count / factor:.1f}{letter}"
    return str(count)
