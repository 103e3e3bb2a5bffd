"""project.db: create it, open it, bring it up to date, and run short transactions on it.

All that is special to SQLite is in this file.
"""

import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from ..errors import ProjectExists, ProjectNotFound, ProjectVersionError, StorageFailed
from ..tasks import find_task
from . import schema
from .classes import add_class_rows
from .files import CONTENT_FOLDERS, explained, sync_folder

DATABASE = "project.db"
UNFINISHED = "project.db.new"
BUSY_SECONDS = 30

# Step i brings a database of version i + 1 to version i + 2. All steps of one opening are one
# transaction. Steps are never changed once released, and write SQL of their own time rather than
# use the tables of schema.py, which move on.
Step = Callable[[sa.Connection], None]


def _add_undo_and_gestures(connection: sa.Connection) -> None:
    """Version 2: which change takes back which, gestures applied, instructions, places."""
    for statement in (
        "ALTER TABLE label_revisions ADD COLUMN kind VARCHAR(4) NOT NULL DEFAULT 'set'",
        "ALTER TABLE label_revisions ADD COLUMN target INTEGER",
        "ALTER TABLE label_revisions ADD COLUMN act VARCHAR(100)",
        "CREATE INDEX label_revisions_act ON label_revisions (act)",
        "CREATE TABLE gestures (id VARCHAR(100) NOT NULL PRIMARY KEY, created DATETIME NOT NULL)",
        "ALTER TABLE classes ADD COLUMN instructions TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE places (key VARCHAR(100) NOT NULL PRIMARY KEY, value JSON NOT NULL)",
    ):
        connection.exec_driver_sql(statement)


STEPS: tuple[Step, ...] = (_add_undo_and_gestures,)


@dataclass
class Changes:
    """How many transactions this process has written; who kept rows sees that they may be old."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self) -> None:
        """Count one more."""
        with self.lock:
            self.count += 1


@dataclass(frozen=True)
class Store:
    """An open project folder: the handle that all store functions take first."""

    folder: Path
    engine: sa.Engine
    task: str
    changes: Changes = field(default_factory=Changes, compare=False, repr=False)

    def close(self) -> None:
        """Close the database's connections; the next use opens new ones."""
        self.engine.dispose()


@contextmanager
def reading(store: Store) -> Iterator[sa.Connection]:
    """Give a connection that sees one state of the database until the block ends."""
    with _database_errors(store.folder), store.engine.connect() as connection:
        yield connection


@contextmanager
def writing(store: Store) -> Iterator[sa.Connection]:
    """Give a connection that holds the write lock; what it did is on disk once the block ends.

    An error in the block takes everything back. Keep the block short: all other writers wait.
    """
    with _database_errors(store.folder), store.engine.connect() as connection:
        connection = connection.execution_options(is_writing=True)
        with connection.begin():
            yield connection
    store.changes.add()


@contextmanager
def _database_errors(folder: Path) -> Iterator[None]:
    """Turn what the database says into StorageFailed, with the way out."""
    try:
        yield
    except DatabaseError as error:
        reason = str(error.orig)
        if isinstance(error, OperationalError) or "malformed" in reason or "not a data" in reason:
            raise StorageFailed(_explain(folder, reason)) from error
        raise
    except sqlite3.Error as error:  # from _on_connect, which SQLAlchemy does not wrap
        raise StorageFailed(_explain(folder, str(error))) from error


def _explain(folder: Path, reason: str) -> str:
    """Return one sentence about a database error."""
    path = folder / DATABASE
    if "locked" in reason or "busy" in reason:
        return f"{path} is in use by another program for over {BUSY_SECONDS} s; try again later."
    if "full" in reason:
        return f"{path} could not be written: the disk is full. Free some space and try again."
    if "readonly" in reason or "unable to open" in reason:
        return f"{path} could not be written: {reason}. Check the permissions of its folder."
    return f"{path} could not be used: {reason}. If it is damaged, restore it from a backup."


def make_engine(path: Path) -> sa.Engine:
    """Return an engine for the SQLite file, ready for several threads and processes."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, record: Any) -> None:
    """Set up one connection: durable, and patient when others write."""
    connection.isolation_level = None  # sqlite3 would begin late; _on_begin does it
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",  # with WAL, anything less can lose acknowledged labels in a power cut
        "foreign_keys = ON",
        "trusted_schema = OFF",  # a forged project.db must not call functions from its schema
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_begin(connection: sa.Connection) -> None:
    """Take the write lock first: a reader that turns writer late fails at once, without waiting."""
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def create_store(
    folder: str | Path,
    task: str,
    classes: Sequence[str] = (),
    name: str | None = None,
    colors: Mapping[str, str] | None = None,
) -> Store:
    """Create a project folder and return it, open. Raises ProjectExists if it holds anything."""
    find_task(task)
    folder = Path(folder).expanduser().absolute()
    with building(folder, task) as store:
        _fill(store, classes, name or folder.name, colors or {})
    return open_store(folder)


@contextmanager
def building(folder: Path, task: str) -> Iterator[Store]:
    """Give a store whose database is empty; it becomes the folder's project when the block ends.

    The database is made under another name and moved when it is whole, so that a crash leaves a
    folder that can be created again. Raises ProjectExists if the folder holds anything.
    """
    _check_free(folder)
    path = folder / f"{UNFINISHED}-{uuid.uuid4().hex}"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    engine = make_engine(path)
    try:
        with _database_errors(folder):
            yield Store(folder, engine, task)
        engine.dispose()
        _put_in_place(path, folder / DATABASE)
    finally:
        engine.dispose()
        for part in folder.glob(f"{path.name}*"):
            part.unlink(missing_ok=True)


def copy_database(source: Store, target: Store) -> None:
    """Fill an empty store with what another one holds, as it was last committed."""
    path = target.engine.url.database
    with _database_errors(source.folder):
        _copy_file(source.folder / DATABASE, Path(str(path)))


def _copy_file(source: Path, target: Path) -> None:
    """Copy a database, whoever writes to it meanwhile."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)


