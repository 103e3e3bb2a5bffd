"""What label files hold once they are read, and what is handed over to be written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ImageSize = tuple[int, int]

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}
UNASSIGNED = "unassigned"  # the folder or file of images without a split
HOLDERS = frozenset(("images", "imgs", "image", "img", "jpegimages", "photos", UNASSIGNED))


@dataclass(frozen=True)
class Item:
    """One image that label files speak of.

    name: as they call it, with forward slashes. image: where the picture lies, if it does.
    read_label: gives the label for an image of (height, width), or None where they do not say;
        raises WorkbenchError where what they say cannot be used.
    """

    name: str
    read_label: Callable[[ImageSize], Any]
    split: str | None = None
    image: Path | None = None


@dataclass(frozen=True)
class LabelSet:
    """What a reader found.

    classes: the project's, then those that are new, in order of appearance; masks count in them.
    problems: (name, reason) of what cannot be used; grows while labels are read.
    notes: what was changed to make labels fit, in words; grows too.
    """

    classes: tuple[str, ...]
    items: list[Item]
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Example:
    """One labeled image that is to be written.

    file: its path below the export, unique, with the suffix of its content. name: the project's.
    image: where its bytes lie. image_size: upright (height, width).
    """

    name: str
    file: str
    image_size: ImageSize
    split: str | None
    image: Path
    read_label: Callable[[], Any]

    @property
    def label(self) -> Any:
        """The label, read anew each time: masks of a whole project do not fit into memory."""
        return self.read_label()

    @property
    def stem(self) -> str:
        """The file without its suffix; no two examples share one."""
        return self.file.rpartition(".")[0]


def tell_split(name: str) -> str | None:
    """Return the split that a folder in a path says ('valid/images/a.png'), or None."""
    for folder in name.lower().split("/")[:-1]:
        if folder in SPLIT_WORDS or folder == UNASSIGNED:
            return SPLIT_WORDS.get(folder)
    return None


def strip_holders(name: str) -> str:
    """Return a name without images/ or the like at its front, nor the split around that."""
    *folders, last = name.split("/")
    front = 0
    while front < len(folders) and folders[front].lower() in HOLDERS | SPLIT_WORDS.keys():
        front += 1
    is_held = any(folder.lower() in HOLDERS for folder in folders[:front])
    return "/".join([*folders[front:], last]) if is_held else name


def merge_classes(known: Iterable[str], met: Iterable[str]) -> tuple[str, ...]:
    """Return the known classes, then those met that are new, in order of appearance."""
    return tuple(dict.fromkeys([*known, *met]))
