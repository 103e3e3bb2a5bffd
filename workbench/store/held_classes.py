"""Which classes the current labels of some images hold."""

from collections.abc import Sequence

import sqlalchemy as sa

from . import schema
from .database import Store, reading


def read_held_classes(store: Store, image_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return {image id: names of the classes that its label holds, in the project's order}.

    image_ids: at most some hundred, such as one page. An image without any has an empty list.
    """
    items, classes = schema.label_items, schema.classes
    query = (
        sa.select(items.c.image_id, classes.c.name)
        .join(classes, classes.c.id == items.c.class_id)
        .where(items.c.image_id.in_(image_ids))
        .order_by(classes.c.position)
    )
    held: dict[int, list[str]] = {image_id: [] for image_id in image_ids}
    with reading(store) as connection:
        for image_id, name in connection.execute(query):
            held[image_id].append(name)
    return held


def count_states(store: Store) -> dict[str, int]:
    """Return how many images are "unlabeled", "labeled" or "nothing there"; 0 is said too."""
    table = schema.images
    query = (
        sa.select(table.c.label_state, sa.func.count())
        .where(table.c.is_removed == sa.false())
        .group_by(table.c.label_state)
    )
    counts = {"unlabeled": 0, "labeled": 0, "nothing there": 0}
    with reading(store) as connection:
        counts |= {state: int(n) for state, n in connection.execute(query)}
    return counts
