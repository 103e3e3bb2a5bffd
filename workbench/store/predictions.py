"""What a run's model said of each image: a record in the database, arrays in the run's folder."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import sqlalchemy as sa

from ..errors import StorageFailed
from ..tasks import find_task
from . import schema
from .database import Store, reading, writing
from .files import explained, replace_file, run_path


def write_predictions(store: Store, run_id: str, predictions: Sequence[tuple[int, Any]]) -> None:
    """Store predictions of a run by image id; those of the same images before are replaced."""
    room = find_task(store.task).room
    rows = []
    for image_id, prediction in predictions:
        record, arrays = room.pack_prediction(prediction)
        if arrays:
            _write_arrays(_arrays_path(store, run_id, image_id), arrays)
        row = {"run_id": run_id, "image_id": image_id, "record": record}
        rows.append({**row, "has_arrays": bool(arrays)})
    if not rows:
        return
    table = schema.predictions
    with writing(store) as connection:
        old = (table.c.run_id == run_id) & (table.c.image_id == sa.bindparam("old_id"))
        connection.execute(sa.delete(table).where(old), [{"old_id": r["image_id"]} for r in rows])
        connection.execute(sa.insert(table), rows)


def _arrays_path(store: Store, run_id: str, image_id: int) -> Path:
    """Return where the arrays of one prediction lie."""
    return run_path(store.folder, run_id) / "predictions" / f"{int(image_id)}.npz"


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as one compressed file, at once."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda part: part.write_bytes(buffer.getvalue()))


def read_prediction(store: Store, run_id: str, image_id: int) -> Any:
    """Return what the run's model said of an image, or None where it was not asked."""
    table = schema.predictions
    query = sa.select(table.c.record, table.c.has_arrays)
    query = query.where(table.c.run_id == run_id, table.c.image_id == image_id)
    with reading(store) as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    arrays = _read_arrays(_arrays_path(store, run_id, image_id)) if row.has_arrays else {}
    return find_task(store.task).room.unpack_prediction(row.record, arrays)


def read_predictions(store: Store, run_id: str, image_ids: Sequence[int]) -> Iterator[Any]:
    """Yield (image id, prediction) of up to some hundred images, by id, for those that have one."""
    table = schema.predictions
    query = sa.select(table.c.image_id, table.c.record, table.c.has_arrays)
    query = query.where(table.c.run_id == run_id, table.c.image_id.in_(image_ids))
    query = query.order_by(table.c.image_id)
    room = find_task(store.task).room
    with reading(store) as connection:
        rows = connection.execute(query).all()
    for row in rows:
        path = _arrays_path(store, run_id, row.image_id)
        arrays = _read_arrays(path) if row.has_arrays else {}
        yield row.image_id, room.unpack_prediction(row.record, arrays)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one file. Raises StorageFailed when it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StorageFailed(f"{path} cannot be read ({error}); predict again.") from error


def predicted_ids(store: Store, run_id: str) -> set[int]:
    """Return the ids of the images that have a prediction of the run."""
    table = schema.predictions
    query = sa.select(table.c.image_id).where(table.c.run_id == run_id)
    with reading(store) as connection:
        return set(connection.execute(query).scalars())
