"""The classification network: a description of the whole image, and one linear layer."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Network, build_backbone
from ..probe import LEAST_SPREAD

PRESETS = TASK_PRESETS["classification"]
AXES = (16, 32)  # along which features of stride 4, and those of stride 8, are compared
LEAST_VARIANCE = 0.01  # along an axis, of which the places of all images have 1
PATCH = 8  # pixels a side, over which colors are averaged
COLORS = 4  # red, green, blue and their mean, the brightness
COLOR_FACTS = 2 * COLORS + 2  # their means and spreads, and the highest and lowest brightness


class ClassificationModel(Network):
    """Scores for each class: from the highest features, from how they go together, from colors.

    Highest: of strides 4, 8 and 16, for a defect is often small, and the deepest map alone forgets
    it. How they go together: those of strides 4 and 8 along AXES, how far each spreads over the
    image, and how each two of one stride correlate. Source: Semantic Segmentation with Second-Order
    Pooling (Carreira et al., 2012), whose products these are, taken apart. Colors: means and
    spreads, the highest and the lowest brightness, which the features hardly tell.
    Buffers: axes, float (48, 192), say what is compared; center and spread, float (D,), bring the
    description to one scale.
    evidence: what each place adds to the scores: its own score by the highest features and by
    extremes of brightness, as in a class activation map, and how the scores change as it counts
    more among the places that the others are taken over. Sources: Learning Deep Features for
    Discriminative Localization (Zhou et al., 2016); Axiomatic Attribution for Deep Networks
    (Sundararajan et al., 2017), whose gradient this is at one point.
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
        self.widths = [sum(self.backbone.channels[1:]), sum(AXES), len(self.first), COLOR_FACTS]
        self.register_buffer("center", torch.zeros(sum(self.widths)))
        self.register_buffer("spread", torch.ones(sum(self.widths)))
        self.head = nn.Linear(sum(self.widths), len(classes))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N, K) and evidence (N, K, h, w) of normalised float (N, 3, H, W) images.

        h and w are H / 16 and W / 16.
        """
        features, texture, colors = self.look(images)
        along = self.turn(texture)
        return self.score(features, along, colors), self.locate(features, along, colors)

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, K) alone: what training needs, in less memory."""
        features, texture, colors = self.look(images)
        return self.score(features, self.turn(texture), colors)

    def look(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return features of images (N, 3, H, W), all at stride 16, what is compared, and colors.

        (N, 448, H / 16, W / 16); smoothed, (N, 192, H / 8, W / 8); (N, COLORS, H / 8, W / 8).
        """
        _, fine, middle, last = self.backbone(images)
        pool = nn.functional.avg_pool2d
        texture = torch.cat([pool(fine, 2), middle], dim=1)
        smoothed = pool(texture, 3, 1, 1, count_include_pad=False)
        features = torch.cat([pool(fine, 4), pool(middle, 2), last], dim=1)
        return features, smoothed, find_colors(images)

    def turn(self, texture: torch.Tensor) -> torch.Tensor:
        """Return texture (N, 192, h, w) along the axes: (N, 48, h, w)."""
        return nn.functional.conv2d(texture, self.axes[:, :, None, None])

    def score(
        self, features: torch.Tensor, along: torch.Tensor, colors: torch.Tensor
    ) -> torch.Tensor:
        """Return the logits (N, K) of features (N, 448, h, w)."""
        described = describe(features, along, colors, self.first, self.second)
        scaled = (described - self.center) / self.spread
        logits: torch.Tensor = self.head(self.dropout(scaled))
        return logits

    def locate(
        self, features: torch.Tensor, along: torch.Tensor, colors: torch.Tensor
    ) -> torch.Tensor:
        """Return the evidence (N, K, h, w) of features (N, 448, h, w)."""
        kernel = self.head.weight / self.spread  # (K, D)
        of_highest, of_spreads, of_pairs, of_colors = torch.split(kernel, self.widths, dim=1)
        rows, _ = scale_rows(along)
        products = rows[:, self.first] * rows[:, self.second]  # (N, P, 4 h w)
        # More variance along an axis lowers the correlations with it, by half as much.
        each = torch.eye(sum(AXES), device=rows.device)
        falls = of_pairs * products.mean(2)[:, None] / 2 @ (each[self.first] + each[self.second])
        added = of_pairs @ products + (of_spreads - falls) @ rows.square()  # (N, K, 4 h w)
        added = added + locate_colors(colors, of_colors)
        added = nn.functional.avg_pool2d(added.reshape(*added.shape[:2], *along.shape[2:]), 2)
        return nn.functional.conv2d(features, of_highest[:, :, None, None]) + added


def find_colors(images: torch.Tensor) -> torch.Tensor:
    """Return color and brightness of each PATCH of images (N, 3, H, W): (N, COLORS, h, w)."""
    colors = nn.functional.avg_pool2d(images, PATCH)
    return torch.cat([colors, colors.mean(1, keepdim=True)], dim=1)


def describe_colors(colors: torch.Tensor) -> torch.Tensor:
    """Return the COLOR_FACTS of colors (N, COLORS, h, w): (N, COLOR_FACTS)."""
    spread, mean = torch.std_mean(colors, (2, 3), correction=0)
    brightness = colors[:, -1:]
    return torch.cat([mean, spread, brightness.amax((2, 3)), brightness.amin((2, 3))], dim=1)


def locate_colors(colors: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return what each place adds to the scores by its color: (N, K, h w).

    colors: (N, COLORS, h, w). kernel: (K, COLOR_FACTS), the weights of what is said of them.
    """
    of_means, of_spreads, of_extremes = torch.split(kernel, [COLORS, COLORS, 2], dim=1)
    rows = colors.flatten(2)
    away = rows - rows.mean(2, keepdim=True)
    squares = away.square()
    spread = squares.mean(2, keepdim=True).sqrt().clamp(min=LEAST_SPREAD)
    by_brightness = of_extremes.sum(1)[:, None] * rows[:, -1:]  # (N, K, h w)
    return of_means @ away + of_spreads @ (squares / spread / 2) + by_brightness


def find_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of each two axes of one stride: int64 (P,) twice."""
    pairs = block_diagonal(torch.ones(count, count) for count in AXES).triu(1)
    first, second = pairs.nonzero(as_tuple=True)
    return first, second


def describe(
    features: torch.Tensor,
    along: torch.Tensor,
    colors: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
) -> torch.Tensor:
    """Return the highest features, spreads (logarithms), correlations of pairs, and colors: (N, D).

    features: (N, C, h, w). along: (N, A, 2 h, 2 w), features along the axes. colors: (N, COLORS,
    2 h, 2 w). first, second: int64 (P,), pairs of axes. D is C + A + P + COLOR_FACTS.
    """
    rows, variance = scale_rows(along)
    correlations = rows @ rows.transpose(1, 2) / rows.shape[2]
    parts = [features.amax((2, 3)), variance.log(), correlations[:, first, second]]
    return torch.cat([*parts, describe_colors(colors)], dim=1)


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
