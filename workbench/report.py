"""The figures of one run on one split: as numbers, in words, as a table and as plots."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .errors import UnknownFigure
from .tasks import find_task
from .tasks.figures import Figures, wilson_interval

if TYPE_CHECKING:  # importing pandas and matplotlib takes a second
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a run's model is worth, measured on the labeled images of one split.

    report["map_50"] is one figure; nan where it is not defined. split: None for all splits.
    threshold: what was asked for; None: the model's own. changed_labels: how many labels of the
    project changed since the snapshot that the run was trained on. images: how many were measured.
    """

    task: str
    figures: Figures
    split: str | None
    threshold: float | None
    run_name: str
    snapshot_name: str
    changed_labels: int
    images: int

    @property
    def overall(self) -> dict[str, float]:
        """The figures of all classes together: {name: value}."""
        return self.figures.overall

    @property
    def per_class(self) -> dict[str, dict[str, float]]:
        """The figures of each class: {class name: {name: value}}."""
        return self.figures.per_class

    @property
    def confusion(self) -> np.ndarray:
        """How often each label (row) was predicted as what (column): int64 (R, C).

        figures.row_names and figures.column_names name them; for segmentation it counts pixels.
        """
        return self.figures.confusion

    def __getitem__(self, name: str) -> float:
        """Return one overall figure. Raises UnknownFigure, naming those there are."""
        if name not in self.overall:
            raise UnknownFigure(
                f"This {self.task} report has no figure {name!r}. "
                f"It has: {', '.join(self.overall)}; those of a class are in report.per_class."
            )
        return self.overall[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the overall figures, as a dict does."""
        return iter(self.overall)

    def __len__(self) -> int:
        """Return how many overall figures there are."""
        return len(self.overall)

    def keys(self) -> list[str]:
        """Return the names of the overall figures, so that dict(report) works."""
        return list(self.overall)

    @property
    def headline(self) -> str:
        """What the figures mean, in a sentence for someone who knows none of their names."""
        if not self.images:
            return "No labeled images were measured."
        return HEADLINES[self.task](self.figures)

    @property
    def origin(self) -> list[str]:
        """On what was measured, in three short lines: run and images, threshold, labels."""
        split = f"{self.split} " if self.split else ""
        threshold = self.figures.threshold if self.threshold is None else self.threshold
        decided = f"{threshold:.2f}" if threshold else "none"
        if threshold is not None and math.isnan(threshold):
            decided = "each prediction's own"
        changed = (
            "no label" if not self.changed_labels else count_words(self.changed_labels, "label")
        )
        return [
            f"Run {self.run_name!r} on {count_words(self.images, f'{split}image')}.",
            f"Threshold: {decided}.",
            f"Trained on snapshot {self.snapshot_name!r}; {changed} changed since.",
        ]

    def plot(self) -> "Figure":
        """Return a matplotlib Figure with the plots that fit the task; pyplot is not involved."""
        from .charts import plot_report  # matplotlib takes half a second to import

        title = f"{find_task(self.task).title}: {self.run_name}, {self.split or 'all images'}"
        figure: Figure = plot_report(self.figures, title, self.threshold)
        return figure

    def to_frame(self) -> "pandas.DataFrame":
        """Return a DataFrame: a row "overall", then one for each class; nan where undefined."""
        import pandas  # half a second to import, and only needed here

        rows = [self.overall, *self.per_class.values()]
        frame = pandas.DataFrame(rows, index=["overall", *self.per_class], dtype=float)
        frame.index.name = "class"
        return frame

    def __str__(self) -> str:
        """Return the report for a terminal: headline, where it comes from, and a table."""
        name = find_task(self.task).title
        width = max(map(len, self.overall), default=0)
        figures = [f"  {key:<{width}}  {value}" for key, value in self.overall_texts().items()]
        return "\n".join(
            [
                f"{name} report",
                self.headline,
                "",
                *self.origin,
                "",
                *figures,
                "",
                *self._table_lines(),
            ]
        )

    __repr__ = __str__

    def overall_texts(self) -> dict[str, str]:
        """Return the overall figures as text, each interval beside what it belongs to."""
        texts = {}
        for name, value in self.overall.items():
            if name.endswith(("_low", "_high")):
                continue
            texts[name] = format_figure(value)
            if f"{name}_low" in self.overall and not math.isnan(value):
                low, high = self.overall[f"{name}_low"], self.overall[f"{name}_high"]
                texts[name] += f"  (95 % interval {low:.3f} to {high:.3f})"
        return texts

    def table_rows(self) -> list[list[str]]:
        """Return the table of the classes as text, its first row the heading."""
        columns = list(next(iter(self.per_class.values()), {}))
        rows = [["class", *columns]]
        for name, figures in self.per_class.items():
            cells = [
                f"{figures[column]:.0f}" if column == "support" else format_figure(figures[column])
                for column in columns
            ]
            rows.append([name, *cells])
        return rows

    def _table_lines(self) -> list[str]:
        """Return the table of the classes as aligned lines; long names are cut."""
        rows = [[shorten(row[0], 32), *row[1:]] for row in self.table_rows()]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return [
            "  "
            + "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            )
            for row in rows
        ]

    def _repr_html_(self) -> str:
        """Return the report for a notebook; every name is escaped."""
        origin = "<br>".join(map(escape, self.origin))
        overall = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(text)}</td></tr>"
            for name, text in self.overall_texts().items()
        )
        heading, *rows = (list(map(escape, row)) for row in self.table_rows())
        head = "".join(f"<th>{cell}</th>" for cell in heading)
        body = "".join(
            f"<tr><th style='text-align:left'>{row[0]}</th>"
            + "".join(f"<td>{cell}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        return (
            f"<div class='workbench-report'><p><b>{escape(self.headline)}</b></p><p>{origin}</p>"
            f"<table>{overall}</table><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            "</table></div>"
        )


def format_figure(value: float) -> str:
    """Return a figure with three digits, and a dash where it is not defined."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def shorten(text: str, length: int) -> str:
    """Return the text on one line, with an ellipsis where it is longer than `length`."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= length else line[: length - 1] + "…"


def count_words(count: int, thing: str, things: str | None = None) -> str:
    """Return a count with its thing, in the plural where there is not one: "1 label", "3 labels".

    things: the plural, where it takes more than an s.
    """
    return f"{count} {thing}" if count == 1 else f"{count} {things or thing + 's'}"


def describe_rate(hits: int, total: int, what: str) -> str:
    """Return a rate of 100, with its interval: "2 flagged (95 % interval 0.6 to 7)"."""
    low, high = (format_share(end) for end in wilson_interval(hits, total))
    return f"{format_share(hits / total)} {what} (95 % interval {low} to {high})"


def format_share(share: float) -> str:
    """Return a share, 0..1, as a number of 100: with one digit where it is small, else whole."""
    percent = share * 100
    return f"{percent:.1f}" if 0.05 <= percent < 2 and percent != 1 else f"{percent:.0f}"


def classification_headline(figures: Figures) -> str:
    """Return how many images of 100 get the right class."""
    right, total = int(figures.confusion.diagonal().sum()), figures.counts["images"]
    return f"Of 100 images, expect {describe_rate(right, total, 'in the right class')}."


def detection_headline(figures: Figures) -> str:
    """Return how many things of 100 are found, and how many boxes of 100 are right."""
    recall, precision = figures.overall["recall"], figures.overall["precision"]
    found = "No thing is labeled" if math.isnan(recall) else ""
    found = found or f"Of 100 things, expect {format_share(recall)} to be found"
    if math.isnan(precision):
        return f"{found}; no box was predicted."
    return f"{found}; of 100 boxes shown, {format_share(precision)} are right."


def segmentation_headline(figures: Figures) -> str:
    """Return how well predicted and labeled areas lie over each other."""
    overlap = figures.overall["mean_iou"]
    if math.isnan(overlap):
        return "Nothing but background is labeled, and nothing else was predicted."
    areas = [row["recall"] for row in figures.per_class.values() if not math.isnan(row["recall"])]
    if not areas:
        return "Nothing but background is labeled; all that was predicted is a false alarm."
    covered = format_share(sum(areas) / len(areas))
    return (
        f"Of 100 labeled pixels of a class, {covered} are found; "
        f"predicted and labeled areas overlap by {format_share(overlap)} % (mean IoU)."
    )


def anomaly_headline(figures: Figures) -> str:
    """Return how many of 100 good parts are flagged, and how many of 100 bad ones escape."""
    (passed, flagged), (escaped, caught) = figures.confusion.tolist()
    parts = []
    if passed + flagged:
        rate = describe_rate(flagged, passed + flagged, "flagged")
        parts.append(f"of 100 good parts, expect {rate}")
    if escaped + caught:
        rate = describe_rate(escaped, escaped + caught, "missed")
        parts.append(f"of 100 bad parts, expect {rate}")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


HEADLINES = {
    "classification": classification_headline,
    "detection": detection_headline,
    "segmentation": segmentation_headline,
    "anomaly": anomaly_headline,
}
