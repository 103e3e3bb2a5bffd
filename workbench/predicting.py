"""Predictions of a project's images: made, stored, decided anew, and taken over as labels."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from .model import Model
from .model_card import CARD
from .progress import Progress, show_progress
from .settings import check_threshold
from .store.classes import list_classes
from .store.database import Store, reading
from .store.files import replace_file
from .store.images import find_image, read_pixels
from .store.labels import write_label
from .store.predictions import predicted_ids, write_predictions
from .store.snapshots import Snapshot
from .tasks import find_task

STORED_AT_ONCE = 32


def predict_images(
    store: Store, run_id: str, model: Model, image_ids: Sequence[int], progress: Progress
) -> None:
    """Predict and store those images that the run has not predicted yet, some at a time."""
    known = predicted_ids(store, run_id)
    missing = [image_id for image_id in image_ids if image_id not in known]
    shown = iter(show_progress(missing, len(missing), "Predict", "images", progress))
    while part := list(islice(shown, STORED_AT_ONCE)):
        images = ((i, read_pixels(find_image(store, i))) for i in part)
        done = [(image_id, model.predict_array(image)) for image_id, image in images]
        write_predictions(store, run_id, done)


def save_threshold(model: Model, threshold: float) -> None:
    """Make a threshold the model's own, in its folder and in memory. Raises InvalidSetting."""
    model.card = replace(model.card, threshold=check_threshold(threshold))
    text = model.card.to_json()
    replace_file(model.folder / CARD, lambda path: path.write_text(text, encoding="utf-8"))


def decide(prediction: Any, threshold: float) -> Any:
    """Return the prediction with another threshold; a classification has none of its own."""
    if not hasattr(prediction, "threshold"):
        return prediction
    return replace(prediction, threshold=threshold)


def accept_prediction(
    store: Store, snapshot: Snapshot, image_id: int, prediction: Any, author: str | None
) -> None:
    """Make what the model says the image's label. Raises UnknownClass, ImageNotFound."""
    with reading(store) as connection:
        today = {row.id: row.name for row in list_classes(connection)}
    names = {name: today[i] for name, i in snapshot.class_ids.items() if i in today}
    label = find_task(store.task).room.make_label(prediction, names, list(today.values()))
    write_label(store, image_id, label, author)
