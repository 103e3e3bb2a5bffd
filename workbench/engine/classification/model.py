"""The classification network: features of the backbone, pooled, and one linear layer."""

from collections.abc import Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Network, build_backbone

PRESETS = TASK_PRESETS["classification"]


class ClassificationModel(Network):
    """Scores for each class from the average and the highest features of the whole image.

    Features are those of strides 4, 8 and 16: a defect is often small, and the deepest map alone
    forgets it. Buffers center and spread, float (2 C,), bring what was pooled to one scale.
    evidence: what the scores would be if the whole image looked as each place of it does: a class
    activation map. Source: Learning Deep Features for Discriminative Localization (Zhou et al.,
    2016).
    """

    output_names = ("logits", "evidence")
    center: torch.Tensor
    spread: torch.Tensor

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.dropout = nn.Dropout(0.2)
        width = 2 * sum(self.backbone.channels[1:])
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.head = nn.Linear(width, len(classes))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N, K) and evidence (N, K, h, w) of normalised float (N, 3, H, W) images.

        h and w are H / 16 and W / 16.
        """
        features = self.look(images)  # (N, C, h, w)
        scaled = (pool(features) - self.center) / self.spread
        kernel = self.head.weight / self.spread  # (K, 2 C)
        bias = self.head.bias - kernel @ self.center
        of_mean, of_highest = kernel.chunk(2, dim=1)
        evidence = nn.functional.conv2d(features, (of_mean + of_highest)[:, :, None, None], bias)
        return self.head(self.dropout(scaled)), evidence

    def look(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features (N, C, h, w) of images (N, 3, H, W), all at stride 16."""
        _, fine, middle, last = self.backbone(images)
        averaged = nn.functional.avg_pool2d(fine, 4), nn.functional.avg_pool2d(middle, 2)
        return torch.cat([*averaged, last], dim=1)


def pool(features: torch.Tensor) -> torch.Tensor:
    """Return the average and the highest, float (N, 2 C), of features (N, C, h, w)."""
    return torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)


def build_model(classes: Sequence[str], settings: Settings) -> ClassificationModel:
    """Return the untrained network for these classes."""
    return ClassificationModel(classes, settings.backbone)
