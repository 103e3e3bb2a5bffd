"""How training images are varied: what every room shares of it (torchvision.transforms.v2)."""

import math

import torch
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2

from ..tasks.framing import PADDING

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
    """Return what `vary_view` does, for images without masks: beyond its edge an image is mirrored.

    So no edge appears that a class could be told by.
    """

    def vary(image: tv_tensors.Image) -> tv_tensors.Image:
        angle = math.radians(draw_between(-degrees, degrees))
        zoom, (x, y) = draw_between(*scale), (draw_between(-shift, shift) for _ in range(2))
        return move_view(image, angle, zoom, (2 * x, 2 * y))

    return flip_and_often(v2.Lambda(vary))


def draw_between(low: float, high: float) -> float:
    """Return a random number between the two."""
    return float(torch.empty(()).uniform_(low, high))


def move_view(
    image: tv_tensors.Image, angle: float, zoom: float, shift: tuple[float, float]
) -> tv_tensors.Image:
    """Return an image, uint8 (3, H, W), turned by an angle in radians, zoomed and shifted.

    shift: along x and y, where the image is 2 wide and 2 high.
    """
    height, width = image.shape[-2:]
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    rows = [[cosine, -sine * height / width, shift[0]], [sine * width / height, cosine, shift[1]]]
    grid = functional.affine_grid(torch.tensor([rows]), [1, 3, height, width], align_corners=False)
    moved = functional.grid_sample(
        image[None].float(), grid, padding_mode="reflection", align_corners=False
    )
    return tv_tensors.Image(moved[0].round().to(torch.uint8))


def vary_view(degrees: float, scale: tuple[float, float], shift: float) -> v2.Transform:
    """Return a transform that flips, turns up to `degrees`, scales and shifts (a fraction)."""
    affine = v2.RandomAffine(
        degrees,
        translate=(shift, shift),
        scale=scale,
        interpolation=v2.InterpolationMode.BILINEAR,
        fill={tv_tensors.Image: PADDING, tv_tensors.Mask: IGNORED},
    )
    return flip_and_often(affine)


def flip_and_often(move: v2.Transform) -> v2.Transform:
    """Return a transform that flips an image both ways at random, and often moves it too."""
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomApply([move], p=0.7),
        ]
    )
