"""Everything that images can come from, as one stream of files: what comes in, and what cannot.

A source is a file, a folder, a glob, a .zip or .tar archive, a dict of names and pictures, or a
list of these. Names are paths below the source, with forward slashes.
"""

import glob
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InvalidSetting, SourceNotFound, UnreadableImage
from .archives import Found, SourceFile, count_archive, is_archive, iterate_archive
from .entry_names import (
    Rejected,
    Skipped,
    find_name_fault,
    has_image_suffix,
    is_hidden,
    make_name,
    show_name,
)
from .reading import MAX_BYTES, make_image_array
from .signatures import SIGNATURE_BYTES, tell_kind


def iterate_sources(source: Any) -> Iterator[Found]:
    """Return each file of a source: a SourceFile, or what is Rejected or Skipped, in a fixed order.

    Hidden files and those of operating systems are passed over. Raises SourceNotFound, at once,
    where a single path or glob leads to nothing; in a list, such a path is Rejected.
    """
    if isinstance(source, str | os.PathLike):
        return _iterate_path(_find_paths(source))
    if isinstance(source, Mapping):
        return _iterate_memory(source)
    if isinstance(source, Image.Image | np.ndarray | bytes) or not isinstance(source, Iterable):
        raise InvalidSetting(
            f"Images come from a path, a list of paths, or a dict that names them, such as "
            f"{{'photo.png': image}}, not from {type(source).__name__}."
        )
    return _iterate_list(source)


def count_files(source: Any) -> int | None:
    """Return about how many files a source has, for a progress bar; None where it is not known."""
    if isinstance(source, Mapping):
        return len(source)
    if isinstance(source, list | tuple):
        return _count_list(source)
    if not isinstance(source, str | os.PathLike):
        return None
    root, paths = _find_paths(source)
    if len(paths) == 1 and is_archive(paths[0]) and paths[0].is_file():
        return count_archive(paths[0])
    return sum(1 for path in paths for _ in _walk(path, root))


def _count_list(sources: Iterable[Any]) -> int | None:
    """Return about how many files several sources have; a path that leads nowhere is one."""
    total = 0
    for source in sources:
        try:
            count = count_files(source)
        except SourceNotFound:
            count = 1
        if count is None:
            return None
        total += count
    return total


def _iterate_list(sources: Iterable[Any]) -> Iterator[Found]:
    """Return the files of several sources, one after the other."""
    for source in sources:
        try:
            yield from iterate_sources(source)
        except SourceNotFound as error:
            yield Rejected(show_name(str(source)), str(error))


def _find_paths(source: str | os.PathLike[str]) -> tuple[Path, list[Path]]:
    """Return the folder that names start below, and the paths that a path or glob stands for."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path, [path]
    if os.path.lexists(path):
        return path.parent, [path]
    if not glob.has_magic(str(path)):
        raise SourceNotFound(f"There is no file or folder {show_name(str(path))!r}.")
    fixed = _count_fixed_parts(path)
    root = Path(*path.parts[:fixed])
    found = sorted(root.glob(str(Path(*path.parts[fixed:]))))
    if not found:
        raise SourceNotFound(f"No file matches {show_name(str(path))!r}.")
    return root, found


def _count_fixed_parts(path: Path) -> int:
    """Return how many parts of a glob come before the first that holds a wildcard."""
    return next(i for i, part in enumerate(path.parts) if glob.has_magic(part))


def _iterate_path(found: tuple[Path, list[Path]]) -> Iterator[Found]:
    """Return the files of a folder, of an archive, of all that a glob matched, or of one file."""
    root, paths = found
    is_single = len(paths) == 1 and paths[0].parent == root and not paths[0].is_dir()
    seen: set[Path] = set()
    for path in paths:
        if is_archive(path) and path.is_file():
            yield from iterate_archive(path)
        elif is_single:
            yield _make_file(path.name, path)
        else:
            for entry in _walk(path, root):
                if not isinstance(entry, Path):
                    yield entry
                elif entry not in seen:
                    seen.add(entry)
                    yield from _sort_file(entry, root)


def _walk(path: Path, root: Path) -> Iterator[Path | Rejected | Skipped]:
    """Return a file, or every file below a folder, sorted; links to folders are not followed."""
    name = path.relative_to(root).as_posix()
    if path != root and is_hidden(name):
        return
    if path.is_symlink() and path != root and not path.is_file():
        inside = path.is_dir() and path.resolve().is_relative_to(root.resolve())
        reason = "it is a link that leads out of the folder, or nowhere."
        yield Skipped(show_name(name)) if inside else Rejected(show_name(name), reason)
    elif path.is_dir():
        try:
            children = sorted(path.iterdir())
        except OSError as error:
            yield Rejected(show_name(name), f"the folder cannot be read: {error.strerror}.")
            return
        for child in children:
            yield from _walk(child, root)
    else:
        yield path


def _sort_file(path: Path, root: Path) -> Iterator[Found]:
    """Return what one file of a folder is: an image file, or something rejected or skipped."""
    name = path.relative_to(root).as_posix()
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        yield Rejected(show_name(name), "it is a link that leads out of the folder.")
    elif not path.is_file():
        yield Rejected(show_name(name), "it is not a plain file.")
    elif has_image_suffix(name) or _starts_like_an_image(path):
        yield _make_file(name, path)
    else:
        yield Skipped(show_name(name))


def _starts_like_an_image(path: Path) -> bool:
    """Tell whether a file's first bytes are those of one of the five formats."""
    try:
        with path.open("rb") as stream:
            return tell_kind(stream.read(SIGNATURE_BYTES)) is not None
    except OSError:
        return False


def _make_file(raw: str, path: Path) -> SourceFile | Rejected:
    """Return a file on disk under its name, or why that name cannot be used."""
    fault = find_name_fault(raw)
    if fault is not None:
        return Rejected(show_name(raw), fault)
    if not path.is_file():
        return Rejected(show_name(raw), "it is not a plain file.")
    return SourceFile(make_name(raw), lambda: _read_file(path))


def _read_file(path: Path) -> bytes:
    """Return a file's bytes. Raises UnreadableImage where it is too large or cannot be read."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableImage(f"the file has {size / 1e6:,.0f} MB; cut it up.")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"the file cannot be read: {error.strerror}.") from None


def _iterate_memory(pictures: Mapping[Any, Any]) -> Iterator[Found]:
    """Return pictures in memory as files: bytes as they are, arrays and PIL images as PNG."""
    for raw, picture in pictures.items():
        fault = find_name_fault(raw) if isinstance(raw, str) else "its name is not text."
        if fault is not None:
            yield Rejected(show_name(str(raw)), fault)
        else:
            yield SourceFile(make_name(raw), _make_reader(picture))


def _make_reader(picture: Any) -> Callable[[], bytes]:
    """Return what gives the bytes of a picture in memory, or raises UnreadableImage."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return lambda: bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return lambda: _read_file(Path(picture))
    return lambda: _encode_png(make_image_array(picture))


def _encode_png(array: np.ndarray) -> bytes:
    """Return a uint8 (H, W, 3) RGB picture as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
