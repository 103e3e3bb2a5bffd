"""Snapshots: images, splits, classes and labels as they were at one moment; runs train on these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from ..errors import InvalidSetting
from ..photos.reading import read_image
from . import schema
from .classes import list_classes
from .database import Store, reading, writing
from .files import image_path
from .labels import read_revision


@dataclass(frozen=True)
class SnapshotItem:
    """One image of a snapshot.

    image_size: upright (height, width). revision_id: its label then, None for unlabeled.
    counts: {class name: items or pixels} of that label; empty with a revision_id: nothing there.
    """

    image_id: int
    name: str
    path: Path
    image_size: tuple[int, int]
    split: str | None
    revision_id: int | None
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Snapshot:
    """A frozen version of a project: its images, their splits and labels, its classes."""

    id: int
    name: str
    created: datetime
    task: str
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    store: Store = field(repr=False, compare=False)
    class_ids: Mapping[str, int] = field(repr=False, compare=False)
    kept_items: tuple[SnapshotItem, ...] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def items(self) -> tuple[SnapshotItem, ...]:
        """The images, in the order in which they were added; read when first asked for."""
        if self.kept_items is not None:
            return self.kept_items
        names = {class_id: name for name, class_id in self.class_ids.items()}
        with reading(self.store) as connection:
            rows = connection.execute(_items(self.id))
            return tuple(_make_item(self.store, row, names) for row in rows)

    def count_changes(self) -> int:
        """Return how many labels changed since the snapshot."""
        return count_changes(self.store, self.id)

    def read_label(self, item: SnapshotItem) -> Any:
        """Return the label that the image had, or None where it was unlabeled."""
        if item.revision_id is None:
            return None
        return read_revision(self.store, item.revision_id, self.class_ids)

    def read_image(self, item: SnapshotItem) -> np.ndarray:
        """Return the image upright: uint8 (H, W, 3)."""
        return read_image(item.path)


def create_snapshot(store: Store, name: str) -> int:
    """Freeze the project as it is now and return the snapshot's id."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidSetting("A snapshot needs a name, such as project.snapshot('before cleanup').")
    images = schema.images
    # A revision that says "unlabeled" is as good as none.
    is_labeled = images.c.is_labeled == sa.true()
    with writing(store) as connection:
        classes = [[row.id, row.name, row.color] for row in list_classes(connection)]
        values = {"name": name, "created": schema.now(), "classes": classes}
        key = connection.execute(sa.insert(schema.snapshots).values(values)).inserted_primary_key
        snapshot_id = int(key[0]) if key else 0
        frozen = sa.select(
            sa.literal(snapshot_id),
            images.c.id,
            images.c.split,
            sa.case((is_labeled, images.c.revision_id), else_=None),
        ).where(images.c.is_removed == sa.false())
        columns = ["snapshot_id", "image_id", "split", "revision_id"]
        connection.execute(sa.insert(schema.snapshot_items).from_select(columns, frozen))
    return snapshot_id


def read_snapshot(store: Store, snapshot_id: int) -> Snapshot:
    """Return a snapshot. Raises InvalidSetting when there is none of that id."""
    table = schema.snapshots
    with reading(store) as connection:
        row = connection.execute(sa.select(table).where(table.c.id == snapshot_id)).first()
    if row is None:
        raise InvalidSetting(f"The project has no snapshot with the id {snapshot_id!r}.")
    return _make_snapshot(store, row)