def _check_free(folder: Path) -> None:
    """Raise ProjectExists if the folder holds anything but what an interrupted creation left."""
    if folder.exists() and not folder.is_dir():
        raise ProjectExists(f"{folder} is a file. Choose another folder for the project.")
    if (folder / DATABASE).exists():
        raise ProjectExists(f"{folder} already holds a project. Open it with Project.open().")
    names = {path.name for path in folder.glob("*")}
    unfinished = {name for name in names if name.startswith(UNFINISHED)}
    others = names - unfinished - (set(CONTENT_FOLDERS) if unfinished else set())
    if others:
        raise ProjectExists(
            f"{folder} already holds other files, such as {min(others)!r}. "
            "Choose a new or empty folder for the project."
        )


def _fill(store: Store, classes: Sequence[str], name: str, colors: Mapping[str, str]) -> None:
    """Make the tables and their first rows."""
    with writing(store) as connection:
        schema.METADATA.create_all(connection)
        connection.execute(sa.insert(schema.schema_version).values(version=len(STEPS) + 1))
        row = {"id": 1, "name": name, "task": store.task, "created": schema.now()}
        connection.execute(sa.insert(schema.project).values(row))
        add_class_rows(connection, store.task, classes, colors)


def _put_in_place(path: Path, target: Path) -> None:
    """Rename path to target unless that exists by now."""
    with explained(target):
        try:
            os.link(path, target)
        except FileExistsError as error:
            raise ProjectExists(f"{target.parent} already holds a project. Open it.") from error
        except OSError:  # a file system without hard links
            path.replace(target)
        sync_folder(target.parent)
        sync_folder(target.parent.parent)


def open_store(folder: str | Path, steps: Sequence[Step] = STEPS) -> Store:
    """Open a project folder, bringing an older database up to date first.

    Raises ProjectNotFound, ProjectVersionError (written by a newer version) or StorageFailed.
    """
    folder = Path(folder).expanduser().absolute()
    check_there(folder)
    engine = make_engine(folder / DATABASE)
    try:
        with _database_errors(folder):
            _upgrade(engine, folder, steps)
            with engine.connect() as connection:
                task = connection.execute(sa.select(schema.project.c.task)).scalar_one()
    except SQLAlchemyError as error:
        engine.dispose()
        raise ProjectNotFound(f"{folder / DATABASE} holds no project: {error}") from error
    except BaseException:
        engine.dispose()
        raise
    find_task(task)
    return Store(folder, engine, task)


def check_there(folder: Path) -> None:
    """Raise ProjectNotFound unless the folder holds a database."""
    if (folder / DATABASE).is_file():
        return
    if any(folder.glob(f"{UNFINISHED}*")):
        raise ProjectNotFound(
            f"The project in {folder} was never finished: its creation was interrupted. "
            "Create it again with Project.create()."
        )
    raise ProjectNotFound(
        f"There is no project in {folder}. Check the path, or make one with Project.create()."
    )


def _upgrade(engine: sa.Engine, folder: Path, steps: Sequence[Step]) -> None:
    """Run the steps that the database lacks, in one transaction, after a backup."""
    newest = len(steps) + 1
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("schema_version"):
            raise ProjectNotFound(f"{folder / DATABASE} holds no project; restore a backup of it.")
        if _read_version(connection, folder, newest) == newest:
            return
    with engine.connect().execution_options(is_writing=True) as connection, connection.begin():
        version = _read_version(connection, folder, newest)  # another process may have been faster
        if version < newest:
            _back_up(folder, version)
        for step in steps[version - 1 :]:
            step(connection)
        connection.execute(sa.update(schema.schema_version).values(version=newest))


def _read_version(connection: sa.Connection, folder: Path, newest: int) -> int:
    """Return the database's version. Raises ProjectVersionError if it is above newest."""
    version = int(connection.execute(sa.select(schema.schema_version.c.version)).scalar_one())
    if version > newest:
        raise ProjectVersionError(
            f"The project in {folder} was written by a newer version of the workbench (schema "
            f"{version}, this one knows {newest}). Update with: pip install -U inspection-workbench"
        )
    return version


def _back_up(folder: Path, version: int) -> None:
    """Copy project.db, as it was last committed, to project-v<version>.db."""
    target = folder / f"project-v{version}.db"
    part = target.with_name(f"{target.name}.part")
    try:
        with explained(target):
            _copy_file(folder / DATABASE, part)
            part.replace(target)
            sync_folder(folder)
    except sqlite3.Error as error:
        raise StorageFailed(_explain(folder, str(error))) from error


def read_name(store: Store) -> str:
    """Return what the project is called."""
    with reading(store) as connection:
        return str(connection.execute(sa.select(schema.project.c.name)).scalar_one())


def write_name(store: Store, name: str) -> None:
    """Call the project by another name; its folder stays."""
    with writing(store) as connection:
        connection.execute(sa.update(schema.project).values(name=name))
