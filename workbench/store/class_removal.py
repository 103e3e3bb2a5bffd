"""Taking a class out of a project, and out of the labels that hold it."""

import sqlalchemy as sa

from ..errors import ClassInUse, InvalidSetting, LabelConflict
from . import schema
from .classes import find_class, list_classes, map_ids
from .database import Store, reading, writing
from .labels import CHUNK, append, pack, read_label_packed, unpack


def remove_class(
    store: Store, name: str, remove_labels: bool = False, author: str | None = None
) -> int:
    """Take a class out of the project, and return how many labels changed for it.

    With remove_labels every label that holds the class gets a new revision without it; the old one
    stays in its history. A crash in between leaves the class in the project and in the labels not
    reached yet. Raises UnknownClass, or ClassInUse while labels hold it without remove_labels.
    """
    if store.task == "anomaly":
        raise InvalidSetting("An anomaly project keeps its classes 'normal' and 'abnormal'.")
    with reading(store) as connection:
        class_id = find_class(connection, name).id
    changed = 0
    while users := _find_users(store, class_id):
        if not remove_labels:
            raise ClassInUse(
                f"{len(users)} labels hold the class {name!r}. Relabel those images, or call "
                f"remove_class({name!r}, remove_labels=True) to take it out of them."
            )
        for start in range(0, len(users), CHUNK):
            changed += _strip(store, users[start : start + CHUNK], class_id, author)
    if not _retire(store, class_id):
        return changed + remove_class(store, name, remove_labels, author)
    return changed


def _find_users(store: Store, class_id: int) -> list[int]:
    """Return the ids of the images whose label holds the class."""
    table = schema.label_items
    query = sa.select(table.c.image_id).where(table.c.class_id == class_id)
    with reading(store) as connection:
        return list(connection.execute(query.order_by(table.c.image_id)).scalars())


def _strip(store: Store, image_ids: list[int], class_id: int, author: str | None) -> int:
    """Append revisions without the class, but not where somebody else was faster."""
    with reading(store) as connection:
        classes = [row for row in list_classes(connection) if row.id != class_id]
        current = {i: read_label_packed(connection, i) for i in image_ids}
    ids = map_ids(classes)
    packed = {
        i: pack(store, unpack(store, row.record, row.mask_sha256, ids), classes)
        for i, row in current.items()
    }
    changed = 0
    with writing(store) as connection:
        for image_id, label in packed.items():
            try:
                append(connection, image_id, label, author, current[image_id].revision_id)
            except LabelConflict:
                continue
            changed += 1
    return changed


def _retire(store: Store, class_id: int) -> bool:
    """Mark the class as removed unless a label holds it again; tell whether that was done."""
    items, classes = schema.label_items, schema.classes
    with writing(store) as connection:
        query = sa.select(items.c.image_id).where(items.c.class_id == class_id).limit(1)
        if connection.execute(query).first() is not None:
            return False
        connection.execute(
            sa.update(classes).where(classes.c.id == class_id).values(is_removed=True)
        )
    return True
