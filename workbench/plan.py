"""TrainingPlan: what a run would train on, what speaks against it, how long and how large."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import NotEnoughLabels
from .limits import cpu_limit, memory_free_bytes
from .near_duplicates import find_near_duplicates
from .report import count_words
from .settings import TASK_PRESETS, Settings, apply_changes, check_settings
from .store.database import Store
from .store.files import run_path
from .store.run_folder import EventReader
from .store.runs import RunRow, list_runs
from .store.search import Filter, count_images
from .store.snapshots import read_snapshot
from .store.splits import SPLITS
from .tasks import find_task

FEW = 10  # labeled images of a class in train, below which a model learns it badly
# Measured with benchmarks/compare.py on 2 cores, for anomaly with benchmarks/real_sets.py.
START_SECONDS = 7.0  # to import torch, measure on dev, and export
SECONDS_A_MEGAPIXEL = {"classification": 0.3, "detection": 0.3, "segmentation": 0.3, "anomaly": 0.1}
MEASURED_CORES = 2
SPREAD = (0.6, 2.5)  # how much slower or faster other machines were guessed to be
OWN_SPREAD = (0.8, 1.4)  # the same where a run of this project has told how fast this one is
BASE_BYTES = 1020e6  # with torch's CUDA build, whose import alone takes 800 MB
BYTES_A_MEGAPIXEL = {
    "classification": 500e6,
    "detection": 750e6,
    "segmentation": 500e6,
    "anomaly": 500e6,
}


@dataclass(frozen=True)
class TrainingPlan:
    """What `project.train` with the same settings would do.

    images: {split: images}, labeled: {split: labeled images}, None for those without a split.
    per_class: {class name: {split: labeled images that hold it}}. steps: batches that it trains on,
    0 where only a first fit is made (`Settings.judged_below`).
    seconds: the least and the most that it may take. memory_bytes: what the process may need;
    free_bytes: what there is. problem: why it cannot start, or None. warnings: what speaks against
    starting now, in sentences.
    """

    task: str
    preset: str
    settings: Settings
    images: Mapping[str | None, int]
    labeled: Mapping[str | None, int]
    per_class: Mapping[str, Mapping[str, int]]
    steps: int
    seconds: tuple[float, float]
    memory_bytes: float
    free_bytes: float
    cores: int
    problem: str | None
    warnings: tuple[str, ...]

    @property
    def duration(self) -> str:
        """How long it may take, in words: "1 to 3 minutes"."""
        return describe_seconds(*self.seconds)

    @property
    def work(self) -> str:
        """What it does, in words: "240 steps of 8 images at 224 pixels"."""
        if not self.steps:
            return f"a first fit to images at {self.settings.input_size} pixels"
        return (
            f"{count_words(self.steps, 'step')} of {self.settings.batch_size} images at "
            f"{self.settings.input_size} pixels"
        )

    def __repr__(self) -> str:
        """Return the plan in lines."""
        lines = [self._headline(), *self._table_lines()]
        lines += [f"cannot start: {self.problem}"] if self.problem else []
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])

    def _headline(self) -> str:
        """Return settings, time and memory in a line."""
        return (
            f"{find_task(self.task).title}, preset {self.preset}: "
            f"{self.work}; about {self.duration} on "
            f"{count_words(self.cores, 'core')}; {self.memory_bytes / 1e9:.1f} GB of memory "
            f"({self.free_bytes / 1e9:.1f} GB are free)"
        )

    def _rows(self) -> list[list[str]]:
        """Return the table of images, its first row the heading."""
        rows = [["labeled images", *SPLITS]]
        rows += [
            [name, *(str(counts[split]) for split in SPLITS)]
            for name, counts in self.per_class.items()
        ]
        return [*rows, ["all", *(str(self.labeled[split]) for split in SPLITS)]]

    def _table_lines(self) -> list[str]:
        """Return the table as aligned lines."""
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        return [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows
        ]

    def _repr_html_(self) -> str:
        """Return the plan for a notebook; every name is escaped."""
        told = [*([f"Cannot start: {self.problem}"] if self.problem else []), *self.warnings]
        listed = "".join(f"<li>{html.escape(text)}</li>" for text in told)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        return f"<p>{html.escape(self._headline())}</p><table>{rows}</table><ul>{listed}</ul>"


def plan_training(
    store: Store, classes: Sequence[str], preset: str, changes: Mapping[str, Any]
) -> TrainingPlan:
    """Return what a run with these settings would do; nothing is written or started.

    Raises InvalidSetting.
    """
    check_settings(preset, changes)
    settings = apply_changes(TASK_PRESETS[store.task][preset], changes)
    splits: tuple[str | None, ...] = (*SPLITS, None)
    images = {split: count_images(store, [Filter(split=split)]) for split in splits}
    labeled = {split: count_images(store, [Filter(split=split, labeled=True)]) for split in splits}
    per_class = {
        name: {split: count_images(store, [Filter(split, None, name)]) for split in SPLITS}
        for name in classes
    }
    is_split = any(images[split] for split in SPLITS)
    steps = count_steps(store.task, settings, labeled)
    problem = find_problem(store.task, labeled, per_class) if is_split else None
    return TrainingPlan(
        store.task,
        preset,
        settings,
        images,
        labeled,
        per_class,
        steps,
        estimate_seconds(store, settings, count_looks(store.task, settings, labeled)),
        BASE_BYTES + BYTES_A_MEGAPIXEL[store.task] * megapixels(settings, 1),
        memory_free_bytes(),
        cpu_limit(),
        problem,
        (
            *find_warnings(store.task, images, labeled, per_class, steps, is_split),
            *warn_of_duplicates(store),
        ),
    )


def warn_of_duplicates(store: Store) -> list[str]:
    """Return a warning where nearly the same photo is in train and in dev or test."""
    pairs = find_near_duplicates(store)
    if not pairs:
        return []
    first, other = pairs[0]
    more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
    return [
        f"Nearly the same photo is in train and in dev or test: {first!r} and {other!r}{more}. "
        "The figures will look better than they are: give both the same split, or remove one."
    ]


def find_problem(
    task: str, labeled: Mapping[str | None, int], per_class: Mapping[str, Mapping[str, int]]
) -> str | None:
    """Return why training cannot start, or None."""
    if not labeled["train"]:
        return "no image of the train split is labeled."
    counts = {name: splits["train"] for name, splits in per_class.items()}
    try:
        find_task(task).room.check_enough(labeled["train"], counts)
    except NotEnoughLabels as error:
        return str(error)
    return None


def find_warnings(
    task: str,
    images: Mapping[str | None, int],
    labeled: Mapping[str | None, int],
    per_class: Mapping[str, Mapping[str, int]],
    steps: int,
    is_split: bool,
) -> list[str]:
    """Return what a person should know before starting, in sentences."""
    if not is_split:
        return ["No image has a split yet: 70 % go to train, 15 % to dev and 15 % to test first."]
    found = []
    if images[None]:
        found.append(f"Left out: {count_words(images[None], 'image')} without a split.")
    unlabeled = sum(images[split] - labeled[split] for split in SPLITS)
    if unlabeled:
        found.append(f"Left out: {count_words(unlabeled, 'image')} without a label.")
    if not labeled["dev"]:
        found.append(
            "No image of dev is labeled: the best state of the model and its threshold cannot be "
            "chosen on images that it has not seen."
        )
        if not steps:
            found.append(
                "So a first fit is kept as it is: with few images nothing else tells whether more "
                "training helps. Label images of dev, or set epochs, to train on."
            )
    if not labeled["test"]:
        found.append("No image of test is labeled: there will be nothing to measure the model on.")
    for name, counts in per_class.items():
        found += find_class_warnings(task, name, counts)
    return found


def find_class_warnings(task: str, name: str, counts: Mapping[str, int]) -> list[str]:
    """Return what is wrong with how much there is of one class."""
    found = []
    is_taught = not (task == "anomaly" and name == "abnormal")
    if is_taught and 0 < counts["train"] < FEW:
        found.append(
            f"Class {name!r} has {count_words(counts['train'], 'labeled image')} in train; below "
            f"{FEW} a model learns it badly."
        )
    if not counts["test"]:
        found.append(f"Class {name!r} has no labeled image in test: it cannot be measured.")
    return found


def count_steps(task: str, settings: Settings, labeled: Mapping[str | None, int]) -> int:
    """Return how many batches a run trains on; of an anomaly project each image is seen once.

    labeled: {split: labeled images}; without any in train, images will be split first.
    """
    count = labeled["train"] or sum(labeled.values())
    if task == "anomaly":
        return -(-count // settings.batch_size)
    return settings.steps(count, has_dev=bool(labeled["dev"] or not labeled["train"]))


def count_looks(task: str, settings: Settings, labeled: Mapping[str | None, int]) -> int:
    """Return how many batches a run takes time for: without training, each image is seen once."""
    steps = count_steps(task, settings, labeled)
    return steps or -(-labeled["train"] // settings.batch_size)


def megapixels(settings: Settings, steps: int) -> float:
    """Return how many million pixels that many batches have."""
    return steps * settings.batch_size * settings.input_size**2 / 1e6


def estimate_seconds(store: Store, settings: Settings, looks: int) -> tuple[float, float]:
    """Return the least and the most seconds that a run of so many batches may take.

    From how fast the newest finished run of the project was, or else from what was measured on
    other machines. A time limit is kept in any case.
    """
    work = megapixels(settings, looks)
    own = next((rate for row in reversed(list_runs(store)) if (rate := find_rate(store, row))), 0.0)
    rate = own or SECONDS_A_MEGAPIXEL[store.task] * MEASURED_CORES / cpu_limit()
    low, high = OWN_SPREAD if own else SPREAD
    limit = settings.time_limit or float("inf")
    seconds = START_SECONDS + work * rate
    return min(limit, low * seconds), min(limit, high * seconds)


def find_rate(store: Store, row: RunRow) -> float:
    """Return how many seconds a million pixels took a finished run; 0 where it does not say."""
    times = {
        event["event"]: event["time"]
        for event in EventReader(run_path(store.folder, row.id)).read_new()
    }
    preset = TASK_PRESETS[store.task].get(row.settings.get("preset", ""))
    is_whole = "started" in times and "finished" in times
    if preset is None or not is_whole or row.settings.get("time_limit"):
        return 0.0
    changes = {name: value for name, value in row.settings.items() if name != "preset"}
    settings = apply_changes(preset, changes)
    items = read_snapshot(store, row.snapshot_id).items
    labeled = Counter(item.split for item in items if item.revision_id)
    work = megapixels(settings, count_looks(store.task, settings, labeled))
    seconds = times["finished"] - times["started"] - START_SECONDS
    return max(seconds, 1.0) / work if work else 0.0


def describe_seconds(low: float, high: float) -> str:
    """Return a span of time in words: "20 to 50 seconds", "1 to 3 minutes", "2 to 5 hours"."""
    for seconds, unit in ((3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if high >= 1.5 * seconds or unit == "second":
            ends = [max(1, round(end / seconds)) for end in (low, high)]
            break
    if ends[0] == ends[1]:
        return count_words(ends[0], unit)
    return f"{ends[0]} to {ends[1]} {unit}s"
