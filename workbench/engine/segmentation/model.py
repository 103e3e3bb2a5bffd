"""The segmentation network: a U-Net on the backbone, up to the input's own resolution.

Source: U-Net (Ronneberger et al., 2015). The last skip comes from the pixels themselves, so that a
thin crack keeps its edges.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ...settings import Settings
from ..backbone import Network, build_backbone

PRESETS = {
    "fast": Settings(input_size=384, batch_size=8, min_steps=120, max_steps=300, passes=20),
    "accurate": Settings(input_size=512, batch_size=8, min_steps=400, max_steps=6000, passes=120),
}
WIDTHS = (128, 64, 32, 16)  # channels of the decoder at strides 8, 4, 2 and 1
PIXEL_CHANNELS = 16


class SegmentationModel(Network):
    """Scores of background and each class for every pixel."""

    output_names = ("logits",)

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.pixels = convolve(3, PIXEL_CHANNELS)
        skips = (PIXEL_CHANNELS, *self.backbone.channels[:-1])[::-1]  # strides 8, 4, 2, 1
        below = (self.backbone.channels[-1], *WIDTHS)
        self.decoder = nn.ModuleList(
            convolve(below[i] + skips[i], WIDTHS[i]) for i in range(len(WIDTHS))
        )
        self.head = nn.Conv2d(WIDTHS[-1], len(classes) + 1, 1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return logits (N, K + 1, H, W) of normalised float (N, 3, H, W) images."""
        *features, x = self.backbone(images)  # x: (N, 256, H / 16, W / 16)
        skips = [self.pixels(images), *features][::-1]
        for block, skip in zip(self.decoder, skips):
            x = nn.functional.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        return (self.head(x),)


def convolve(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3 x 3 convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def build_model(classes: Sequence[str], settings: Settings) -> SegmentationModel:
    """Return the untrained network for these classes."""
    return SegmentationModel(classes, settings.backbone)
