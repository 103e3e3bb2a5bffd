"""Figures for notebooks: images with their labels, predictions beside labels, a run's progress."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from .tasks import TASKS, Task

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL_INCHES = 2.6
CELL_PIXELS = 480  # a photo of 50 megapixels would be held at full size by each cell
NOT_PLOTTED = {"epoch", "step", "steps", "seconds", "time", "progress", "learning_rate", "lr"}
NO_COLORS: Mapping[str, str] = MappingProxyType({})


class LabeledImage(Protocol):
    """What `plot_images` needs of an image; a project's images have it."""

    @property
    def name(self) -> str:
        """The image's name."""

    @property
    def label(self) -> Any:
        """The image's label, or None."""

    @property
    def split(self) -> str | None:
        """train, dev, test or None."""

    def read(self) -> np.ndarray:
        """Return the pixels: uint8 (H, W, 3)."""


def plot_images(
    images: Iterable[LabeledImage],
    columns: int = 4,
    limit: int = 12,
    classes: Sequence[str] = (),
    colors: Mapping[str, str] = NO_COLORS,
) -> "Figure":
    """Return a Figure with the first `limit` images, their labels drawn, name and class above.

    classes, colors: the project's, in order, and {class name: "#rrggbb"}.
    """
    cells = [
        (image.name, f"{describe(image.label, classes)} · {image.split or 'no split'}", drawn)
        for image in islice(images, limit)
        for drawn in [draw_value(image.read(), image.label, classes, colors)]
    ]
    return _plot_grid(cells, columns)


def plot_predictions(
    rows: Iterable[tuple[np.ndarray, str, Any, Any]],
    classes: Sequence[str] = (),
    colors: Mapping[str, str] = NO_COLORS,
    limit: int = 6,
    columns: int = 2,
) -> "Figure":
    """Return a Figure with label and prediction side by side, for the first `limit` images.

    rows: (uint8 (H, W, 3), name, label or None, prediction). columns: how many pairs in a row.
    """
    cells = []
    for image, name, label, prediction in islice(rows, limit):
        for title, value in (("label", label), ("prediction", prediction)):
            text = f"{title}: {describe(value, classes)}"
            cells.append((name, text, draw_value(image, value, classes, colors)))
    return _plot_grid(cells, 2 * columns)


def plot_side_by_side(cells: Iterable[tuple[str, str, np.ndarray]], columns: int = 2) -> "Figure":
    """Return a Figure of (title, words below it, drawn image), row by row."""
    return _plot_grid(list(cells), columns)


def plot_history(history: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return a Figure with the losses of a run at the left and its other figures at the right.

    history: a dict for each epoch, in order; what is not a number is left out.
    """
    from .charts import Picture, style_axes  # matplotlib takes half a second to import

    names = list(dict.fromkeys(name for entry in history for name in entry))
    series = {name: _numbers(history, name) for name in names if name not in NOT_PLOTTED}
    losses = {name: values for name, values in series.items() if "loss" in name}
    figures = {name: values for name, values in series.items() if "loss" not in name}
    axis = next((name for name in ("epoch", "step") if any(name in e for e in history)), "epoch")
    places = [entry.get(axis, index) for index, entry in enumerate(history, 1)]
    picture = Picture(figsize=(9, 3.4), layout="constrained", dpi=100)
    left, right = picture.subplots(1, 2)
    style_axes(left, "Loss", axis, "loss")
    style_axes(right, "Figures on dev", axis, "")
    _plot_lines(left, places, losses)
    _plot_lines(right, places, figures)
    return picture


def draw_value(
    image: np.ndarray, value: Any, classes: Sequence[str], colors: Mapping[str, str]
) -> np.ndarray:
    """Return a copy of a uint8 (H, W, 3) image with a label or prediction of any task drawn."""
    if value is None:
        return image.copy()
    drawn: np.ndarray = _find_task_of(value).room.draw(image, value, classes, colors)
    return drawn


def describe(value: Any, classes: Sequence[str]) -> str:
    """Return a label or prediction in a few words: "2 bolt, 1 washer", "abnormal", "unlabeled"."""
    if value is None:
        return "unlabeled"
    task = _find_task_of(value).name
    if task == "classification":
        return str(value.class_name)
    if task == "anomaly":
        verdict = getattr(value, "verdict", None)
        return str(verdict or ("abnormal" if value.is_abnormal else "normal"))
    if task == "detection":
        names = [box.class_name for box in getattr(value, "found", value.boxes)]
        parts = [f"{names.count(name)} {name}" for name in dict.fromkeys(names)]
    else:
        named = getattr(value, "classes", classes)
        present = (int(index) for index in np.unique(value.mask) if index)
        parts = [named[k - 1] if k <= len(named) else f"class {k}" for k in present]
    return ", ".join(parts) or "nothing there"


def _find_task_of(value: Any) -> Task:
    """Return the task that a label or prediction belongs to. Raises TypeError for anything else."""
    for task in TASKS.values():
        if isinstance(value, (task.label_type, task.prediction_type)):
            return task
    raise TypeError(f"{type(value).__name__} is neither a label nor a prediction of any task.")


def _plot_grid(cells: Sequence[tuple[str, str, np.ndarray]], columns: int) -> "Figure":
    """Return a Figure of (name, description, uint8 (H, W, 3)) cells, row by row."""
    from .charts import Picture, clean_name, say_nothing_there  # half a second to import

    columns = max(1, min(columns, len(cells)))
    rows = max(1, math.ceil(len(cells) / columns))
    size = (CELL_INCHES * columns, (CELL_INCHES + 0.35) * rows)
    picture = Picture(figsize=size, layout="constrained", dpi=100)
    grid = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
        axes.set_anchor("N")  # images of different shapes hang from one line
    for axes, (name, text, image) in zip(grid, cells):
        axes.imshow(_shrink(image), interpolation="nearest" if max(image.shape) < 64 else None)
        shown = f"{clean_name(name, 34, cut_start=True)}\n{clean_name(text, 38)}"
        axes.set_title(shown, fontsize=8, loc="left")
    if not cells:
        say_nothing_there(grid[0])
    return picture


def _shrink(image: np.ndarray) -> np.ndarray:
    """Return a uint8 (H, W, 3) image no larger than a cell shows."""
    picture = Image.fromarray(image)
    picture.thumbnail((CELL_PIXELS, CELL_PIXELS), Image.Resampling.BOX)
    return np.asarray(picture)


def _numbers(history: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return one value for each entry, nan where it has none or it is not a number."""
    values = [entry.get(name) for entry in history]
    return [float(v) if isinstance(v, (int, float, np.number)) else math.nan for v in values]


def _plot_lines(axes: "Axes", places: Sequence[float], series: Mapping[str, list[float]]) -> None:
    """Draw one line for each series that has a number, with a legend."""
    from matplotlib.ticker import MaxNLocator  # loaded by the caller already, as is charts

    from .charts import LEGEND, clean_name, say_nothing_there

    marker = "o" if len(places) < 30 else ""
    shown = {k: v for k, v in series.items() if not all(map(math.isnan, v))}
    for name, values in shown.items():
        axes.plot(places, values, marker=marker, markersize=3, label=clean_name(name, 30))
    if shown:
        axes.legend(fontsize=8, **LEGEND)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        say_nothing_there(axes)
