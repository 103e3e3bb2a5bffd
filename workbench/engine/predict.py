"""What a torch network says of images, as NumPy arrays, for the dev figures during training."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..tasks import Task
from ..tasks.framing import Frame, cut_input, make_frames
from .backbone import Network
from .data import ScaledImages, normalise, pick_evenly, to_tensor
from .device import mixed_precision
from .monitor import Monitor

Outputs = dict[str, np.ndarray]
DEFAULT_THRESHOLD = 0.5
PREVIEWED = 4  # dev images that are shown round by round


def predict(model: Network, images: torch.Tensor) -> Outputs:
    """Return the outputs by name, each float32 (N, ...), for uint8 (N, 3, H, W) images."""
    device = next(model.parameters()).device
    with torch.inference_mode(), mixed_precision(device):
        values = model(normalise(images.to(device)))
    return {name: value.float().cpu().numpy() for name, value in zip(model.output_names, values)}


def predict_frames(model: Network, scaled: np.ndarray, frames: Sequence[Frame]) -> list[Outputs]:
    """Return the outputs of each frame of a scaled image, uint8 (h, w, 3)."""
    results = []
    for frame in frames:
        outputs = predict(model, to_tensor(cut_input(scaled, frame))[None])
        results.append({name: value[0] for name, value in outputs.items()})
    return results


def predict_examples(
    model: Network, images: ScaledImages, task: Task, classes: Sequence[str], threshold: float
) -> Iterator[Any]:
    """Yield the prediction of every image, in order."""
    for index in range(len(images)):
        frames = make_frames(images.examples[index].image_size, images.framing)
        outputs = predict_frames(model, images[index][0], frames)
        yield task.room.decode(outputs, frames, classes, threshold)


def show_some(
    predictions: Iterator[Any],
    images: ScaledImages,
    task: Task,
    classes: Sequence[str],
    monitor: Monitor,
) -> Iterator[Any]:
    """Yield the predictions, and give some to the monitor, drawn on their images.

    They are spread over all images: the first ones are often of one class.
    """
    drawn, shown = [], pick_evenly(range(len(images)), PREVIEWED)
    for index, prediction in enumerate(predictions):
        if index in shown:
            example = images.examples[index]
            image = example.read_image()
            drawn.append(task.room.draw(image, prediction, classes, example.colors))
        yield prediction
    monitor.on_preview(drawn)


def measure(
    model: Network,
    images: ScaledImages,
    task: Task,
    classes: Sequence[str],
    monitor: Monitor | None = None,
) -> dict[str, float]:
    """Return the task's overall figures on labeled images; {} where there are none.

    "figure" is the one that decides which model is best. monitor: is given some predictions as
    pictures.
    """
    if not len(images):
        return {}
    predictions = predict_examples(model, images, task, classes, DEFAULT_THRESHOLD)
    if monitor is not None:
        predictions = show_some(predictions, images, task, classes, monitor)
    labels = (example.read_label() for example in images.examples)
    figures = task.room.evaluate(predictions, labels, classes, None).overall
    return {**figures, "figure": figures[task.main_figure]}
