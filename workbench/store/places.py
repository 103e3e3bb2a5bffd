"""What widgets remember from one kernel to the next."""

from typing import Any

import sqlalchemy as sa

from . import schema
from .database import Store, reading, writing


def read_place(store: Store, key: str) -> Any:
    """Return what was written under that key, or None."""
    table = schema.places
    with reading(store) as connection:
        return connection.execute(sa.select(table.c.value).where(table.c.key == key)).scalar()


def write_place(store: Store, key: str, value: Any) -> None:
    """Remember a value that JSON can hold."""
    table = schema.places
    with writing(store) as connection:
        changed = connection.execute(sa.update(table).where(table.c.key == key).values(value=value))
        if not changed.rowcount:
            connection.execute(sa.insert(table).values(key=key, value=value))
