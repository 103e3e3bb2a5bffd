"""The detection network: things are points, found on one map at stride 4.

Source: Objects as Points (Zhou et al., 2019) for the heatmap, FCOS (Tian et al., 2019) for the four
distances, feature pyramids (Lin et al., 2017) for the way from wide features down to fine ones.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import SHIPPED_PLACES, Network, build_backbone
from ..reader import Reader

PRESETS = TASK_PRESETS["detection"]
STRIDE = 4  # input pixels a cell of the maps
WIDTH = 48  # channels of the pyramid
FIRST_SCORE = 0.1  # what every cell says before training: most hold nothing (Lin et al., 2017)
FIRST_LOGIT = math.log(FIRST_SCORE / (1 - FIRST_SCORE))
TYPICAL_SIDE = 16.0  # pixels from a centre to a side, before training
LOWEST_SIDE = -STRIDE / 2  # a cell's middle may lie that far outside of a thin box it stands for
HIGHEST_LOG = 5.0  # of a distance in typical sides: about 2400 pixels


class DetectionModel(Network):
    """Where each class has things, and how far their sides are.

    The reader, one linear layer on the features at strides 4, 8 and 16, says what a place by itself
    looks like; the pyramid corrects it. On pretrained features the reader is fitted first.
    """

    output_names = ("heatmap", "sides")

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights, SHIPPED_PLACES)
        _, *channels = self.backbone.channels  # strides 4, 8, 16
        self.widest = convolve(channels[-1], WIDTH, stride=2)  # stride 32, for the largest things
        self.lateral = nn.ModuleList(nn.Conv2d(count, WIDTH, 1) for count in channels[::-1])
        self.smooth = nn.ModuleList(convolve(WIDTH, WIDTH) for _ in channels)
        self.heatmap = build_head(len(classes))
        self.sides = build_head(4)
        self.class_count = len(classes)
        self.reader = Reader(self.backbone, len(classes) + 4)
        nn.init.constant_(self.reader.bias[: len(classes)], FIRST_LOGIT)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return heatmap logits and sides of normalised float (N, 3, H, W) images.

        heatmap: (N, K, H / 4, W / 4). sides: (N, 4, H / 4, W / 4), distances in pixels from the
        middle of a cell to the left, top, right and bottom side, never below LOWEST_SIDE.
        """
        _, *features = self.backbone(images)
        heat, logs = torch.split(self.reader.read(features), [self.class_count, 4], dim=1)
        x = self.widest(features[-1])  # (N, WIDTH, H / 32, W / 32)
        for feature, lateral, smooth in zip(features[::-1], self.lateral, self.smooth):
            wide = nn.functional.interpolate(x, size=feature.shape[2:], mode="nearest")
            x = smooth(lateral(feature) + wide)
        logs = (logs + self.sides(x)).float().clamp(max=HIGHEST_LOG)
        return heat + self.heatmap(x), logs.exp() * TYPICAL_SIDE + LOWEST_SIDE


def encode_sides(sides: torch.Tensor) -> torch.Tensor:
    """Return the logarithms that the network has for distances in pixels, float32 of any shape."""
    return torch.log((sides - LOWEST_SIDE).clamp(min=0.25) / TYPICAL_SIDE)


def convolve(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def build_head(outputs: int) -> nn.Sequential:
    """Return what corrects `outputs` numbers of each cell; untrained by about nothing."""
    last = nn.Conv2d(WIDTH, outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(cast(torch.Tensor, last.bias))
    return nn.Sequential(convolve(WIDTH, WIDTH), last)


def build_model(classes: Sequence[str], settings: Settings) -> DetectionModel:
    """Return the untrained network for these classes."""
    return DetectionModel(classes, settings.backbone)
