"""The projects below one folder: listed, deleted to the trash, restored."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from .errors import WorkbenchError
from .project import Project
from .store import project_folders
from .store.database import DATABASE
from .store.summary import ProjectSummary, find_modified, summarize

__all__ = ["ProjectSummary", "delete_project", "list_deleted", "list_projects", "restore_project"]

log = logging.getLogger("workbench")


def list_projects(home: str | Path) -> list[ProjectSummary]:
    """Return the projects in the folders right below home, last changed first.

    A folder whose project cannot be opened is left out, and a logged warning says why. A home that
    is not there has no projects.
    """
    home = Path(home).expanduser().absolute()
    found = (path.parent for path in sorted(home.glob(f"*/{DATABASE}")))
    return sorted(_summarize(found), key=lambda summary: summary.modified, reverse=True)


def _summarize(folders: Iterable[Path]) -> list[ProjectSummary]:
    """Return a summary of each project that opens."""
    summaries = []
    for folder in folders:
        modified = find_modified(folder)  # before opening, which writes
        try:
            with Project.open(folder) as project:
                summaries.append(replace(summarize(project.store), modified=modified))
        except WorkbenchError as error:
            log.warning("%s is left out of the list of projects: %s", folder, error)
    return summaries


def delete_project(path: str | Path, for_good: bool = False) -> Path | None:
    """Move a project to the folder .trash beside it, and return where it lies now.

    `restore_project` brings it back. for_good: delete its files instead, which nothing brings back;
    returns None. Raises ProjectNotFound, or InvalidSetting while one of its runs trains.
    """
    if not for_good:
        return project_folders.trash_folder(path)
    project_folders.delete_for_good(path)
    return None


def list_deleted(home: str | Path) -> list[ProjectSummary]:
    """Return the projects in the trash of home, deleted last first; modified says when."""
    home = Path(home).expanduser().absolute()
    summaries = _summarize(project_folders.find_trashed(home))
    return [replace(summary, modified=_find_deleted(summary.path)) for summary in summaries]


def _find_deleted(folder: Path) -> datetime:
    """Return when a project came into the trash, in UTC."""
    return datetime.fromtimestamp(folder.parent.stat().st_mtime, UTC)


def restore_project(path: str | Path) -> Project:
    """Bring a project back from the trash, and open it; "name (2)" where its name is taken.

    path: of the deleted project, as `delete_project` and `list_deleted` say it. Raises
    ProjectNotFound.
    """
    return Project.open(project_folders.restore_folder(path))
