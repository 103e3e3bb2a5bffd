"""A part of an image laid over another, in the light of the place and without a hard edge."""

import torch
from torch.nn import functional

RIM = 3  # pixels around it that are pasted too: its shadow and its soft edge
AROUND = 6  # pixels beyond, whose light is that of the surface
SOFT = 3  # pixels that the edge of what is pasted is averaged over, twice


def blend(
    image: torch.Tensor, copy: torch.Tensor, area: torch.Tensor, is_free: torch.Tensor
) -> torch.Tensor | None:
    """Return an image, uint8 (3, h, w), with an area of another in it, in the light of the place.

    area, is_free: bool (h, w), what is shown of the copy, and what may change. None where nothing
    around the area tells what its light is.
    """
    wide = widen(area, RIM)
    around = widen(wide, AROUND) & is_free & ~wide
    if not around.any():
        return None
    wide = wide & is_free
    old, new = image.float(), copy.float()
    new = new + (old[:, around].mean(1) - new[:, around].mean(1))[:, None, None]
    opacity = torch.maximum(wide.float(), soften(wide)) * is_free
    return (old + opacity * (new - old)).round().clamp(0, 255).to(torch.uint8)


def widen(area: torch.Tensor, pixels: int) -> torch.Tensor:
    """Return an area, bool (h, w), with all that is at most that far from it, down and across."""
    side = 2 * pixels + 1
    down = functional.max_pool2d(area[None].float(), (side, 1), 1, (pixels, 0))
    return functional.max_pool2d(down, (1, side), 1, (0, pixels))[0] > 0


def soften(area: torch.Tensor) -> torch.Tensor:
    """Return an area, bool (h, w), as float with edges that are averaged twice."""
    soft = area[None].float()
    for _ in range(2):
        soft = functional.avg_pool2d(soft, SOFT, 1, SOFT // 2)
    return soft[0]
