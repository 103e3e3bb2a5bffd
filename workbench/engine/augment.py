"""How training images are varied: what every room shares of it (torchvision.transforms.v2)."""

import math
from typing import Any

import torch
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2

from ..tasks.framing import PADDING

OFTEN = 0.7  # share of the images that are moved
IGNORED = 255  # what a mask holds where there is no image: no loss is taken there


def vary_light() -> v2.Transform:
    """Return a transform that varies brightness, contrast, colour and, at times, focus."""
    return v2.Compose(
        [
            v2.ColorJitter(brightness=0.25, contrast=0.25, saturation=0.2),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(0.1, 1.0))], p=0.1),
        ]
    )


def vary_view_mirrored(degrees: float, scale: tuple[float, float], shift: float) -> v2.Transform:
    """Return what `vary_view` does, without boxes: beyond its edge an image is mirrored.

    So no edge appears that a class could be told by.
    """
    return v2.Compose([flip_both_ways(), move_mirrored(degrees, scale, shift)])


def move_mirrored(degrees: float, scale: tuple[float, float], shift: float) -> v2.Transform:
    """Return what `vary_view_mirrored` does, without flips."""
    return v2.RandomApply([MoveMirrored(degrees, scale, shift)], p=OFTEN)


class MoveMirrored(v2.Transform):  # type: ignore[misc]
    """Turns, scales and shifts images with their masks at random."""

    def __init__(self, degrees: float, scale: tuple[float, float], shift: float) -> None:
        super().__init__()
        self.degrees, self.scale, self.shift = degrees, scale, shift

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return an angle in radians, a zoom, and a shift where the image is 2 wide and high."""
        angle = math.radians(draw_between(-self.degrees, self.degrees))
        zoom = draw_between(*self.scale)
        x, y = (2 * draw_between(-self.shift, self.shift) for _ in range(2))
        return {"angle": angle, "zoom": zoom, "shift": (x, y)}

    def transform(self, inpt: tv_tensors.TVTensor, params: dict[str, Any]) -> tv_tensors.TVTensor:
        """Return one image, or its mask, moved."""
        return move_view(inpt, **params)


def draw_between(low: float, high: float) -> float:
    """Return a random number between the two."""
    return float(torch.empty(()).uniform_(low, high))


def move_view(
    view: tv_tensors.TVTensor, angle: float, zoom: float, shift: tuple[float, float]
) -> tv_tensors.TVTensor:
    """Return an image, uint8 (3, H, W), or a mask (H, W), turned, zoomed and shifted.

    angle: in radians. shift: along x and y, where the image is 2 wide and 2 high.
    """
    height, width = view.shape[-2:]
    mode = "nearest" if isinstance(view, tv_tensors.Mask) else "bilinear"
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    rows = [[cosine, -sine * height / width, shift[0]], [sine * width / height, cosine, shift[1]]]
    grid = functional.affine_grid(torch.tensor([rows]), [1, 1, height, width], align_corners=False)
    moved = functional.grid_sample(
        view.reshape(1, -1, height, width).float(), grid, mode, "reflection", align_corners=False
    )
    return tv_tensors.wrap(moved.round().to(torch.uint8).reshape(view.shape), like=view)


def vary_view(degrees: float, scale: tuple[float, float], shift: float) -> v2.Transform:
    """Return a transform that flips, turns up to `degrees`, scales and shifts (a fraction)."""
    affine = v2.RandomAffine(
        degrees,
        translate=(shift, shift),
        scale=scale,
        interpolation=v2.InterpolationMode.BILINEAR,
        fill={tv_tensors.Image: PADDING, tv_tensors.Mask: IGNORED},
    )
    return v2.Compose([flip_both_ways(), v2.RandomApply([affine], p=OFTEN)])


def flip_both_ways() -> v2.Transform:
    """Return a transform that flips an image along each side at random."""
    return v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])
