"""Files of a project: where each lies, and how they are written so that a crash tears none."""

import hashlib
import io
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ..errors import StorageFailed, WorkbenchError

# What lies beside project.db; a file in the first three is never changed once it is written.
CONTENT_FOLDERS = ("images", "masks", "thumbnails", "runs")

# What a mask looks like in other programs, by class id; the project's own colors are in project.db.
_PALETTE = bytes(3) + bytes.fromhex("d55e0056b4e9009e73f0e4420072b2cc79a7e69f00332288") * 32


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into StorageFailed, which names the path and the reason."""
    try:
        yield
    except WorkbenchError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageFailed(
            f"{path} could not be written: {reason}. Free some space or check the folder's "
            "permissions, then try again; everything saved before is safe."
        ) from error


def hashed_path(folder: Path, kind: str, sha256: str, suffix: str) -> Path:
    """Return where the content of that hash lies: folder/kind/ab/<sha256><suffix>.

    Raises StorageFailed unless both are plain: a forged project.db must not lead elsewhere.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not re.fullmatch(r"\.[a-z0-9]{1,5}", suffix):
        raise StorageFailed(f"{folder} is damaged: it names a file {sha256[:80]!r}{suffix[:20]!r}.")
    return folder / kind / sha256[:2] / f"{sha256}{suffix}"


def image_path(folder: Path, sha256: str, suffix: str) -> Path:
    """Return where the bytes of an image lie."""
    return hashed_path(folder, "images", sha256, suffix)


def run_path(folder: Path, run_id: str) -> Path:
    """Return the folder of a run. Raises StorageFailed for an id that is no plain file name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run_id):
        raise StorageFailed(f"{run_id[:80]!r} is no id of a run: use letters, digits, - _ .")
    return folder / "runs" / run_id


def write_files(folder: Path, contents: Iterable[tuple[Path, bytes]]) -> None:
    """Write files below the project folder; each is there whole or not at all, and on disk after.

    A file that exists is kept: names are hashes of what the files hold. Its folder is synced even
    so, because whoever wrote it may have died before that.
    """
    changed_folders: set[Path] = set()
    for path, data in contents:
        with explained(path):
            changed_folders.update(_make_folders(folder, path.parent))
            if not path.exists():
                _put(path, partial(_write_bytes, data))
            changed_folders.add(path.parent)
    for changed in sorted(changed_folders):
        with explained(changed):
            sync_folder(changed)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write or replace one file in an existing folder: after a crash it is the old one or the new.

    write(part) fills a file of another name, which is synced and then renamed to path.
    """
    with explained(path):
        _put(path, write)
        sync_folder(path.parent)


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the path, sync, and rename; leaves nothing behind on failure."""
    part = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.part")
    try:
        write(part)
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_bytes(data: bytes, path: Path) -> None:
    """Write a file that is not there yet."""
    with path.open("xb") as file:
        file.write(data)


def _make_folders(top: Path, folder: Path) -> set[Path]:
    """Make folder, which lies below top, and return the folders that got a new entry."""
    changed = set()
    missing = folder
    while not missing.exists():
        changed.add(missing.parent)
        missing = missing.parent
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.resolve().is_relative_to(top.resolve()):
        raise StorageFailed(f"{folder} leads out of the project by a link; remove that link first.")
    return changed


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable, where the system can open folders at all."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def encode_mask(mask: np.ndarray) -> bytes:
    """Return a uint8 (H, W) mask of class ids as an 8-bit index PNG."""
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    picture.putpalette(_PALETTE[:768])
    buffer = io.BytesIO()
    picture.save(buffer, "png", compress_level=3)  # 3: thrice as fast as 6, and a tenth larger
    return buffer.getvalue()


def store_mask(folder: Path, mask: np.ndarray) -> str:
    """Write a uint8 (H, W) mask of class ids and return the hash that names its file."""
    data = encode_mask(mask)
    sha256 = hashlib.sha256(data).hexdigest()
    write_files(folder, [(hashed_path(folder, "masks", sha256, ".png"), data)])
    return sha256


def load_mask(folder: Path, sha256: str) -> np.ndarray:
    """Return the mask of that hash: uint8 (H, W) of class ids. Raises StorageFailed if gone."""
    path = hashed_path(folder, "masks", sha256, ".png")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"The mask {path} is missing: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageFailed(f"The mask {path} is damaged; restore a backup, or label again.")
    return _decode_mask(data)


def _decode_mask(data: bytes) -> np.ndarray:
    """Return the indices of a PNG that encode_mask made: uint8 (H, W).

    The PNG reader itself, since Image.open warns of masks as large as the images that are allowed.
    """
    with PngImageFile(io.BytesIO(data)) as picture:
        return np.asarray(picture).copy()
