"""Training images: read once, scaled once, kept in memory while there is room, cut and stacked."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch

from ..settings import Settings
from ..store.snapshots import Snapshot, SnapshotItem
from ..tasks.framing import (
    INPUT_STEP,
    Frame,
    Framing,
    make_frames,
    resize_image,
    round_up,
    whole_frame,
)
from .backbone import MEAN, STD
from .device import cache_budget_bytes

Item = TypeVar("Item")
CUT_OUTS = 0.5  # share of images of a size of their own, above which they are cut out of photos
DEV_FRAMES = 32  # how many network inputs of the dev images a round of training may cost


@dataclass(frozen=True)
class Example:
    """One labeled image of a snapshot, not read yet."""

    snapshot: Snapshot
    item: SnapshotItem

    @property
    def name(self) -> str:
        """The image's name in the project."""
        return self.item.name

    @property
    def image_size(self) -> tuple[int, int]:
        """The image's (height, width)."""
        return self.item.image_size

    @property
    def colors(self) -> dict[str, str]:
        """The color of each class, "#rrggbb"."""
        return dict(zip(self.snapshot.classes, self.snapshot.colors))

    def read_image(self) -> np.ndarray:
        """Return the image: uint8 (H, W, 3)."""
        return self.snapshot.read_image(self.item)

    def read_label(self) -> Any:
        """Return the image's label in the snapshot."""
        return self.snapshot.read_label(self.item)


def labeled_examples(snapshot: Snapshot, split: str) -> list[Example]:
    """Return the labeled images of a split, in the snapshot's order."""
    return [
        Example(snapshot, item)
        for item in snapshot.items
        if item.split == split and item.revision_id is not None
    ]


def usual_input(examples: Sequence[Example], side: int) -> tuple[int, int]:
    """Return the (height, width) of a network input of the aspect that images usually have.

    side: the longer one, in pixels; the other is rounded to what networks take.
    """
    sizes = np.array([example.image_size for example in examples])  # (N, 2)
    aspect = float(np.exp(np.median(np.log(sizes[:, 0] / sizes[:, 1]))))
    height, width = (
        max(2 * INPUT_STEP, round(length / INPUT_STEP) * INPUT_STEP)
        for length in (side * min(1.0, aspect), side * min(1.0, 1 / aspect))
    )
    return height, width


def usual_area(examples: Sequence[Example]) -> float:
    """Return the median area of the images, in pixels."""
    return float(np.median([math.prod(example.image_size) for example in examples]))


def are_cut_out(examples: Sequence[Example]) -> bool:
    """Tell whether images were cut out of photos: more than CUT_OUTS have a size of their own."""
    sizes = {example.image_size for example in examples}
    return len(sizes) > max(1, CUT_OUTS * len(examples))


def pick_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most count of the items, in their order and evenly spread over it.

    Neighbors are often alike: images come in the order of their folders, one class after another.
    """
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def choose_dev(dev: Sequence[Example], framing: Framing) -> list[Example]:
    """Return the dev images that each round looks at: evenly spread, within DEV_FRAMES inputs."""
    cost = sum(len(make_frames(example.image_size, framing)) for example in dev)
    return pick_evenly(dev, max(1, len(dev) * DEV_FRAMES // max(cost, DEV_FRAMES)))


@dataclass
class ScaledImages:
    """The images of some examples at the size a framing asks for; kept decoded within a budget.

    scale_label(label, frame) gives what training needs of a label; it is kept beside the image.
    """

    examples: Sequence[Example]
    framing: Framing
    scale_label: Callable[[Any, Frame], Any] = lambda label, frame: label
    budget_bytes: int = field(default_factory=cache_budget_bytes)
    kept: dict[int, tuple[np.ndarray, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        """Return the scaled image, uint8 (h, w, 3), and what scale_label made of its label."""
        if index in self.kept:
            return self.kept[index]
        example = self.examples[index]
        frame = whole_frame(example.image_size, self.framing)
        image = resize_image(example.read_image(), frame.scaled_size)
        pair = image, self.scale_label(example.read_label(), frame)
        self.budget_bytes -= image.nbytes
        if self.budget_bytes > 0:
            self.kept[index] = pair
        return pair


Sample = tuple[torch.Tensor, Any]  # uint8 (3, H, W), and its target
MakeSample = Callable[[np.ndarray, Any], Sample]
Alike = tuple[torch.Tensor, list[Any]]  # of one size: uint8 (N, 3, H, W), and N targets


def make_batch(
    images: ScaledImages, step: int, settings: Settings, make_sample: MakeSample
) -> list[Alike]:
    """Return that step's batch: together where inputs are of one size, else each alone.

    make_sample(image, target) cuts and varies one scaled image, uint8 (h, w, 3), with its target.
    """
    indices = batch_indices(step, len(images), settings.batch_size, settings.seed)
    return stack_alike(make_sample(*images[index]) for index in indices)


def stack_alike(samples: Iterable[Sample]) -> list[Alike]:
    """Return the samples together where they are of one size, else each alone.

    The library below prepares and keeps a program for each shape that it meets: where sizes vary,
    groups of two, three and more of each would be many shapes, and take a tenth more memory.
    """
    drawn = list(samples)
    is_alike = len({image.shape for image, _ in drawn}) == 1
    groups = [drawn] if is_alike else [[sample] for sample in drawn]
    return [
        (torch.stack([image for image, _ in group]), [target for _, target in group])
        for group in groups
    ]


def batch_indices(step: int, count: int, batch_size: int, seed: int) -> list[int]:
    """Return which of `count` images make up a step's batch: each once an epoch, shuffled.

    It depends on nothing but its arguments, so that a resumed run goes on as if never interrupted.
    """
    positions = range(step * batch_size, (step + 1) * batch_size)
    return [shuffled(count, position // count, seed)[position % count] for position in positions]


@lru_cache(maxsize=4)
def shuffled(count: int, epoch: int, seed: int) -> list[int]:
    """Return the order of the images in that epoch."""
    order: list[int] = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    return order


def crop_size(examples: Sequence[Example], framing: Framing) -> tuple[int, int]:
    """Return the (height, width) of training crops: a tile, or less if all images are smaller."""
    sizes = np.array([whole_frame(example.image_size, framing).scaled_size for example in examples])
    height, width = (round_up(int(side), INPUT_STEP) for side in sizes.max(axis=0))
    return min(height, framing.input_size[0]), min(width, framing.input_size[1])


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """Return a uint8 (H, W, 3) image as a uint8 tensor (3, H, W) of its own memory."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 (N, 3, H, W) images as the network wants them: float32, channels last."""
    mean = torch.tensor(MEAN, device=images.device)[:, None, None]
    std = torch.tensor(STD, device=images.device)[:, None, None]
    values = (images.float() / 255 - mean) / std
    return values.contiguous(memory_format=torch.channels_last)
