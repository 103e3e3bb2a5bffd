"""Labels: the current one of each image, and every revision that led to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..errors import ImageNotFound, InvalidSetting, LabelConflict
from ..tasks import find_task
from . import schema
from .classes import ClassRow, list_classes, map_ids
from .database import Store, reading, writing
from .files import load_mask, store_mask
from .gestures import claim_gesture

CHUNK = 200  # labels in one transaction: other writers get their turn in between


@dataclass(frozen=True)
class LabelRevision:
    """One change of a label: what it became (None: unlabeled), who changed it, and when."""

    label: Any
    author: str | None
    created: datetime
    id: int
    image_id: int


@dataclass(frozen=True)
class PackedLabel:
    """A label as it is kept. record None: unlabeled. counts: {class id: items or pixels}."""

    record: dict[str, Any] | None
    mask_sha256: str | None
    counts: dict[int, int]

    @property
    def state(self) -> str:
        """What the label says about its image."""
        if self.record is None:
            return "unlabeled"
        return "labeled" if self.counts else "nothing there"


def write_label(
    store: Store,
    image_id: int,
    label: Any,
    author: str | None = None,
    expected_revision: int | None = None,
    gesture: str | None = None,
) -> int:
    """Give an image a label, or take it away with None, and return the revision's id.

    It is on disk when this returns. The same label again appends no revision. gesture: the number
    of what a hand did; one that was applied before changes nothing. Raises InvalidLabel,
    UnknownClass, ImageNotFound, or LabelConflict when the current revision is not the expected one
    (0: none yet; None: not checked).
    """
    return _write(store, [(image_id, label)], author, expected_revision, gesture)[0]


def write_labels(
    store: Store,
    labels: Sequence[tuple[int, Any]],
    author: str | None = None,
    gesture: str | None = None,
) -> None:
    """Give many images their labels in one transaction: all of them, or none after an error.

    gesture: as for write_label.
    """
    if labels:
        _write(store, labels, author, None, gesture)


def _write(
    store: Store,
    labels: Sequence[tuple[int, Any]],
    author: str | None,
    expected: int | None,
    gesture: str | None,
) -> list[int]:
    """Check, pack and append labels; once more if the classes change meanwhile."""
    while True:
        with reading(store) as connection:
            classes = list_classes(connection)
            sizes = _read_sizes(connection, [image_id for image_id, _ in labels])
        for image_id, label in labels:
            _check(store, label, sizes[image_id], classes)
        packed = [(image_id, pack(store, label, classes)) for image_id, label in labels]
        with writing(store) as connection:
            if list_classes(connection) != classes:
                continue
            if gesture is not None and not claim_gesture(connection, gesture):
                return [read_label_packed(connection, i).revision_id or 0 for i, _ in packed]
            return [append(connection, i, p, author, expected, gesture) for i, p in packed]


def _read_sizes(connection: sa.Connection, image_ids: list[int]) -> dict[int, tuple[int, int]]:
    """Return {id: (height, width)}. Raises ImageNotFound."""
    table = schema.images
    sizes: dict[int, tuple[int, int]] = {}
    for start in range(0, len(image_ids), 500):
        query = sa.select(table.c.id, table.c.height, table.c.width)
        query = query.where(table.c.id.in_(image_ids[start : start + 500]))
        query = query.where(table.c.is_removed == sa.false())
        sizes |= {row.id: (row.height, row.width) for row in connection.execute(query)}
    missing = [image_id for image_id in image_ids if image_id not in sizes]
    if missing:
        raise ImageNotFound(f"The project has no image with the id {missing[0]!r}, or no more.")
    return sizes


def _check(store: Store, label: Any, image_size: tuple[int, int], classes: list[ClassRow]) -> None:
    """Raise InvalidLabel or UnknownClass unless the label fits its image."""
    if label is not None:
        room = find_task(store.task).room
        room.check_label(label, image_size, [row.name for row in classes])


def pack(store: Store, label: Any, classes: list[ClassRow]) -> PackedLabel:
    """Return the label as the store keeps it; a mask is on disk after this."""
    if label is None:
        return PackedLabel(None, None, {})
    room, ids = find_task(store.task).room, map_ids(classes)
    record, mask = room.pack_label(label, ids)
    counts = room.count_items(label, list(ids))
    sha256 = None if mask is None else store_mask(store.folder, mask)
    return PackedLabel(record, sha256, {ids[name]: int(n) for name, n in counts.items()})


def append(
    connection: sa.Connection,
    image_id: int,
    packed: PackedLabel,
    author: str | None,
    expected: int | None = None,
    act: str | None = None,
    undo: tuple[str, int] | None = None,
) -> int:
    """Append a revision and make it current; returns its id. Raises LabelConflict.

    undo: ("undo" or "redo", the revision that is taken back or repeated).
    """
    current = read_label_packed(connection, image_id)
    if expected is not None and (current.revision_id or 0) != expected:
        raise LabelConflict(_explain_conflict(current))
    if _is_same(current, packed) and undo is None:
        return current.revision_id or 0
    kind, target = ("set", None) if undo is None else undo
    revision = connection.execute(
        sa.insert(schema.label_revisions).values(
            image_id=image_id,
            record=packed.record,
            mask_sha256=packed.mask_sha256,
            counts={str(class_id): n for class_id, n in packed.counts.items()},
            author=author,
            created=schema.now(),
            kind=kind,
            target=target,
            act=act,
        )
    ).inserted_primary_key
    revision_id = int(revision[0]) if revision else 0
    _make_current(connection, image_id, revision_id, packed)
    return revision_id


def _make_current(
    connection: sa.Connection, image_id: int, revision_id: int, packed: PackedLabel
) -> None:
    """Point the image at its new revision and bring the index of its classes up to date."""
    images, items = schema.images, schema.label_items
    connection.execute(
        sa.update(images)
        .where(images.c.id == image_id)
        .values(
            revision_id=revision_id,
            is_labeled=packed.record is not None,
            label_state=packed.state,
            state=sa.func.coalesce(images.c.mark, packed.state),
        )
    )
    connection.execute(sa.delete(items).where(items.c.image_id == image_id))
    rows = [
        {"image_id": image_id, "class_id": class_id, "count": n}
        for class_id, n in packed.counts.items()
    ]
    if rows:
        connection.execute(sa.insert(items), rows)


def read_label_packed(connection: sa.Connection, image_id: int) -> Any:
    """Return name, revision_id, record, mask_sha256, author and created of an image's label."""
    images, revisions = schema.images, schema.label_revisions
    query = (
        sa.select(
            images.c.name,
            images.c.revision_id,
            revisions.c.record,
            revisions.c.mask_sha256,
            revisions.c.author,
            revisions.c.created,
        )
        .select_from(images.outerjoin(revisions, revisions.c.id == images.c.revision_id))
        .where(images.c.id == image_id)
    )
    row = connection.execute(query).first()
    if row is None:
        raise ImageNotFound(f"The project has no image with the id {image_id!r}.")
    return row


