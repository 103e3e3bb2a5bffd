"""Inspection Workbench: a whole visual-inspection project inside notebook cells.

The names below load when they are first used, so that `import workbench` costs next to nothing and
loads neither torch nor ipywidgets.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import samples
    from .errors import (
        ClassExists,
        ClassInUse,
        ImageNotFound,
        InvalidLabel,
        InvalidModel,
        InvalidSetting,
        LabelConflict,
        NotEnoughLabels,
        ProjectExists,
        ProjectNotFound,
        ProjectVersionError,
        RunFailed,
        RunNotFinished,
        RunNotFound,
        SourceNotFound,
        StorageFailed,
        UnknownClass,
        UnknownFigure,
        UnknownTask,
        UnreadableImage,
        UnsupportedFormat,
        WorkbenchError,
    )
    from .model import Model, load_model
    from .plan import TrainingPlan
    from .project import LabelRevision, Project
    from .project_list import (
        ProjectSummary,
        delete_project,
        list_deleted,
        list_projects,
        restore_project,
    )
    from .report import Report
    from .review import Review
    from .runs import Run
    from .tasks.anomaly import AnomalyLabel, AnomalyPrediction
    from .tasks.classification import ClassLabel, ClassPrediction
    from .tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox
    from .tasks.segmentation import MaskLabel, MaskPrediction
    from .widgets.labelers.labeler import Labeler
    from .widgets.picker.picker import ProjectPicker
    from .widgets.training.panel import TrainingPanel

__version__ = "0.1.0"

__all__ = [
    "AnomalyLabel",
    "AnomalyPrediction",
    "Box",
    "BoxLabel",
    "BoxPrediction",
    "ClassExists",
    "ClassInUse",
    "ClassLabel",
    "ClassPrediction",
    "Comparison",
    "Gallery",
    "ImageNotFound",
    "InvalidLabel",
    "InvalidModel",
    "InvalidSetting",
    "LabelConflict",
    "LabelRevision",
    "Labeler",
    "MaskLabel",
    "MaskPrediction",
    "Model",
    "NotEnoughLabels",
    "Project",
    "ProjectExists",
    "ProjectNotFound",
    "ProjectPicker",
    "ProjectSummary",
    "ProjectVersionError",
    "Report",
    "ReportPanel",
    "Review",
    "Run",
    "RunFailed",
    "RunNotFinished",
    "RunNotFound",
    "ScoredBox",
    "SourceNotFound",
    "StorageFailed",
    "TrainingPanel",
    "TrainingPlan",
    "TypeComparison",
    "UnknownClass",
    "UnknownFigure",
    "UnknownTask",
    "UnreadableImage",
    "UnsupportedFormat",
    "Workbench",
    "WorkbenchError",
    "__version__",
    "compare_runs",
    "compare_types",
    "delete_project",
    "list_deleted",
    "list_projects",
    "load_model",
    "restore_project",
    "samples",
]

_HOMES = {
    "comparison": ("Comparison", "compare_runs"),
    "model": ("Model", "load_model"),
    "plan": ("TrainingPlan",),
    "project": ("LabelRevision", "Project"),
    "project_list": (
        *("ProjectSummary", "delete_project", "list_deleted", "list_projects", "restore_project"),
    ),
    "report": ("Report",),
    "review": ("Review",),
    "runs": ("Run",),
    "tasks.anomaly": ("AnomalyLabel", "AnomalyPrediction"),
    "tasks.classification": ("ClassLabel", "ClassPrediction"),
    "tasks.detection": ("Box", "BoxLabel", "BoxPrediction", "ScoredBox"),
    "tasks.segmentation": ("MaskLabel", "MaskPrediction"),
    "type_comparison": ("TypeComparison", "compare_types"),
    "widgets.inspect.gallery": ("Gallery",),
    "widgets.inspect.report_panel": ("ReportPanel",),
    "widgets.labelers.labeler": ("Labeler",),
    "widgets.picker.picker": ("ProjectPicker",),
    "widgets.training.panel": ("TrainingPanel",),
    "widgets.whole.workbench": ("Workbench",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, and keep it."""
    if name not in __all__:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    if name == "samples":
        value: Any = import_module(".samples", __name__)
    else:
        value = getattr(import_module(f".{_HOME_OF.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not, for completion in a notebook."""
    return sorted({*globals(), *__all__})
