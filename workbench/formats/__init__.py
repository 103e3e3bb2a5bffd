"""Other people's label files: one file for each format, all with the same three functions.

Each has `recognizes(path)`, `read(path, task, classes) -> LabelSet`,
`write(examples, folder, classes, task)`, and TASKS, the project types that it serves.
"""

from pathlib import Path
from types import ModuleType

from ..errors import UnsupportedFormat
from . import coco, csv_table, folders, masks, voc, yolo

# In the order in which they are tried: the first ones cannot be mistaken for others.
FORMATS: dict[str, ModuleType] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "csv": csv_table,
    "masks": masks,
    "folders": folders,
}


def find_format(name: str, task: str) -> ModuleType:
    """Return the format of that name. Raises UnsupportedFormat if it does not serve the task."""
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnsupportedFormat(f"There is no format {name!r:.60}. Choose one of: {known}.")
    if task not in FORMATS[name].TASKS:
        raise UnsupportedFormat(
            f"The format {name!r} cannot hold labels of {task} projects; "
            f"those that can: {', '.join(list_formats(task))}."
        )
    return FORMATS[name]


def list_formats(task: str) -> list[str]:
    """Return the names of the formats that serve a task."""
    return [name for name, room in FORMATS.items() if task in room.TASKS]


def detect_format(path: Path, task: str) -> str:
    """Return the name of the format of a file or folder, among those that serve the task.

    Raises UnsupportedFormat where none fits.
    """
    for name in list_formats(task):
        if FORMATS[name].recognizes(path):
            return name
    raise UnsupportedFormat(
        f"{path.name!r} holds no labels for a {task} project in a format that is known "
        f"({', '.join(list_formats(task))}). Name the format if it is one of them."
    )
