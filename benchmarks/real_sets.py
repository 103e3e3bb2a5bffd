"""Train and measure every task on the sets of real photos, and print a table.

    python benchmarks/real_sets.py [--data ../shared/data] [--preset fast] [--time-limit SECONDS]
                                   [--only SET:TASK ...] [--seed 0]

Each row is measured in a fresh process, on the set's own test split, which shares no part, sheet or
fruit with the training images; dev is a fifth of the training images. README.md here says what the
columns mean, and the sets' README what is wrong with each of them.
"""

import argparse
import csv
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

import workbench as wb

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
TIMED = 50  # photos whose prediction is timed
POLL_SECONDS = 0.1
PCB_CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")  # types 1 to 6
TILE_DEFECTS = ("blowhole", "break", "crack", "fray", "uneven")
EXPOSURE = "1"  # the only one that normal and defective magnetic tiles have in common


@dataclass(frozen=True)
class Photo:
    """One photo of a set: its path below the set's folder, whether it is for testing, its label."""

    path: str
    is_test: bool
    make_label: Callable[[], Any]


def build_project(
    source: Path, folder: Path, task: str, classes: Iterable[str], photos: Iterable[Photo]
) -> wb.Project:
    """Return a project with the photos below source, labeled and split."""
    project = wb.Project.create(folder, task, list(classes))
    for group in group_photos(photos, 32):
        for split in (None, "test"):
            chosen = [photo for photo in group if photo.is_test == (split == "test")]
            files = {photo.path: (source / photo.path).read_bytes() for photo in chosen}
            report = project.add_images(files, split=split, progress=False)
            if report.rejected:
                raise ValueError(f"{source.name}: {report.rejected}")
            added = set(report.added)  # the same picture twice in a set is one image
            for photo in chosen:
                if photo.path in added:
                    project.images[photo.path].label = photo.make_label()
    split_off_dev(project)
    return project


def group_photos(photos: Iterable[Photo], size: int) -> Iterator[tuple[Photo, ...]]:
    """Yield the photos in groups, so that few are in memory at a time."""
    rest = iter(photos)
    while group := tuple(islice(rest, size)):
        yield group


def split_off_dev(project: wb.Project) -> None:
    """Give every fifth image that is not for testing to dev, and the others to train."""
    for index, image in enumerate(list(project.images.where(split=None))):
        image.split = "dev" if index % 5 == 2 else "train"


