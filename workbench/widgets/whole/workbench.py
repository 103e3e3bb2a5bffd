"""Workbench: the whole in one widget, with links from each tab to the others."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from ...errors import InvalidSetting, RunNotFinished
from ...image_set import Image
from ...project import Project
from ...runs import Run
from ..inspect.gallery import Gallery
from ..labelers.labeler import Labeler
from ..picker.picker import ProjectPicker
from ..still import Still
from ..training.panel import TrainingPanel
from .export import ExportPanel
from .images import ImagesPanel

TABS = ("Projects", "Images", "Label", "Train", "Inspect", "Export")
CHOOSE = "Choose a project in the tab Projects first."
NO_MODEL = "No run of this project has a model yet: train one in the tab Train."


class Workbench(Still, ipywidgets.VBox):  # type: ignore[misc]
    """The picker, and for the chosen project its images, labels, runs, reports and exports.

    home: the folder that holds the projects. `project` is the chosen one, or None; observe it.
    `go` shows a tab, as a click on it does. What a tab shows is made when it is first looked at.
    """

    project = traitlets.Any(None, allow_none=True, help="The chosen project.")

    def __init__(self, home: str | Path = "projects") -> None:
        self.picker = ProjectPicker(home)
        self.picker.on_tick = self.update_still
        self._made: dict[str, Any] = {}
        self._boxes = {name: ipywidgets.VBox([]) for name in TABS}
        self._boxes["Projects"].children = [self.picker]
        self.tabs = ipywidgets.Tab(list(self._boxes.values()), titles=TABS)
        self.tabs.selected_index = 0
        self.runs = ipywidgets.Dropdown(description="Run")
        self.runs.observe(self._change_run, "value")
        super().__init__([self.tabs])
        self.add_class("workbench-workbench")
        self.tabs.observe(lambda change: self._fill(TABS[change["new"] or 0]), "selected_index")
        self.picker.observe(lambda change: self._take(change["new"]), "project")
        self._take(None)

    # What a person does, as calls.

    def go(self, tab: str) -> Any:
        """Show a tab, and return the widget in it, or None. Raises InvalidSetting.

        tab: "Projects", "Images", "Label", "Train", "Inspect" or "Export".
        """
        if tab not in TABS:
            raise InvalidSetting(f"The tabs are {', '.join(TABS)}, not {tab!r:.40}.")
        self.tabs.selected_index = TABS.index(tab)
        self._fill(tab)
        return self._made.get(tab)

    def label(self, image: Image | str) -> Labeler:
        """Open an image in the tab Label."""
        labeler: Labeler = self.go("Label")
        labeler.show(image)
        return labeler

    def inspect(self, run: Run) -> Gallery:
        """Open a finished run in the tab Inspect. Raises RunNotFinished."""
        run.model()
        self.go("Inspect")
        self._list_runs()
        self.runs.value = run.id
        gallery: Gallery = self._made["Inspect"]
        return gallery

    # What the tabs hold.

    def _take(self, project: Project | None) -> None:
        """Follow the picker to another project: its tabs are made anew."""
        for widget in self._made.values():
            widget.close()
        self._made = {}
        self.project = project
        for name in TABS[1:]:
            words = "" if project is not None else CHOOSE
            self._boxes[name].children = [ipywidgets.Label(words)] if words else []
        if self.tabs.selected_index:
            self._fill(TABS[self.tabs.selected_index])

    def _fill(self, tab: str) -> None:
        """Make what a tab shows, where it is not there yet."""
        if self.project is None or tab == "Projects":
            return
        if tab == "Inspect":
            self._list_runs()
            return
        if tab in self._made:
            return
        makers: dict[str, Callable[[], Any]] = {
            "Images": lambda: ImagesPanel(self.project, self.label),
            "Label": lambda: Labeler(self.project),
            "Train": lambda: TrainingPanel(self.project, self.inspect),
            "Export": lambda: ExportPanel(self.project),
        }
        self._made[tab] = makers[tab]()
        self._boxes[tab].children = [self._made[tab]]

    def _list_runs(self) -> None:
        """Offer the runs that have a model, the newest first, and show the chosen one."""
        if self.project is None:
            return
        listed = [(run.name, run.id) for run in self.project.runs if has_model(run)][::-1]
        box = self._boxes["Inspect"]
        if not listed:
            box.children = [ipywidgets.Label(NO_MODEL)]
            return
        if tuple(listed) != tuple(self.runs.options):
            chosen = self.runs.value
            self.runs.options = listed
            ids = [run_id for _, run_id in listed]
            self.runs.value = chosen if chosen in ids else ids[0]
        self._show_run(self.runs.value)

    def _change_run(self, change: Any) -> None:
        """Inspect the run that was chosen."""
        if change["new"] is not None and self.project is not None:
            self._show_run(change["new"])

    def _show_run(self, run_id: str) -> None:
        """Show the gallery of a run, where it is not shown already."""
        assert self.project is not None
        shown = self._made.get("Inspect")
        if shown is not None and shown.run.id == run_id:
            return
        gallery = Gallery(self.project.runs[run_id])
        self._made["Inspect"] = gallery
        self._boxes["Inspect"].children = [self.runs, gallery]
        if shown is not None:
            shown.close()

    def make_still(self) -> str:
        """Return the still of the tab that is shown."""
        tab = TABS[self.tabs.selected_index or 0]
        shown = self.picker if tab == "Projects" else self._made.get(tab)
        name = "" if self.project is None else f"<p><b>{escape(self.project.name)}</b></p>"
        return name + (shown.make_still() if shown is not None else "")

    def sign_still(self) -> Any:
        """Return the tab, and what its still depends on."""
        tab = TABS[self.tabs.selected_index or 0]
        shown = self.picker if tab == "Projects" else self._made.get(tab)
        return tab, None if shown is None else shown.sign_still()

    def close(self) -> None:
        """Close the workbench in all its views."""
        for widget in [*getattr(self, "_made", {}).values(), getattr(self, "picker", None)]:
            if widget is not None:
                widget.close()
        super().close()


def has_model(run: Run) -> bool:
    """Tell whether a run can be inspected."""
    try:
        run.model()
    except RunNotFinished:
        return False
    return True