def read_current(store: Store, limit: int) -> tuple[Snapshot, list[SnapshotItem]]:
    """Return a snapshot of now that is not kept, and up to `limit` labeled images, train first."""
    images, revisions = schema.images, schema.label_revisions
    columns = ("id", "name", "sha256", "suffix", "width", "height", "split", "revision_id")
    query = (
        sa.select(*(images.c[name] for name in columns), revisions.c.counts)
        .select_from(images.join(revisions, revisions.c.id == images.c.revision_id))
        .where(images.c.is_removed == sa.false(), images.c.is_labeled == sa.true())
        .order_by(sa.case((images.c.split == "train", 0), else_=1), images.c.id)
        .limit(limit)
    )
    with reading(store) as connection:
        classes = list_classes(connection)
        names = {row.id: row.name for row in classes}
        items = [_make_item(store, item, names) for item in connection.execute(query)]
    class_names, colors = (tuple(part) for part in zip(*((c.name, c.color) for c in classes)))
    ids = {row.name: row.id for row in classes}
    return Snapshot(0, "now", schema.now(), store.task, class_names, colors, store, ids), items


def list_snapshots(store: Store) -> list[Snapshot]:
    """Return all snapshots, oldest first."""
    query = sa.select(schema.snapshots).order_by(schema.snapshots.c.id)
    with reading(store) as connection:
        return [_make_snapshot(store, row) for row in connection.execute(query)]


def _make_snapshot(store: Store, row: Any) -> Snapshot:
    """Return the value of one row."""
    return Snapshot(
        row.id,
        row.name,
        row.created,
        store.task,
        tuple(name for _, name, _ in row.classes),
        tuple(color for _, _, color in row.classes),
        store,
        {name: class_id for class_id, name, _ in row.classes},
    )


def _items(snapshot_id: int) -> sa.Select[Any]:
    """Return the query of a snapshot's items, in the order in which the images were added."""
    items, images, revisions = schema.snapshot_items, schema.images, schema.label_revisions
    return (
        sa.select(
            *(images.c[name] for name in ("id", "name", "sha256", "suffix", "width", "height")),
            items.c.split,
            items.c.revision_id,
            revisions.c.counts,
        )
        .select_from(
            items.join(images, images.c.id == items.c.image_id).outerjoin(
                revisions, revisions.c.id == items.c.revision_id
            )
        )
        .where(items.c.snapshot_id == snapshot_id)
        .order_by(items.c.image_id)
    )


def _make_item(store: Store, row: Any, names: Mapping[int, str]) -> SnapshotItem:
    """Return the value of one row."""
    counts: Mapping[str, int] = row.counts or {}
    return SnapshotItem(
        row.id,
        row.name,
        image_path(store.folder, row.sha256, row.suffix),
        (row.height, row.width),
        row.split,
        row.revision_id,
        {names[int(i)]: n for i, n in counts.items() if int(i) in names},
    )


def list_trained(store: Store, snapshot_id: int) -> set[int]:
    """Return the ids of the images that were in the train split of a snapshot."""
    table = schema.snapshot_items
    query = sa.select(table.c.image_id)
    query = query.where(table.c.snapshot_id == snapshot_id, table.c.split == "train")
    with reading(store) as connection:
        return set(connection.execute(query).scalars())


def count_changes(store: Store, snapshot_id: int) -> int:
    """Return how many labels changed since the snapshot: made, changed, taken away, or removed."""
    items, images = schema.snapshot_items, schema.images
    now = sa.case(
        ((images.c.is_removed == sa.true()) | (images.c.is_labeled == sa.false()), 0),
        else_=images.c.revision_id,
    )
    then = sa.func.coalesce(items.c.revision_id, 0)
    both = images.outerjoin(
        items, (items.c.image_id == images.c.id) & (items.c.snapshot_id == snapshot_id)
    )
    query = sa.select(sa.func.count()).select_from(both).where(now != then)
    with reading(store) as connection:
        return int(connection.execute(query).scalar_one())


def add_new_classes(store: Store, snapshot: Snapshot) -> dict[str, int]:
    """Return {name: id} of a snapshot's classes, by their names then, and of those added since."""
    known = dict(snapshot.class_ids)
    with reading(store) as connection:
        rows = list_classes(connection)
    return known | {
        row.name: row.id
        for row in rows
        if row.id not in snapshot.class_ids.values() and row.name not in known
    }
