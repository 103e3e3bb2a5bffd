"""Batch prediction: many photos that are in no project, into one table."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UnreadableImage, UnsupportedFormat
from .model import Model
from .photos.entry_names import Rejected, Skipped
from .photos.reading import read_image
from .photos.sources import count_files, iterate_sources
from .progress import Progress, show_progress
from .store.files import explained, replace_file
from .tasks.anomaly import AnomalyPrediction
from .tasks.classification import ClassPrediction
from .tasks.detection import BoxPrediction
from .tasks.segmentation import MaskPrediction

FORMATS = (".csv", ".json")


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch: the file, how many photos it tells of, what could not be read."""

    path: Path
    images: int
    rejected: list[tuple[str, str]]

    def __repr__(self) -> str:
        """Return it in a line."""
        unread = f", {len(self.rejected)} could not be read" if self.rejected else ""
        return f"<BatchReport: {self.images} images in {self.path}{unread}>"


def predict_files(
    model: Model, source: Any, target: str | Path, threshold: float, progress: Progress = True
) -> BatchReport:
    """Predict each photo of a source, and write one row for each to a .csv or .json file.

    source: as for project.add_images. What cannot be read is told in the report. Raises
    SourceNotFound and UnsupportedFormat, before anything is predicted.
    """
    path = Path(target).expanduser()
    if path.suffix.lower() not in FORMATS:
        raise UnsupportedFormat(f"Predictions are written to .csv or .json, not to {path.name!r}.")
    rejected: list[tuple[str, str]] = []
    found = iterate_sources(source)
    shown = show_progress(found, count_files(source), "Predict", "images", progress)
    rows = list(_predict_each(model, shown, threshold, rejected))
    write = write_csv if path.suffix.lower() == ".csv" else write_json
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda part: write(part, rows))
    return BatchReport(path, len(rows), rejected)


def _predict_each(
    model: Model, found: Any, threshold: float, rejected: list[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Yield the row of each photo; note what cannot be read."""
    for file in found:
        if isinstance(file, Rejected):
            rejected.append((file.name, file.reason))
        if isinstance(file, Rejected | Skipped):
            continue
        try:
            image = read_image(file.read())
        except UnreadableImage as error:
            rejected.append((file.name, str(error)))
            continue
        prediction = model.predict_array(image, threshold)
        yield {"image": file.name, **describe_prediction(prediction, model.classes)}


def describe_prediction(prediction: Any, classes: list[str]) -> dict[str, Any]:
    """Return a prediction as one row of a table.

    classification: class_name, score. detection: a count of each class that is found, and the
    boxes. segmentation: the covered share of the image of each class, 0..1. anomaly: verdict,
    score, threshold, and the share of the image that is at or above it.
    """
    match prediction:
        case ClassPrediction():
            return {"class_name": prediction.class_name, "score": round(prediction.score, 6)}
        case BoxPrediction():
            counts = Counter(box.class_name for box in prediction.found)
            boxes = [
                [box.class_name, *(round(side, 2) for side in box.xyxy), round(box.score, 4)]
                for box in prediction.found
            ]
            return {**{f"count {name}": counts[name] for name in classes}, "boxes": boxes}
        case MaskPrediction():
            areas = prediction.areas
            return {f"area {name}": round(areas.get(name, 0.0), 6) for name in classes}
        case AnomalyPrediction():
            verdict = "abnormal" if prediction.is_abnormal else "normal"
            area = float((prediction.grid >= prediction.threshold).mean())
            scores = {"score": prediction.score, "threshold": prediction.threshold, "area": area}
            return {"verdict": verdict, **{name: round(v, 6) for name, v in scores.items()}}
    raise TypeError(f"{type(prediction).__name__} is no prediction.")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a table that spreadsheets read; lists are JSON in their cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["image"])
        writer.writeheader()
        for row in rows:
            writer.writerow({name: make_cell(value) for name, value in row.items()})


def make_cell(value: Any) -> Any:
    """Return a value for a CSV cell; a name that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a list of objects."""
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
