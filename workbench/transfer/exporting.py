"""Writing a project's images and labels into a folder, in other people's formats."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidSetting, StorageFailed
from ..formats import find_format
from ..formats.items import Example
from ..photos.entry_names import find_name_fault, make_name
from ..progress import Progress, show_progress
from ..store.database import Store
from ..store.images import ImageRow
from ..store.labels import read_label
from ..store.search import Filter, read_after
from .batches import read_class_names
from .import_report import SHOWN
from .matching import drop_suffix

MARKER = ".workbench-export"  # says that a folder was written by an export and may be replaced
PAGE = 500
_ALIASES = {".jpg": (".jpg", ".jpeg", ".jpe"), ".tif": (".tif", ".tiff")}


@dataclass(repr=False)
class ExportReport:
    """What an export wrote: names of images, and (name, reason) of what the format cannot hold."""

    folder: Path
    exported: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        """Return the counts and the folder, and the first images left out with their reasons."""
        lines = [f"Export: {len(self.exported)} images to {self.folder}"]
        lines += [f"  left out {name}: {reason}" for name, reason in self.left_out[:SHOWN]]
        if len(self.left_out) > SHOWN:
            lines.append(f"  ... and {len(self.left_out) - SHOWN} more in .left_out")
        return "\n".join(lines)


def export_labels(
    store: Store,
    folder: str | Path,
    format: str,
    overwrite: bool = False,
    progress: Progress = True,
) -> ExportReport:
    """Write all labeled images, with their labels and splits, into a new or empty folder.

    overwrite: replace what an earlier export wrote there. Raises UnsupportedFormat, InvalidSetting
    and StorageFailed. Unlabeled images are not written.
    """
    room = find_format(format, store.task)
    target = Path(folder).expanduser()
    _check_target(target, overwrite)
    report = ExportReport(target)
    find_loss = getattr(room, "find_loss", lambda example, task: None)
    examples = []
    names = _FileNames(is_flat=getattr(room, "IS_FLAT", False))
    for row in _iterate_labeled(store):
        file = names.make(row)
        read = _make_reader(store, row.id)
        example = Example(row.name, file, row.image_size, row.split, row.path, read)
        loss = find_loss(example, store.task)
        if loss is None:
            examples.append(example)
            report.exported.append(row.name)
        else:
            report.left_out.append((row.name, loss))
    shown = _ShownExamples(examples, progress)
    _write(target, lambda: room.write(shown, target, read_class_names(store), store.task))
    return report


class _ShownExamples(list[Example]):
    """Examples that show a bar while they are gone through."""

    def __init__(self, examples: list[Example], progress: Progress) -> None:
        super().__init__(examples)
        self._progress = progress

    def __iter__(self) -> Iterator[Example]:
        """Return the examples one by one."""
        values = list.__iter__(self)
        return iter(show_progress(values, len(self), "Exporting", "images", self._progress))


def _make_reader(store: Store, image_id: int) -> Callable[[], Any]:
    """Return what reads the label of an image."""
    return lambda: read_label(store, image_id)


def _iterate_labeled(store: Store) -> Iterator[ImageRow]:
    """Return the labeled images of a project, in the order in which they were added."""
    rows = read_after(store, [Filter(labeled=True)], 0, PAGE)
    while rows:
        yield from rows
        rows = read_after(store, [Filter(labeled=True)], rows[-1].id, PAGE)


class _FileNames:
    """Gives each image a path below the export that no other has, not even without its suffix."""

    def __init__(self, is_flat: bool) -> None:
        self._is_flat = is_flat
        self._taken: set[str] = set()

    def make(self, row: ImageRow) -> str:
        """Return the file for an image: its name where that is safe and free."""
        name = make_name(row.name) if find_name_fault(row.name) is None else f"{row.id}"
        name = name.replace("/", "_") if self._is_flat else name
        suffix = row.path.suffix
        has_suffix = name.lower().endswith(_ALIASES.get(suffix, (suffix,)))
        ending = name[len(drop_suffix(name)) :] if has_suffix else suffix
        stem = free = drop_suffix(name) if has_suffix else name
        number = 1
        while free.casefold() in self._taken:
            number += 1
            free = f"{stem} ({number})"
        self._taken.add(free.casefold())
        return free + ending


def _check_target(target: Path, overwrite: bool) -> None:
    """Raise InvalidSetting unless the folder is new or empty, or an export that may go."""
    if not target.exists():
        return
    if not target.is_dir():
        raise InvalidSetting(f"{target} is a file; name a folder to export to.")
    if not any(target.iterdir()):
        return
    if not (target / MARKER).is_file():
        raise InvalidSetting(
            f"{target} holds other files; name a new or empty folder to export to."
        )
    if not overwrite:
        raise InvalidSetting(
            f"{target} holds an earlier export; write overwrite=True to replace it."
        )


def _write(target: Path, write: Callable[[], None]) -> None:
    """Empty the folder of an earlier export and fill it. Raises StorageFailed."""
    try:
        if (target / MARKER).is_file():
            shutil.rmtree(target)
        target.mkdir(parents=True, exist_ok=True)
        (target / MARKER).touch()
        write()
    except OSError as error:
        reason = error.strerror or error
        raise StorageFailed(f"The export to {target} could not be written: {reason}.") from error
