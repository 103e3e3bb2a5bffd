"""The plots of a report's figures: one function draws one plot into given axes.

Loaded by `report` and `plots` when a plot is asked for, because matplotlib takes half a second to
import. Figures are made without pyplot, whose global state is not safe in a notebook's callbacks.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from .tasks.figures import Figures, Series

INK, FAINT, GRID = "#222222", "#b0b0b0", "#e6e6e6"
GOOD, BAD = "#1f77b4", "#d62728"
PANEL_INCHES = (5.0, 3.7)  # width, height
MOST_CURVES = 8  # of more classes the worst are shown, the others are grey
NAME_LENGTH = 18
LEGEND: dict[str, Any] = {"frameon": True, "framealpha": 0.9, "edgecolor": "none"}


class Picture(Figure):
    """A matplotlib Figure that a notebook shows even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG bytes."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


@dataclass(frozen=True)
class Panel:
    """One plot of a report: how it is drawn, and how high it wants to be, in inches."""

    draw: Callable[[Axes], None]
    height: float = PANEL_INCHES[1]


def plot_report(figures: Figures, title: str, threshold: float | None = None) -> Figure:
    """Return a Figure with the plots that the figures have data for, two in a row."""
    panels = choose_panels(figures, figures.threshold if threshold is None else threshold)
    rows = [panels[start : start + 2] for start in range(0, len(panels), 2)]
    heights = [max(panel.height for panel in row) for row in rows]
    columns = min(2, len(panels))
    picture = Picture(
        figsize=(PANEL_INCHES[0] * columns, sum(heights) + 0.4), layout="constrained", dpi=100
    )
    picture.suptitle(clean_name(title, 90), fontsize=12, fontweight="bold", color=INK)
    grid = picture.add_gridspec(len(rows), columns, height_ratios=heights)
    for index, row in enumerate(rows):
        for column, panel in enumerate(row):
            is_alone = len(row) < columns
            place = grid[index, :] if is_alone else grid[index, column]
            panel.draw(picture.add_subplot(place))
    return picture


def choose_panels(figures: Figures, threshold: float | None) -> list[Panel]:
    """Return the plots that fit what was measured, the most telling first."""
    names = figures.row_names
    panels = [
        Panel(
            partial(draw_confusion, figures=figures),
            max(PANEL_INCHES[1], 0.26 * len(names) + 1.6),
        )
    ]
    curves = figures.curves
    if "precision_recall" in curves:
        panels.append(Panel(partial(draw_precision_recall, curves=curves["precision_recall"])))
    if "scores" in curves:
        panels.append(Panel(partial(draw_scores, groups=curves["scores"], threshold=threshold)))
    if "roc" in curves:
        auroc = figures.overall["auroc"]
        panels.append(Panel(partial(draw_roc, curves=curves["roc"], auroc=auroc)))
    else:
        draw_classes = partial(draw_bars, per_class=figures.per_class)
        panels.append(Panel(draw_classes, max(PANEL_INCHES[1], 0.24 * len(names) + 1.2)))
    return panels


def draw_confusion(axes: Axes, figures: Figures) -> None:
    """Draw the confusion matrix: the colour is the share of the row, the number the count.

    Counts beyond 9999 (pixels) are written as a percentage of their row; of more than 25 classes
    only the colours are drawn.
    """
    counts = figures.confusion
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    label_ticks(axes, figures.row_names, figures.column_names)
    axes.set_title("Confusion", fontsize=10)
    axes.set_xlabel("prediction", fontsize=9)
    axes.set_ylabel("label", fontsize=9)
    if max(counts.shape) > 25:
        return
    as_shares = counts.max(initial=0) > 9999
    size = 9 if max(counts.shape) <= 8 else 6.5
    for row, column in np.argwhere(counts > 0):
        share = shares[row, column]
        text = format_percent(share) if as_shares else str(counts[row, column])
        color = "white" if share > 0.55 else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=color)