def _is_same(current: Any, packed: PackedLabel) -> bool:
    """Tell whether the label is the current one already."""
    return (current.record, current.mask_sha256) == (packed.record, packed.mask_sha256)


def _explain_conflict(current: Any) -> str:
    """Return one sentence on who changed the label, when, and what to do."""
    if current.revision_id is None:
        return f"The label of {current.name!r} was read from another project; read the image again."
    change = "removed" if current.record is None else "changed"
    author = f" by {current.author}" if current.author else ""
    return (
        f"The label of {current.name!r} was {change}{author} at {current.created:%Y-%m-%d %H:%M:%S}"
        " UTC, after you read it. Call image.reload(), look at image.label, and set it again."
    )


def read_label(store: Store, image_id: int) -> Any:
    """Return the current label of an image, or None while it is unlabeled. Raises ImageNotFound."""
    return read_label_and_revision(store, image_id)[0]


def read_label_and_revision(store: Store, image_id: int) -> tuple[Any, int]:
    """Return the current label, and the id of its revision (0 before the first)."""
    with reading(store) as connection:
        row = read_label_packed(connection, image_id)
        classes = list_classes(connection)
    label = unpack(store, row.record, row.mask_sha256, map_ids(classes))
    return label, row.revision_id or 0


def read_revisions(
    store: Store, revision_ids: Sequence[int], class_ids: Mapping[str, int]
) -> dict[int, Any]:
    """Return {revision id: label} of up to some hundred revisions, as `read_revision` does."""
    table = schema.label_revisions
    query = sa.select(table.c.id, table.c.record, table.c.mask_sha256)
    with reading(store) as connection:
        rows = connection.execute(query.where(table.c.id.in_(revision_ids))).all()
    return {row.id: unpack(store, row.record, row.mask_sha256, class_ids) for row in rows}


def read_revision(store: Store, revision_id: int, class_ids: Mapping[str, int]) -> Any:
    """Return the label of one revision, by the classes given; None where it says unlabeled."""
    table = schema.label_revisions
    query = sa.select(table.c.record, table.c.mask_sha256).where(table.c.id == revision_id)
    with reading(store) as connection:
        row = connection.execute(query).one()
    return unpack(store, row.record, row.mask_sha256, class_ids)


def unpack(
    store: Store,
    record: Mapping[str, Any] | None,
    mask_sha256: str | None,
    class_ids: Mapping[str, int],
) -> Any:
    """Return the label of a record and its mask; None for no record."""
    if record is None:
        return None
    mask = None if mask_sha256 is None else load_mask(store.folder, mask_sha256)
    return find_task(store.task).room.unpack_label(record, mask, class_ids)


def revisions(store: Store, image_id: int) -> list[LabelRevision]:
    """Return all revisions of an image's label, newest first; without classes that are gone."""
    table = schema.label_revisions
    query = sa.select(table).where(table.c.image_id == image_id).order_by(table.c.id.desc())
    with reading(store) as connection:
        ids = map_ids(list_classes(connection))
        rows = connection.execute(query).all()
    return [
        LabelRevision(
            unpack(store, row.record, row.mask_sha256, ids),
            row.author,
            row.created,
            row.id,
            image_id,
        )
        for row in rows
    ]


def revert_label(store: Store, image_id: int, revision_id: int, author: str | None = None) -> int:
    """Give an image the label of an earlier revision, as a new one, and return its id.

    Classes that were removed since are left out. Raises InvalidSetting for a revision of another
    image.
    """
    table = schema.label_revisions
    query = sa.select(table.c.id).where(table.c.id == revision_id, table.c.image_id == image_id)
    with reading(store) as connection:
        is_its_own = connection.execute(query).first() is not None
        class_ids = map_ids(list_classes(connection))
    if not is_its_own:
        raise InvalidSetting(
            f"That image has no label revision {revision_id!r}; choose one of image.history()."
        )
    label = read_revision(store, revision_id, class_ids)
    return write_label(store, image_id, label, author)
