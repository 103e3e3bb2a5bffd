"""What the training panel's browser side asks for, and the acts that are the same in Python."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...comparison import compare_runs
from ..asked import Answer, Answers
from .describe import LONGEST_LOG, describe_plan, describe_run

if TYPE_CHECKING:
    from .panel import TrainingPanel

Params = Mapping[str, Any]
MOST_COMPARED = 12  # images of each kind that a comparison shows


def answer_start(panel: "TrainingPanel", params: Params) -> Answer:
    """Return all that a view shows first: the plan of the fast preset, the runs, the selected."""
    plan = describe_plan(panel.project.plan_training("fast"))
    links = panel.inspect is not None
    return {**describe_all(panel), "plan": plan, "name": panel.project.name, "links": links}, []


def describe_all(panel: "TrainingPanel") -> dict[str, Any]:
    """Return the list of runs and the selected one."""
    selected = None if panel.run is None else describe_run(panel.run, panel.task)
    return {"runs": panel.describe_rows(), "run": selected}


def answer_plan(panel: "TrainingPanel", params: Params) -> Answer:
    """Return what a run with these settings would do."""
    preset, settings = read_settings(params)
    return {"plan": describe_plan(panel.project.plan_training(preset, **settings))}, []


def answer_train(panel: "TrainingPanel", params: Params) -> Answer:
    """Start a run and select it."""
    preset, settings = read_settings(params)
    name = str(params.get("name") or "").strip() or None
    panel.start(preset, name=name, **settings)
    given = "".join(f", {key}={value!r}" for key, value in settings.items())
    return {
        **describe_all(panel),
        "code": f"run = project.start_training(preset={preset!r}{given})",
    }, []


def read_settings(params: Params) -> tuple[str, dict[str, Any]]:
    """Return the preset, and those settings that were filled in."""
    given = params.get("settings") or {}
    settings = {str(name): value for name, value in given.items() if value not in (None, "")}
    return str(params.get("preset", "fast")), settings


def answer_select(panel: "TrainingPanel", params: Params) -> Answer:
    """Select a run."""
    panel.select(str(params["run"]))
    return {**describe_all(panel), "code": f"run = project.runs[{str(params['run'])!r}]"}, []


def answer_cancel(panel: "TrainingPanel", params: Params) -> Answer:
    """Ask a run to stop; it keeps the best model so far."""
    panel.project.runs[str(params["run"])].cancel(wait=False)
    return {**describe_all(panel), "code": "run.cancel()"}, []


def answer_resume(panel: "TrainingPanel", params: Params) -> Answer:
    """Let a run go on from its last checkpoint."""
    panel.project.runs[str(params["run"])].resume()
    return {**describe_all(panel), "code": "run.resume()"}, []


def answer_delete(panel: "TrainingPanel", params: Params) -> Answer:
    """Delete a run with its model and its predictions."""
    panel.delete(str(params["run"]))
    return {**describe_all(panel), "code": "run.delete()"}, []


def answer_rename(panel: "TrainingPanel", params: Params) -> Answer:
    """Give a run another name."""
    name = str(params["name"]).strip()
    panel.find(str(params["run"])).name = name
    return {**describe_all(panel), "code": f"run.name = {name!r}"}, []


def answer_note(panel: "TrainingPanel", params: Params) -> Answer:
    """Write what a person wants to remember of a run."""
    note = str(params["note"])
    panel.find(str(params["run"])).note = note
    return {**describe_all(panel), "code": f"run.note = {note!r}"}, []


def answer_inspect(panel: "TrainingPanel", params: Params) -> Answer:
    """Go to the gallery of a run."""
    if panel.inspect is not None:
        panel.inspect(panel.find(str(params["run"])))
    return {"code": "wb.Gallery(run)"}, []


def answer_compare(panel: "TrainingPanel", params: Params) -> Answer:
    """Compare runs on the same test images: the table, and images that one alone gets right."""
    runs = [panel.find(str(run_id)) for run_id in params["runs"]]
    compared = compare_runs(*runs)
    first, *others = compared.figures
    pairs = [pair for other in others for pair in ((other, first), (first, other))]
    found = {pair: compared.find_only_right(*pair) for pair in pairs}
    images = panel.project.images
    only, buffers = [], []
    for (right, wrong), names in found.items():
        shown = names[:MOST_COMPARED]
        only.append({"right": right, "wrong": wrong, "count": len(names), "names": shown})
        buffers += [images[name].read_thumbnail() for name in shown]
    listed = ", ".join(f"project.runs[{run.id!r}]" for run in runs)
    told = {"headline": compared.headline, "table": compared.table_rows(), "only": only}
    return {"comparison": told, "code": f"wb.compare_runs({listed})"}, buffers


def answer_preview(panel: "TrainingPanel", params: Params) -> Answer:
    """Return what the model said of some dev images after a round, as a picture."""
    previews = panel.find(str(params["run"])).previews
    path = previews.get(int(params["epoch"]))
    return {}, [path.read_bytes() if path is not None else b""]


def answer_log(panel: "TrainingPanel", params: Params) -> Answer:
    """Return the end of what the training process printed."""
    log = panel.find(str(params["run"])).log
    return {"log": log[-LONGEST_LOG:] or "Nothing was printed yet."}, []


def answer_augmented(panel: "TrainingPanel", params: Params) -> Answer:
    """Start to draw images as training would vary them; they come as a message."""
    preset, settings = read_settings(params)
    settings.pop("time_limit", None)
    panel.start_augmented(preset, settings)
    return {"code": f"project.plot_augmentations(preset={preset!r})"}, []


def draw_png(figure: Any) -> bytes:
    """Return a matplotlib Figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


ANSWERS: Answers = {
    "start": answer_start,
    "plan": answer_plan,
    "train": answer_train,
    "select": answer_select,
    "cancel": answer_cancel,
    "resume": answer_resume,
    "delete": answer_delete,
    "rename": answer_rename,
    "note": answer_note,
    "inspect": answer_inspect,
    "compare": answer_compare,
    "preview": answer_preview,
    "log": answer_log,
    "augmented": answer_augmented,
}
