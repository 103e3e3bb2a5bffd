"""What a list of projects shows of each."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .database import DATABASE, Store, read_name
from .runs import list_runs
from .search import Filter, count_images


@dataclass(frozen=True)
class ProjectSummary:
    """One row of a list of projects. modified: when it was last written, in UTC."""

    name: str
    task: str
    path: Path
    images: int
    labeled: int
    runs: int
    modified: datetime


def summarize(store: Store) -> ProjectSummary:
    """Return the name and the counts of a project."""
    return ProjectSummary(
        read_name(store),
        store.task,
        store.folder,
        count_images(store),
        count_images(store, [Filter(labeled=True)]),
        len(list_runs(store)),
        find_modified(store.folder),
    )


def find_modified(folder: Path) -> datetime:
    """Return when the database was last written; its -wal file holds the newest changes."""
    files = [folder / DATABASE, folder / f"{DATABASE}-wal"]
    times = [file.stat().st_mtime for file in files if file.exists() and file.stat().st_size]
    return datetime.fromtimestamp(max(times, default=0.0), UTC)
