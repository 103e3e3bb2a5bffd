"""Project folders as a whole: copied, moved to the trash, brought back, deleted for good.

The trash is a folder .trash beside the project; each deleted project lies in a folder of its own
there, named for the moment of its deletion.
"""

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from ..errors import InvalidSetting, ProjectExists, ProjectNotFound
from . import schema
from .database import (
    DATABASE,
    Store,
    building,
    check_there,
    copy_database,
    open_store,
    write_name,
    writing,
)
from .files import CONTENT_FOLDERS, explained, run_path, sync_folder
from .run_folder import find_process, is_starting
from .runs import list_runs

TRASH = ".trash"
RUNS = CONTENT_FOLDERS[-1]


def copy_store(source: Store, folder: str | Path, name: str | None = None) -> Store:
    """Copy a project to a new or empty folder and return the copy, open.

    Images and masks are hard links where the file system has them: they take no room twice, and
    are never changed. Runs that still train are left out. Raises ProjectExists or InvalidSetting.
    """
    folder = check_target(source, folder)
    with copying(source, folder, source.task) as target:
        _copy_runs(source, target)
        write_name(target, name or folder.name)
    return open_store(folder)


def check_target(source: Store, folder: str | Path) -> Path:
    """Return the whole path of a copy's folder. Raises InvalidSetting for one in the project."""
    folder = Path(folder).expanduser().absolute()
    if folder.resolve().is_relative_to(source.folder.resolve()):
        raise InvalidSetting(f"{folder} lies inside the project; choose a folder beside it.")
    return folder


@contextmanager
def copying(source: Store, folder: Path, task: str) -> Iterator[Store]:
    """Give a copy that has all of a project but its runs; it becomes one when the block ends.

    An error in the block takes away what was copied.
    """
    try:
        with building(folder, task) as target:
            copy_database(source, target)  # first: the files that it names are there by now
            for kind in CONTENT_FOLDERS:
                if kind != RUNS:
                    link_files(source.folder / kind, folder / kind)
            yield target
    except ProjectExists:
        raise
    except BaseException:
        for kind in CONTENT_FOLDERS:
            shutil.rmtree(folder / kind, ignore_errors=True)
        raise


def link_files(source: Path, target: Path) -> None:
    """Give every plain file below source a second name below target, or copy it; all on disk."""
    for folder, _, names in os.walk(source):
        below = target / Path(folder).relative_to(source)
        with explained(below):
            below.mkdir(parents=True, exist_ok=True)
            for name in names:
                _link(Path(folder) / name, below / name)
            sync_folder(below)
            sync_folder(below.parent)


def _link(source: Path, target: Path) -> None:
    """Give one file a second name; copy it where that cannot be. Links and parts stay behind."""
    if source.is_symlink() or source.suffix == ".part":
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # a part that has its final name by now, or a thumbnail that was made again
    except OSError:
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            os.fsync(file.fileno())


def _copy_runs(source: Store, target: Store) -> None:
    """Copy the folders of the runs that have ended; take the others out of the copy."""
    for row in list_runs(target):
        folder = run_path(source.folder, row.id)
        if is_active(folder):
            with writing(target) as connection:
                for table, key in ((schema.predictions, "run_id"), (schema.runs, "id")):
                    connection.execute(sa.delete(table).where(table.c[key] == row.id))
        elif folder.is_dir():
            with explained(target.folder):
                copied = run_path(target.folder, row.id)
                shutil.copytree(folder, copied, symlinks=True, dirs_exist_ok=True)


def is_active(run_folder: Path) -> bool:
    """Tell whether a process trains in the folder of a run, or is about to."""
    return find_process(run_folder) is not None or is_starting(run_folder)


def trash_folder(folder: str | Path) -> Path:
    """Move a project to the trash beside it, and return where it lies now.

    Raises ProjectNotFound, or InvalidSetting while one of its runs trains.
    """
    folder = _check_idle(folder)
    if is_in_trash(folder):
        raise InvalidSetting(f"{folder} is in the trash already; for_good=True deletes its files.")
    stamp = f"{datetime.now():%Y-%m-%d %H.%M.%S} {uuid.uuid4().hex[:4]}"
    target = folder.parent / TRASH / stamp / folder.name
    _move(folder, target)
    return target


def _check_idle(folder: str | Path) -> Path:
    """Return the whole path of a project. Raises ProjectNotFound, InvalidSetting if it trains."""
    folder = Path(folder).expanduser().absolute()
    check_there(folder)
    for run_folder in sorted((folder / "runs").glob("*")):
        if is_active(run_folder):
            raise InvalidSetting(
                f"The run {run_folder.name} of {folder} is training. Cancel it with "
                f"project.runs[{run_folder.name!r}].cancel(), or wait for its end."
            )
    return folder


def _move(folder: Path, target: Path) -> None:
    """Rename a folder; both folders that changed are on disk after."""
    with explained(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        sync_folder(target.parent)
        sync_folder(folder.parent)


def is_in_trash(folder: Path) -> bool:
    """Tell whether a folder is a project in a trash: .trash/<moment>/<name>."""
    return folder.parent.parent.name == TRASH


def find_trashed(home: Path) -> Iterator[Path]:
    """Yield the folders of the projects in the trash of a home, deleted last first."""
    databases = (home / TRASH).glob(f"*/*/{DATABASE}")
    yield from sorted((path.parent for path in databases), reverse=True)


def restore_folder(folder: str | Path) -> Path:
    """Move a project from the trash to where it was, and return that place.

    It is "name (2)" where the name is taken by now. Raises ProjectNotFound for a folder that is
    not in a trash.
    """
    folder = Path(folder).expanduser().absolute()
    check_there(folder)
    if not is_in_trash(folder):
        raise ProjectNotFound(f"{folder} is not in the trash: see wb.list_deleted().")
    target = free_folder(folder.parent.parent.parent, folder.name)
    _move(folder, target)
    with explained(folder):
        folder.parent.rmdir()
    return target


def free_folder(home: Path, name: str) -> Path:
    """Return home / name, or "name (2)" and so on where that is taken."""
    names: Iterable[str] = (name if i == 1 else f"{name} ({i})" for i in range(1, 10_000))
    for candidate in names:
        if not os.path.lexists(home / candidate):
            return home / candidate
    raise ProjectExists(f"{home} holds {name!r} and thousands of that name; choose another.")


def delete_for_good(folder: str | Path) -> None:
    """Delete the files of a project. Raises ProjectNotFound, or InvalidSetting while it trains.

    project.db goes first, so that what a crash leaves is no project.
    """
    folder = _check_idle(folder)
    with explained(folder):
        (folder / DATABASE).unlink()
        shutil.rmtree(folder)
        if is_in_trash(folder):
            folder.parent.rmdir()


def forget_labels(store: Store, task: str) -> None:
    """Empty a copied database of labels, snapshots and runs, and give it another project type.

    Images keep their splits and the states that a person set; classes keep ids and instructions.
    """
    rows = schema.images
    emptied = (
        *(schema.predictions, schema.runs, schema.snapshot_items, schema.snapshots),
        *(schema.label_items, schema.label_revisions, schema.gestures, schema.places),
    )
    blank = {"is_labeled": False, "label_state": "unlabeled", "revision_id": None}
    state = sa.func.coalesce(rows.c.mark, "unlabeled")
    with writing(store) as connection:
        for table in emptied:
            connection.execute(sa.delete(table))
        connection.execute(sa.delete(rows).where(rows.c.is_removed))
        connection.execute(sa.update(rows).values(**blank, state=state))
        connection.execute(sa.update(schema.project).values(task=task))
