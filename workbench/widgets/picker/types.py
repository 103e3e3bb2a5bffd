"""The four project types as tiles, each with a drawn example, and the guide that leads to one."""

import io
from functools import lru_cache
from typing import Any

from PIL import Image as Picture

from ...samples import SAMPLES, find_sample
from ...store.classes import PALETTE, VERDICT_COLORS
from ...tasks import TASKS, find_task
from ...tasks.anomaly import AnomalyLabel

LABEL_IS = {
    "classification": "A label is one class for the whole image; a folder's name can give it.",
    "detection": "A label is boxes, of as many classes and things as the image shows.",
    "segmentation": "A label is painted pixels.",
    "anomaly": "Normal images teach; abnormal ones, if you have any, measure.",
}

# Chosen by eye: the defect lies in the middle, and stays there when the picture is cropped.
EXAMPLE_SEEDS = {"anomaly": 10}

# Questions in the order in which they are asked; each answer leads to a question or to a type.
GUIDE = {
    "examples": {
        "question": "Do you have photos of everything that the model is to tell apart or to find?",
        "answers": [
            {"text": "Yes, several of each kind", "next": "whole"},
            {
                "text": "No: mostly good parts, few or no defects",
                "type": "anomaly",
                "why": "It learns what normal looks like and flags what differs. Expect some good "
                "parts to be flagged too.",
            },
        ],
    },
    "whole": {
        "question": "Is it about the whole image, or about places in it?",
        "answers": [
            {
                "text": "The whole image: it shows a bolt, or it shows a washer",
                "type": "classification",
                "why": "One class for each image: the quickest to label, often by folder names.",
            },
            {"text": "Places in it: where something is, or how many there are", "next": "shape"},
        ],
    },
    "shape": {
        "question": "Is a box around each thing precise enough?",
        "answers": [
            {
                "text": "Yes, or I am not sure",
                "type": "detection",
                "why": "Start here. If boxes turn out not to be precise enough, the project can be "
                "turned into a segmentation project, which keeps them as first masks.",
            },
            {
                "text": "No: the exact shape or area matters, as of a crack",
                "type": "segmentation",
                "why": "A class for each pixel: slower to label, and the most precise answer.",
            },
        ],
    },
}


def describe_types() -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the four tiles and a JPEG for each."""
    tiles = [
        {
            "task": task.name,
            "title": task.title,
            "when": task.when,
            "label": LABEL_IS[task.name],
            "sample": find_sample(task.name).name,
            "sample_title": find_sample(task.name).title,
            "sample_summary": find_sample(task.name).summary,
            "has_classes": task.name != "anomaly",
        }
        for task in TASKS.values()
    ]
    return tiles, [draw_example(task) for task in TASKS]


@lru_cache
def draw_example(task: str) -> bytes:
    """Return a photo of the type's sample with its label drawn into it, as a JPEG."""
    sample = SAMPLES[find_sample(task).name]
    drawn = sample.draw_samples(EXAMPLE_SEEDS.get(task, 0), 14)
    chosen = next(image for image in drawn if image.label != AnomalyLabel("normal"))
    colors = VERDICT_COLORS if task == "anomaly" else dict(zip(sample.classes, PALETTE))
    picture = find_task(task).room.draw(chosen.image, chosen.label, list(colors), colors)
    buffer = io.BytesIO()
    Picture.fromarray(picture).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()
