"""ExportPanel: take labels away in other people's formats, and a model that runs anywhere."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import InvalidSetting
from ...formats import list_formats
from ...project import Project
from ..asked import Answer, Answers, AskedWidget
from ..jobs import Job
from ..scripts import join_scripts

HERE = Path(__file__).parent
PARTS = ("parts", "asking", "panel", "shortcuts", "job_bar")
CSS = (HERE.parent / "parts.css", HERE.parent / "panel.css", HERE / "images.css")
TICK_SECONDS = 0.5

WITHOUT_WIDGETS = (
    "The export needs a front end that shows widgets; project.export() writes labels and "
    "run.export() a model in any case."
)

Params = Mapping[str, Any]


class ExportPanel(AskedWidget):
    """Labels as files of other tools, and the model of a finished run as ONNX."""

    _esm = join_scripts(*(HERE.parent / f"{name}.js" for name in PARTS), HERE / "export.js")
    _css = "\n".join(path.read_text("utf-8") for path in CSS)

    def __init__(self, project: Project) -> None:
        self.project = project
        self._job: Job | None = None
        self._told: dict[str, Any] = {}
        super().__init__(ANSWERS, WITHOUT_WIDGETS, TICK_SECONDS)

    def start(self, title: str, work: Callable[[Job], Any]) -> None:
        """Export in a thread. Raises InvalidSetting while another export goes on."""
        if self._job is not None and self._job.state == "running":
            raise InvalidSetting("An export goes on already; wait for it, or stop it.")
        self._job = Job(title, work)
        if self._loop is None:
            self._job.run()
        else:
            self._job.start()
        self.tick()

    def stop(self) -> None:
        """Stop the export."""
        if self._job is not None:
            self._job.stop()

    def tick(self) -> None:
        """Tell how far the export is."""
        with self._lock:
            job = self._job
            if job is None:
                return
            told = {**job.describe(), "words": describe_end(job)}
            if told != self._told:
                self._told = told
                self.send({"kind": "job", "job": told, "runs": list_models(self.project)})


def describe_end(job: Job) -> str:
    """Return what came of an export, in words."""
    if job.state == "done":
        return str(job.result)
    return {"failed": job.error, "stopped": "Stopped."}.get(job.state, "")


def list_models(project: Project) -> list[dict[str, str]]:
    """Return the runs that have a model, newest first."""
    runs = [run for run in project.runs if run.status in ("finished", "cancelled")]
    return [{"id": run.id, "name": run.name} for run in reversed(runs)]


def answer_start(panel: ExportPanel, params: Params) -> Answer:
    """Return what can be exported."""
    project = panel.project
    return {
        "name": project.name,
        "formats": list_formats(project.task),
        "runs": list_models(project),
        "folder": str(project.path.parent / f"{project.path.name}-export"),
    }, []


def answer_labels(panel: ExportPanel, params: Params) -> Answer:
    """Start to write labels and images."""
    folder, kind = str(params["folder"]), str(params["format"])
    overwrite = bool(params.get("overwrite"))
    project = panel.project
    panel.start(
        "Labels", lambda job: project.export(folder, kind, overwrite=overwrite, progress=job.tell)
    )
    given = ", overwrite=True" if overwrite else ""
    return {"code": f"project.export({folder!r}, format={kind!r}{given})"}, []


def answer_model(panel: ExportPanel, params: Params) -> Answer:
    """Write the model of a run."""
    folder, run = str(params["folder"]), panel.project.runs[str(params["run"])]
    panel.start("Model", lambda job: f"The model is in {run.export(folder)}.")
    return {"code": f"project.runs[{run.id!r}].export({folder!r})"}, []


def answer_stop(panel: ExportPanel, params: Params) -> Answer:
    """Stop the export."""
    panel.stop()
    return {}, []


ANSWERS: Answers = {
    "start": answer_start,
    "labels": answer_labels,
    "model": answer_model,
    "stop": answer_stop,
}
