"""Few training images, shown in more ways: turned, and with their boxes once more elsewhere.

Source: Cut, Paste and Learn (Dwibedi et al., 2017), here within one image, as in segmentation.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torchvision import tv_tensors

from ..augment import flip_both_ways
from ..blend import AROUND, RIM, blend, widen
from ..data import Example, MakeSample, to_tensor
from .targets import Target

FEW = 100  # images: of more, each is seen too seldom to need it (tools/pretrain/RESULTS.md)
TURNED = 0.5  # share of the images that are turned
PASTED = 0.8  # share of the images that boxes are pasted into
MOST_COPIES = 3  # of boxes, in one image
MOST_AREA = 0.25  # of the image: what fills it has no other place there
TRIES = 8  # places that are looked at: that most like where the box was is taken
LONG = 1.5  # times as long as wide: from then on a box lies along one side of the image
ONE_WAY = 0.1  # of the boxes that lie along one side, may lie along the other

FLIPS = flip_both_ways()

Window = tuple[slice, slice]  # rows and columns


def make_sample_of_few(
    image: np.ndarray, target: Target, make_sample: MakeSample, can_turn: bool
) -> tuple[torch.Tensor, Target]:
    """Return one training crop, uint8 (3, h, w), and its boxes, of one of few images."""
    if can_turn and float(torch.rand(())) < TURNED:
        image, target = turn(image, target)
    return make_sample(*paste_again(image, target))


def lie_any_way(examples: Sequence[Example]) -> bool:
    """Tell whether images may be turned: no class is one of long things that lie one way.

    Threads of the warp and of the weft are told apart by that.
    """
    ways: dict[str, list[int]] = {}
    for example in examples:
        for box in example.read_label().boxes:
            aspect = (box.x1 - box.x0) / (box.y1 - box.y0)
            ways.setdefault(box.class_name, []).append((aspect > LONG) - (aspect < 1 / LONG))
    return not any(lies_one_way(np.array(values)) for values in ways.values())


def lies_one_way(ways: np.ndarray) -> bool:
    """Tell whether most boxes of a class lie along one side of the image, and hardly any otherwise.

    ways: int (N,), 1 along x, -1 along y, 0 neither.
    """
    along = sorted(int((ways == way).sum()) for way in (-1, 1))
    return along[1] > len(ways) / 2 and along[0] <= ONE_WAY * along[1]


def turn(image: np.ndarray, target: Target) -> tuple[np.ndarray, Target]:
    """Return an image, uint8 (h, w, 3), and its boxes, with x and y in each other's place.

    With the flips that every image is varied by this gives all quarter turns.
    """
    boxes = target.boxes[:, [1, 0, 3, 2]]
    return image.transpose(1, 0, 2), Target(boxes, target.class_indices)


def paste_again(image: np.ndarray, target: Target) -> tuple[np.ndarray, Target]:
    """Return an image, uint8 (h, w, 3), and its boxes, often with some of them twice.

    Copies are flipped at random; they lie where no box is and where it looks as around the first
    of them, in the light of that place.
    """
    count = len(target.boxes)
    if not count or float(torch.rand(())) >= PASTED:
        return image, target
    mixed = to_tensor(image)
    for _ in range(1 + int(torch.randint(MOST_COPIES, ()))):
        target = paste_box(mixed, target, int(torch.randint(count, ())))
    return mixed.permute(1, 2, 0).numpy(), target


def paste_box(image: torch.Tensor, target: Target, index: int) -> Target:
    """Paste a box into an image, uint8 (3, h, w), once more, in place; return all boxes.

    As they were where there is no room for it.
    """
    rows, columns = find_window(target.boxes[index], image)
    box = target.boxes[index] - corner(rows, columns)
    copy, box = flip_at_random(image[:, rows, columns], box)
    area = cover(box, copy)
    place = choose_place(copy, ~widen(area, RIM), find_room(copy, image, target.boxes), image)
    if place is None:
        return target
    blended = blend(image[:, *place], copy, area, torch.ones_like(area))
    if blended is None:
        return target
    image[:, *place] = blended
    boxes = torch.cat([target.boxes, (box + corner(*place))[None]])
    return Target(boxes, torch.cat([target.class_indices, target.class_indices[index, None]]))


def find_window(box: torch.Tensor, image: torch.Tensor) -> Window:
    """Return the rows and columns of a box, float32 (4,) xyxy, and of what lies around it."""
    margin = RIM + AROUND
    x0, y0 = (max(0, math.floor(start) - margin) for start in box[:2].tolist())
    x1, y1 = (math.ceil(end) + margin for end in box[2:].tolist())
    return slice(y0, min(y1, image.shape[1])), slice(x0, min(x1, image.shape[2]))


def corner(rows: slice, columns: slice) -> torch.Tensor:
    """Return where a window starts, as a box of no size: (4,) xyxy."""
    return torch.tensor([columns.start, rows.start] * 2)


def find_room(copy: torch.Tensor, image: torch.Tensor, boxes: torch.Tensor) -> list[Window]:
    """Return some windows of the copy's size, rows and columns, that hold no part of a box.

    None where they would be more than MOST_AREA of the image. copy, image: (3, h, w).
    """
    height, width = copy.shape[1:]
    if height * width > MOST_AREA * image[0].numel():
        return []
    x0, y0, x1, y1 = boxes.T
    windows = []
    for _ in range(TRIES):
        top = int(torch.randint(image.shape[1] - height + 1, ()))
        left = int(torch.randint(image.shape[2] - width + 1, ()))
        is_met = (x0 < left + width) & (x1 > left) & (y0 < top + height) & (y1 > top)
        if not is_met.any():
            windows.append((slice(top, top + height), slice(left, left + width)))
    return windows


def choose_place(
    copy: torch.Tensor, around: torch.Tensor, windows: list[Window], image: torch.Tensor
) -> Window | None:
    """Return the window in which the surroundings are most like those of the copy; None of none.

    copy, image: uint8 (3, h, w). around: bool (h, w), which pixels are surroundings.
    """
    wanted = copy[:, around].float()

    def differ(window: Window) -> float:
        return float((image[:, *window][:, around] - wanted).abs().mean())

    return min(windows, key=differ, default=None)


def flip_at_random(image: torch.Tensor, box: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an image, uint8 (3, h, w), and a box in it, float32 (4,) xyxy, flipped at random."""
    whole = tv_tensors.BoundingBoxes(box[None], format="XYXY", canvas_size=image.shape[1:])
    flipped, boxes = FLIPS(tv_tensors.Image(image), whole)
    return flipped.as_subclass(torch.Tensor), boxes.as_subclass(torch.Tensor)[0]


def cover(box: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Return which pixels of an image, (3, h, w), a box, float32 (4,), touches: bool (h, w)."""
    covered = torch.zeros(image.shape[1:], dtype=torch.bool)
    left, top = (max(0, math.floor(start)) for start in box[:2].tolist())
    right, bottom = (math.ceil(end) for end in box[2:].tolist())
    covered[top:bottom, left:right] = True
    return covered
