"""What the detection network is to say of an image: heat at middles, and distances to sides.

Source: Training-Time-Friendly Network (Liu et al., 2020).
"""

from dataclasses import dataclass

import numpy as np
import torch

from .model import LOWEST_SIDE, STRIDE

HEAT_REACH = 0.54  # of the box (Liu et al., 2020)


@dataclass(frozen=True, eq=False)
class Target:
    """The boxes of one training image.

    boxes: float32 (N, 4) xyxy in pixels of that image. class_indices: int64 (N,).
    """

    boxes: torch.Tensor
    class_indices: torch.Tensor


def box_areas(boxes: torch.Tensor) -> torch.Tensor:
    """Return the areas of boxes, float32 (N, 4) xyxy: float32 (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def make_maps(target: Target, class_count: int, size: tuple[int, int]) -> tuple[torch.Tensor, ...]:
    """Return what a perfect network says of an input of (height, width), cells of STRIDE pixels.

    heat: float32 (K, h, w), 1 at the middle of each box, falling off as a Gaussian of its shape.
    sides: float32 (4, h, w), distances in pixels to the left, top, right and bottom side.
    weights: float32 (h, w), how much sides count there; they add up to 1 for a box. Where boxes
    share a cell the smaller one has it.
    """
    height, width = size[0] // STRIDE, size[1] // STRIDE
    heat = np.zeros((class_count, height, width), np.float32)
    sides = np.zeros((4, height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    boxes, indices = target.boxes.numpy(), target.class_indices.numpy()
    for i in np.argsort(-box_areas(target.boxes).numpy(), kind="stable"):
        x0, y0, x1, y1 = boxes[i]
        columns, across = heat_along(x0, x1, width)
        rows, down = heat_along(y0, y1, height)
        bump = np.outer(down, across)  # (rows, columns)
        place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        heat[indices[i], *place] = np.maximum(heat[indices[i], *place], bump)
        x, y = (columns + 0.5) * STRIDE, (rows[:, None] + 0.5) * STRIDE
        near = np.stack(np.broadcast_arrays(x - x0, y - y0, x1 - x, y1 - y))  # (4, rows, columns)
        can_say = (near >= LOWEST_SIDE).all(axis=0)
        np.copyto(sides[:, *place], near, where=can_say)
        share = bump / max(float(bump[can_say].sum()), 1e-6)
        np.copyto(weights[place], share, where=can_say)
    return tuple(torch.from_numpy(array) for array in (heat, sides, weights))


def heat_along(start: float, end: float, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells, of `length`, that a box from start to end warms, and how much.

    int (n,) and float32 (n,): 1 at the cell of its middle, a Gaussian of three sigmas around it.
    """
    middle = int(np.clip((start + end) / 2 // STRIDE, 0, length - 1))
    radius = int(HEAT_REACH * (end - start) / 2 / STRIDE)
    cells = np.arange(max(0, middle - radius), min(length, middle + radius + 1))
    sigma = (2 * radius + 1) / 6
    return cells, np.exp(-((cells - middle) ** 2) / (2 * sigma**2)).astype(np.float32)
