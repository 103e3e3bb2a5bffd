"""The anomaly network: patch features, and how far each is from the nearest patch in a memory.

Source: PatchCore (Roth et al., 2022): features of a middle layer, averaged locally, and a memory of
patches of normal images. What is normal depends on where it is (PaDiM, Defard et al., 2021), so a
patch's place counts too, and so does its color, which the features hardly tell. What an image as a
whole shows weighs its patches: how far the highest of each feature, its peaks, lie from those of
normal images (Rippel et al., 2021). Where the backbone has learned nothing, plain statistics of
contrast and edges stand in for its features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import nn

from ...settings import TASK_PRESETS, Settings
from ..backbone import Backbone, Network, build_backbone

PRESETS = TASK_PRESETS["anomaly"]
STRIDE = 8  # pixels from one patch to the next
COLORS = 3  # channels that say how a patch differs in color
PLACES = 2  # channels that say where it is: y and x
STAGES = Backbone.strides.index(STRIDE)  # of the backbone: later ones are left out
CHUNK = 512  # memory rows that are compared at a time, to bound what that takes


@dataclass(frozen=True)
class Comparison:
    """What images are compared with.

    center (C,) and projection (C, D) make patches comparable; memory (M, D) holds normal ones.
    peak_center (F,) and peak_projection (F, F) do the same for the peaks of images; those of normal
    images are around 0 then. All float.
    """

    center: torch.Tensor
    projection: torch.Tensor
    memory: torch.Tensor
    peak_center: torch.Tensor
    peak_projection: torch.Tensor

    def to(self, device: torch.device) -> "Comparison":
        """Return it on a device."""
        return Comparison(*(getattr(self, field.name).to(device) for field in fields(self)))


class AnomalyModel(Network):
    """How abnormal every patch is, on the run's one fixed scale.

    Buffers, all that training finds: those of a Comparison; line, float (), is the distance that is
    0.5 on the heat map.
    """

    output_names = ("heatmap",)
    line: torch.Tensor

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.backbone = build_backbone(weights)
        self.backbone.stages = self.backbone.stages[:STAGES]
        self.backbone.requires_grad_(False)
        for field in fields(Comparison):
            self.register_buffer(field.name, torch.zeros(0))
        self.register_buffer("line", torch.ones(()))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the heat map (N, H / 8, W / 8) of normalised float (N, 3, H, W) images: 0..1."""
        # Distances are small differences of large numbers: bfloat16 would round them away.
        with torch.autocast(images.device.type, enabled=False):
            distances = measure_distances(*self.describe(images.float()), self.compared)
            return (distances / (distances + self.line),)

    @property
    def compared(self) -> Comparison:
        """What training found that images are compared with; it can be set."""
        return Comparison(**{field.name: getattr(self, field.name) for field in fields(Comparison)})

    @compared.setter
    def compared(self, found: Comparison) -> None:
        for name, values in vars(found.to(self.line.device)).items():
            setattr(self, name, values)

    def move_scale(self, threshold: float) -> float:
        """Move the scale so that what scored `threshold` scores 0.5, and return 0.5.

        Exact for one patch, and close for the mean of several that are alike.
        """
        if 0 < threshold < 1:
            self.line.mul_(threshold / (1 - threshold))
        return 0.5

    def describe(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the patches of images (N, 3, H, W), (N, C, H / 8, W / 8), and peaks, (N, F).

        Patches: features, colors and places. Features are the backbone's last map, or plain
        statistics where its weights are random. COLORS channels say how a patch's color differs
        from the image's mean, for the light may change from day to day, and the last PLACES where
        it is. Peaks: the highest of each feature, before it is averaged.
        """
        is_taught = self.backbone.is_pretrained
        features = self.backbone(images)[-1] if is_taught else measure_statistics(images)
        colors = nn.functional.avg_pool2d(images - images.mean((2, 3), keepdim=True), STRIDE)
        patches = torch.cat([average(features), average(colors), locate(features)], dim=1)
        return patches, features.amax((2, 3))


def measure_distances(
    patches: torch.Tensor, peaks: torch.Tensor, compared: Comparison
) -> torch.Tensor:
    """Return how far patches (N, C, h, w) are from the memory, smoothed: (N, h, w).

    Those of an image whose peaks (N, F) are unusual count more: times the root of one and how
    unusual they are, which is below 1 for normal images that were learned from.
    """
    rows = project(patches, compared.center, compared.projection)
    nearest = nearest_squares(rows.flatten(0, 2), compared.memory)  # (N h w,)
    distances = average(nearest.clamp(min=0).sqrt().view(rows.shape[:3])[:, None])[:, 0]
    unusual = ((peaks - compared.peak_center) @ compared.peak_projection).square().sum(1).sqrt()
    return distances * (1 + unusual).sqrt()[:, None, None]


def project(features: torch.Tensor, center: torch.Tensor, projection: torch.Tensor) -> torch.Tensor:
    """Return comparable patches (N, h, w, D) of features (N, C, h, w)."""
    return (features.permute(0, 2, 3, 1) - center) @ projection


def nearest_squares(patches: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """Return the squared distance of each patch (P, D) to its nearest memory row (M, D): (P,).

    Rounding may leave it slightly below 0.
    """
    best = None
    for rows in torch.split(memory, CHUNK):
        products = torch.addmm(rows.square().sum(1), patches, rows.T, alpha=-2)  # (P, CHUNK)
        lowest = products.amin(1)
        best = lowest if best is None else torch.minimum(best, lowest)
    if best is None:
        raise RuntimeError("the memory is empty: the network has not been trained")
    return best + patches.square().sum(1)


def average(values: torch.Tensor) -> torch.Tensor:
    """Return (N, C, h, w) averaged over each place and its eight neighbours, the border's fewer."""
    return nn.functional.avg_pool2d(values, 3, 1, 1, count_include_pad=False)


def locate(features: torch.Tensor) -> torch.Tensor:
    """Return y and x, -1 to 1 from edge to edge, of each place of (N, C, h, w): (N, 2, h, w)."""
    count, _, height, width = features.shape
    y, x = (
        2 * torch.arange(length, device=features.device, dtype=features.dtype) / (length - 1) - 1
        for length in (height, width)
    )
    return torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(count, -1, -1, -1)


def measure_statistics(images: torch.Tensor) -> torch.Tensor:
    """Return statistics of every 8 x 8 pixels of images (N, 3, H, W): float (N, 15, H / 8, W / 8).

    Standard deviation of each color; edges of brightness at full, half and quarter size.
    """
    mean = nn.functional.avg_pool2d(images, STRIDE)
    square = nn.functional.avg_pool2d(images.square(), STRIDE)
    spread = (square - mean.square()).clamp(min=1e-6).sqrt()
    gray = images.mean(1, keepdim=True)
    edges = [measure_edges(gray)]
    for factor in (2, 4):
        edges.append(measure_edges(nn.functional.avg_pool2d(gray, factor), STRIDE // factor))
    return torch.cat([spread, *edges], dim=1)


def measure_edges(gray: torch.Tensor, step: int = STRIDE) -> torch.Tensor:
    """Return how much gray (N, 1, H, W) changes in four directions: (N, 4, H / step, W / step)."""
    gray = nn.functional.pad(gray, (1, 1, 1, 1), mode="replicate")
    across = gray[..., 1:-1, 2:] - gray[..., 1:-1, :-2]
    down = gray[..., 2:, 1:-1] - gray[..., :-2, 1:-1]
    diagonal = [(across + down) * 0.5**0.5, (across - down) * 0.5**0.5]
    return nn.functional.avg_pool2d(torch.cat([across, down, *diagonal], dim=1).abs(), step)


def build_model(classes: Sequence[str], settings: Settings) -> AnomalyModel:
    """Return the network without a memory; classes are always normal and abnormal."""
    return AnomalyModel(settings.backbone)