def label_ticks(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Write the class names beside a matrix; slanted where they are many or long."""
    size = 9 if max(len(rows), len(columns)) <= 10 else 7
    shown = [clean_name(name, 14) for name in columns]
    room = 45 / max(1, len(columns))  # letters of a tick label that fit side by side
    slant = 0 if max(map(len, shown), default=0) <= room else 45
    align = "right" if slant else "center"
    axes.set_xticks(range(len(columns)), shown, fontsize=size, rotation=slant, ha=align)
    if slant:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(rows)), [clean_name(name) for name in rows], fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_precision_recall(axes: Axes, curves: Mapping[str, Series]) -> None:
    """Draw precision against recall, a line for each class; of many the worst in colour."""
    style_axes(axes, "Precision and recall", "recall", "precision")
    areas = {name: abs(float(np.trapezoid(y, x))) for name, (x, y) in curves.items()}
    worst = sorted(areas, key=lambda name: areas[name])[:MOST_CURVES]
    shades = colormaps["tab10"]
    for name, (x, y) in curves.items():
        if name not in worst:
            axes.plot(x, y, color=FAINT, linewidth=0.8, zorder=1)
    for index, name in enumerate(name for name in curves if name in worst):
        x, y = curves[name]
        marker = "o" if len(x) == 1 else ""
        axes.plot(x, y, color=shades(index), linewidth=1.8, marker=marker, label=clean_name(name))
    if len(curves) > len(worst):
        others = f"the other {len(curves) - len(worst)}"
        axes.plot([], [], color=FAINT, linewidth=0.8, label=others)
    finish_curve(axes, bool(curves), "lower left")


def draw_roc(axes: Axes, curves: Mapping[str, Series], auroc: float) -> None:
    """Draw how many abnormal images are caught for how many normal ones flagged."""
    style_axes(axes, f"ROC, area {auroc:.3f}", "overkill (false positive rate)", "caught")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":", label="by chance")
    for x, y in curves.values():
        axes.plot(x, y, color=GOOD, linewidth=1.8, label="model")
    finish_curve(axes, bool(curves), "lower right")


def finish_curve(axes: Axes, has_data: bool, place: Literal["lower left", "lower right"]) -> None:
    """Set the limits of a plot from 0 to 1, and its legend, or say that nothing is there."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    if has_data:
        axes.legend(fontsize=8, loc=place, **LEGEND)
    else:
        say_nothing_there(axes)


def draw_scores(axes: Axes, groups: Mapping[str, Series], threshold: float | None) -> None:
    """Draw the scores of each group as shares of the group, with the threshold as a line."""
    style_axes(axes, "Scores", "score", "share of the group")
    highest = 0.0
    for index, (name, (edges, counts)) in enumerate(groups.items()):
        color = choose_color(name, index)
        shares = counts / max(1, counts.sum())
        highest = max(highest, float(shares.max(initial=0)))
        axes.stairs(shares, edges, fill=True, color=color, alpha=0.35)
        axes.stairs(shares, edges, color=color, linewidth=1.2, label=f"{name} ({counts.sum()})")
    if threshold and not math.isnan(threshold):
        axes.axvline(
            threshold, color=INK, linestyle="--", linewidth=1.2, label=f"threshold {threshold:.2f}"
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, highest * 1.35 or 1)
    if highest:
        axes.legend(fontsize=8, loc="upper center", ncols=3, columnspacing=1.0, **LEGEND)
    else:
        say_nothing_there(axes)


def choose_color(name: str, index: int) -> str:
    """Return the colour of a group of scores: red for what is wrong or abnormal."""
    if name in ("wrong", "false alarm", "abnormal"):
        return BAD
    return (GOOD, "#2ca02c", "#9467bd")[index % 3]


def draw_bars(axes: Axes, per_class: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the first of iou, ap_50 and f1 that there is, as a bar for each class."""
    kinds = {"iou": "IoU", "ap_50": "Average precision at IoU 0.5", "f1": "F1"}
    figures = next(iter(per_class.values()), {})
    kind = next((name for name in kinds if name in figures), "f1")
    style_axes(axes, f"{kinds[kind]} by class", "", "")
    values = [row[kind] for row in per_class.values()]
    lengths = [0.0 if math.isnan(value) else value for value in values]
    axes.barh(range(len(values)), lengths, color=GOOD, height=0.68)
    size = 9 if len(values) <= 10 else 7
    for place, (value, length) in enumerate(zip(values, lengths)):
        text = "not measured" if math.isnan(value) else f"{value:.2f}"
        axes.text(length + 0.01, place, text, va="center", fontsize=size, color=INK)
    axes.set_yticks(range(len(values)), [clean_name(name) for name in per_class], fontsize=size)
    axes.set_xlim(0, 1.15)
    axes.set_ylim(max(len(values), 1) - 0.4, -0.6)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(visible=False, axis="y")
    if not values:
        say_nothing_there(axes)


def style_axes(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Give axes the plain look that all plots share."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8, color=FAINT)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def say_nothing_there(axes: Axes) -> None:
    """Write into axes that there is nothing to draw."""
    axes.text(
        0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color=FAINT, fontsize=10
    )


def format_percent(share: float) -> str:
    """Return a share, 0..1, as a percentage; small ones as "<0.1%" and never as 0."""
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.9995 else "100%"


def clean_name(name: str, length: int = NAME_LENGTH, cut_start: bool = False) -> str:
    """Return a name that matplotlib draws as it is, cut to `length` at its end, or at its start.

    Dollar signs would start a formula, and a letter that the font lacks would cause a warning.
    """
    known = font_letters()
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    line = "".join(
        letter if ord(letter) in known else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
    if len(line) > length:
        line = "…" + line[1 - length :] if cut_start else line[: length - 1] + "…"
    return line.replace("$", r"\$")


@cache
def font_letters() -> frozenset[int]:
    """Return the code points that matplotlib's font can draw."""
    return frozenset(get_font(findfont(FontProperties())).get_charmap())
