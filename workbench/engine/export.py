"""From a trained network to the one artifact: model.onnx and model.json."""

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from ..model_card import CARD, NETWORK, ModelCard
from ..settings import Settings
from ..store.files import replace_file
from ..store.snapshots import Snapshot
from ..tasks.framing import INPUT_STEP, Framing
from .backbone import MEAN, STD, Network

PACKAGES = ("inspection-workbench", "torch", "torchvision", "onnx", "numpy", "pillow")


def export_network(model: Network, folder: Path) -> None:
    """Write model.onnx: input "image", float32 (N, 3, H, W), H and W multiples of 32."""
    model.to("cpu").eval()
    write = write_traced if can_trace() else write_captured
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they speak to who wrote the network, in a user's log
        replace_file(folder / NETWORK, partial(write, model))


def can_trace() -> bool:
    """Tell whether this torch still traces: newer ones mean to do without."""
    return "dynamic_axes" in signature(torch.onnx.export).parameters


def write_traced(model: Network, path: Path) -> None:
    """Write the network as the operations of one pass: a third of a second."""
    outputs = {name: {0: "batch"} for name in model.output_names}
    torch.onnx.export(
        model,
        (make_example(),),
        path,
        dynamo=False,
        input_names=["image"],
        output_names=list(outputs),
        dynamic_axes={"image": {0: "batch", 2: "rows", 3: "columns"}, **outputs},
    )


def write_captured(model: Network, path: Path) -> None:
    """Write the network as torch.export sees it: the same, after ten seconds."""
    batch = torch.export.Dim("batch")
    height, width = (INPUT_STEP * torch.export.Dim(name, min=2) for name in ("rows", "columns"))
    program = torch.onnx.export(
        model,
        (make_example(),),
        dynamo=True,
        input_names=["image"],
        output_names=list(model.output_names),
        dynamic_shapes=({0: batch, 2: height, 3: width},),
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    program.save(path)


def make_example() -> torch.Tensor:
    """Return a batch of two different sides: equal ones are taken for one and the same."""
    return torch.zeros(2, 3, 4 * INPUT_STEP, 5 * INPUT_STEP)


def write_card(
    model: Network,
    snapshot: Snapshot,
    framing: Framing,
    threshold: float,
    facts: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write model.json beside model.onnx."""
    card = ModelCard(
        snapshot.task,
        snapshot.classes,
        snapshot.colors,
        framing,
        MEAN,
        STD,
        tuple(model.output_names),
        threshold,
        dict(facts),
    )
    text = card.to_json()
    replace_file(folder / CARD, lambda path: path.write_text(text, encoding="utf-8"))


def collect_facts(
    model: Network, snapshot: Snapshot, settings: Settings, preset: str, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where a model comes from, as JSON values."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "preset": preset,
        "seed": settings.seed,
        "snapshot": {"id": snapshot.id, "name": snapshot.name},
        "backbone": model.backbone.origin,
        "figures": dict(figures),
        "calibration": model.calibration,
        "versions": {name: version(name) for name in PACKAGES},
    }
