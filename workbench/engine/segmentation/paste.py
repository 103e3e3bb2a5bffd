"""What an image holds, pasted into it once more: few defects, at many places.

Source: Simple Copy-Paste (Ghiasi et al., 2021), here within one image, for another's surface and
light would show at the rim.
"""

import torch
from torch.nn import functional

from ..augment import IGNORED
from ..blend import AROUND, RIM, blend

PASTED = 0.5  # share of the images that something is pasted into
MOST_PASTED = 0.25  # of the pixels: what fills an image has no other place there


def paste_again(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an image, uint8 (3, h, w), and its mask (h, w), often with what it holds twice.

    The copy is flipped at random and lies anywhere; its light is moved to that of the place.
    """
    share = float(find_area(mask).float().mean())
    if not 0 < share <= MOST_PASTED or float(torch.rand(())) >= PASTED:
        return image, mask
    axes = [axis for axis in (-2, -1) if float(torch.rand(())) < 0.5]
    return paste(image, mask, image.flip(axes), mask.flip(axes))


def paste(
    image: torch.Tensor, mask: torch.Tensor, source: torch.Tensor, source_mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return image and mask with what the source's mask holds, moved to a random place.

    Images: uint8 (3, h, w). Masks: uint8 (h, w). As they are where none of it would be seen.
    """
    down, right = choose_move(mask, source_mask)
    sides = (right, -right, down, -down)  # what is added at the left and the top, or cut off
    moved = functional.pad(source, sides)
    moved_mask = functional.pad(source_mask, sides, value=IGNORED)
    is_known = (mask != IGNORED) & (moved_mask != IGNORED)
    area = find_area(moved_mask) & is_known
    if not area.any():
        return image, mask
    is_free = is_known & ~(find_area(mask) & ~area)  # what lies around it must hide no other thing
    box = find_box(area, RIM + AROUND)  # nothing beyond it changes
    part = (slice(None), *box)
    blended = blend(image[part], moved[part], area[box], is_free[box])
    if blended is None:
        return image, mask
    mixed = image.clone()
    mixed[part] = blended
    return mixed, torch.where(area, moved_mask, mask)


def find_area(mask: torch.Tensor) -> torch.Tensor:
    """Return where a mask (h, w) holds a class: bool (h, w)."""
    return (mask > 0) & (mask != IGNORED)


def choose_move(mask: torch.Tensor, source_mask: torch.Tensor) -> tuple[int, int]:
    """Return how far down and right the middle of what a mask holds is to go: to a random place."""
    places = (mask != IGNORED).nonzero()
    place = places[int(torch.randint(len(places), ()))]
    middle = find_area(source_mask).nonzero().float().mean(0).round().long()
    down, right = (place - middle).tolist()
    return down, right


def find_box(area: torch.Tensor, margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of an area, bool (h, w), not empty, and of a margin around it."""
    rows, columns = (area.any(axis).nonzero() for axis in (1, 0))
    row, column = (
        slice(max(0, int(k.min()) - margin), int(k.max()) + margin + 1) for k in (rows, columns)
    )
    return row, column
