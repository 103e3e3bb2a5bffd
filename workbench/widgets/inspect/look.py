"""Look: what the report and the gallery of a run look at, and what they share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InvalidSetting
from ...predicting import predict_images
from ...report import Report
from ...review import ORDERS, Review, check_outcomes
from ...reviewing import ReviewReader, list_reviewed
from ...runs import Run
from ...settings import check_threshold
from ...store import search
from ...store.predictions import predicted_ids
from ...store.search import list_ids
from ...store.undo import find_changes
from ...tasks.figures import Figures, Series, divide
from ...tasks.outcomes import OUTCOMES
from ..jobs import Job

# What is looked at: the split that is asked for (None: all), and whether it must have a label.
SCOPES: dict[str, tuple[str | None, bool | None]] = {
    "test": ("test", None),
    "dev": ("dev", None),
    "train": ("train", None),
    "all": (None, None),
    "unlabeled": (None, False),
}
AUTOMATIC = 300  # images that are predicted without being asked
SWEPT, MOST_SWEPT = 41, 2000  # thresholds, and images up to which they are all tried
PENDING = 255  # the outcome of an image that is not read yet
REJECTED = "draft rejected"  # the state of an image whose proposal a person refused


@dataclass(frozen=True)
class Filter:
    """Which images are shown, and in which order.

    outcomes: None for all. class_name: labeled or predicted. low, high: of an image's best score.
    text: part of the name. cell: (label, prediction) of the confusion.
    """

    outcomes: tuple[str, ...] | None = None
    order: str = "worst"
    class_name: str = ""
    low: float = 0.0
    high: float = 1.0
    text: str = ""
    cell: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        """Raise InvalidSetting for what cannot be asked."""
        check_outcomes(self.outcomes)
        if self.order not in ORDERS:
            known = ", ".join(ORDERS)
            raise InvalidSetting(f"The order is one of {known}, not {self.order!r:.40}.")
        if not 0 <= self.low <= self.high <= 1:
            raise InvalidSetting("A range of scores lies between 0 and 1, the lower end first.")


class Look:
    """A run's predictions on some images, at one threshold, filtered and sorted.

    Reading them is a job in a thread where there is a kernel; `on_change` listeners are told
    "images", "threshold", "labels" or "job". review: None until all is read.
    """

    def __init__(self, run: Run, scope: str, is_threaded: bool) -> None:
        self.run, self._is_threaded = run, is_threaded
        self.lock = threading.RLock()
        self.threshold = run.threshold
        self.filter = Filter()
        self.scope = ""
        self.review: Review | None = None
        self.job: Job | None = None
        self.missing = 0  # images that are not predicted, and are too many to be unasked
        self.ids = np.zeros(0, np.int32)  # what is shown, in order
        self.is_stale = False  # labels changed since the images were sorted
        self.changed: list[int] = []  # the images whose labels changed last
        # Thresholds, and recall and precision at each: float64 (T, 3); what the charts drag along.
        self.sweep = np.zeros((0, 3))
        self._reader: ReviewReader | None = None
        self._seen = find_changes(run.store, None)[0]
        self._told: Any = None
        self._listeners: list[Callable[[str], None]] = []
        self.show(scope)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call listener(what) after each change."""
        self._listeners.append(listener)

    def _tell(self, what: str) -> None:
        """Tell all listeners."""
        for listener in self._listeners:
            listener(what)

    # What is looked at.

    def show(self, scope: str, is_asked: bool = False) -> None:
        """Look at a split, at all images, or at those without a label.

        is_asked: predict however many images are not predicted yet. Raises InvalidSetting.
        """
        if scope not in SCOPES:
            raise InvalidSetting(f"Look at one of {', '.join(SCOPES)}, not {scope!r:.40}.")
        with self.lock:
            if self.job is not None:
                self.job.stop()
            if scope == "unlabeled" and self.filter.order in ("worst", "suspect"):
                self.filter = replace(self.filter, order="unsure", outcomes=None)
            self.scope, self.review, self._reader, self.missing = scope, None, None, 0
            ids = list_reviewed(self.run.store, self.run.snapshot, *SCOPES[scope])
            self.ids = np.array(ids, np.int32)
            self.job = Job("Predictions", lambda job: self._read(job, ids, is_asked))
            if self._is_threaded:
                self.job.start()
            else:
                self.job.run()
            self._tell("images")
            self.tick()

    def predict_missing(self) -> None:
        """Predict the images that are not predicted yet, however many they are."""
        self.show(self.scope, is_asked=True)

    def _read(self, job: Job, ids: list[int], is_asked: bool) -> ReviewReader:
        """Predict what is missing, and read predictions and labels."""
        run = self.run
        known = predicted_ids(run.store, run.id)
        missing = [image_id for image_id in ids if image_id not in known]
        if missing and (is_asked or len(missing) <= AUTOMATIC):
            job.title = "Predict"
            predict_images(run.store, run.id, run.model(), missing, job.tell)
        elif missing:
            self.missing = len(missing)
            ids = [image_id for image_id in ids if image_id in known]
        job.title = "Read predictions"
        reader = ReviewReader(run.store, run.id, run.name, run.snapshot, ids)
        for done in reader.read():
            job.tell(done, len(ids))
        return reader

    def tick(self) -> None:
        """Take in what a job has done, and labels that changed."""
        with self.lock:
            job = self.job
            if job is not None and job.state in ("done", "failed"):
                self._finish(job)
            elif job is not None and job.describe() != self._told:
                self._told = job.describe()
                self._tell("job")
            newest, changed = find_changes(self.run.store, self._seen)
            self._seen = newest
            if changed and self._reader is not None and self._reader.update(changed):
                self.is_stale, self.changed = True, changed
                self.review = self._reader.make_review(SCOPES[self.scope][0], self.threshold)
                self._tell("labels")

    def _finish(self, job: Job) -> None:
        """Take what was read; a job that failed stays, so that it says why."""
        if job.state == "failed":
            if job.describe() != self._told:
                self._told = job.describe()
                self._tell("job")
            return
        self.job, self._told, self._reader = None, None, job.result
        self._reader.update([int(i) for i in find_changes(self.run.store, self._seen)[1]])
        self.review = self._reader.make_review(SCOPES[self.scope][0], self.threshold)
        self.sweep = sweep_thresholds(self.review)
        self.sort()

    # Threshold, filter and order.

    def move(self, threshold: float) -> None:
        """Decide by another threshold, which is not saved. Raises InvalidSetting."""
        with self.lock:
            self.threshold = check_threshold(threshold)
            self._sort()
            self._tell("threshold")

    def move_to_rate(self, overkill: float | None = None, escape: float | None = None) -> None:
        """Choose the threshold by a rate, 0..1. Raises InvalidSetting and NotEnoughLabels."""
        if self.review is not None:
            self.move(self.review.find_threshold(overkill, escape))

    def save(self) -> None:
        """Make the threshold the run's own."""
        self.run.threshold = self.threshold
        self._tell("saved")

    def choose(self, **wanted: Any) -> None:
        """Change the filter or the order, see Filter. Raises InvalidSetting or UnknownClass."""
        with self.lock:
            before = self.filter
            self.filter = replace(before, **wanted)
            try:
                self.sort()
            except Exception:
                self.filter = before
                raise

    def sort(self) -> None:
        """Sort and filter by the labels of now."""
        with self.lock:
            self._sort()
            self._tell("images")

    def _sort(self) -> None:
        """Find the images that are shown, and their order."""
        self.is_stale = False
        review, wanted = self.review, self.filter
        if review is None:
            return
        if wanted.cell is not None:
            places = review.find_cell_places(*wanted.cell, self.threshold)
        else:
            places = review.find_places(wanted.outcomes, wanted.order, self.threshold)
        places = places[self._fits(review)[places]]
        self.ids = np.array(review.image_ids, np.int32)[places]

    def _fits(self, review: Review) -> np.ndarray:
        """Return which images fit class, scores and name: bool (N,). Raises UnknownClass."""
        wanted, table = self.filter, review.table
        scores = table.find_scores()
        fits: np.ndarray = (scores >= wanted.low) & (scores <= wanted.high)
        if wanted.class_name:
            index = self.classes.index(wanted.class_name)
            fits &= table.holds_class(index, self.threshold)
        if wanted.text:
            text = wanted.text.casefold()
            fits &= np.array([text in name.casefold() for name in review.names], np.bool_)
        if self.scope == "unlabeled":
            rejected = list_ids(self.run.store, [search.Filter(state=REJECTED)])
            fits &= ~np.isin(review.image_ids, rejected)
        return fits

    # What follows from it.

    @property
    def classes(self) -> list[str]:
        """The classes that outcomes know: those of the run, and new ones."""
        if self.run.store.task == "anomaly":
            return ["normal", "abnormal"]
        return list(self._reader.class_ids) if self._reader else list(self.run.snapshot.classes)

    def find_outcomes(self) -> np.ndarray:
        """Return the outcome of each shown image: uint8 (N,), PENDING while it is not read."""
        if self.review is None:
            return np.full(len(self.ids), PENDING, np.uint8)
        places = np.searchsorted(self.review.image_ids, self.ids)  # they are read by id
        outcomes: np.ndarray = self.review.table.judge(self.threshold)[places]
        return outcomes

    def count(self) -> Mapping[str, int]:
        """Return how many images of the scope have each outcome; {} while they are not read."""
        return {} if self.review is None else self.review.count(self.threshold)

    def report(self) -> Report | None:
        """Return the figures at the threshold; None while they are not there."""
        return None if self.review is None else self.review.report(self.threshold)

    def find_point(self, figures: Figures) -> tuple[float, float]:
        """Return recall and precision of all classes together; nan where not defined."""
        return find_point(self.run.store.task, figures)

    def find_histograms(self, figures: Figures) -> dict[str, Series]:
        """Return histograms of scores by name; of segmentation they are those of pixels."""
        table: Any = self.review.table if self.review is not None else None
        if "scores" in figures.curves or not hasattr(table, "count_scores"):
            return figures.curves.get("scores", {})
        found: dict[str, Series] = table.count_scores()
        return found

    def name_outcome(self, image_id: int) -> str:
        """Return the outcome of one image."""
        if self.review is None or image_id not in self.review.image_ids:
            return ""
        place = self.review.image_ids.index(image_id)
        return OUTCOMES[int(self.review.table.judge(self.threshold)[place])]


def sweep_thresholds(review: Review) -> np.ndarray:
    """Return thresholds, and recall and precision at each: float64 (T, 3); none for many images."""
    if len(review.names) > MOST_SWEPT:
        return np.zeros((0, 3))
    thresholds = np.linspace(0, 1, SWEPT)
    points = [find_point(review.task, review.table.measure(limit)) for limit in thresholds]
    return np.column_stack([thresholds, np.array(points)])


def find_point(task: str, figures: Figures) -> tuple[float, float]:
    """Return recall and precision of all classes together (micro); nan where not defined.

    Of an anomaly project they are those of "abnormal".
    """
    confusion = figures.confusion
    if task == "anomaly":
        confusion = confusion[::-1, ::-1]  # abnormal first
        counts = confusion[0, 0], confusion[0].sum(), confusion[:, 0].sum()
    else:
        size = len(figures.per_class)
        first = 1 if task == "segmentation" else 0
        inside = slice(first, first + size)
        hits = confusion[inside, inside].trace()
        counts = hits, confusion[inside].sum(), confusion[:, inside].sum()
    return divide(counts[0], counts[1]), divide(counts[0], counts[2])
