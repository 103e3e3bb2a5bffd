"""TrainingPanel: start a run, watch it, and find it again after a restart.

A run is a process of its own, and its folder is the truth: the panel follows that folder from the
kernel's event loop, twice a second, and starts nothing by itself.
"""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from ...errors import InvalidSetting
from ...project import Project
from ...runs import Run
from ...store.runs import list_runs
from ...tasks import find_task
from ..asked import AskedWidget
from ..jobs import Job
from ..scripts import join_scripts
from ..still import make_table
from .answers import ANSWERS, draw_png
from .describe import describe_row, describe_run

HERE = Path(__file__).parent
PARTS = ("parts", "dialogs", "asking", "panel", "shortcuts")
TRAINING_PARTS = ("curves", "plan", "runs", "details", "compare", "training")
TICK_SECONDS = 0.5

WITHOUT_WIDGETS = (
    "The training panel of {name!r} needs a front end that shows widgets. Open this notebook in "
    "JupyterLab or Notebook 7 and run the cell again; project.train() trains in any case, and "
    "project.runs lists the runs."
)


class TrainingPanel(AskedWidget):
    """What a project would train on, its runs as they go on, and what they gave.

    inspect: what is called with a finished run that a person wants to inspect; None for no such
    button. `run` is the selected run, or None; observe it. Everything done by hand is a call too:
    `start`, `select`, `delete`, and those of `Project` and `Run`.
    """

    _esm = join_scripts(
        *(HERE.parent / f"{name}.js" for name in PARTS),
        *(HERE / f"{name}.js" for name in TRAINING_PARTS),
    )
    _css = "\n".join(
        path.read_text("utf-8")
        for path in (HERE.parent / "parts.css", HERE.parent / "panel.css", HERE / "training.css")
    )

    run = traitlets.Any(None, allow_none=True, help="The run that is shown.")

    def __init__(self, project: Project, inspect: Callable[[Run], Any] | None = None) -> None:
        self.project, self.inspect = project, inspect
        self.task = find_task(project.task)
        self.job: Job | None = None
        self._runs: dict[str, Run] = {}
        self._told: tuple[Any, Any] = (None, None)
        without = WITHOUT_WIDGETS.format(name=project.name)
        super().__init__(ANSWERS, without, TICK_SECONDS)
        runs = self.read_runs()
        if runs:
            self.run = runs[-1]

    # What a person does, as calls.

    def start(self, preset: str = "fast", name: str | None = None, **settings: Any) -> Run:
        """Start a run in a process of its own, select it and return it.

        settings: as for `Project.start_training`. Raises InvalidSetting and NotEnoughLabels.
        """
        run = self.project.start_training(preset, name=name, **settings)
        return self.select(run.id)

    def select(self, run_id: str) -> Run:
        """Show a run, and return it. Raises RunNotFound."""
        run = self.find(run_id)
        self.run = run
        self.tick()
        return run

    def delete(self, run_id: str) -> None:
        """Delete a run; the newest of the others is shown then."""
        self.find(run_id).delete()
        runs = self.read_runs()
        self.run = runs[-1] if runs else None
        self.tick()

    # The runs, as they are on disk.

    def find(self, run_id: str) -> Run:
        """Return the run of that id; the same object each time, since it reads on where it was."""
        if run_id not in self._runs:
            self._runs[run_id] = self.project.runs[run_id]
        return self._runs[run_id]

    def read_runs(self) -> list[Run]:
        """Return all runs, oldest first; those that are gone are forgotten."""
        ids = [row.id for row in list_runs(self.project.store)]
        self._runs = {run_id: self.find(run_id) for run_id in ids}
        return list(self._runs.values())

    def describe_rows(self) -> list[dict[str, Any]]:
        """Return the list of runs, newest first."""
        return [describe_row(run, self.task) for run in reversed(self.read_runs())]

    def make_still(self) -> str:
        """Return the runs as a table, and the curves of the selected one."""
        rows = [
            [row["name"], row["status"], format_figure(row["figure"]), f"{row['seconds']} s"]
            for row in self.describe_rows()
        ]
        table = make_table([["run", "status", self.task.main_figure, "time"], *rows])
        if self.run is None or not self.run.history:
            return table
        data = b64encode(draw_png(self.run.plot_history())).decode()
        return f'{table}<img alt="Loss and figures" src="data:image/png;base64,{data}">'

    def sign_still(self) -> Any:
        """Return the runs and how they stand; while one goes on the picture waits for its end."""
        return [(row["id"], row["name"], row["status"]) for row in self.describe_rows()]

    def tick(self) -> None:
        """Tell the browser what changed in the runs' folders."""
        with self._lock:
            self._tell_job()
            rows = self.describe_rows()
            if self.run is not None and self.run.id not in self._runs:
                self.run = None
            mine = [row for row in rows if self.run is not None and row["id"] == self.run.id]
            if (rows, mine) == self._told:
                return
            is_new = mine != self._told[1]
            self._told = (rows, mine)
            content: dict[str, Any] = {"kind": "runs", "runs": rows}
            if is_new:
                run = self.run
                content["run"] = None if run is None else describe_run(run, self.task)
            self.send(content)

    # Augmented images take seconds, so they are drawn in a thread.

    def start_augmented(self, preset: str, settings: dict[str, Any]) -> None:
        """Draw images as training would vary them, and send the picture when it is there."""
        if self.job is not None:
            raise InvalidSetting("Augmented images are being drawn already.")
        self.job = Job(
            "Augmented images",
            lambda job: draw_png(self.project.plot_augmentations(preset, 8, **settings)),
        )
        if self._loop is None:
            self.job.run()
            self._tell_job()
        else:
            self.job.start()

    def _tell_job(self) -> None:
        """Send the augmented images, or why there are none, once they are drawn."""
        job = self.job
        if job is None or job.state == "running":
            return
        self.job = None
        picture = [job.result] if job.state == "done" else []
        self.send({"kind": "augmented", "error": job.error}, picture)


def format_figure(figure: float | None) -> str:
    """Return a figure with three digits, a dash for none."""
    return "–" if figure is None else f"{figure:.3f}"
