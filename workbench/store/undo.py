"""Undo and redo: computed from the label revisions, so they survive every restart.

Nothing is taken away: undo appends a revision that says what the label was before. A revision is
live unless the last word on it, of the undos and redos that name it, was an undo.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from . import schema
from .classes import list_classes, map_ids
from .database import Store, reading, writing
from .gestures import claim_gesture
from .labels import PackedLabel, append, pack, read_label_packed, unpack

ACTS = 1000  # revisions that are looked through for the last act of a project


@dataclass(frozen=True)
class Stacks:
    """The revisions of one image that can be taken back and repeated, the next one last."""

    live: tuple[int, ...]
    undone: tuple[int, ...]


def find_stacks(rows: Sequence[Any]) -> Stacks:
    """Return what can be undone and redone after revisions with id, kind and target, in order."""
    live: list[int] = []
    undone: list[int] = []
    for row in rows:
        if row.kind == "set":
            live.append(row.id)
            undone.clear()
        elif row.kind == "undo" and row.target in live:
            live.remove(row.target)
            undone.append(row.target)
        elif row.kind == "redo" and row.target in undone:
            undone.remove(row.target)
            live.append(row.target)
    return Stacks(tuple(live), tuple(undone))


def read_stacks(connection: sa.Connection, image_id: int) -> Stacks:
    """Return what can be undone and redone on an image."""
    table = schema.label_revisions
    query = sa.select(table.c.id, table.c.kind, table.c.target)
    query = query.where(table.c.image_id == image_id).order_by(table.c.id)
    return find_stacks(connection.execute(query).all())


def can_undo(store: Store, image_id: int) -> tuple[bool, bool]:
    """Tell whether a change of the image's label can be taken back, and whether one be repeated."""
    with reading(store) as connection:
        stacks = read_stacks(connection, image_id)
    return bool(stacks.live), bool(stacks.undone)


def undo_label(
    store: Store, image_id: int, author: str | None = None, gesture: str | None = None
) -> int | None:
    """Take back the newest change of a label; return the new revision, None where there is none.

    gesture: its number; one that was applied before changes nothing.
    """
    changed = _change(store, lambda connection: [image_id], "undo", author, gesture)
    return changed.get(image_id)


def redo_label(
    store: Store, image_id: int, author: str | None = None, gesture: str | None = None
) -> int | None:
    """Repeat the change that was taken back last; return the new revision, None for none."""
    changed = _change(store, lambda connection: [image_id], "redo", author, gesture)
    return changed.get(image_id)


def undo_act(store: Store, author: str | None = None, gesture: str | None = None) -> list[int]:
    """Take back the newest act of a hand, on all images that it labeled; return their ids.

    An image whose label was changed after that act stays as it is.
    """
    return list(_change(store, lambda c: _find_act(c, "live"), "undo", author, gesture))


def redo_act(store: Store, author: str | None = None, gesture: str | None = None) -> list[int]:
    """Repeat the act that was taken back last, on all its images; return their ids."""
    return list(_change(store, lambda c: _find_act(c, "undone"), "redo", author, gesture))


def _change(
    store: Store,
    find_images: Callable[[sa.Connection], list[int]],
    kind: str,
    author: str | None,
    gesture: str | None,
) -> dict[int, int]:
    """Undo or redo on some images in one transaction; return {image id: new revision}."""
    changed = {}
    with writing(store) as connection:
        if gesture is not None and not claim_gesture(connection, gesture):
            return {}
        for image_id in find_images(connection):
            revision = _change_one(store, connection, image_id, kind, author)
            if revision is not None:
                changed[image_id] = revision
    return changed


def _change_one(
    store: Store, connection: sa.Connection, image_id: int, kind: str, author: str | None
) -> int | None:
    """Append the revision that takes back or repeats one change."""
    stacks = read_stacks(connection, image_id)
    stack = stacks.live if kind == "undo" else stacks.undone
    if not stack:
        return None
    target = stack[-1]
    state = target if kind == "redo" else (stacks.live[-2] if len(stacks.live) > 1 else None)
    packed = _read_state(store, connection, state)
    read_label_packed(connection, image_id)  # raises ImageNotFound
    return append(connection, image_id, packed, author, undo=(kind, target))


def _read_state(store: Store, connection: sa.Connection, revision: int | None) -> PackedLabel:
    """Return the label of a revision as it is kept, without the classes that are gone.

    Where all its classes are there, neither record nor mask is decoded: masks can be large.
    """
    if revision is None:
        return PackedLabel(None, None, {})
    table = schema.label_revisions
    row = connection.execute(sa.select(table).where(table.c.id == revision)).one()
    counts = {int(class_id): n for class_id, n in row.counts.items()}
    classes = list_classes(connection)
    if row.record is None or set(counts) <= set(map_ids(classes).values()):
        return PackedLabel(row.record, row.mask_sha256, counts)
    label = unpack(store, row.record, row.mask_sha256, map_ids(classes))
    return pack(store, label, classes)


def _find_act(connection: sa.Connection, which: str) -> list[int]:
    """Return the images of the newest act that is live, or undone, on top of their own stacks."""
    table = schema.label_revisions
    recent = sa.select(table.c.id, table.c.image_id, table.c.kind, table.c.target, table.c.act)
    rows = connection.execute(recent.order_by(table.c.id.desc()).limit(ACTS)).all()
    acts = {row.id: row.act for row in rows if row.kind == "set" and row.act is not None}
    wanted = "undo" if which == "undone" else "set"
    for row in rows:
        act = acts.get(row.target if row.kind == "undo" else row.id)
        if row.kind != wanted or act is None:
            continue
        images = _read_act_images(connection, act)
        found = [i for i in images if _is_on_top(connection, i, act, which)]
        if found:
            return found
    return []


def _read_act_images(connection: sa.Connection, act: str) -> list[int]:
    """Return the images that an act labeled."""
    table = schema.label_revisions
    query = sa.select(table.c.image_id).where(table.c.act == act, table.c.kind == "set")
    return list(connection.execute(query.order_by(table.c.id)).scalars())


def _is_on_top(connection: sa.Connection, image_id: int, act: str, which: str) -> bool:
    """Tell whether the next undo, or redo, of an image concerns that act."""
    stack = getattr(read_stacks(connection, image_id), which)
    table = schema.label_revisions
    query = sa.select(table.c.act).where(table.c.id == (stack[-1] if stack else 0))
    return bool(stack) and connection.execute(query).scalar() == act


def find_changes(store: Store, after: int | None) -> tuple[int, list[int]]:
    """Return the newest revision's id, and the images whose labels changed after revision `after`.

    after None: no images are named. Quick enough to ask every second.
    """
    table = schema.label_revisions
    with reading(store) as connection:
        newest = int(connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0)
        if after is None or newest <= after:
            return newest, []
        query = sa.select(table.c.image_id).where(table.c.id > after).distinct()
        return newest, list(connection.execute(query.limit(1000)).scalars())
