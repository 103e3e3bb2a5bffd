"""Review: what a run's model got right and wrong, image by image, at any threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InvalidSetting, NotEnoughLabels
from .report import Report, count_words
from .settings import check_threshold
from .tasks.outcomes import OUTCOMES, Table

ORDERS = ("worst", "unsure", "suspect", "added")


@dataclass(frozen=True, eq=False)
class Review:
    """The images of one split with what a run's model says of them, as they were when it was made.

    Nothing is predicted again for another threshold. names: of the images, in the order in which
    they were added; project.images[name] gives one. threshold: the model's own.
    """

    task: str
    run_name: str
    snapshot_name: str
    changed_labels: int
    split: str | None
    threshold: float
    image_ids: tuple[int, ...]
    names: tuple[str, ...]
    table: Table

    def report(self, threshold: float | None = None) -> Report:
        """Return the figures of the labeled images; threshold: None for the model's own."""
        limit = self._choose(threshold)
        figures = self.table.measure(limit)
        return Report(
            self.task,
            figures,
            self.split,
            limit,
            self.run_name,
            self.snapshot_name,
            self.changed_labels,
            figures.counts["images"],
        )

    def outcomes(self, threshold: float | None = None) -> dict[str, str]:
        """Return {image name: outcome}.

        An outcome is "correct", "false-positive", "false-negative", "wrong-class" or "unlabeled";
        of several errors in an image the gravest counts: what was missed, then a wrong class.
        """
        judged = self.table.judge(self._choose(threshold))
        return {name: OUTCOMES[place] for name, place in zip(self.names, judged)}

    def count(self, threshold: float | None = None) -> dict[str, int]:
        """Return how many images have each outcome."""
        judged = self.table.judge(self._choose(threshold))
        numbers = np.bincount(judged, minlength=len(OUTCOMES)).tolist()
        return dict(zip(OUTCOMES, numbers))

    def find(
        self,
        outcomes: str | Sequence[str] | None = None,
        order: str = "worst",
        threshold: float | None = None,
    ) -> list[str]:
        """Return the names of the images with these outcomes, None for all.

        order: "worst" first, "unsure" first, or as they were "added"; "suspect": those alone where
        the model surely contradicts the label, which may be wrong. Raises InvalidSetting.
        """
        places = self.find_places(outcomes, order, self._choose(threshold))
        return [self.names[place] for place in places]

    def find_places(
        self, outcomes: str | Sequence[str] | None, order: str, threshold: float
    ) -> np.ndarray:
        """Return what `find` does as places among the images: int64 (M,)."""
        wanted = [OUTCOMES.index(outcome) for outcome in check_outcomes(outcomes)]
        places = np.flatnonzero(np.isin(self.table.judge(threshold), wanted))
        if order not in ORDERS:
            raise InvalidSetting(f"The order is one of {', '.join(ORDERS)}, not {order!r:.40}.")
        if order == "added":
            return places
        rank = {
            "worst": self.table.rank_errors,
            "unsure": self.table.rank_doubts,
            "suspect": self.table.rank_suspects,
        }[order]
        ranks = rank(threshold)[places]
        if order == "suspect":
            places, ranks = places[ranks > 0], ranks[ranks > 0]
        return places[np.argsort(-ranks, kind="stable")]

    def find_threshold(self, overkill: float | None = None, escape: float | None = None) -> float:
        """Return the threshold at which an anomaly project meets a rate, 0..1, on these images.

        overkill: the share of normal images that may be flagged; normal ones alone are enough.
        escape: the share of abnormal ones that may be missed. Raises InvalidSetting and
        NotEnoughLabels.
        """
        rates = [rate for rate in (overkill, escape) if rate is not None]
        if self.task != "anomaly" or len(rates) != 1 or not 0 <= rates[0] <= 1:
            raise InvalidSetting(
                "Choose the threshold of an anomaly project by either overkill or escape, 0 to 1: "
                "review.find_threshold(overkill=0.02)."
            )
        found: float | None = self.table.find_threshold(overkill, escape)  # type: ignore[attr-defined]
        if found is None:
            verdict = "normal" if overkill is not None else "abnormal"
            raise NotEnoughLabels(f"No image here is labeled {verdict}, so there is no such rate.")
        return min(found, 1.0)

    def find_in_cell(
        self, label: str, prediction: str, threshold: float | None = None
    ) -> list[str]:
        """Return the names of the images in a cell of the confusion, those that hold most first.

        label, prediction: as report().figures.row_names and column_names say them.
        """
        places = self.find_cell_places(label, prediction, self._choose(threshold))
        return [self.names[place] for place in places]

    def find_cell_places(self, label: str, prediction: str, threshold: float) -> np.ndarray:
        """Return what `find_in_cell` does as places among the images: int64 (M,)."""
        figures = self.table.measure(threshold)
        row = find_place(label, figures.row_names)
        column = find_place(prediction, figures.column_names)
        held = self.table.count_cell(row, column, threshold)
        return np.argsort(-held, kind="stable")[: np.count_nonzero(held)]

    def _choose(self, threshold: float | None) -> float:
        """Return the threshold, or the model's own. Raises InvalidSetting outside of 0..1."""
        return self.threshold if threshold is None else check_threshold(threshold)

    def __repr__(self) -> str:
        """Return how many images have each outcome."""
        told = ", ".join(f"{count} {name}" for name, count in self.count().items() if count)
        images = count_words(len(self.names), "image")
        return f"<Review of {self.run_name!r} on {images}: {told or 'none'}>"


def check_outcomes(outcomes: str | Sequence[str] | None) -> list[str]:
    """Return outcomes as a list, all of them for None. Raises InvalidSetting for what is none."""
    if outcomes is None:
        return list(OUTCOMES)
    chosen = [outcomes] if isinstance(outcomes, str) else list(outcomes)
    for outcome in chosen:
        if outcome not in OUTCOMES:
            known = ", ".join(OUTCOMES)
            raise InvalidSetting(f"There is no outcome {outcome!r:.40}. There are: {known}.")
    return chosen


def find_place(name: str, names: Sequence[str]) -> int:
    """Return where a name stands. Raises InvalidSetting, naming them all."""
    if name not in names:
        known = ", ".join(names)
        raise InvalidSetting(f"The confusion has no {name!r:.80}. It has: {known}.")
    return list(names).index(name)
