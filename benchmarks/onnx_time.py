"""Time the exported networks alone in ONNX Runtime, beside the backbone that all of them share.

python benchmarks/onnx_time.py [--side 256] [--threads 2] [--runs 80]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from workbench.engine.anomaly.model import AnomalyModel, Comparison
from workbench.engine.backbone import Network, build_backbone
from workbench.engine.export import export_network
from workbench.engine.worker import find_room
from workbench.settings import TASK_PRESETS
from workbench.tasks import TASKS


class BackboneAlone(Network):
    """The backbone, and nothing on it."""

    output_names = ("features",)

    def __init__(self) -> None:
        super().__init__()
        self.backbone = build_backbone()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the last map (N, C, H / 16, W / 16) of images (N, 3, H, W)."""
        return (self.backbone(images)[-1],)


def fill_memory(model: AnomalyModel) -> None:
    """Give an anomaly model a memory of the size that "fast" fills, of random rows."""
    seen = model.describe(torch.zeros(1, 3, 64, 64))
    patches, peaks = (part.shape[1] for part in seen)
    rows = TASK_PRESETS["anomaly"]["fast"].max_memory
    model.compared = Comparison(
        torch.zeros(patches),
        torch.eye(patches),
        torch.randn(rows, patches),
        torch.zeros(peaks),
        torch.eye(peaks),
    )


def build(name: str) -> Network:
    """Return the untrained network of a project type, of three classes, or the backbone alone."""
    if name not in TASKS:
        return BackboneAlone()
    model: Network = find_room(name).build_model(("a", "b", "c"), TASK_PRESETS[name]["fast"])
    if isinstance(model, AnomalyModel):
        fill_memory(model)
    return model


def time_network(model: Network, side: int, threads: int, runs: int) -> list[float]:
    """Return the milliseconds of each run on an input of side x side; the first is not counted."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        export_network(model.eval(), Path(folder))
        session = onnxruntime.InferenceSession(Path(folder, "model.onnx"), options)
    values = {"image": np.random.default_rng(0).standard_normal((1, 3, side, side), np.float32)}
    session.run(None, values)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        session.run(None, values)
        times.append(1000 * (time.perf_counter() - began))
    return times


def main() -> None:
    """Print the table; the backbone comes first and last, to show how much the machine varies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=80)
    asked = parser.parse_args()
    print("| network | median ms | fastest |\n|---|---|---|", flush=True)
    for name in ("backbone alone", *TASKS, "backbone alone"):
        times = time_network(build(name), asked.side, asked.threads, asked.runs)
        print(f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} |", flush=True)


if __name__ == "__main__":
    main()
