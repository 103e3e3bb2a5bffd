"""The files in a zip or tar archive, read in memory one by one; nothing is unpacked to disk.

An archive is never believed: sizes are enforced while its bytes are read, not taken from a header.
"""

import bz2
import gzip
import io
import lzma
import mmap
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import UnreadableImage
from .entry_names import (
    Rejected,
    Skipped,
    find_name_fault,
    has_image_suffix,
    is_hidden,
    make_name,
    show_name,
)
from .reading import MAX_BYTES
from .signatures import SIGNATURE_BYTES, tell_kind

MAX_RATIO = 100  # how many times its own size an archive of photos may unpack to
ENTRY_RATIO, ENTRY_FLOOR = 200, 20_000_000

_TAR_OPENERS: dict[str, Callable[..., Any]] = {
    ".tar": Path.open,
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.bz2": bz2.open,
    ".tbz2": bz2.open,
    ".tar.xz": lzma.open,
    ".txz": lzma.open,
}
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class SourceFile:
    """A file that may be an image.

    name: its path below what is imported, with forward slashes.
    read: gives its bytes, or raises UnreadableImage; called at most once, before the next one is
        asked for, because an archive is read from its front to its end.
    """

    name: str
    read: Callable[[], bytes]


Found = SourceFile | Rejected | Skipped


def is_archive(path: Path) -> bool:
    """Tell whether a file's name ends like that of an archive that can be imported."""
    return path.name.lower().endswith((".zip", *_TAR_OPENERS))


def iterate_archive(path: Path) -> Iterator[Found]:
    """Return the entries of an archive in its own order; a damaged one ends in a Rejected."""
    is_zip = path.name.lower().endswith(".zip")
    try:
        yield from _iterate_zip(path) if is_zip else _iterate_tar(path)
    except UnreadableImage as error:
        yield Rejected(show_name(path.name), str(error))
    except _DAMAGE as error:
        kind = "zip" if is_zip else "tar"
        reason = f"it is no {kind} archive, or damaged ({show_name(str(error))[:100]})."
        yield Rejected(show_name(path.name), reason)


def count_archive(path: Path) -> int | None:
    """Return how many entries a zip has; None for a tar, which would have to be read for it."""
    with suppress(*_DAMAGE):
        if path.name.lower().endswith(".zip"):
            with _open_zip(path) as archive:
                return len(archive.infolist())
    return None


class _Allowance:
    """How many bytes an archive may still unpack to."""

    def __init__(self, path: Path) -> None:
        self.left = MAX_BYTES + MAX_RATIO * path.stat().st_size

    def spend(self, count: int) -> None:
        """Take bytes off. Raises UnreadableImage once too many were unpacked."""
        self.left -= count
        if self.left < 0:
            raise UnreadableImage(
                f"the archive unpacks to more than {MAX_RATIO} times its size; unpack it yourself "
                "and import the folder if you trust it."
            )


