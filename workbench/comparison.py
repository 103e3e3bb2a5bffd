"""Comparing runs: on the same images, with an interval, and the images on which they differ."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .errors import InvalidSetting, NotEnoughLabels
from .report import count_words, format_figure
from .review import Review
from .reviewing import list_reviewed
from .runs import Run
from .store.snapshots import list_trained
from .tasks import find_task

if TYPE_CHECKING:  # importing pandas takes half a second
    import pandas

RESAMPLES = 1000
MOST_WORK = 2_000_000  # images times resamples; above, fewer resamples are drawn
ENDS = (2.5, 97.5)  # percent

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Some runs on the same images, by the labels of today, each at its own threshold.

    figures: {run name: {figure: value}}. main_figure: the task's own; intervals: its 95 % bootstrap
    interval for each run; differences: its value, low and high end for each run less the first.
    outcomes: {run name: {image name: outcome}}.
    """

    task: str
    split: str | None
    main_figure: str
    images: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Interval]
    differences: Mapping[str, tuple[float, float, float]]
    outcomes: Mapping[str, Mapping[str, str]]

    def find_only_right(self, right: str, wrong: str) -> list[str]:
        """Return the names of the images that one run gets right and the other wrong.

        Raises InvalidSetting for a run that is not compared.
        """
        for name in (right, wrong):
            if name not in self.outcomes:
                known = ", ".join(map(repr, self.outcomes))
                raise InvalidSetting(f"No run {name!r:.80} is compared here, only {known}.")
        ours, theirs = self.outcomes[right], self.outcomes[wrong]
        return [n for n in self.images if ours[n] == "correct" and theirs[n] != "correct"]

    @property
    def headline(self) -> str:
        """What the comparison says, a sentence for each run but the first."""
        first = next(iter(self.figures))
        return " ".join(self._tell(first, name) for name in self.differences)

    def _tell(self, first: str, name: str) -> str:
        """Return what the difference of one run from the first says."""
        value, low, high = self.differences[name]
        if math.isnan(value):
            return f"{self.main_figure} is not defined on these images."
        said = f"{self.main_figure} {value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})."
        if low > 0 or high < 0:
            return f"{name!r} is {'better' if value > 0 else 'worse'} than {first!r}: {said}"
        return f"These images do not tell {name!r} from {first!r}: {said}"

    def to_frame(self) -> "pandas.DataFrame":
        """Return a DataFrame: a row for each run, its figures, and the ends of the interval."""
        import pandas  # half a second to import, and only needed here

        rows = [
            {**figures, f"{self.main_figure}_low": low, f"{self.main_figure}_high": high}
            for figures, (low, high) in zip(self.figures.values(), self.intervals.values())
        ]
        return pandas.DataFrame(rows, index=list(self.figures), dtype=float)

    def table_rows(self) -> list[list[str]]:
        """Return the figures as texts, a row for each run, its first row the heading."""
        names = [name for name in next(iter(self.figures.values())) if not is_end(name)]
        rows = [["run", *names, f"95 % interval of {self.main_figure}"]]
        for run, figures in self.figures.items():
            ends = " to ".join(map(format_figure, self.intervals[run]))
            rows.append([run, *(format_figure(figures[name]) for name in names), ends])
        return rows

    def __repr__(self) -> str:
        """Return it for a terminal."""
        where = f" of the {self.split} split" if self.split else ""
        rows = self.table_rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]
        counted = count_words(len(self.images), "labeled image")
        return "\n".join([f"{counted}{where}. {self.headline}", "", *lines])

    def _repr_html_(self) -> str:
        """Return it for a notebook; every name is escaped."""
        head, *rows = ([escape(cell) for cell in row] for row in self.table_rows())
        heads = "".join(f"<th>{cell}</th>" for cell in head)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return (
            f"<p><b>{escape(self.headline)}</b></p>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        )


def compare_runs(*runs: Run, split: str | None = "test", seed: int = 0) -> Comparison:
    """Return how two or more finished runs of a project do on the same images.

    The images are the labeled ones of the split (None: all that no run was trained on). The
    interval is a paired bootstrap over images (Efron, 1979), the same draws for all runs. Raises
    InvalidSetting, NotEnoughLabels and RunNotFinished.
    """
    check_runs(runs)
    shared = find_shared(runs, split)
    if not shared:
        raise NotEnoughLabels(
            "No labeled image is new to all of these runs: label more, or choose another split."
        )
    reviews = {name: run.review_images(shared, split) for name, run in zip(name_apart(runs), runs)}
    return make_comparison(reviews, seed)


def check_runs(runs: Sequence[Run]) -> None:
    """Raise InvalidSetting unless there are two or more runs of one project."""
    if len({run.folder.resolve() for run in runs}) < 2:
        raise InvalidSetting("Compare two or more runs: wb.compare_runs(project.runs[0], run).")
    if len({run.store.folder.resolve() for run in runs}) > 1:
        raise InvalidSetting("Runs of one project are compared; these are of several.")


def find_shared(runs: Sequence[Run], split: str | None) -> list[int]:
    """Return the ids of the images that all runs can be measured on."""
    listed = [set(list_reviewed(run.store, run.snapshot, split, labeled=True)) for run in runs]
    shared = set.intersection(*listed)
    if split is None:
        for run in runs:
            shared -= list_trained(run.store, run.snapshot.id)
    return sorted(shared)


def name_apart(runs: Sequence[Run]) -> list[str]:
    """Return the names of the runs, with the id where two are called the same."""
    names = [run.name for run in runs]
    return [f"{run.name} ({run.id})" if names.count(run.name) > 1 else run.name for run in runs]


def make_comparison(reviews: Mapping[str, Review], seed: int) -> Comparison:
    """Return the comparison of reviews of the same images."""
    first, *others = reviews
    review = reviews[first]
    main = find_task(review.task).main_figure
    draws = draw_resamples(len(review.names), seed)
    measured = {name: measure_draws(each, draws) for name, each in reviews.items()}
    figures = {name: dict(each.report().overall) for name, each in reviews.items()}
    differences = {
        name: (
            figures[name][main] - figures[first][main],
            *find_ends(measured[name] - measured[first]),
        )
        for name in others
    }
    intervals = {name: find_ends(values) for name, values in measured.items()}
    outcomes = {name: each.outcomes() for name, each in reviews.items()}
    return Comparison(
        review.task, review.split, main, review.names, figures, intervals, differences, outcomes
    )


def draw_resamples(images: int, seed: int) -> np.ndarray:
    """Return how often each image counts in each resample: float64 (R, N)."""
    count = max(100, min(RESAMPLES, MOST_WORK // max(images, 1)))
    random = np.random.default_rng(seed)
    drawn = random.multinomial(images, np.full(images, 1 / images), size=count)
    return drawn.astype(np.float64)


def measure_draws(review: Review, draws: np.ndarray) -> np.ndarray:
    """Return the main figure of each resample: float64 (R,), nan where it is not defined."""
    found = [review.table.measure_weighted(weights, review.threshold) for weights in draws]
    return np.array(found, np.float64)


def find_ends(values: np.ndarray) -> Interval:
    """Return the ends of the 95 % interval, (nan, nan) where nothing is defined."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, ENDS)
    return float(low), float(high)


def is_end(name: str) -> bool:
    """Tell whether a figure is the end of another's interval."""
    return name.endswith(("_low", "_high"))
