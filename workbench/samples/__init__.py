"""Sample projects, drawn offline: one for each project type, labeled and split, in seconds.

`create("tiles", "projects/")` makes projects/tiles. The photos are drawn by rule, so every pixel of
a label is exact, and the same seed gives the same project.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidSetting
from ..progress import Progress, show_progress
from . import bolts, fabric, parts, tiles
from .sample_image import SampleImage

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["SAMPLES", "Sample", "SampleImage", "create", "find_sample", "names"]

SMALLEST = 14  # below it a split would be empty
LARGEST = 10_000


@dataclass(frozen=True)
class Sample:
    """One row of the table: a sample project, in words for a person and as code.

    draw_samples(seed, count) yields `count` images, `count` here being the usual number.
    """

    name: str
    task: str
    title: str
    summary: str
    classes: tuple[str, ...]
    count: int
    draw_samples: Callable[[int, int], Iterator[SampleImage]]


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample(
            "bolts",
            "classification",
            "Bolts and washers",
            "One part in each photo, of changing finish, size and light: which is it?",
            bolts.CLASSES,
            80,
            bolts.draw_samples,
        ),
        Sample(
            "parts",
            "detection",
            "Parts on a tray",
            "Screws, nuts and washers to find and count; some touch, and some trays are empty.",
            parts.CLASSES,
            80,
            parts.draw_samples,
        ),
        Sample(
            "tiles",
            "segmentation",
            "Cracked cement tiles",
            "Branching cracks and rust stains to outline to the pixel; some tiles are sound.",
            tiles.CLASSES,
            64,
            tiles.draw_samples,
        ),
        Sample(
            "fabric",
            "anomaly",
            "Woven fabric",
            "Sound fabric to learn from; holes, cuts, stains, fibres and pulled threads to find.",
            fabric.CLASSES,
            84,
            fabric.draw_samples,
        ),
    )
}


def names() -> list[str]:
    """Return the names of the sample projects."""
    return list(SAMPLES)


def find_sample(name: str) -> Sample:
    """Return the sample of that name, or that of a task. Raises InvalidSetting, naming them all."""
    by_task = {sample.task: sample for sample in SAMPLES.values()}
    sample = SAMPLES.get(name) or by_task.get(name)
    if sample is None:
        choices = ", ".join(f"{s.name} ({s.task})" for s in SAMPLES.values())
        raise InvalidSetting(f"There is no sample project {name!r}. Choose one of: {choices}.")
    return sample


def create(
    name: str,
    home: str | Path = "projects",
    count: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: Progress = True,
) -> "Project":
    """Make the sample project of that name in the folder home / name; return it, labeled and split.

    name: of a sample or of a task. count: how many photos, the sample's own number by default.
    folder: another one than home / name. Raises ProjectExists where it already holds something.
    """
    sample = find_sample(name)
    count = sample.count if count is None else count
    if not SMALLEST <= count <= LARGEST:
        raise InvalidSetting(f"A sample has {SMALLEST} to {LARGEST} images; count is {count}.")
    if seed < 0:
        raise InvalidSetting(f"The seed of a sample is 0 or above, not {seed}.")
    from ..project import Project  # loads the store: whoever only draws photos needs none of it

    path = Path(home) / sample.name if folder is None else folder
    project = Project.create(path, task=sample.task, classes=sample.classes)
    drawn = sample.draw_samples(seed, count)
    images = show_progress(drawn, count, f"Drawing {sample.name}", "images", progress)
    add_samples(project, images)
    project.split(train=0.6, dev=0.15, test=0.25, seed=seed)
    return project


def add_samples(project: "Project", images: Iterable[SampleImage]) -> None:
    """Draw the images and put them into the project, each with its label and, if it has one, split.

    Raises StorageFailed where they cannot be written.
    """
    from ..store.labels import write_labels  # as above

    drawn = list(images)
    splits = dict.fromkeys(sample.split for sample in drawn)
    for split in splits:
        arrays = {sample.name: sample.image for sample in drawn if sample.split == split}
        project.add_images(arrays, split=split, progress=False)
    ids = {image.name: image.id for image in project.images}
    write_labels(project.store, [(ids[sample.name], sample.label) for sample in drawn])
