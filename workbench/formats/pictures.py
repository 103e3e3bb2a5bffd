"""Files below a folder of labels, found by the names that labels use; never outside of it."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..photos.entry_names import is_hidden, make_name
from .items import strip_holders

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def list_files(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """Return the files below a folder with one of the suffixes, sorted; a file gives itself.

    Hidden ones are left out, as are links that lead out of the folder.
    """
    if root.is_file():
        return [root]
    endings, base = tuple(suffixes), root.resolve()
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            is_wanted = name.lower().endswith(endings)
            if is_wanted and not is_hidden(relative_name(path, root)) and path.is_file():
                found.append(path)
    return sorted(p for p in found if not p.is_symlink() or p.resolve().is_relative_to(base))


def relative_name(path: Path, root: Path) -> str:
    """Return a file's path below a folder, with forward slashes; its own name below itself."""
    return path.name if path == root else path.relative_to(root).as_posix()


class Pictures:
    """The pictures below a folder, by every name that labels may use for them."""

    def __init__(self, root: Path, files: Iterable[Path] | None = None) -> None:
        folder = root if root.is_dir() else root.parent
        self.files = list(list_files(folder, PHOTO_SUFFIXES) if files is None else files)
        self.names = {path: relative_name(path, folder) for path in self.files}
        self._exact: dict[str, Path] = {}
        self._keys: dict[str, Path | None] = {}
        for path in self.files:
            plain = make_name(strip_holders(self.names[path]))
            for key in (plain, plain.rpartition(".")[0]):
                self._exact.setdefault(key, path)
            for key in _make_keys(self.names[path]):
                # None: several pictures share that name, so that it says nothing
                self._keys[key] = None if key in self._keys else path

    def find(self, name: str) -> Path | None:
        """Return the picture of that name: its path, the end of its path, or its stem."""
        name = make_name(name)
        last = name.rpartition("/")[2]
        for key in (name, last, name.rpartition(".")[0], last.rpartition(".")[0]):
            path = self._exact.get(key) if key == name else None
            path = path or self._keys.get(key)
            if path is not None:
                return path
        return None

    def find_stem(self, stem: str) -> Path | None:
        """Return the picture of that path or name without a suffix."""
        stem = make_name(stem)
        found = self._exact.get(stem) or self._keys.get(stem)
        return found or self._keys.get(stem.rpartition("/")[2])


def _make_keys(name: str) -> set[str]:
    """Return what labels may call 'a/b/c.png': every end of it, with and without suffix."""
    parts = make_name(name).split("/")
    ends = {"/".join(parts[i:]) for i in range(len(parts))}
    return ends | {end.rpartition(".")[0] for end in ends}


def copy_picture(source: Path, target: Path) -> None:
    """Copy a picture's bytes, making the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with plain line ends, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
