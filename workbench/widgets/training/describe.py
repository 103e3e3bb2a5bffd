"""What the training panel shows of plans and runs."""

import math
from typing import Any

from ...plan import TrainingPlan
from ...runs import ACTIVE, Run
from ...settings import BACKBONES, BOUNDS
from ...store.splits import SPLITS
from ...tasks import Task

LONGEST_LOG = 20_000  # characters of it that a browser gets, the last ones
SURE_PROGRESS = 0.02  # of a run, before which the time left is anybody's guess


def describe_plan(plan: TrainingPlan) -> dict[str, Any]:
    """Return the plan as a browser shows it."""
    rows = [[name, *(counts[split] for split in SPLITS)] for name, counts in plan.per_class.items()]
    return {
        "rows": [*rows, ["all labeled images", *(plan.labeled[split] for split in SPLITS)]],
        "splits": list(SPLITS),
        "work": plan.work,
        "duration": plan.duration,
        "memory_gb": round(plan.memory_bytes / 1e9, 1),
        "free_gb": round(plan.free_bytes / 1e9, 1),
        "cores": plan.cores,
        "problem": plan.problem,
        "warnings": list(plan.warnings),
        "settings": {name: getattr(plan.settings, name) for name in (*BOUNDS, "backbone")},
        "backbones": list(BACKBONES),
    }


def describe_row(run: Run, task: Task) -> dict[str, Any]:
    """Return one row of the list of runs."""
    status, progress = run.status, run.progress
    figure = run.metrics.get(task.main_figure)
    seconds = run.seconds
    is_known = status == "running" and progress > SURE_PROGRESS
    return {
        "id": run.id,
        "name": run.name,
        "status": status,
        "progress": progress,
        "figure_name": task.main_figure,
        "figure": None if figure is None or math.isnan(figure) else figure,
        "created": run.created.timestamp(),
        "seconds": round(seconds),
        "remaining": round(seconds * (1 - progress) / progress) if is_known else None,
        "is_active": status in ACTIVE,
    }


def describe_run(run: Run, task: Task) -> dict[str, Any]:
    """Return the selected run: its row, its curves, its figures, and what it wants to say."""
    return {
        **describe_row(run, task),
        "history": [clean(entry) for entry in run.history],
        "metrics": clean(run.metrics),
        "settings": run.settings,
        "notes": run.notes,
        "note": run.note,
        "error": run.error,
        "previews": list(run.previews),
        "snapshot": run.snapshot.name,
        "changed_labels": run.changed_labels,
    }


def clean(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that JSON has: without nan and infinities."""
    return {
        name: value
        for name, value in values.items()
        if not (isinstance(value, float) and not math.isfinite(value))
    }
