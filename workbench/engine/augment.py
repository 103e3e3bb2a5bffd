"""How training images are varied: what every room shares of it (torchvision.transforms.v2)."""

from torchvision import tv_tensors
from torchvision.transforms import v2

from ..tasks.framing import PADDING

IGNORED = 255  # what a mask holds where there is no image: no loss is taken there


def vary_light() -> v2.Transform:
    """Return a transform that varies brightness, contrast, colour and, at times, focus."""
    return v2.Compose(
        [
            v2.ColorJitter(brightness=0.25, contrast=0.25, saturation=0.2, hue=0.02),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(0.1, 1.0))], p=0.1),
        ]
    )


def vary_view(degrees: float, scale: tuple[float, float], shift: float) -> v2.Transform:
    """Return a transform that flips, turns up to `degrees`, scales and shifts (a fraction)."""
    affine = v2.RandomAffine(
        degrees,
        translate=(shift, shift),
        scale=scale,
        interpolation=v2.InterpolationMode.BILINEAR,
        fill={tv_tensors.Image: PADDING, tv_tensors.Mask: IGNORED},
    )
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomApply([affine], p=0.7),
        ]
    )
