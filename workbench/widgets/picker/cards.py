"""What a card shows of a project, read again only after the project was written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UnreadableImage, WorkbenchError
from ...image_set import Image
from ...project import Project
from ...project_list import list_deleted
from ...runs import ACTIVE
from ...store.database import DATABASE
from ...store.project_folders import find_trashed
from ...store.run_folder import EVENTS
from ...store.summary import find_modified, summarize
from ...tasks import find_task

Signature = tuple[float, ...]


@dataclass
class Cards:
    """The cards of the projects in the folders right below home.

    A card's key is its folder's name; with it, and never with a path, a browser says which project
    it means.
    """

    home: Path
    _kept: dict[Path, tuple[Signature, dict[str, Any]]] = field(default_factory=dict)

    def read(self) -> list[dict[str, Any]]:
        """Return the cards, last changed first; a project that does not open says why."""
        cards = [self._read_card(folder) for folder in self._find_folders()]
        return sorted(cards, key=lambda card: card["modified"], reverse=True)

    def find_signature(self) -> tuple[tuple[str, Signature], ...]:
        """Return what changes when a project comes, goes, or is written."""
        folders = self._find_folders()
        found = [(folder.name, find_signature(folder)) for folder in folders]
        return (*found, ("", (float(self.count_deleted()),)))

    def find_folder(self, key: str) -> Path:
        """Return the folder of a card. Raises WorkbenchError for a key that is none."""
        for folder in self._find_folders():
            if folder.name == key:
                return folder
        raise WorkbenchError(f"There is no project {key!r:.200} in {self.home} any more.")

    def read_thumbnail(self, key: str) -> bytes:
        """Return a JPEG of the project's first image; b"" where there is none."""
        try:
            with Project.open(self.find_folder(key)) as project:
                return b"".join(read_thumbnail(image) for image in project.images.page(0, 1))
        except WorkbenchError:
            return b""

    def count_deleted(self) -> int:
        """Return how many projects the trash holds."""
        return sum(1 for _ in find_trashed(self.home))

    def read_deleted(self) -> list[dict[str, Any]]:
        """Return a row for each project in the trash, deleted last first."""
        return [
            {
                "key": f"{summary.path.parent.name}/{summary.path.name}",
                "name": summary.name,
                "title": find_task(summary.task).title,
                "images": summary.images,
                "labeled": summary.labeled,
                "deleted": summary.modified.timestamp(),
            }
            for summary in list_deleted(self.home)
        ]

    def find_deleted(self, key: str) -> Path:
        """Return the folder of a project in the trash. Raises WorkbenchError for another key."""
        for folder in find_trashed(self.home):
            if f"{folder.parent.name}/{folder.name}" == key:
                return folder
        raise WorkbenchError(f"There is no deleted project {key!r:.200} any more.")

    def _find_folders(self) -> list[Path]:
        """Return the folders of the projects, sorted."""
        return [path.parent for path in sorted(self.home.glob(f"*/{DATABASE}"))]

    def _read_card(self, folder: Path) -> dict[str, Any]:
        """Return the card of a folder: the one that was read before, unless it may be old."""
        signature = find_signature(folder)
        kept = self._kept.get(folder)
        if kept is not None and kept[0] == signature:
            return kept[1]
        modified = find_modified(folder).timestamp()
        try:
            with Project.open(folder) as project:
                card = describe_project(project)
        except WorkbenchError as error:
            card = {"name": folder.name, "path": str(folder), "error": str(error)}
        card |= {"key": folder.name, "modified": modified}
        self._kept[folder] = (find_signature(folder), card)  # opening it may have written
        return card


def read_thumbnail(image: Image) -> bytes:
    """Return the small JPEG of an image; b"" where its file cannot be read."""
    try:
        return image.read_thumbnail()
    except UnreadableImage:
        return b""


def find_signature(folder: Path) -> Signature:
    """Return when the database of a project and the events of its runs were last written."""
    events = sorted((folder / "runs").glob(f"*/{EVENTS}"))
    return (find_modified(folder).timestamp(), *(path.stat().st_mtime for path in events))


def describe_project(project: Project) -> dict[str, Any]:
    """Return what a card and the page of a project show."""
    counts = summarize(project.store)
    return {
        "name": counts.name,
        "task": counts.task,
        "title": find_task(counts.task).title,
        "path": str(project.path),
        "images": counts.images,
        "labeled": counts.labeled,
        "runs": counts.runs,
        "run": describe_last_run(project),
        "classes": [{"name": name, "color": color} for name, color in project.colors.items()],
    }


def describe_last_run(project: Project) -> str:
    """Return the newest run in a few words; "" where there is none."""
    if not len(project.runs):
        return ""
    run = project.runs[-1]
    if run.status in ACTIVE:
        return f"{run.name}: {run.status}, {run.progress:.0%}"
    name = find_task(project.task).main_figure
    figure = run.metrics.get(name)
    return f"{run.name}: {run.status}" if figure is None else f"{run.name}: {name} {figure:.2f}"
