"""What every peer shares: the problem it is given, its clock, and the answer it writes.

A peer is a script that is called as

    python PEER.py PROBLEM ANSWER --method NAME --weights random|imagenet --seconds S --seed N

PROBLEM is a folder with problem.json: {"task", "classes", "train": [item], "test": [item]}; an item
has "image" (a path) and, by task, "label": the index of a class, "mask": a path (0 background, k is
classes[k - 1]), "boxes": [[x0, y0, x1, y1, index of the class]], or "abnormal": true or false.
ANSWER is a folder to write answer.npz and measured.json to. The seconds are wall time from the
start of the process to the trained model.
"""

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
THREADS = 2
WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"
MOBILENET = WEIGHTS / "mobilenet_v2-coral-ptq.pth"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    problem: Path
    answer: Path
    method: str
    weights: str
    seconds: float
    seed: int

    def read(self) -> dict[str, Any]:
        """Return the problem."""
        described: dict[str, Any] = json.loads((self.problem / "problem.json").read_text())
        return described


def start() -> Asked:
    """Read the command line, and fix threads and seeds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("problem", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--method", required=True)
    parser.add_argument("--weights", default="random")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = Asked(**vars(parser.parse_args()))
    torch.set_num_threads(THREADS)
    torch.manual_seed(asked.seed)
    random.seed(asked.seed)
    np.random.seed(asked.seed)
    return asked


def seconds_since_start() -> float:
    """Return how long this process has run, its imports included."""
    return time.time() - psutil.Process(os.getpid()).create_time()


def read_image(path: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return an image: uint8 (H, W, 3), scaled to (height, width) if that is given."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        if size is not None:
            picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.array(picture)


def read_mask(path: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return a mask: uint8 (H, W), scaled to (height, width) if that is given."""
    with Image.open(path) as picture:
        if size is not None:
            picture = picture.resize(size[::-1], Image.Resampling.NEAREST)
        return np.array(picture)


def to_input(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Return uint8 (H, W, 3) images of one size as normalised float (N, 3, H, W)."""
    values = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(row)[:, None, None] for row in (MEAN, STD))
    return ((values - mean) / std).contiguous(memory_format=torch.channels_last)


class PaddedConv(nn.Module):
    """A convolution of stride 2 that pads at the right and the bottom, as TensorFlow does."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        convolution.padding = (0, 0)
        self.convolution = convolution

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the convolution of images (N, C, H, W), H and W even."""
        return self.convolution(functional.pad(images, (0, 1, 0, 1)))


def load_mobilenet(network: nn.Module) -> None:
    """Give MobileNetV2, or an encoder with its names, ImageNet weights and their padding."""
    state = torch.load(MOBILENET, weights_only=True)
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    for block in list(network.modules()):
        for name, child in list(block.named_children()):
            if isinstance(child, nn.Conv2d) and child.stride == (2, 2):
                setattr(block, name, PaddedConv(child))


def hold_batch_norm(network: nn.Module) -> None:
    """Keep the statistics of batch norm: those of a few images do not fit the ImageNet weights."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def draw_batches(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the indices of batches without end: each image once an epoch, shuffled."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        for first in range(0, max(1, count - size + 1), size):
            yield order[first : first + size]


def train_for(
    seconds: float, optimizer: torch.optim.Optimizer, step: Callable[[], torch.Tensor]
) -> int:
    """Take steps until the process is that old, the rate falling as a half cosine; return how many.

    step() returns the loss of the next batch.
    """
    began, taken = seconds_since_start(), 0
    rates = [group["lr"] for group in optimizer.param_groups]
    while (now := seconds_since_start()) < seconds:
        share = (now - began) / max(1e-6, seconds - began)
        warm = min(1.0, (taken + 1) / 20)
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = warm * rate * (0.5 + 0.5 * np.cos(np.pi * share))
        loss = step()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        taken += 1
    return taken


def answer(
    asked: Asked,
    predict: Callable[[np.ndarray], Any],
    pack: Callable[[list[Any]], dict[str, np.ndarray]],
    **facts: Any,
) -> None:
    """Predict the test images, and write what was said and what it cost."""
    trained = seconds_since_start()
    said, times = [], []
    for item in asked.read()["test"]:
        image = read_image(item["image"])
        began = time.perf_counter()
        said.append(predict(image))
        times.append(1000 * (time.perf_counter() - began))
    asked.answer.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(asked.answer / "answer.npz", **pack(said))
    measured = {
        "trained_seconds": trained,
        "milliseconds": statistics.median(times),
        **facts,
    }
    (asked.answer / "measured.json").write_text(json.dumps(measured))
