"""A detection project as a segmentation project: its boxes become the first masks."""

from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InvalidSetting
from ..photos.reading import read_image
from ..progress import Progress, show_progress
from ..store.database import Store, open_store, write_name
from ..store.images import find_image, read_bytes
from ..store.labels import read_label, write_labels
from ..store.project_folders import check_target, copying, forget_labels
from ..store.search import Filter, list_ids
from ..tasks.box_masks import make_mask_label

CHUNK = 50  # labels in one transaction


def make_segmentation(
    source: Store,
    folder: str | Path,
    classes: list[str],
    name: str | None = None,
    outline: bool = False,
    progress: Progress = True,
    author: str | None = None,
) -> Store:
    """Make a segmentation project of a detection project in a new folder, and return it, open.

    Each box is painted whole, or, with outline, what GrabCut finds in it. Raises InvalidSetting for
    a project of another type, and ProjectExists.
    """
    if source.task != "detection":
        raise InvalidSetting(
            f"Only a detection project has boxes that can become masks; this is {source.task}."
        )
    folder = check_target(source, folder)
    labeled = list_ids(source, [Filter(labeled=True)])
    with copying(source, folder, "segmentation") as target:
        forget_labels(target, "segmentation")
        write_name(target, name or folder.name)
        ids = iter(show_progress(labeled, len(labeled), "Painting boxes", "images", progress))
        while part := list(islice(ids, CHUNK)):
            labels = [(i, _paint(source, i, classes, outline)) for i in part]
            write_labels(target, labels, author)
    return open_store(folder)


def _paint(source: Store, image_id: int, classes: list[str], outline: bool) -> Any:
    """Return the mask label of one image's boxes."""
    row = find_image(source, image_id)
    label = read_label(source, image_id)
    image = read_image(read_bytes(row)) if outline and label.boxes else None
    return make_mask_label(label, row.image_size, classes, image)
