"""The rows of training runs; this file does not touch the folder that a run writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..errors import RunNotFound
from . import schema
from .database import Store, reading, writing
from .files import run_path


@dataclass(frozen=True)
class RunRow:
    """What the database knows of a run."""

    id: str
    name: str
    note: str
    snapshot_id: int
    settings: dict[str, Any]
    created: datetime


def add_run(
    store: Store, run_id: str, name: str, snapshot_id: int, settings: Mapping[str, Any]
) -> None:
    """Add a run's row. The id names its folder, so it is letters, digits, "-", "_" and "." only."""
    run_path(store.folder, run_id)
    row = {
        "id": run_id,
        "name": name,
        "note": "",
        "snapshot_id": snapshot_id,
        "settings": dict(settings),
        "created": schema.now(),
    }
    with writing(store) as connection:
        connection.execute(sa.insert(schema.runs).values(row))


def list_runs(store: Store) -> list[RunRow]:
    """Return all runs, oldest first."""
    query = sa.select(schema.runs).order_by(schema.runs.c.created, schema.runs.c.id)
    with reading(store) as connection:
        return [_make_row(row) for row in connection.execute(query)]


def find_run(store: Store, run_id: str) -> RunRow:
    """Return the run of that id. Raises RunNotFound."""
    with reading(store) as connection:
        row = connection.execute(sa.select(schema.runs).where(schema.runs.c.id == run_id)).first()
    if row is None:
        raise RunNotFound(f"The project has no run {run_id!r}. See project.runs for those it has.")
    return _make_row(row)


def _make_row(row: Any) -> RunRow:
    """Return the value of one row."""
    return RunRow(row.id, row.name, row.note, row.snapshot_id, row.settings, row.created)


def change_run(store: Store, run_id: str, **values: str) -> None:
    """Change the name or the note of a run. Raises RunNotFound."""
    find_run(store, run_id)
    with writing(store) as connection:
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(values))


def delete_run(store: Store, run_id: str) -> None:
    """Delete the rows of a run and of its predictions; its folder stays. Raises RunNotFound."""
    find_run(store, run_id)
    table = schema.predictions
    with writing(store) as connection:
        connection.execute(sa.delete(table).where(table.c.run_id == run_id))
        connection.execute(sa.delete(schema.runs).where(schema.runs.c.id == run_id))
