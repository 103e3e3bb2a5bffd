"""Images of a project: the bytes by content hash, one row each; and their thumbnails."""

import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import sqlalchemy as sa
from PIL import Image

from ..errors import ImageNotFound, InvalidSetting, StorageFailed, UnreadableImage
from ..photos.reading import read_image
from . import schema
from .database import Store, reading, writing
from .files import hashed_path, image_path, replace_file, write_files
from .splits import check_split

THUMBNAIL_SIDE = 256  # pixels
CHUNK = 500  # ids in one statement
METADATA_LENGTH = 4000  # characters of JSON


@dataclass(frozen=True)
class NewImage:
    """An image that is to be added.

    data: the bytes as they came. suffix: '.jpg' and so on, told by the content.
    image_size: upright (height, width). metadata: short values by name.
    """

    name: str
    data: bytes
    suffix: str
    image_size: tuple[int, int]
    split: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AddedImage:
    """An image that is in the project now; is_duplicate: its content was there before."""

    image_id: int
    name: str
    is_duplicate: bool


@dataclass(frozen=True)
class ImageRow:
    """What the store knows of one image, without its label.

    image_size: upright (height, width). label_state: "unlabeled", "labeled" or "nothing there".
    mark: the state that a person set, or None. state: the mark, or else label_state.
    revision: the id of the current label revision, 0 before the first.
    """

    id: int
    name: str
    path: Path
    image_size: tuple[int, int]
    split: str | None
    label_state: str
    mark: str | None
    state: str
    revision: int
    metadata: dict[str, Any]
    added: datetime
    is_removed: bool


def add_images(store: Store, images: Sequence[NewImage]) -> list[AddedImage]:
    """Add images in one transaction, and return what became of each, in order.

    The bytes are on disk before the rows. A name that is taken gets a suffix, "name (2).png";
    content that the project holds already gives the image that holds it.
    """
    for image in images:
        check_split(image.split)
        _check_text(image.name)
    hashes = [hashlib.sha256(image.data).hexdigest() for image in images]
    files = [
        (image_path(store.folder, sha256, image.suffix), image.data)
        for image, sha256 in zip(images, hashes)
    ]
    write_files(store.folder, files)
    with writing(store) as connection:
        return [_add(connection, image, sha256) for image, sha256 in zip(images, hashes)]


def _add(connection: sa.Connection, image: NewImage, sha256: str) -> AddedImage:
    """Add the row of one image, unless its content is there."""
    table = schema.images
    query = sa.select(table.c.id, table.c.name)
    query = query.where(table.c.sha256 == sha256, table.c.is_removed == sa.false())
    known = connection.execute(query).first()
    if known is not None:
        return AddedImage(known.id, known.name, True)
    name = _free_name(connection, image.name)
    metadata = check_metadata(image.metadata)
    height, width = image.image_size
    row = {
        "name": name,
        "sha256": sha256,
        "suffix": image.suffix,
        "width": width,
        "height": height,
        "split": image.split,
        "metadata": metadata,
        "search_text": make_search_text(name, metadata),
        "added": schema.now(),
    }
    key = connection.execute(sa.insert(table).values(row)).inserted_primary_key
    if key is None:
        raise StorageFailed(f"The database gave no id for the image {name!r}.")
    return AddedImage(key[0], name, False)


def _free_name(connection: sa.Connection, name: str) -> str:
    """Return the name, or "name (2).png" and so on when it is taken."""
    if not _is_taken(connection, name):
        return name
    path = PurePosixPath(name)
    stem = name.removesuffix(path.suffix)
    # Doubling first, then halving, asks some 20 times where 100,000 images are called "photo.png".
    low, high = 1, 2
    while _is_taken(connection, f"{stem} ({high}){path.suffix}"):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _is_taken(connection, f"{stem} ({middle}){path.suffix}"):
            low = middle
        else:
            high = middle
    return f"{stem} ({high}){path.suffix}"


def _is_taken(connection: sa.Connection, name: str) -> bool:
    """Tell whether an image of that name is in the project."""
    table = schema.images
    query = sa.select(table.c.id).where(table.c.name == name, table.c.is_removed == sa.false())
    return connection.execute(query).first() is not None


def _check_text(name: str) -> None:
    """Raise InvalidSetting unless the name is text that a file and a database can hold."""
    if not isinstance(name, str) or not name or not _is_storable(name):
        raise InvalidSetting(f"{name!r:.200} cannot be the name of an image: it is not valid text.")


def _is_storable(text: str) -> bool:
    """Tell whether text can be written as UTF-8 and holds no null character."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy. Raises InvalidSetting unless the values are short text, numbers or None."""
    for key, value in metadata.items():
        is_number = isinstance(value, (bool, int)) or value is None
        is_number = is_number or (isinstance(value, float) and math.isfinite(value))
        is_text = isinstance(value, str) and _is_storable(value)
        if not (isinstance(key, str) and _is_storable(key) and (is_number or is_text)):
            raise InvalidSetting(
                "Metadata holds text, numbers, True, False or None by name, "
                f"not {key!r}: {value!r:.80}."
            )
    if len(json.dumps(dict(metadata))) > METADATA_LENGTH:
        raise InvalidSetting(
            f"Metadata is for short values, {METADATA_LENGTH} characters in all; "
            "keep longer ones in a file of your own."
        )
    return dict(metadata)


