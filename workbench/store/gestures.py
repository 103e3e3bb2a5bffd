"""Gestures that were applied: each is applied once, however often a browser sends it."""

import sqlalchemy as sa

from . import schema
from .database import Store, reading, writing

KEPT = 20_000  # newest; a browser sends again what is minutes old, not what is weeks old


def was_applied(store: Store, gesture: str) -> bool:
    """Tell whether the gesture of that number was applied."""
    table = schema.gestures
    with reading(store) as connection:
        query = sa.select(table.c.id).where(table.c.id == gesture)
        return connection.execute(query).first() is not None


def note_gesture(store: Store, gesture: str) -> None:
    """Note that a gesture was applied which changed nothing."""
    with writing(store) as connection:
        claim_gesture(connection, gesture)


def claim_gesture(connection: sa.Connection, gesture: str) -> bool:
    """Note a gesture in the transaction that applies it; tell whether it is new."""
    table = schema.gestures
    known = sa.select(table.c.id).where(table.c.id == gesture)
    if connection.execute(known).first() is not None:
        return False
    connection.execute(sa.insert(table).values(id=gesture, created=schema.now()))
    return True


def forget_gestures(store: Store) -> None:
    """Drop all but the newest gestures."""
    table = schema.gestures
    newest = sa.select(table.c.created).order_by(table.c.created.desc()).offset(KEPT).limit(1)
    with writing(store) as connection:
        oldest = connection.execute(newest).scalar()
        if oldest is not None:
            connection.execute(sa.delete(table).where(table.c.created <= oldest))
