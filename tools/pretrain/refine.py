"""Refine a trained backbone for anomaly detection, on generated images alone.

    python tools/pretrain/refine.py TRAINED.safetensors OUT.safetensors [--steps 1000]

In train.py the views of a material are cut from one sheet. Real parts differ more from one another:
here each view has a sheet of its own, a variant of the material's program, and the lesson "normals"
compares whole images as the anomaly room does. What ends at stride 8 learns; the stage after it
stays as it was. It can be stopped at any time: the same command goes on from OUT.checkpoint. The
file that ships for classification and anomaly detection is refined; RESULTS.md has what it brings.
"""

import argparse
import copy
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from lessons import Normals
from networks import Trunk
from safetensors.torch import load_file
from scenes import Batch, move, photograph, show_variants
from torch import nn
from torch.utils.data import DataLoader, IterableDataset
from train import average, normalise, save_weights, schedule

from workbench.engine.device import mixed_precision

MATERIALS, VIEWS, SIDE = 8, 6, 128  # of a batch
RATE, DECAY, SCALE_RATE = 2e-4, 0.02, 3e-3
WARM_UP = 100  # steps
HELD = 24  # batches at hand, of which each step draws one
PAINTED_EVERY = 2  # steps between new ones
EVERY, SAVED = 50, 200  # steps between two lines, and between two checkpoints


class Painted(IterableDataset[Batch]):
    """Batches without end, painted in a process beside the training."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __iter__(self) -> Iterator[Batch]:
        torch.manual_seed(self.seed)
        while True:
            yield show_variants(MATERIALS, VIEWS, SIDE)


def parse_arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", type=Path, help="the file of weights to begin with")
    parser.add_argument("out", type=Path, help="the file of weights to write (.safetensors)")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Refining:
    """A refinement and where it stands."""

    def __init__(self, asked: argparse.Namespace, device: torch.device) -> None:
        self.asked, self.device, self.step = asked, device, 0
        self.trained = load_file(asked.trained)
        self.trunk = Trunk(asked.network, count=2)  # up to stride 8
        self.trunk.load(self.trained)
        self.trunk.to(device, memory_format=torch.channels_last)
        self.kept = copy.deepcopy(self.trunk)
        self.lesson = Normals().to(device)
        groups = [
            {"params": list(self.trunk.parameters()), "base": RATE},
            {"params": list(self.lesson.parameters()), "base": SCALE_RATE},
        ]
        self.optimizer = torch.optim.AdamW(groups, RATE, weight_decay=DECAY)
        self.checkpoint = asked.out.with_suffix(".checkpoint")
        if self.checkpoint.exists():
            self.load()
        self.coming = iter(DataLoader(Painted(asked.seed + self.step), None, num_workers=1))
        self.held: list[Batch] = []

    def load(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.step = state["step"]
        for name in ("trunk", "kept", "lesson", "optimizer"):
            getattr(self, name).load_state_dict(state[name])

    def save(self) -> None:
        """Write the checkpoint and the weights."""
        names = ("trunk", "kept", "lesson", "optimizer")
        state = {name: getattr(self, name).state_dict() for name in names}
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state | {"step": self.step}, partial)
        partial.replace(self.checkpoint)
        save_weights(self.trained | self.kept.network.state_dict(), self.asked.out)

    def draw(self) -> Batch:
        """Return a batch in new photographs, half of the time moved; now and then one is new."""
        if self.step % PAINTED_EVERY == 0 or not self.held:
            self.held = [*self.held, next(self.coming)][-HELD:]
        drawn = self.held[int(torch.randint(len(self.held), ()))]
        images, areas = drawn.images.to(self.device), drawn.areas.to(self.device)
        if torch.rand(()) < 0.5:
            images, areas = move(images, areas)
        return Batch(photograph(images), drawn.materials, drawn.kinds, areas, drawn.views)

    def learn(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step, and return the loss and the share of pairs in the right order."""
        torch.manual_seed(self.asked.seed * 10_000_019 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * schedule(self.step, self.asked.steps, WARM_UP)
        batch = self.draw()
        self.trunk.train()
        with mixed_precision(self.device):
            features = self.trunk(normalise(batch.images))[1]
        loss, right = self.lesson(features.float(), batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trunk.parameters(), 5.0)
        self.optimizer.step()
        average(self.kept, self.trunk, self.step)
        self.step += 1
        return loss.detach(), right.detach()

    def run(self) -> None:
        """Learn to the end, and say how it goes."""
        began, totals = time.monotonic(), torch.zeros(2)
        while self.step < self.asked.steps:
            totals += torch.stack(self.learn()).cpu()
            if self.step % EVERY == 0:
                loss, right = (totals / EVERY).tolist()
                seconds = (time.monotonic() - began) / EVERY
                print(f"{self.step}  loss {loss:.3f}  in order {right:.3f}  {seconds:.2f} s a step")
                began, totals = time.monotonic(), torch.zeros(2)
            if self.step % SAVED == 0 or self.step == self.asked.steps:
                self.save()


def main() -> None:
    """Refine on the device there is."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core paints
    Refining(parse_arguments(), device).run()


if __name__ == "__main__":
    main()