def make_search_text(name: str, metadata: Mapping[str, Any]) -> str:
    """Return what a search looks through: the name and the metadata's values, case folded."""
    words = [name, *(str(value) for value in metadata.values() if value is not None)]
    return "\n".join(words).casefold()[: schema.SEARCH_LENGTH]


def make_row(store: Store, row: Any) -> ImageRow:
    """Return the value of one row of the images table."""
    return ImageRow(
        row.id,
        row.name,
        image_path(store.folder, row.sha256, row.suffix),
        (row.height, row.width),
        row.split,
        row.label_state,
        row.mark,
        row.state,
        row.revision_id or 0,
        row.metadata,
        row.added,
        row.is_removed,
    )


def find_image(store: Store, image_id: int) -> ImageRow:
    """Return the image of that id, a removed one too. Raises ImageNotFound."""
    with reading(store) as connection:
        row = connection.execute(
            sa.select(schema.images).where(schema.images.c.id == image_id)
        ).first()
    if row is None:
        raise ImageNotFound(f"The project has no image with the id {image_id!r}.")
    return make_row(store, row)


def find_images(store: Store, image_ids: Sequence[int]) -> list[ImageRow]:
    """Return the images of these ids, in their order, without those that there are not."""
    table = schema.images
    found: dict[int, ImageRow] = {}
    with reading(store) as connection:
        for start in range(0, len(image_ids), CHUNK):
            query = sa.select(table).where(table.c.id.in_(image_ids[start : start + CHUNK]))
            found |= {row.id: make_row(store, row) for row in connection.execute(query)}
    return [found[image_id] for image_id in image_ids if image_id in found]


def find_image_by_name(store: Store, name: str) -> ImageRow:
    """Return the image of that name. Raises ImageNotFound."""
    table = schema.images
    query = sa.select(table).where(table.c.name == name, table.c.is_removed == sa.false())
    with reading(store) as connection:
        row = connection.execute(query).first()
    if row is None:
        raise ImageNotFound(
            f"The project has no image {name!r}. Look for it with project.images.where(text=...)."
        )
    return make_row(store, row)


def set_fields(store: Store, image_id: int, **values: Any) -> None:
    """Change split, mark or metadata of an image. Raises ImageNotFound for one that is removed."""
    table = schema.images
    with writing(store) as connection:
        query = sa.select(table.c.name).where(
            table.c.id == image_id, table.c.is_removed == sa.false()
        )
        name = connection.execute(query).scalar()
        if name is None:
            raise ImageNotFound(f"The project has no image with the id {image_id!r}, or no more.")
        if "metadata" in values:
            values["search_text"] = make_search_text(name, values["metadata"])
        if "mark" in values:
            values["state"] = sa.func.coalesce(sa.literal(values["mark"]), table.c.label_state)
        connection.execute(sa.update(table).where(table.c.id == image_id).values(values))


def remove_images(store: Store, image_ids: Iterable[int]) -> int:
    """Take images out of the project and return how many; snapshots that hold them stay whole.

    Their files and label revisions remain on disk for those snapshots. Their names are free again.
    """
    table, items = schema.images, schema.label_items
    wanted = sorted(set(image_ids))
    removed = 0
    with writing(store) as connection:
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            there = table.c.id.in_(chunk) & (table.c.is_removed == sa.false())
            removed += connection.execute(
                sa.update(table).where(there).values(is_removed=True)
            ).rowcount
            connection.execute(sa.delete(items).where(items.c.image_id.in_(chunk)))
    return removed


def read_pixels(row: ImageRow) -> np.ndarray:
    """Return the image upright: uint8 (H, W, 3). Raises UnreadableImage when its file is gone."""
    return read_image(read_bytes(row))


def read_bytes(row: ImageRow) -> bytes:
    """Return the bytes as they were imported. Raises UnreadableImage when the file is gone."""
    try:
        return row.path.read_bytes()
    except OSError as error:
        raise UnreadableImage(
            f"The file of {row.name!r} cannot be read: {row.path}: {error.strerror}. "
            "Restore it from a backup, or remove the image and add it again."
        ) from error


def read_thumbnail(store: Store, image_id: int) -> bytes:
    """Return a JPEG of the image, at most 256 pixels wide and high; made when first asked for."""
    row = find_image(store, image_id)
    path = hashed_path(store.folder, "thumbnails", row.path.stem, ".jpg")
    try:
        return path.read_bytes()
    except OSError:
        data = _make_thumbnail(row)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda part: part.write_bytes(data))
    except OSError:
        return data  # a full disk must not stop anybody from looking
    return data


def _make_thumbnail(row: ImageRow) -> bytes:
    """Return the small JPEG of an image."""
    return encode_small(read_pixels(row), THUMBNAIL_SIDE)


def encode_small(image: np.ndarray, side: int) -> bytes:
    """Return a uint8 (H, W, 3) image as a JPEG of at most `side` pixels in width and height."""
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=85)
    return buffer.getvalue()
