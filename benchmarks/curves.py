"""Draw the learning curves of a comparison: figures over the labels, and over the seconds.

    python benchmarks/curves.py ROWS.jsonl OUT.svg [--seconds 30]

ROWS.jsonl is what compare.py wrote. A row of panels for each set: left, over the number of labels,
each training with --seconds; right, over the seconds, with all labels. Lines join the means of the
seeds, dashed for ImageNet weights, and each seed is a dot. A set with one number of labels and one
of seconds is left out.
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from compare import FIGURES
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]
Place = Callable[[Row], Any]  # where a row stands on the horizontal axis
COLORS = ("#1b6ca8", "#d1495b", "#3c8d53", "#b8860b", "#7b4ea3", "#5f6b73", "#c06000", "#008b8b")
ALL = "all"
OURS = "ours:fast:shipped"  # has the same color in every panel


def label_place(row: Row) -> str:
    """Return the number of labels, as it is written on the axis."""
    return ALL if row["labels"] is None else str(row["labels"])


def second_place(row: Row) -> str:
    """Return the seconds that were given, as they are written on the axis."""
    return f"{row['seconds']:.0f}"


def sort_places(rows: Sequence[Row], place: Place) -> list[str]:
    """Return what stands on the axis, rising; all labels come last."""
    found = {place(row) for row in rows}
    return sorted(found, key=lambda text: float("inf") if text == ALL else float(text))


def draw_panel(axes: Axes, rows: Sequence[Row], place: Place, colors: dict[str, str]) -> None:
    """Draw a line for each method; without rows the panel is empty, and says so."""
    if not rows:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not measured", ha="center", color="#5f6b73")
        return
    places = sort_places(rows, place)
    methods: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        methods[row["method"]][places.index(place(row))].append(row["figure"])
    for method, points in sorted(methods.items()):
        at = sorted(points)
        style = {"color": colors[method], "linestyle": "--" if "imagenet" in method else "-"}
        axes.plot(at, [statistics.mean(points[x]) for x in at], label=method, **style)
        dots = [(x, figure) for x in at for figure in points[x]]
        axes.scatter(*zip(*dots), s=12, color=colors[method])
    axes.set_xticks(range(len(places)), places)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(axis="y", alpha=0.3)


def draw(rows: Sequence[Row], seconds: float) -> Figure:
    """Return the figure with two panels for each set that has a curve."""
    good = [row for row in rows if "figure" in row]
    by_set = defaultdict(list)
    for row in good:
        by_set[row["problem"]].append(row)
    curves = {
        key: group
        for key, group in sorted(by_set.items())
        if len({row["labels"] for row in group}) + len({row["seconds"] for row in group}) > 2
    }
    figure = Figure(figsize=(11, 2.9 * max(1, len(curves))), layout="constrained")
    grid = figure.subplots(max(1, len(curves)), 2, squeeze=False)
    for (key, group), panels in zip(curves.items(), grid):
        draw_set(key, group, seconds, panels)
    return figure


def draw_set(key: str, rows: Sequence[Row], seconds: float, panels: Sequence[Axes]) -> None:
    """Draw the two panels of a set."""
    over_labels = [row for row in rows if row["seconds"] == seconds]
    over_seconds = [row for row in rows if row["labels"] is None]
    found = {row["method"] for row in over_labels + over_seconds}
    methods = sorted(found, key=lambda name: (name != OURS, not name.startswith("ours"), name))
    colors = {method: COLORS[i % len(COLORS)] for i, method in enumerate(methods)}
    draw_panel(panels[0], over_labels, label_place, colors)
    draw_panel(panels[1], over_seconds, second_place, colors)
    name, task = key.split(":")
    panels[0].set_title(f"{name}, {task}: {FIGURES[task]}", loc="left", fontsize=10)
    panels[0].set_xlabel(f"labels, {seconds:.0f} s")
    panels[1].set_xlabel("seconds, all labels")
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    panels[1].legend(lines.values(), lines, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path, help="the drawing (.svg)")
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    rows = [json.loads(line) for line in asked.rows.read_text().splitlines()]
    # The same file for the same rows, and text as text.
    mpl.rcParams.update({"svg.hashsalt": "curves", "svg.fonttype": "none"})
    draw(rows, asked.seconds).savefig(asked.out, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
