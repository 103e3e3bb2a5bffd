"""ProjectPicker: the widget with which a person finds, makes and fills projects.

The browser asks, Python answers from the disk. What takes long is done in a thread, one piece at a
time; its progress, and what others change below home, reach the browser from the kernel's loop.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from ...errors import InvalidSetting
from ...project import Project
from ...project_list import list_projects
from ...samples import create as create_sample
from ..asked import AskedWidget
from ..jobs import Job
from ..scripts import join_scripts
from ..still import make_table
from .answers import ANSWERS, describe_home
from .cards import Cards, describe_project
from .importing import check_import, describe_report, import_sources
from .uploads import Uploads

HERE = Path(__file__).parent
PARTS = ("parts", "dialogs", "asking", "panel", "shortcuts")
PICKER_PARTS = (
    "upload",
    "importer",
    "job",
    "cards",
    "trash",
    "guide",
    "new_project",
    "chosen",
    "picker",
)
TICK_SECONDS = 0.25  # between two messages about work in progress
LOOK_TICKS = 8  # ticks between two looks at what others changed below home

WITHOUT_WIDGETS = (
    "The project picker needs a front end that shows widgets. Open this notebook in JupyterLab or "
    "Notebook 7, with the kernel of the environment where the package is installed, and run the "
    "cell again; wb.list_projects({home!r}) lists the projects in any case."
)


class ProjectPicker(AskedWidget):
    """Projects below a folder as cards; new ones by type, with a guide; photos dropped into them.

    home: the folder that holds the projects, made when it is needed. `project` is the one that was
    chosen, or None; observe it. Everything done by hand is a call too: `create`, `choose`,
    `create_sample`, `add_images`, and those of `Project` and of the package.
    """

    _esm = join_scripts(
        *(HERE.parent / f"{name}.js" for name in PARTS),
        *(HERE / f"{name}.js" for name in PICKER_PARTS),
    )
    _css = "\n".join(
        path.read_text("utf-8")
        for path in (HERE.parent / "parts.css", HERE.parent / "panel.css", HERE / "picker.css")
    )

    project = traitlets.Any(None, allow_none=True, help="The project that was chosen last.")

    def __init__(self, home: str | Path = "projects") -> None:
        self.home = Path(home).expanduser().absolute()
        self.cards = Cards(self.home)
        self.job: Job | None = None
        self._uploads: dict[str, Uploads] = {}
        self._on_done: Callable[[Job], None] | None = None
        self._ticks, self._seen = 0, self.cards.find_signature()
        self._told: dict[str, Any] = {}
        super().__init__(ANSWERS, WITHOUT_WIDGETS.format(home=str(self.home)), TICK_SECONDS)

    # What a person does, as calls.

    def create(self, name: str, task: str, classes: Sequence[str] = ()) -> Project:
        """Create a project below home, choose it and return it. Raises as Project.create does."""
        target = self.find_target(name)
        return self._choose(Project.create(target, task, classes, name.strip()))

    def choose(self, path: str | Path) -> Project:
        """Choose the project in a folder, and return it. Raises ProjectNotFound."""
        return self._choose(Project.open(path))

    def create_sample(self, name: str) -> Project:
        """Draw a sample project below home, choose it and return it."""
        return self._choose(create_sample(name, self.home))

    def add_images(self, source: Any, split: str | None = None, labels: str = "none") -> Any:
        """Bring images into the chosen project, and return the ImportReport.

        labels: "none"; "folders", where folder names are classes; or "files", where VOC, COCO,
        YOLO, masks or CSV lie below the folder. Raises InvalidSetting.
        """
        project = self._check_chosen(split, labels)
        report = import_sources(project, [source], split, labels, Job("Import", lambda job: None))
        self.refresh()
        return report

    def refresh(self) -> None:
        """Show what others changed; this also happens by itself, every two seconds."""
        with self._lock:
            self._seen = self.cards.find_signature()
            shown = None if self.project is None else describe_project(self.project)
            self.send({"kind": "home", **describe_home(self), "project": shown})

    def make_still(self) -> str:
        """Return the projects as a table."""
        rows = [
            [found.name, found.task, f"{found.labeled} of {found.images} labeled", found.runs]
            for found in list_projects(self.home)
        ]
        return make_table([["project", "type", "labels", "runs"], *rows])

    def sign_still(self) -> Any:
        """Return what changes with the projects."""
        return self._seen

    # What takes long: started here, ended by tick.

    def start_sample(self, name: str) -> None:
        """Draw a sample project in a thread, and choose it."""
        target = self.find_target(name)
        self._start(
            f"Drawing the sample {name}",
            lambda job: create_sample(name, folder=target, progress=job.tell),
            self._choose_result,
        )

    def start_copy(self, source: Path, target: Path, name: str) -> None:
        """Copy a project in a thread."""
        self._start(f"Copying {source.name}", lambda job: _copy(source, target, name))

    def start_conversion(self, source: Path, target: Path, name: str, outline: bool) -> None:
        """Make a segmentation project of a detection project in a thread, and choose it."""

        def work(job: Job) -> Project:
            with Project.open(source) as project:
                return project.make_segmentation(target, name, outline, job.tell)

        title = f"Turning the boxes of {source.name} into masks"
        self._start(title, work, self._choose_result)

    def start_import(self, sources: Sequence[str | Path], split: str | None, labels: str) -> None:
        """Import into the chosen project in a thread."""
        project = self._check_chosen(split, labels)
        self._start(
            f"Importing into {project.name}",
            lambda job: import_sources(project, sources, split, labels, job),
        )

    def find_uploads(self, key: str) -> Uploads:
        """Return the files of one drop; a new place for them where the key is new."""
        if key not in self._uploads:
            self._uploads[key] = Uploads()
        return self._uploads[key]

    def import_upload(self, key: str, split: str | None, labels: str) -> None:
        """Import what was dropped in a thread, and delete it after."""
        project, uploads = self._check_chosen(split, labels), self.find_uploads(key)
        sources = [*([uploads.folder] if any(uploads.folder.iterdir()) else []), *uploads.archives]

        def work(job: Job) -> Any:
            try:
                report = import_sources(project, sources, split, labels, job)
            finally:
                self.drop_upload(key)
            report.rejected += uploads.rejected
            return report

        self._start(f"Importing into {project.name}", work)

    def drop_upload(self, key: str) -> None:
        """Delete what was dropped."""
        uploads = self._uploads.pop(key, None)
        if uploads is not None:
            uploads.close()

    def _start(
        self, title: str, work: Callable[[Job], Any], on_done: Callable[[Job], None] | None = None
    ) -> None:
        """Start a piece of work; without a kernel's loop, do it now."""
        if self.job is not None and self.job.state == "running":
            raise InvalidSetting(
                f"{self.job.title} is still going on: wait for its end, or stop it."
            )
        self.job, self._on_done = Job(title, work), on_done
        if self._loop is None:
            self.job.run()
            self.tick()
        else:
            self.job.start()

    def tick(self) -> None:
        """Tell the browser how far the work is, and now and then what others changed."""
        with self._lock:
            self._tell_job()
            self._ticks += 1
            if self._ticks % LOOK_TICKS == 0 and self.cards.find_signature() != self._seen:
                self.refresh()

    def _tell_job(self) -> None:
        """Tell how far the work is, if that has changed; at its end, what it did."""
        job = self.job
        if job is None:
            return
        told = job.describe()
        if told == self._told:
            return
        self._told = told
        report = describe_report(job.result) if hasattr(job.result, "rejected") else None
        self.send({"kind": "job", "job": told, "report": report})
        if told["state"] == "running":
            return
        self.job, on_done, self._on_done = None, self._on_done, None
        if on_done is not None and told["state"] == "done":
            on_done(job)
        self.refresh()

    # The chosen project.

    def _choose(self, project: Project) -> Project:
        """Make a project the chosen one, show it, and return it."""
        with self._lock:
            self.project = project
            self.send({"kind": "chosen", "project": describe_project(project)})
        return project

    def _choose_result(self, job: Job) -> None:
        """Choose the project that a piece of work has made."""
        self._choose(job.result)

    def let_go(self, folder: Path) -> None:
        """Forget the chosen project if it is the one in that folder, which is to go."""
        if self.project is not None and self.project.path == folder:
            self.project.close()
            self.project = None

    def _check_chosen(self, split: str | None, labels: str) -> Project:
        """Return the chosen project. Raises InvalidSetting without one, or for a wrong import."""
        if self.project is None:
            raise InvalidSetting("No project is chosen: choose one first.")
        check_import(self.project, split, labels)
        chosen: Project = self.project
        return chosen

    def find_target(self, name: str) -> Path:
        """Return the folder for a project of that name: home / name, as a file system can hold it.

        Raises InvalidSetting for a name of which nothing is left.
        """
        cleaned = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", name).strip(" .")
        while len(cleaned.encode()) > 120:
            cleaned = cleaned[:-1]
        if not cleaned.strip("_ ."):
            raise InvalidSetting(
                f"A project needs a name with letters or digits, not {name!r:.80}."
            )
        return self.home / cleaned

    def close(self) -> None:
        """Close the widget in all its views, and delete what was dropped and not imported."""
        for key in list(self._uploads):
            self.drop_upload(key)
        super().close()


def _copy(source: Path, target: Path, name: str) -> None:
    """Copy a project."""
    with Project.open(source) as project:
        project.copy(target, name).close()
