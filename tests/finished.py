"""Finished runs that were never trained: predictions that a test says, and a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import workbench as wb
from workbench.model_card import CARD, NETWORK, ModelCard
from workbench.runs import Run
from workbench.store.predictions import write_predictions
from workbench.store.runs import add_run
from workbench.store.snapshots import create_snapshot
from workbench.tasks import find_task
from workbench.tasks.framing import Framing

SIZE = (48, 64)  # height, width
CLASSES = {"classification": ["nut", "bolt"], "detection": ["nut", "bolt"], "segmentation": ["nut"]}


def finish_run(
    project: wb.Project, predictions: Mapping[str, Any], threshold: float = 0.5, run_id: str = "r1"
) -> Run:
    """Return a finished run that said these things of images, by name; its network cannot run."""
    add_run(project.store, run_id, f"run {run_id}", create_snapshot(project.store, run_id), {})
    folder = project.path / "runs" / run_id
    folder.mkdir(parents=True)
    events = [{"event": "started"}, {"event": "finished", "metrics": {"accuracy": 0.5}}]
    lines = [json.dumps({"time": 1000.0 + n, **event}) for n, event in enumerate(events)]
    (folder / "events.jsonl").write_text("\n".join([*lines, ""]))
    (folder / NETWORK).write_bytes(b"no network")
    write_fake_card(project, folder, threshold)
    stored = [(project.images[name].id, said) for name, said in predictions.items()]
    write_predictions(project.store, run_id, stored)
    return project.runs[run_id]


def write_fake_card(project: wb.Project, folder: Path, threshold: float) -> None:
    """Write a model.json that can be read."""
    colors = tuple(project.colors.values())
    framing = Framing((64, 64))
    outputs = ("logits",)
    ones = (1.0, 1.0, 1.0)
    card = ModelCard(
        project.task, tuple(project.classes), colors, framing, ones, ones, outputs, threshold
    )
    (folder / CARD).write_text(card.to_json())


def make_prediction(task: str, level: float) -> Any:
    """Return a prediction that is sure to the level, 0..1, of a nut in the left half."""
    height, width = SIZE
    if task == "classification":
        return wb.ClassPrediction({"nut": level, "bolt": 1 - level})
    if task == "detection":
        return wb.BoxPrediction((wb.ScoredBox("nut", 0, 0, width / 2, height, level),))
    if task == "segmentation":
        foreground = np.zeros(SIZE, np.uint8)
        foreground[:, : width // 2] = round(255 * level)
        return wb.MaskPrediction(np.ones(SIZE, np.uint8), foreground, ("nut",))
    grid = np.full((6, 8), level, np.float32)
    return wb.AnomalyPrediction(level, 0.5, grid, SIZE)


def make_label(task: str, is_there: bool) -> Any:
    """Return the label of an image with a nut in the left half, or without."""
    height, width = SIZE
    if task == "classification":
        return wb.ClassLabel("nut" if is_there else "bolt")
    if task == "detection":
        return wb.BoxLabel([wb.Box("nut", 0, 0, width / 2, height)] if is_there else [])
    if task == "segmentation":
        mask = np.zeros(SIZE, np.uint8)
        mask[:, : width // 2] = is_there
        return wb.MaskLabel(mask)
    return wb.AnomalyLabel("abnormal" if is_there else "normal")


LEVELS = (0.9, 0.4, 0.8, 0.1, 0.7, 0.45)
LABELS = (True, True, False, False, None, None)
NAMES = ("right.png", "missed.png", "made up.png", "empty.png", "new <b>.png", "unsure.png")


def make_project(folder: Path, task: str) -> tuple[wb.Project, Run]:
    """Return a project of six test images, two of them without a label, and a finished run."""
    project = wb.Project.create(folder, task, CLASSES.get(task, ()))
    pictures = {name: np.full((*SIZE, 3), 40 + 30 * n, np.uint8) for n, name in enumerate(NAMES)}
    project.add_images(pictures, split="test", progress=False)
    predictions = {}
    for name, level, is_there in zip(NAMES, LEVELS, LABELS):
        predictions[name] = make_prediction(task, level)
        if is_there is not None:
            project.images[name].label = make_label(task, is_there)
    threshold = 0.0 if find_task(task).name == "classification" else 0.5
    return project, finish_run(project, predictions, threshold)
