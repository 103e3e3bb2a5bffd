"""The classification network: features of the backbone, pooled, and one linear layer."""

from collections.abc import Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Network, build_backbone

PRESETS = TASK_PRESETS["classification"]


class ClassificationModel(Network):
    """Scores for each class from the average and the highest feature of the whole image.

    evidence: what the scores would be if the whole image looked as each place of it does: a class
    activation map. Source: Learning Deep Features for Discriminative Localization (Zhou et al.,
    2016).
    """

    output_names = ("logits", "evidence")

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * self.backbone.channels[-1], len(classes))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N, K) and evidence (N, K, h, w) of normalised float (N, 3, H, W) images.

        h and w are H / 16 and W / 16.
        """
        features = self.backbone(images)[-1]  # (N, C, h, w)
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)  # (N, 2 C)
        of_mean, of_highest = self.head.weight.chunk(2, dim=1)  # (K, C) each
        kernel = (of_mean + of_highest)[:, :, None, None]
        evidence = nn.functional.conv2d(features, kernel, self.head.bias)
        return self.head(self.dropout(pooled)), evidence


def build_model(classes: Sequence[str], settings: Settings) -> ClassificationModel:
    """Return the untrained network for these classes."""
    return ClassificationModel(classes, settings.backbone)
