"""The segmentation network: a U-Net on the backbone, whose last step makes four pixels of one.

Source: U-Net (Ronneberger et al., 2015); sub-pixel convolution (Shi et al., 2016). The finest maps
have half the resolution of the input: a thin crack keeps its edges without the cost of maps at full
size.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import SHIPPED_PLACES, Network, build_backbone
from ..reader import enlarge
from .texture import TextureReader

PRESETS = TASK_PRESETS["segmentation"]
WIDTHS = (48, 32, 16)  # channels of the decoder at strides 8, 4 and 2
THINNED = 16  # channels that are left of the backbone's finest map
FINEST = 2  # stride of the finest maps


class SegmentationModel(Network):
    """Scores of background and each class for every pixel.

    The reader, one linear layer on the features at strides 4, 8 and 16, their means around and how
    they go together, says what a place and its surroundings look like; the decoder corrects it, and
    begins with no correction. On pretrained features the reader is fitted first and then stays.
    """

    output_names = ("logits",)

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights, SHIPPED_PLACES)
        finest, *wide = self.backbone.channels[:-1]
        self.thin = nn.Conv2d(finest, THINNED, 1)
        skips = (*wide[::-1], THINNED)  # strides 8, 4, 2
        below = (self.backbone.channels[-1], *WIDTHS)
        self.decoder = nn.ModuleList(
            convolve(below[i] + skips[i], WIDTHS[i]) for i in range(len(WIDTHS))
        )
        self.head = nn.Conv2d(WIDTHS[-1], (len(classes) + 1) * FINEST**2, 3, padding=1)
        self.reader = TextureReader(self.backbone, len(classes) + 1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)
        self.reader.requires_grad_(not self.backbone.is_pretrained)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return logits (N, K + 1, H, W) of normalised float (N, 3, H, W) images."""
        *features, x = self.backbone(images)  # x: (N, 256, H / 16, W / 16)
        read = self.reader.read([*features[1:], x])
        features[0] = self.thin(features[0])
        for block, skip in zip(self.decoder, features[::-1]):
            x = nn.functional.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        corrected = nn.functional.pixel_shuffle(self.head(x), FINEST)  # from (N, 4 K + 4, H/2, W/2)
        return (corrected + enlarge(read, corrected),)


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
