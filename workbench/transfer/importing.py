"""Bringing images and labels into a project; each batch is on disk before the next is read.

An import can be stopped at any moment and repeated: what came in is then a duplicate.
"""

from pathlib import Path
from typing import Any

from ..errors import SourceNotFound, UnreadableImage, UnsupportedFormat, WorkbenchError
from ..formats import detect_format, find_format
from ..formats.items import Item, LabelSet, strip_holders, tell_split
from ..photos.archives import SourceFile, is_archive
from ..photos.entry_names import Rejected, Skipped, find_name_fault, make_name, show_name
from ..photos.reading import check_image
from ..photos.sources import count_files, iterate_sources
from ..progress import Progress, show_progress
from ..store.database import Store
from ..store.images import NewImage
from ..store.splits import check_split
from .batches import Batch, add_missing_classes, check_fit, read_class_names
from .exporting import export_labels
from .folder_labels import FolderLabels
from .import_report import ImportReport
from .matching import ImageIndex

__all__ = ["ImportReport", "export_labels", "import_images", "import_labels"]


def import_images(
    store: Store,
    source: Any,
    split: str | None = None,
    labels_from_folders: bool = False,
    progress: Progress = True,
    author: str | None = None,
) -> ImportReport:
    """Add images from a file, folder, glob, archive, a list of these, or {name: picture}.

    split: 'train', 'dev' or 'test' for all of them. labels_from_folders: the folders in each name
    say its class, or normal and abnormal; folders called train, dev, val or test give the split.
    An image that is there already and unlabeled gets the label. Raises SourceNotFound and
    InvalidSetting before anything is read; a bad file only enters the report.
    """
    check_split(split)
    report = ImportReport()
    folders = FolderLabels(store, report, author) if labels_from_folders else None
    batch = Batch(store, report, author, overwrite=False)
    found = iterate_sources(source)
    total = count_files(source) if progress else None
    for entry in show_progress(found, total, "Importing images", "files", progress):
        if isinstance(entry, Rejected):
            report.rejected.append((entry.name, entry.reason))
        elif isinstance(entry, Skipped):
            report.skipped.append(entry.name)
        else:
            _take_file(entry, split, folders, batch)
    batch.write()
    if folders is None:
        report.unlabeled.clear()  # nobody looked for labels
    else:
        folders.finish()
    return report


def _take_file(
    entry: SourceFile, split: str | None, folders: FolderLabels | None, batch: Batch
) -> None:
    """Put one file into the batch, or its name and the reason into the report."""
    try:
        data = entry.read()
        if folders is not None and folders.is_mask(entry.name):
            folders.keep_mask(entry.name, data)
            return
        info = check_image(data)
    except UnreadableImage as error:
        batch.report.rejected.append((entry.name, str(error)))
        return
    batch.report.notes += [(entry.name, note) for note in info.notes]
    label = None
    if folders is not None:
        label = folders.make_label(entry.name, info.image_size)
        split = split or tell_split(entry.name)
    batch.add_image(NewImage(entry.name, data, info.suffix, info.image_size, split), label)


def import_labels(
    store: Store,
    path: str | Path,
    format: str | None = None,
    progress: Progress = True,
    author: str | None = None,
) -> ImportReport:
    """Add the labels of a file or folder: voc, coco, yolo, masks, folders or csv.

    format None finds out which. An image is found by its content where the picture lies with the
    labels, else by its name; a picture that the project does not hold is added. A label replaces
    the one that an image has. Raises SourceNotFound and UnsupportedFormat before anything is
    written; what is wrong with a single file or label is in the report.
    """
    folder = _check_path(path)
    room = find_format(format or detect_format(folder, store.task), store.task)
    found: LabelSet = room.read(folder, store.task, read_class_names(store))
    if not found.items and not found.problems:
        raise UnsupportedFormat(
            f"{show_name(str(path))!r} holds no labels in the format {format!r}; "
            "leave the format out to have it found."
        )
    add_missing_classes(store, found.classes)
    report = ImportReport()
    batch = Batch(store, report, author, overwrite=True)
    index = ImageIndex(store)
    for item in show_progress(
        found.items, len(found.items), "Importing labels", "images", progress
    ):
        _take_item(item, batch, index)
    batch.write()
    report.rejected += [(show_name(name), reason) for name, reason in found.problems]
    report.notes += [("", note) for note in found.notes]
    return report


def _check_path(path: str | Path) -> Path:
    """Return the path of label files. Raises SourceNotFound, or UnsupportedFormat for archives."""
    folder = Path(path).expanduser()
    if not folder.exists():
        raise SourceNotFound(f"There is no file or folder {show_name(str(path))!r}.")
    if is_archive(folder) and folder.is_file():
        raise UnsupportedFormat(
            f"Labels are not read from archives: unpack {show_name(folder.name)!r} "
            "and import the folder."
        )
    return folder


def _take_item(item: Item, batch: Batch, index: ImageIndex) -> None:
    """Put one image's label into the batch, or the reason why not into the report."""
    name = make_name(strip_holders(make_name(item.name)))
    try:
        if item.image is None:
            _label_by_name(item, batch, index)
        else:
            _label_picture(item, item.image, name, batch, index)
    except WorkbenchError as error:
        batch.report.rejected.append((show_name(item.name), str(error)))
    except OSError as error:
        reason = f"its file cannot be read: {error.strerror}."
        batch.report.rejected.append((show_name(item.name), reason))


def _label_by_name(item: Item, batch: Batch, index: ImageIndex) -> None:
    """Label the image of the project that has the item's name."""
    row = index.find(item.name) or index.find(strip_holders(make_name(item.name)))
    if row is None:
        raise SourceNotFound(
            "no image of the project has this name, and no picture lies beside it."
        )
    batch.add_label(row, _read_label(item, row.image_size, batch), item.split)


def _label_picture(item: Item, path: Path, name: str, batch: Batch, index: ImageIndex) -> None:
    """Label the project's image that is this picture; a picture that it does not hold is added."""
    data = path.read_bytes()
    info = check_image(data)
    row = index.find_content(data)
    if row is None:
        same = index.find_exact(item.name) or index.find_exact(name)
        row = same if same is not None and same.image_size == info.image_size else None
    try:
        label = _read_label(item, info.image_size, batch)
    except WorkbenchError as error:
        batch.report.rejected.append((show_name(item.name), str(error)))
        label = None
    if row is not None:
        batch.add_label(row, label, item.split)
        return
    fault = find_name_fault(name)
    if fault is not None:
        raise UnreadableImage(fault)
    batch.report.notes += [(name, note) for note in info.notes]
    batch.add_image(NewImage(name, data, info.suffix, info.image_size, item.split), label)


def _read_label(item: Item, image_size: tuple[int, int], batch: Batch) -> Any:
    """Return the item's label, or None. Raises InvalidLabel where it does not fit."""
    label = item.read_label(image_size)
    if label is not None:
        check_fit(batch.store, label, image_size)
    return label
