"""Train a backbone on generated images alone.

    python tools/pretrain/train.py OUT.safetensors [--network resnet18] [--steps 12000]

Views grow from 96 to 192 pixels. It can be stopped at any time: the same command goes on from
OUT.checkpoint, which is written every 200 steps. On a GPU everything is made there, and larger
batches (--larger 8) cost little more time.
"""

import argparse
import copy
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from lessons import LESSONS, School
from networks import NODES, Trunk
from safetensors.torch import save_file
from scenes import Album, Batch, Pool
from torch import nn

from workbench.engine.device import mixed_precision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RATE, DECAY = 2.5e-3, 0.02
HEAD_RATE = 3.0  # of the rate, for what is thrown away
WARM_UP = 500  # steps
VIEWS = 4  # images of each material a batch
# From which share of the steps on: pixels a side, and materials a batch, so that a step costs the
# same. Small views teach more in the same seconds; large ones show the last map more than padding.
STAGES = ((0.0, 96, 18), (0.345, 128, 10), (0.715, 192, 5))
PAINTED_EVERY = 8  # steps: many views at once cost a GPU no more than few
SHOWN = 4  # times that each view is shown
NEW_SHEETS = 0.25  # of the materials that are painted
AVERAGED = 0.999  # share of the averaged weights that a step keeps
EVERY = 100  # steps between two lines
SAVED = 200  # steps between two checkpoints


def parse_arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the file of weights to write (.safetensors)")
    parser.add_argument("--network", choices=sorted(NODES), default="resnet18")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--sheets", type=int, default=4096, help="materials at hand at a time")
    parser.add_argument("--larger", type=int, default=1, help="how many times larger batches are")
    parser.add_argument("--lessons", nargs="+", choices=LESSONS, default=list(LESSONS))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Return images (N, 3, H, W), 0..1, as torchvision's networks expect them."""
    channels = [(images[:, k] - MEAN[k]) / STD[k] for k in range(3)]
    return torch.stack(channels, 1).contiguous(memory_format=torch.channels_last)


def schedule(step: int, steps: int, warm_up: int = WARM_UP) -> float:
    """Return the factor of the learning rate: a linear climb, then half a cosine."""
    return min(1.0, (step + 1) / warm_up) * (0.5 + 0.5 * math.cos(math.pi * step / steps) + 1e-3)


def choose_views(step: int, steps: int) -> tuple[int, int]:
    """Return the pixels a side and the materials of a batch at that step."""
    _, side, materials = max(stage for stage in STAGES if stage[0] * steps <= step)
    return side, materials


def average(kept: nn.Module, model: nn.Module, step: int) -> None:
    """Move the averaged weights a little towards the model's."""
    share = min(AVERAGED, (step + 1) / (step + 10))
    pairs = list(zip(kept.state_dict().values(), model.state_dict().values()))
    moved = [pair for pair in pairs if pair[0].is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([mean for mean, _ in moved], [value for _, value in moved], 1 - share)
        for count, value in pairs:
            if not count.is_floating_point():
                count.copy_(value)


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write weights by torchvision's names, in half precision."""
    halved = {
        name: value.half() if value.is_floating_point() else value for name, value in state.items()
    }
    save_file({name: value.contiguous().cpu() for name, value in halved.items()}, path)


class Training:
    """A training and where it stands."""

    def __init__(self, asked: argparse.Namespace, device: torch.device) -> None:
        torch.manual_seed(asked.seed)
        self.asked, self.device, self.step = asked, device, 0
        self.school = School(Trunk(asked.network), asked.lessons)
        self.school.to(device, memory_format=torch.channels_last)
        self.kept = copy.deepcopy(self.school.trunk)
        groups = [
            {"params": list(self.school.trunk.parameters()), "base": RATE},
            {"params": self.school.heads(), "base": HEAD_RATE * RATE},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, RATE, weight_decay=DECAY, fused=device.type == "cuda"
        )
        self.pool = Pool(asked.sheets, asked.seed, device)
        self.album: Album | None = None
        self.checkpoint = asked.out.with_suffix(".checkpoint")
        if self.checkpoint.exists():
            self.load()

    def load(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.school.load_state_dict(state["school"])
        self.kept.load_state_dict(state["kept"])
        self.optimizer.load_state_dict(state["optimizer"])

    def save(self) -> None:
        """Write the checkpoint and the weights."""
        state = {
            "step": self.step,
            "school": self.school.state_dict(),
            "kept": self.kept.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        save_weights(self.kept.network.state_dict(), self.asked.out)

    def draw(self, materials: int, side: int) -> tuple[Batch, torch.Tensor]:
        """Return the next batch and its twins; now and then new views are painted, many at once."""
        new = PAINTED_EVERY * materials // SHOWN
        if self.album is None or self.album.side != side:
            self.album = Album(self.pool, 6 * new, VIEWS, side)
            self.album.add(new)
        if self.step % PAINTED_EVERY == 0:
            self.pool.refresh(max(1, round(NEW_SHEETS * new)))
            self.album.add(new)
        return self.album.draw(materials, "instance" in self.asked.lessons)

    def learn(self) -> dict[str, torch.Tensor]:
        """Take one step, and return the losses; a GPU is not waited for."""
        asked = self.asked
        torch.manual_seed(asked.seed * 10_000_019 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * schedule(self.step, asked.steps)
        side, materials = choose_views(self.step, asked.steps)
        batch, twins = self.draw(asked.larger * materials, side)
        self.school.train()
        with mixed_precision(self.device):
            maps = self.school.trunk(normalise(torch.cat([batch.images, twins])))
        losses = self.school(batch, [features.float() for features in maps])
        loss = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.school.parameters(), 5.0)
        self.optimizer.step()
        average(self.kept, self.school.trunk, self.step)
        self.step += 1
        return {lesson: value.detach() for lesson, value in losses.items()}

    def run(self) -> None:
        """Learn to the end, and say how it goes."""
        began, count = time.monotonic(), 0
        totals: dict[str, torch.Tensor | float] = dict.fromkeys(self.asked.lessons, 0.0)
        while self.step < self.asked.steps:
            for lesson, value in self.learn().items():
                totals[lesson] = totals[lesson] + value
            count += 1
            if self.step % EVERY == 0 or self.step == self.asked.steps:
                told = "  ".join(f"{name} {value / count:.3f}" for name, value in totals.items())
                seconds = (time.monotonic() - began) / count
                print(f"{self.step}  {told}  {seconds * 1000:.0f} ms a step", flush=True)
                began, totals, count = time.monotonic(), dict.fromkeys(self.asked.lessons, 0.0), 0
            if self.step % SAVED == 0 or self.step == self.asked.steps:
                self.save()


def main() -> None:
    """Train on the device there is."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    Training(parse_arguments(), device).run()


if __name__ == "__main__":
    main()
