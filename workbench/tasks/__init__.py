"""The four project types: what each is called, when to choose it, and the room that knows it.

Every room has the same furniture: the label and prediction values, `check_label`, `check_enough`,
`count_items`, `pack_label` / `unpack_label`, `pack_prediction` / `unpack_prediction`, `decode`,
`evaluate`, `draw`.
"""

from dataclasses import dataclass
from types import ModuleType

from ..errors import UnknownTask
from . import anomaly, classification, detection, segmentation


@dataclass(frozen=True)
class Task:
    """One row of the table: a project type, in words for a person and as code.

    main_figure: the figure of `evaluate` that says best how good a model is; higher is better.
    """

    name: str
    title: str
    when: str
    label_type: type
    prediction_type: type
    room: ModuleType
    main_figure: str


TASKS = {
    task.name: task
    for task in (
        Task(
            "classification",
            "Classification",
            "What matters is the image as a whole, not a place in it: bolt or washer.",
            classification.ClassLabel,
            classification.ClassPrediction,
            classification,
            "accuracy",
        ),
        Task(
            "detection",
            "Object detection",
            "Things of several classes to find and count. The best place to start.",
            detection.BoxLabel,
            detection.BoxPrediction,
            detection,
            "map_50",
        ),
        Task(
            "segmentation",
            "Segmentation",
            "The exact shape matters: a crack in a tile. Slower to label, more precise.",
            segmentation.MaskLabel,
            segmentation.MaskPrediction,
            segmentation,
            "mean_iou",
        ),
        Task(
            "anomaly",
            "Anomaly detection",
            "Few or no defects to learn from, or not known which will come. Expect more overkill.",
            anomaly.AnomalyLabel,
            anomaly.AnomalyPrediction,
            anomaly,
            "auroc",
        ),
    )
}


def find_task(name: str) -> Task:
    """Return the task of that name. Raises UnknownTask, naming the four."""
    if name not in TASKS:
        raise UnknownTask(f"There is no project type {name!r}. Choose one of: {', '.join(TASKS)}.")
    return TASKS[name]
