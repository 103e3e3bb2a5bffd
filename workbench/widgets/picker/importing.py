"""Photos and labels into the chosen project, from a path or a drop, as one piece of work."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import InvalidSetting, UnsupportedFormat
from ...project import Project
from ...transfer.import_report import ImportReport
from ..jobs import Job

LABELS = ("none", "folders", "files")
SHOWN = 200  # rejected files that a browser is told of


def check_import(project: Project, split: str | None, labels: str) -> None:
    """Raise InvalidSetting for what cannot be imported that way."""
    if labels not in LABELS:
        raise InvalidSetting(f"Labels come from {', '.join(LABELS)}, not from {labels!r:.40}.")
    if labels == "folders" and project.task not in ("classification", "anomaly"):
        raise InvalidSetting(f"Folder names say nothing about places in a {project.task} project.")


def import_sources(
    project: Project, sources: Sequence[str | Path], split: str | None, labels: str, job: Job
) -> ImportReport:
    """Add images, and labels where they are asked for, and return what came in.

    labels: "none", "folders" (each image's folder names its class) or "files" (VOC, COCO, YOLO,
    masks or CSV below each folder). Stopping keeps what is in by then.
    """
    report = ImportReport()
    for source in sources:
        report = merge(report, project.add_images(source, split, labels == "folders", job.tell))
        if labels == "files":
            report = merge(report, import_label_files(project, Path(source), job))
    return report


def import_label_files(project: Project, path: Path, job: Job) -> ImportReport:
    """Add the labels of one folder. Raises UnsupportedFormat for a path that is none."""
    if not path.is_dir():
        raise UnsupportedFormat(
            f"Label files are read from a folder, not from {path.name!r}: unpack an archive first. "
            "The images are in the project now."
        )
    found = project.import_labels(path, progress=job.tell)
    return replace(found, duplicates=[])  # they came a moment ago


def merge(first: ImportReport, second: ImportReport) -> ImportReport:
    """Return a report of both."""
    names = ImportReport.__dataclass_fields__
    return ImportReport(**{name: getattr(first, name) + getattr(second, name) for name in names})


def describe_report(report: ImportReport) -> dict[str, Any]:
    """Return what a browser shows of an import."""
    return {
        "summary": repr(report).split("\n", 1)[0],
        "rejected": report.rejected[:SHOWN],
        "hidden": max(len(report.rejected) - SHOWN, 0),
        "notes": report.notes[:SHOWN],
    }
