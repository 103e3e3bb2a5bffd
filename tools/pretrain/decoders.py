"""Teach the decoders of segmentation and detection on generated defects, on frozen features.

    python tools/pretrain/decoders.py BACKBONE.safetensors OUT_FOLDER [--steps 700]

It writes segmentation.safetensors and detection.safetensors: every layer of the rooms' networks
that depends neither on the backbone nor on the classes. The networks and the losses are the rooms'
own; the images show up to three defects each.
"""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from defects import KINDS, damage
from safetensors.torch import load_file, save_file
from scenes import Pool, cut_views, photograph, show_as_objects
from textures import draw_programs
from torch import nn
from train import average, normalise, schedule

from workbench.engine import detection, segmentation
from workbench.engine.backbone import Network, load_resnet
from workbench.engine.detection.train import Target
from workbench.engine.detection.train import compute_loss as lose_boxes
from workbench.engine.segmentation.train import compute_loss as lose_masks

CLASSES = [paint.__name__ for paint in KINDS]
DEFECTS, ABSENT = 3, 0.45  # an image, at most; each is left out that often
LEAST_PIXELS = 12  # of a piece of a defect that gets a box
RATE, DECAY = 2e-3, 0.02
EVERY = 50  # steps between two lines
OWN = {"segmentation": ("backbone.", "head."), "detection": ("backbone.", "heatmap.1.")}


def draw_scenes(pool: Pool, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor, list[Any]]:
    """Return images of different materials, some with defects, and where those are.

    images: float (N, 3, side, side), 0..1. masks: uint8 (N, side, side), 0 or the kind + 1. boxes:
    a Target for each image, a box for each piece of a defect.
    """
    device = pool.device
    chosen = torch.randperm(len(pool.programs), device=device)[:count]
    images = show_as_objects(cut_views(pool.sheets[chosen].float() / 255, 1, side), 1)
    masks = torch.zeros(count, side, side, dtype=torch.uint8, device=device)
    found: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count)]
    for _ in range(DEFECTS):
        kinds = torch.randint(len(KINDS), (count,), device=device)
        kinds[torch.rand(count, device=device) < ABSENT] = -1
        images, areas = damage(images, kinds)
        covered = areas > 0.5
        masks = torch.where(covered, (kinds + 1).to(torch.uint8)[:, None, None], masks)
        for rows, kind, area in zip(found, kinds.tolist(), covered.cpu().numpy()):
            rows += [(kind, box) for box in find_boxes(area)]
    return photograph(images), masks, [make_target(rows) for rows in found]


def find_boxes(area: np.ndarray) -> np.ndarray:
    """Return the boxes of an area's pieces, bool (H, W): float32 (n, 4), xyxy."""
    closed = cv2.morphologyEx(area.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    x, y, width, height, pixels = stats[1:].T
    boxes = np.stack([x, y, x + width, y + height], 1).astype(np.float32)
    return boxes[pixels >= LEAST_PIXELS]


def make_target(rows: list[tuple[int, np.ndarray]]) -> Target:
    """Return the boxes of an image as detection takes them."""
    boxes = np.array([box for _, box in rows], np.float32).reshape(-1, 4)
    indices = torch.tensor([kind for kind, _ in rows], dtype=torch.int64)
    return Target(torch.from_numpy(boxes), indices)


class Pupil:
    """A room's network that learns, and the average of its weights."""

    def __init__(
        self, room: Any, backbone: Path, lose: Callable[..., torch.Tensor], device: torch.device
    ) -> None:
        settings = replace(room.PRESETS["fast"], backbone="random")
        self.network: Network = room.build_model(CLASSES, settings)
        load_resnet(self.network.backbone, load_file(backbone))
        self.network.backbone.requires_grad_(False)
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.kept, self.lose = copy.deepcopy(self.network), lose
        learned = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, RATE, weight_decay=DECAY)

    def learn(self, inputs: torch.Tensor, targets: list[Any], step: int, steps: int) -> float:
        """Take one step, and return the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * schedule(step, steps)
        self.network.train()
        self.network.backbone.eval()
        loss = self.lose(self.network, inputs, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        average(self.kept, self.network, step)
        return float(loss.detach())

    def save(self, path: Path, own: tuple[str, ...]) -> None:
        """Write what depends neither on the backbone nor on the classes, in half precision."""
        state = {
            name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
            for name, value in self.kept.state_dict().items()
            if not name.startswith(own)
        }
        save_file(state, path)


def main() -> None:
    """Teach both, and say how it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backbone", type=Path, help="the weights that train.py wrote")
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--programs", type=int, default=600, help="materials there are")
    parser.add_argument("--count", type=int, default=16, help="images a step")
    parser.add_argument("--side", type=int, default=160, help="pixels")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(asked.seed)
    pool = Pool(draw_programs(asked.programs, asked.seed), device)
    pool.refresh(asked.programs)
    pupils = {
        "segmentation": Pupil(segmentation, asked.backbone, lose_masks, device),
        "detection": Pupil(detection, asked.backbone, lose_boxes, device),
    }
    began, totals = time.monotonic(), dict.fromkeys(pupils, 0.0)
    for step in range(asked.steps):
        pool.refresh(4)
        images, masks, boxes = draw_scenes(pool, asked.count, asked.side)
        inputs = normalise(images)
        targets = {"segmentation": list(masks), "detection": boxes}
        for name, pupil in pupils.items():
            totals[name] += pupil.learn(inputs, targets[name], step, asked.steps)
        if (step + 1) % EVERY == 0:
            told = "  ".join(f"{name} {value / EVERY:.3f}" for name, value in totals.items())
            print(f"{step + 1}  {told}  {time.monotonic() - began:.0f} s", flush=True)
            totals = dict.fromkeys(pupils, 0.0)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, pupil in pupils.items():
        pupil.save(asked.out / f"{name}.safetensors", OWN[name])


if __name__ == "__main__":
    main()
