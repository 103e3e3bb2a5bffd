"""The classification network: a description of the whole image, and one linear layer."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Network, build_backbone

PRESETS = TASK_PRESETS["classification"]
AXES = (16, 32)  # along which features of stride 4, and those of stride 8, are compared
LEAST_VARIANCE = 0.01  # along an axis, of which the places of all images have 1


class ClassificationModel(Network):
    """Scores for each class from the highest features of the image, and from how they go together.

    Highest: of strides 4, 8 and 16, for a defect is often small, and the deepest map alone forgets
    it. How they go together: those of strides 4 and 8 along AXES, how far each spreads over the
    image, and how each two of one stride correlate. Source: Semantic Segmentation with Second-Order
    Pooling (Carreira et al., 2012), whose products these are, taken apart.
    Buffers: axes, float (48, 192), say what is compared; center and spread, float (D,), bring the
    description to one scale.
    evidence: what each place adds to the scores: its own score by the highest features, as in a
    class activation map, and how the scores change as it counts more among the places that spreads
    and correlations are taken over. Sources: Learning Deep Features for Discriminative Localization
    (Zhou et al., 2016); Axiomatic Attribution for Deep Networks (Sundararajan et al., 2017), whose
    gradient this is at one point.
    """

    output_names = ("logits", "evidence")
    axes: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    center: torch.Tensor
    spread: torch.Tensor

    def __init__(self, classes: Sequence[str], weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.dropout = nn.Dropout(0.2)
        self.compared = self.backbone.channels[1:3]
        self.register_buffer("axes", block_diagonal(map(torch.eye, AXES, self.compared)))
        for name, index in zip(("first", "second"), find_pairs()):
            self.register_buffer(name, index)
        self.widths = [sum(self.backbone.channels[1:]), sum(AXES), len(self.first)]
        self.register_buffer("center", torch.zeros(sum(self.widths)))
        self.register_buffer("spread", torch.ones(sum(self.widths)))
        self.head = nn.Linear(sum(self.widths), len(classes))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N, K) and evidence (N, K, h, w) of normalised float (N, 3, H, W) images.

        h and w are H / 16 and W / 16.
        """
        features, texture = self.look(images)
        along = self.turn(texture)
        return self.score(features, along), self.locate(features, along)

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, K) alone: what training needs, in less memory."""
        features, texture = self.look(images)
        return self.score(features, self.turn(texture))

    def look(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features of images (N, 3, H, W), all at stride 16, and what is compared of them.

        (N, 448, H / 16, W / 16) and, smoothed, (N, 192, H / 8, W / 8).
        """
        _, fine, middle, last = self.backbone(images)
        pool = nn.functional.avg_pool2d
        texture = torch.cat([pool(fine, 2), middle], dim=1)
        smoothed = pool(texture, 3, 1, 1, count_include_pad=False)
        return torch.cat([pool(fine, 4), pool(middle, 2), last], dim=1), smoothed

    def turn(self, texture: torch.Tensor) -> torch.Tensor:
        """Return texture (N, 192, h, w) along the axes: (N, 48, h, w)."""
        return nn.functional.conv2d(texture, self.axes[:, :, None, None])

    def score(self, features: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, K) of features (N, 448, h, w)."""
        described = describe(features, along, self.first, self.second)
        scaled = (described - self.center) / self.spread
        logits: torch.Tensor = self.head(self.dropout(scaled))
        return logits

    def locate(self, features: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
        """Return the evidence (N, K, h, w) of features (N, 448, h, w)."""
        kernel = self.head.weight / self.spread  # (K, D)
        of_highest, of_spreads, of_pairs = torch.split(kernel, self.widths, dim=1)
        rows, _ = scale_rows(along)
        products = rows[:, self.first] * rows[:, self.second]  # (N, P, 4 h w)
        # More variance along an axis lowers the correlations with it, by half as much.
        each = torch.eye(sum(AXES), device=rows.device)
        falls = of_pairs * products.mean(2)[:, None] / 2 @ (each[self.first] + each[self.second])
        added = of_pairs @ products + (of_spreads - falls) @ rows.square()  # (N, K, 4 h w)
        added = nn.functional.avg_pool2d(added.reshape(*added.shape[:2], *along.shape[2:]), 2)
        return nn.functional.conv2d(features, of_highest[:, :, None, None]) + added


def find_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of each two axes of one stride: int64 (P,) twice."""
    pairs = block_diagonal(torch.ones(count, count) for count in AXES).triu(1)
    first, second = pairs.nonzero(as_tuple=True)
    return first, second


def describe(
    features: torch.Tensor, along: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> torch.Tensor:
    """Return the highest features, spreads (logarithms) and correlations of pairs: (N, C + A + P).

    features: (N, C, h, w). along: (N, A, 2 h, 2 w), features along the axes. first, second: int64
    (P,), pairs of axes.
    """
    rows, variance = scale_rows(along)
    correlations = rows @ rows.transpose(1, 2) / rows.shape[2]
    return torch.cat([features.amax((2, 3)), variance.log(), correlations[:, first, second]], dim=1)


def scale_rows(along: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features along axes (N, A, h, w) of mean 0 and spread 1, (N, A, h w), and variances.

    The variances, (N, A), are those over the places of each image; where it is all the same, of
    LEAST_VARIANCE, the features along the axis are 0.
    """
    rows = along.flatten(2)
    rows = rows - rows.mean(2, keepdim=True)
    variance = rows.square().mean(2) + LEAST_VARIANCE
    return rows * variance.rsqrt()[:, :, None], variance


def block_diagonal(blocks: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the matrix that has these, (A, C) each, on its diagonal, and 0 elsewhere."""
    matrix: torch.Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return matrix


def build_model(classes: Sequence[str], settings: Settings) -> ClassificationModel:
    """Return the untrained network for these classes."""
    return ClassificationModel(classes, settings.backbone)
