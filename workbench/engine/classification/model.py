"""The classification network: features of the backbone, pooled, and one linear layer."""

from collections.abc import Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Network, build_backbone

PRESETS = TASK_PRESETS["classification"]


class ClassificationModel(Network):
    """Scores for each class from the average and the highest feature of the whole image."""

    output_names = ("logits",)

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * self.backbone.channels[-1], len(classes))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return logits (N, K) of normalised float (N, 3, H, W) images."""
        features = self.backbone(images)[-1]  # (N, C, H / 16, W / 16)
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)  # (N, 2 C)
        return (self.head(self.dropout(pooled)),)


def build_model(classes: Sequence[str], settings: Settings) -> ClassificationModel:
    """Return the untrained network for these classes."""
    return ClassificationModel(classes, settings.backbone)
