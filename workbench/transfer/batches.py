"""Images and labels on their way into the store: one transaction for a few dozen at a time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import WorkbenchError
from ..store.classes import add_row, list_classes
from ..store.database import Store, reading, writing
from ..store.images import ImageRow, NewImage, add_images, find_image, set_fields
from ..store.labels import read_label, write_labels
from ..tasks import find_task
from .import_report import ImportReport

BATCH_IMAGES = 32
BATCH_BYTES = 64_000_000


@dataclass
class Batch:
    """What waits to be written, and where that is told.

    overwrite: whether a label replaces one that an image has already.
    """

    store: Store
    report: ImportReport
    author: str | None
    overwrite: bool
    images: list[tuple[NewImage, Any]] = field(default_factory=list)
    labels: list[tuple[ImageRow, Any]] = field(default_factory=list)
    waiting_bytes: int = 0

    def add_image(self, image: NewImage, label: Any) -> None:
        """Put in a new image with its label, or None; what is full is written."""
        self.images.append((image, label))
        self._count(len(image.data), label)

    def add_label(self, row: ImageRow, label: Any, split: str | None) -> None:
        """Put in a label, or None, for an image that the project holds; and its split."""
        self._settle_split(row, split)
        self.labels.append((row, label))
        self._count(0, label)

    def _count(self, size: int, label: Any) -> None:
        """Write what waits once it is many images or many bytes."""
        mask = getattr(label, "mask", None)
        self.waiting_bytes += size + (0 if mask is None else mask.nbytes)
        if len(self.images) + len(self.labels) >= BATCH_IMAGES or self.waiting_bytes > BATCH_BYTES:
            self.write()

    def write(self) -> None:
        """Write the images that wait, then the labels."""
        images, labels = self.images, self.labels
        self.images, self.labels, self.waiting_bytes = [], [], 0
        added = add_images(self.store, [image for image, _ in images]) if images else []
        for (image, label), result in zip(images, added):
            if not result.is_duplicate:
                self.report.added.append(result.name)
            else:
                self.report.duplicates.append(image.name)
            if label is not None or (result.is_duplicate and image.split is not None):
                row = find_image(self.store, result.image_id)
                self._settle_split(row, image.split)
                labels.append((row, label))
            elif not result.is_duplicate:
                self.report.unlabeled.append(result.name)
        self._write_labels(labels)

    def _write_labels(self, labels: Iterable[tuple[ImageRow, Any]]) -> None:
        """Write the labels that there are, for images that may take one."""
        wanted = []
        for row, label in labels:
            has_label = read_label(self.store, row.id) is not None
            if label is not None and (self.overwrite or not has_label):
                wanted.append((row.id, label))
                self.report.labeled.append(row.name)
            elif not has_label:
                self.report.unlabeled.append(row.name)
        write_labels(self.store, wanted, self.author)

    def _settle_split(self, row: ImageRow, split: str | None) -> None:
        """Give an image a split if it has none; a note says where it keeps another."""
        if split is None or row.split == split:
            return
        if row.split is None:
            set_fields(self.store, row.id, split=split)
        else:
            self.report.notes.append((row.name, f"stays in {row.split}, where it was before"))


def check_fit(store: Store, label: Any, image_size: tuple[int, int]) -> None:
    """Raise InvalidLabel or UnknownClass unless the project can hold the label."""
    find_task(store.task).room.check_label(label, image_size, read_class_names(store))


def read_class_names(store: Store) -> list[str]:
    """Return the project's classes in order."""
    with reading(store) as connection:
        return [row.name for row in list_classes(connection)]


def add_missing_classes(store: Store, names: Iterable[str]) -> None:
    """Add the classes that the project does not have, in order. Raises InvalidSetting."""
    known = set(read_class_names(store))
    missing = [name for name in dict.fromkeys(names) if name not in known]
    if missing and store.task != "anomaly":
        with writing(store) as connection:
            for name in missing:
                add_row(connection, name)


def try_classes(store: Store, names: Iterable[str]) -> str | None:
    """Add the missing classes; return None, or why they cannot be added."""
    try:
        add_missing_classes(store, names)
    except WorkbenchError as error:
        return str(error)
    return None