def read_rows(source: Path) -> list[dict[str, str]]:
    """Return the rows of a set's split.csv."""
    with (source / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_gray(path: Path) -> np.ndarray:
    """Return a mask file: uint8 (H, W), 0 to 255."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def build_deeppcb(source: Path, folder: Path, task: str) -> wb.Project:
    """Circuit boards: six kinds of defects, as text files of `x1 y1 x2 y2 type`."""

    def read_boxes(path: Path) -> wb.BoxLabel:
        lines = [list(map(int, line.split())) for line in path.read_text().splitlines()]
        return wb.BoxLabel([wb.Box(PCB_CLASSES[line[4] - 1], *line[:4]) for line in lines])

    photos = [
        Photo(
            row["image"], row["split"] == "test", lambda row=row: read_boxes(source / row["boxes"])
        )
        for row in read_rows(source)
    ]
    return build_project(source, folder, task, PCB_CLASSES, photos)


def build_screws(source: Path, folder: Path, task: str) -> wb.Project:
    """Four fixed places, each with a screw or a hole: presence, not localisation."""
    if not (source / "boxes.csv").exists():
        raise FileNotFoundError(f"{source / 'boxes.csv'} is missing: the set has no labels.")
    project = wb.Project.create(folder, task)
    for row in read_rows(source):
        if row["split"] != "unlabelled":
            split = "test" if row["split"] == "test" else None
            files = {row["image"]: (source / row["image"]).read_bytes()}
            project.add_images(files, split=split, progress=False)
    project.import_labels(source / "boxes.csv", format="csv", progress=False)
    split_off_dev(project)
    return project


def build_magnetic_tile(source: Path, folder: Path, task: str) -> wb.Project:
    """Magnetic tiles: five defects, or free. Anomaly: one exposure, or that gives it away."""
    is_anomaly = task == "anomaly"
    rows = [row for row in read_rows(source) if not is_anomaly or row["exposure"] == EXPOSURE]
    column = "split_anomaly" if is_anomaly else "split"
    classes = {"segmentation": TILE_DEFECTS, "classification": (*TILE_DEFECTS, "free")}

    def make_label(row: dict[str, str]) -> Any:
        if task == "classification":
            return wb.ClassLabel(row["label"])
        area = read_gray(source / row["mask"]) > 127
        if is_anomaly:
            return label_anomaly(row["label"] == "free", area)
        index = 0 if row["label"] == "free" else TILE_DEFECTS.index(row["label"]) + 1
        return wb.MaskLabel(area.astype(np.uint8) * index)

    photos = [
        Photo(row["image"], row[column] == "test", lambda row=row: make_label(row)) for row in rows
    ]
    return build_project(source, folder, task, classes.get(task, ()), photos)


def build_tile_defects(source: Path, folder: Path, task: str) -> wb.Project:
    """Magnetic tiles: every defect of one class, against what is sound."""
    source = source.with_name("magnetic_tile")

    def make_label(row: dict[str, str]) -> wb.MaskLabel:
        return wb.MaskLabel((read_gray(source / row["mask"]) > 127).astype(np.uint8))

    photos = [
        Photo(row["image"], row["split"] == "test", lambda row=row: make_label(row))
        for row in read_rows(source)
    ]
    return build_project(source, folder, task, ("defect",), photos)


def label_anomaly(is_normal: bool, area: np.ndarray | None) -> wb.AnomalyLabel:
    """Return the label; area: bool (H, W) or None. An empty area says nothing of where."""
    if is_normal:
        return wb.AnomalyLabel("normal")
    return wb.AnomalyLabel("abnormal", mask=area if area is not None and area.any() else None)


def build_piped_paper(source: Path, folder: Path, task: str) -> wb.Project:
    """Six papers, good or with an impurity; black in a mask is impurity."""
    column = "split_anomaly" if task == "anomaly" else "split"
    classes = {"segmentation": ("impurity",), "classification": ("good", "impurity")}

    def make_label(row: dict[str, str]) -> Any:
        if task == "classification":
            return wb.ClassLabel(row["label"])
        area = read_gray(source / row["mask"]) == 0 if row["mask"] else None
        if task == "anomaly":
            return label_anomaly(row["label"] == "good", area)
        return wb.MaskLabel(np.zeros((128, 128), np.uint8) if area is None else area.astype("u1"))

    photos = [
        Photo(row["image"], row[column] == "test", lambda row=row: make_label(row))
        for row in read_rows(source)
    ]
    return build_project(source, folder, task, classes.get(task, ()), photos)


def build_hazelnut(source: Path, folder: Path, task: str) -> wb.Project:
    """Hazelnuts, good or with paint on them, in folders as MVTec AD has them."""
    project = wb.Project.create(folder, task)
    project.add_images(source, labels_from_folders=True, progress=False)
    for image in project.images.where(split="train"):
        image.split = None
    split_off_dev(project)
    return project


def build_tomato(source: Path, folder: Path, task: str) -> wb.Project:
    """Tomatoes in three grades, a folder for each; the split keeps one tomato on one side."""
    project = wb.Project.create(folder, task)
    project.add_images(source, labels_from_folders=True, progress=False)
    for row in read_rows(source):
        if row["split"] == "test" and row["image"] in project.images:
            project.images[row["image"]].split = "test"
    split_off_dev(project)
    return project


BUILDERS: dict[str, tuple[Callable[[Path, Path, str], wb.Project], tuple[str, ...]]] = {
    "deeppcb": (build_deeppcb, ("detection",)),
    "screws": (build_screws, ("detection",)),
    "magnetic_tile": (build_magnetic_tile, ("classification", "segmentation", "anomaly")),
    "magnetic_tile_defects": (build_tile_defects, ("segmentation",)),
    "piped_paper": (build_piped_paper, ("classification", "segmentation", "anomaly")),
    "hazelnut_toy": (build_hazelnut, ("anomaly",)),
    "fgrade_tomato": (build_tomato, ("classification",)),
}

FIGURES = {
    "classification": ("accuracy", "macro_f1"),
    "detection": ("map_50", "map"),
    "segmentation": ("mean_iou",),
    "anomaly": ("auroc", "pixel_auroc", "overkill", "escape"),
}


def build_set(name: str, task: str, folder: Path, data: Path = DATA) -> wb.Project:
    """Return a new project in `folder` with the photos and labels of a set."""
    build, _ = BUILDERS[name]
    return build(data / name, folder, task)


def describe_chance(project: wb.Project) -> str:
    """Return what somebody who does not look at the test photos would reach, in words."""
    images = list(project.images.where(split="test", labeled=True))
    labels = [image.label for image in images]
    if project.task == "classification":
        names = [label.class_name for label in labels]
        return f"accuracy {max(map(names.count, set(names))) / len(names):.3f}"
    if project.task == "detection":
        places = {(box.x0, box.y0) for label in labels for box in label.boxes}
        is_fixed = len(places) < sum(len(label.boxes) for label in labels) / 4
        # Where boxes are always in the same places, both classes in each of them is a blind answer.
        return f"map_50 {1 / len(project.classes):.3f} (fixed places)" if is_fixed else "map_50 0"
    if project.task == "segmentation":
        sizes = [np.bincount(label.mask.ravel(), minlength=256) for label in labels]
        shares = (np.sum(sizes, axis=0) / np.sum(sizes))[1 : len(project.classes) + 1]
        return f"mean_iou {shares.mean():.3f}"
    bright = np.array([image.read().mean() for image in images])
    abnormal = np.array([label.verdict == "abnormal" for label in labels])
    return f"auroc 0.5 (mean brightness alone {rank_auroc(bright, abnormal):.3f})"


def rank_auroc(values: np.ndarray, positive: np.ndarray) -> float:
    """Return how well values (N,) tell positive (N,) bool from the rest, in either direction."""
    gaps = values[positive][:, None] - values[~positive][None]
    area = float(np.mean((gaps > 0) + 0.5 * (gaps == 0)))
    return max(area, 1 - area)


@dataclass
class MemoryWatch:
    """The largest memory (RSS) that the processes which this one starts ever hold, in MB."""

    peak: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "MemoryWatch":
        """Start looking."""
        threading.Thread(target=self.look, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop looking."""
        self.over.set()

    def look(self) -> None:
        """Look at all children, again and again."""
        while not self.over.wait(POLL_SECONDS):
            for child in psutil.Process().children(recursive=True):
                try:
                    self.peak = max(self.peak, child.memory_info().rss / 1e6)
                except psutil.Error:  # it has ended in the meantime
                    continue


def own_peak() -> float:
    """Return the largest memory (RSS) that this process ever held, in MB; nan where not known."""
    try:
        import resource  # not on Windows
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def time_predictions(model: wb.Model, project: wb.Project) -> float:
    """Return the median milliseconds of a prediction, decoding the file not included."""
    photos = [image.read() for image in project.images.where(split="test").page(0, TIMED)]
    model.predict(photos[0])  # loads the network
    times = []
    for photo in photos:
        began = time.perf_counter()
        model.predict(photo)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def measure(
    key: tuple[str, str], data: Path, preset: str, time_limit: float | None, seed: int
) -> str:
    """Train on one set and task, and return its row of the table."""
    name, task = key
    with tempfile.TemporaryDirectory() as home:
        project = build_set(name, task, Path(home) / name, data)
        began = time.monotonic()
        with MemoryWatch() as watch:
            run = project.train(preset=preset, seed=seed, time_limit=time_limit, progress=False)
        seconds = time.monotonic() - began
        report = run.report(split="test")
        milliseconds = time_predictions(run.model(), project)
        sizes = [len(project.images.where(split=split)) for split in ("train", "dev", "test")]
        cells = [
            name,
            task,
            f"{sizes[0]} + {sizes[1]} / {sizes[2]}",
            ", ".join(f"{figure} {report[figure]:.3f}" for figure in FIGURES[task]),
            describe_chance(project),
            f"{seconds:.0f}",
            f"{milliseconds:.1f}",
            f"{watch.peak:.0f}",
            f"{own_peak():.0f}",
        ]
        project.close()
    return f"| {' | '.join(cells)} |"


def try_measure(key: tuple[str, str], *settings: Any) -> str:
    """Return a row of the table, or one that says why there is none."""
    try:
        return measure(key, *settings)
    except (wb.WorkbenchError, OSError) as error:
        return f"| {key[0]} | {key[1]} | skipped: {error} | | | | | | |"


def parse_arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    every = [f"{name}:{task}" for name, (_, tasks) in BUILDERS.items() for task in tasks]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the sets")
    parser.add_argument("--preset", choices=("fast", "accurate"), default="fast")
    parser.add_argument("--time-limit", type=float, help="seconds of training for each row")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="SET:TASK")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Print the table, row by row."""
    asked = parse_arguments()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"Preset {asked.preset}, seed {asked.seed}, time limit {asked.time_limit or 'none'}; "
        f"{os.cpu_count()} cores ({platform.machine()}), load before {load:.1f}, "
        f"Python {platform.python_version()}.\n\n"
        "| set | task | train + dev / test | figures on test | by chance | training s | ms / image "
        "| worker MB | this process MB |\n|" + " --- |" * 9,
        flush=True,
    )
    keys = [tuple(key.split(":")) for key in asked.only]
    settings = (asked.data, asked.preset, asked.time_limit, asked.seed)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for row in pool.map(try_measure, keys, *map(repeat, settings)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