def _iterate_zip(path: Path) -> Iterator[Found]:
    """Return the entries of a zip archive."""
    allowance = _Allowance(path)
    with _open_zip(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            raw = _decode_zip_name(entry)
            fault = find_name_fault(raw) or _find_zip_fault(entry)
            yield from _sort_entry(raw, fault, _open_zip_entry(archive, entry), allowance)


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Return the archive, also one that zipfile refuses because a name only claims to be UTF-8."""
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        view: Any = _map_without_false_claims(path)
        return zipfile.ZipFile(view)


class _PrivateMap(mmap.mmap):
    """The bytes of a file; what is written to them stays in memory."""

    def seekable(self) -> bool:
        """Return True; mmap says so by itself from Python 3.13 on."""
        return True


def _map_without_false_claims(path: Path) -> _PrivateMap:
    """Return the bytes of a zip whose directory claims UTF-8 for no name that is not.

    Source: APPNOTE.TXT 6.3.10 (PKWARE), 4.3.12 and 4.3.16. Such an entry fails when it is opened.
    """
    with path.open("rb") as stream:
        view = _PrivateMap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    end = view.rfind(b"PK\x05\x06")
    place = end - struct.unpack_from("<I", view, end + 12)[0]
    while view[place : place + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<3H", view, place + 28)
        try:
            view[place + 46 : place + 46 + name].decode()
        except UnicodeDecodeError:
            view[place + 9] &= 0xF7
        place += 46 + name + extra + comment
    return view


def _decode_zip_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name; many tools write UTF-8 without the flag that says so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return entry.filename


def _find_zip_fault(entry: zipfile.ZipInfo) -> str | None:
    """Return why an entry of a zip cannot be read; None where it can."""
    if entry.flag_bits & 1:
        return "it is encrypted; unpack the archive and import the folder."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "it is a link."
    return None


def _open_zip_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> Callable[[], tuple[IO[bytes], int]]:
    """Return what opens an entry, and how many bytes it may unpack to."""
    limit = min(MAX_BYTES, ENTRY_FLOOR + ENTRY_RATIO * entry.compress_size)
    return lambda: (archive.open(entry), limit)


def _iterate_tar(path: Path) -> Iterator[Found]:
    """Return the entries of a tar archive, from its front to its end."""
    suffix = next(s for s in _TAR_OPENERS if path.name.lower().endswith(s))
    allowance = _Allowance(path)
    with (
        _TAR_OPENERS[suffix](path, "rb") as raw_file,
        tarfile.open(fileobj=_Metered(raw_file, allowance), mode="r|") as archive,
    ):
        for entry in archive:
            if entry.isdir():
                continue
            fault = find_name_fault(entry.name) or _find_tar_fault(entry)
            yield from _sort_entry(entry.name, fault, _open_tar_entry(archive, entry), None)


class _Metered(io.RawIOBase):
    """A stream that counts what is read from it, also what tarfile reads to skip an entry."""

    def __init__(self, stream: IO[bytes], allowance: _Allowance) -> None:
        super().__init__()
        self._stream, self._allowance = stream, allowance

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises UnreadableImage once too many were unpacked."""
        data = self._stream.read(size)
        self._allowance.spend(len(data))
        return data


def _find_tar_fault(entry: tarfile.TarInfo) -> str | None:
    """Return why an entry of a tar cannot be read; None where it can."""
    if entry.issym() or entry.islnk():
        return "it is a link."
    if not entry.isreg() or entry.issparse():
        return "it is not a plain file."
    return None


def _open_tar_entry(
    archive: tarfile.TarFile, entry: tarfile.TarInfo
) -> Callable[[], tuple[IO[bytes], int]]:
    """Return what opens an entry, and how many bytes it may unpack to."""
    return lambda: (archive.extractfile(entry) or io.BytesIO(), MAX_BYTES)


def _sort_entry(
    raw: str,
    fault: str | None,
    open_entry: Callable[[], tuple[IO[bytes], int]],
    allowance: _Allowance | None,
) -> Iterator[Found]:
    """Return what one entry is: an image file, something rejected or skipped; nothing if hidden."""
    name = make_name(raw)
    leads_out = fault is not None and find_name_fault(raw) is not None
    if not leads_out and is_hidden(name):
        return
    if fault is not None:
        yield Rejected(show_name(raw), fault)
        return
    try:
        stream, limit = open_entry()
        head = b"" if has_image_suffix(name) else stream.read(SIGNATURE_BYTES)
    except UnicodeDecodeError:
        yield Rejected(show_name(raw), "its name is not valid text; rename the file.")
        return
    except _DAMAGE as error:
        yield Rejected(show_name(raw), f"it cannot be unpacked ({str(error)[:100]}).")
        return
    if has_image_suffix(name) or tell_kind(head):
        yield SourceFile(name, lambda: _read_entry(head, stream, limit, allowance))
    else:
        yield Skipped(name)


def _read_entry(head: bytes, stream: IO[bytes], limit: int, allowance: _Allowance | None) -> bytes:
    """Return an entry's bytes, of which `head` was read already. Raises UnreadableImage."""
    if allowance is not None:
        allowance.spend(0)
    try:
        with stream:
            data = head + stream.read(limit + 1)
    except UnreadableImage:
        raise
    except _DAMAGE as error:
        raise UnreadableImage(f"it cannot be unpacked ({str(error)[:100]}).") from None
    if len(data) > limit:
        raise UnreadableImage(f"it unpacks to more than {limit / 1e6:,.0f} MB.")
    if allowance is not None:
        allowance.spend(len(data))
    return data
