"""Measure what each network costs: its weights, a training step, and ONNX Runtime.

    python tools/pretrain/speed.py [resnet10 ...]

On two threads, the median of some repetitions: milliseconds an image forward and backward in torch,
at the sides that the rooms train at, and of one image by ONNX Runtime.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from networks import NODES, Trunk

THREADS = 2
TRAINED = ((96, 32), (160, 16), (320, 8))  # side in pixels, images a batch
PREDICTED = (256, 384)
REPEATED = 7


def median_milliseconds(act: Callable[[], object], repeated: int = REPEATED) -> float:
    """Return the median time of a call; the first two are not counted."""
    times = []
    for _ in range(repeated + 2):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[2:])


def time_training(trunk: Trunk, side: int, count: int) -> float:
    """Return the milliseconds that one image of a batch takes, forward and backward."""
    trunk.train()
    images = torch.randn(count, 3, side, side).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        trunk.zero_grad(set_to_none=True)
        torch.stack([features.square().mean() for features in trunk(images)]).sum().backward()

    return median_milliseconds(step) / count


def time_prediction(trunk: Trunk, side: int) -> float:
    """Return the milliseconds of one image by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trunk.onnx"
        torch.onnx.export(
            trunk.eval(), (torch.zeros(1, 3, side, side),), path, dynamo=True, verbose=False
        )
        session = onnxruntime.InferenceSession(path, options)
    image = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)
    name = session.get_inputs()[0].name
    return median_milliseconds(lambda: session.run(None, {name: image}), 4 * REPEATED)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", choices=[[], *sorted(NODES)], default=[])
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    heads = ["network", "weights MB", "channels"]
    heads += [f"training ms, {side} px" for side, _ in TRAINED]
    heads += [f"ONNX Runtime ms, {side} px" for side in PREDICTED]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for name in asked.networks or sorted(NODES):
        trunk = Trunk(name).to(memory_format=torch.channels_last)
        weights = 2 * sum(value.numel() for value in trunk.network.state_dict().values()) / 1e6
        cells = [name, f"{weights:.1f}", " ".join(map(str, trunk.channels))]
        cells += [f"{time_training(trunk, *sizes):.1f}" for sizes in TRAINED]
        cells += [f"{time_prediction(trunk, side):.1f}" for side in PREDICTED]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
