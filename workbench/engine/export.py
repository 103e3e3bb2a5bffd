"""From a trained network to the one artifact: model.onnx and model.json."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
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


def export_network(model: Network, framing: Framing, folder: Path) -> None:
    """Write model.onnx: input "image", float32 (N, 3, H, W), H and W multiples of 32."""
    model.to("cpu").eval()
    batch = torch.export.Dim("batch")
    height, width = (INPUT_STEP * torch.export.Dim(name, min=2) for name in ("rows", "columns"))
    # Two different sides: with equal ones the exporter takes them for one and the same.
    example = torch.zeros(2, 3, 4 * INPUT_STEP, 5 * INPUT_STEP)
    with torch.inference_mode():
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            input_names=["image"],
            output_names=list(model.output_names),
            dynamic_shapes=({0: batch, 2: height, 3: width},),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    replace_file(folder / NETWORK, lambda path: program.save(path))


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
