"""What the network learns on a batch: five lessons, each a loss, and a sixth to refine it by.

- material: which images of the batch show the same, from the mean and the spread of the features
  (supervised contrastive learning, Khosla et al., 2020);
- instance: which two photographs of the batch are of the same view, among others of the same
  material (SimCLR, Chen et al., 2020);
- kind: which defect it shows, from the mean and the highest features;
- place: where the defect is and which, at stride 4;
- memory: to tell patches of a defect from sound ones by their distance to the nearest sound patch
  of other images of the same material, which is what anomaly detection does with the features
  (PatchCore, Roth et al., 2022);
- normals, alone and last: the same as the anomaly room reads the features, by the farthest patches
  of whole images, where sound images of a material differ.
"""

from collections.abc import Callable, Sequence

import torch
from defects import KINDS
from networks import Trunk
from scenes import Batch
from torch import nn
from torch.nn import functional

from workbench.engine.anomaly.model import average, locate

LESSONS = ("material", "instance", "kind", "place", "memory")
SMOOTHING = 0.1
HIDDEN, PROJECTED = 512, 128  # of the lessons "material" and "instance"
TEMPERATURE = 0.15
MOST_PATCHES = 12  # a side, of a view in the lesson "memory"; of larger maps, every second
SOUND_WEIGHT = 0.15  # of sound places: there are many more of them
FULL, NONE = 0.3, 0.02  # share of a patch that is defective: above, it is; below, it is sound
# Of the lesson "normals":
SHRINKAGE = 0.03  # of the mean variance, added to that of each direction
FARTHEST = 0.015  # share of an image's patches that it counts by
STEEPNESS = 8.0  # of the loss of a pair, by the ratio of its distances
PATCHWISE = 0.3  # weight of telling patches, beside that of telling images


class School(nn.Module):
    """A trunk and the small heads that its lessons need, which are thrown away afterwards."""

    def __init__(self, trunk: Trunk, lessons: Sequence[str] = LESSONS) -> None:
        super().__init__()
        self.trunk, self.lessons = trunk, lessons
        _, middle, last = trunk.channels
        self.material = project(2 * (middle + last))
        self.instance = project(3 * (middle + last))
        self.kind = read_scaled(2 * sum(trunk.channels), len(KINDS) + 1)
        self.place = nn.ModuleList(nn.Conv2d(c, len(KINDS) + 1, 1) for c in trunk.channels)
        self.scale = nn.Parameter(torch.tensor([2.0, 0.0]))

    def heads(self) -> list[nn.Parameter]:
        """Return the parameters that are thrown away."""
        return [value for name, value in self.named_parameters() if not name.startswith("trunk.")]

    def forward(self, batch: Batch, both: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the loss of each of its lessons.

        both: the trunk's maps of the images, and, for "instance", of their twins after them.
        """
        maps = [part[: len(batch.images)] for part in both]
        teach: dict[str, Callable[[], torch.Tensor]] = {
            "material": lambda: self.tell_material(maps, batch),
            "instance": lambda: self.tell_twins(both),
            "kind": lambda: self.tell_kind(maps, batch),
            "place": lambda: self.teach_place(maps, batch),
            "memory": lambda: self.teach_memory(*maps[1:], batch),
        }
        return {lesson: teach[lesson]() for lesson in self.lessons}

    def tell_material(self, maps: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """Return the loss that pulls views of one material together."""
        pooled = [f(m) for m in maps[1:] for f in (mean_of, spread_of)]
        return contrast(self.direct(self.material, pooled), batch.materials)

    def direct(self, head: nn.Module, pooled: list[torch.Tensor]) -> torch.Tensor:
        """Return what a head makes of pooled features, each (N, C), as directions (N, D)."""
        return functional.normalize(head(torch.cat(pooled, 1)), dim=1)

    def tell_twins(self, both: list[torch.Tensor]) -> torch.Tensor:
        """Return the loss that pulls the two photographs of a view together."""
        pooled = [f(m) for m in both[1:] for f in (mean_of, spread_of, highest_of)]
        directions = self.direct(self.instance, pooled)
        return contrast(
            directions, torch.arange(len(directions) // 2, device=directions.device).repeat(2)
        )

    def tell_kind(self, maps: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """Return the cross entropy of the kind of defect, by what classification reads."""
        averaged = [functional.adaptive_avg_pool2d(m, maps[-1].shape[2:]) for m in maps]
        described = torch.cat([f(m) for f in (mean_of, highest_of) for m in averaged], 1)
        seen = torch.where(batch.areas.amax((1, 2)) > 0.5, batch.kinds + 1, 0)
        return functional.cross_entropy(self.kind(described), seen, label_smoothing=SMOOTHING)

    def teach_place(self, maps: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """Return the cross entropy of the kind of defect at every fourth pixel."""
        size = maps[0].shape[2:]
        scores = [
            functional.interpolate(head(features), size=size, mode="bilinear")
            for head, features in zip(self.place, maps)
        ]
        covered = functional.adaptive_max_pool2d(batch.areas[:, None], size)[:, 0] > 0.5
        wanted = torch.where(covered, batch.kinds[:, None, None] + 1, 0)
        weights = torch.ones(len(KINDS) + 1, device=wanted.device)
        weights[0] = SOUND_WEIGHT
        return functional.cross_entropy(torch.stack(scores).sum(0), wanted, weights)

    def teach_memory(self, middle: torch.Tensor, last: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the binary cross entropy of "defective", given the distance of each patch."""
        patches = describe_patches(middle, last)  # (N, h, w, C)
        covered = functional.adaptive_avg_pool2d(batch.areas[:, None], patches.shape[1])[:, 0]
        step = 1 if patches.shape[1] <= MOST_PATCHES else 2
        patches = patches[:, ::step, ::step]
        covered = covered[:, ::step, ::step].flatten(1)  # (N, h w)
        side = patches.shape[1]
        patches = patches.reshape(-1, batch.views * side**2, patches.shape[3])  # (P, V h w, C)
        owner = torch.arange(batch.views, device=patches.device).repeat_interleave(side**2)
        sound = covered.view(len(patches), 1, -1) < NONE
        allowed = sound & (owner[:, None] != owner[None])  # (P, V h w, V h w)
        nearest = measure_nearest(patches, allowed)
        nearest = nearest.view(covered.shape)
        known = nearest.isfinite()
        nearest = torch.where(known, nearest, torch.ones_like(nearest))
        logits = self.scale[0] * (nearest + 1e-4).log() + self.scale[1]
        return tell_defects(logits, covered, known)


class Normals(nn.Module):
    """The lesson "normals": images with a defect lie farther from the sound ones than these do."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0, 0.0]))

    def forward(self, features: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of features (N, C, h, w) at stride 8, and the share of right pairs."""
        count, _, height, width = features.shape
        covered = functional.adaptive_avg_pool2d(batch.areas[:, None], (height, width))
        covered = covered.view(count // batch.views, -1)  # (P, V h w)
        patches = decorrelate(features, covered < NONE)
        owner = torch.arange(batch.views, device=patches.device).repeat_interleave(height * width)
        allowed = (covered < NONE)[:, None] & (owner[:, None] != owner)
        squares = measure_nearest(patches, allowed)
        known = squares.isfinite()
        distances = (torch.where(known, squares, 1.0) + 1e-6).sqrt()
        smoothed = average(distances.view(count, 1, height, width)).view(covered.shape)
        logits = self.scale[0] * smoothed.log() + self.scale[1]
        patchwise = tell_defects(logits, covered, known)
        ranked, right = rank_images(smoothed, covered, batch.views)
        return PATCHWISE * patchwise + ranked, right


def decorrelate(features: torch.Tensor, sound: torch.Tensor) -> torch.Tensor:
    """Return the patches (P, V h w, C + 2) of each material, as the anomaly room compares them.

    features: (P V, C, h, w). sound: bool (P, V h w), the patches whose spread and correlations
    count. The last two channels are y and x, -1 to 1.
    """
    channels = features.shape[1]
    patches = average(features).permute(0, 2, 3, 1).reshape(len(sound), -1, channels)
    shares = sound[..., None].float() / sound.sum(1)[:, None, None].clamp_min(1)
    apart = patches - (patches * shares).sum(1, keepdim=True)
    covariance = apart.transpose(1, 2) @ (apart * shares)
    spread = (covariance.diagonal(dim1=1, dim2=2) + 1e-6).sqrt()  # (P, C)
    correlations = covariance / (spread[:, :, None] * spread[:, None])
    ridge = SHRINKAGE * torch.eye(channels, device=features.device)
    factor = torch.linalg.cholesky(correlations + ridge)
    scaled = (apart / spread[:, None]).transpose(1, 2)
    alike = torch.linalg.solve_triangular(factor, scaled, upper=False) / channels**0.5
    places = locate(features).permute(0, 2, 3, 1).reshape(len(sound), -1, 2)
    return torch.cat([alike.transpose(1, 2), places], 2)


def tell_defects(logits: torch.Tensor, covered: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return the binary cross entropy of "defective" of patches, both sides weighing the same.

    logits, covered: (P, Q). known: bool (P, Q), the patches that count.
    """
    is_defect, is_sound = covered > FULL, covered < NONE
    counted = (is_defect | is_sound) & known
    labels, total = (is_defect & counted).float(), counted.sum().clamp_min(1)
    share = (labels.sum() / total).clamp(0.01, 0.99)
    weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share)) * counted
    losses = functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")
    return losses / total


def rank_images(
    distances: torch.Tensor, covered: torch.Tensor, views: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of pairs of images that are in the wrong order, and the share in the right.

    distances, covered: (P, V h w). A pair: one of a material's images with a defect, one without.
    An image counts by the mean of its farthest patches.
    """
    each = distances.view(len(distances), views, -1)
    count = max(1, round(FARTHEST * each.shape[2]))
    scores = each.topk(count, 2).values.mean(2).log()  # (P, V)
    most = covered.view(len(covered), views, -1).amax(2)
    pairs = ((most > FULL)[:, :, None] & (most < NONE)[:, None]).float()
    total = pairs.sum().clamp_min(1)
    ahead = scores[:, :, None] - scores[:, None]
    loss = (functional.softplus(-STEEPNESS * ahead) * pairs).sum() / total
    return loss, ((ahead > 0) * pairs).sum() / total


def read_scaled(inputs: int, outputs: int) -> nn.Sequential:
    """Return a linear layer on features of one spread: pooled, they differ little in size."""
    return nn.Sequential(nn.BatchNorm1d(inputs, affine=False), nn.Linear(inputs, outputs))


def project(inputs: int) -> nn.Sequential:
    """Return two layers that turn pooled features into what is compared.

    The lessons then shape this, and the features below keep more of what an image shows
    (SimCLR, Chen et al., 2020).
    """
    return nn.Sequential(
        read_scaled(inputs, HIDDEN),
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(inplace=True),
        nn.Linear(HIDDEN, PROJECTED),
    )


def mean_of(features: torch.Tensor) -> torch.Tensor:
    """Return the mean (N, C) of features (N, C, h, w)."""
    return features.mean((2, 3))


def highest_of(features: torch.Tensor) -> torch.Tensor:
    """Return the highest (N, C) of features (N, C, h, w)."""
    return features.amax((2, 3))


def spread_of(features: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation (N, C) of features (N, C, h, w)."""
    return (features.var((2, 3), correction=0) + 1e-6).sqrt()


def contrast(directions: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """Return the loss that pulls directions (N, D) of one owner, int64 (N,), together."""
    logits = directions @ directions.T / TEMPERATURE
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logs = logits.masked_fill(own, -1e9).log_softmax(1)
    alike = (owners[:, None] == owners[None]) & ~own
    return -((logs * alike).sum(1) / alike.sum(1).clamp_min(1)).mean()


def measure_nearest(patches: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Return the squared distance of patches (P, Q, C) to the nearest allowed one: (P, Q).

    allowed: bool (P, Q, Q). Infinity where none is. Which is nearest is found without gradients.
    """
    with torch.no_grad():
        lengths = patches.square().sum(2)[:, None]  # (P, 1, Q)
        squares = torch.baddbmm(lengths, patches, patches.transpose(1, 2), alpha=-2)
        index = squares.masked_fill_(~allowed, torch.inf).argmin(2)  # (P, Q)
    rows = torch.arange(len(patches), device=patches.device)[:, None]
    squares = (patches - patches[rows, index]).square().sum(2)
    return squares.masked_fill(~allowed.any(2), torch.inf)


def describe_patches(middle: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """Return patch features (N, h, w, C) at stride 8, each map's channels of unit spread."""
    last = functional.interpolate(last, size=middle.shape[2:], mode="bilinear")
    groups = []
    for features in (middle, last):
        features = average(features)
        spread = features.detach().std((0, 2, 3), keepdim=True).clamp_min(1e-3)
        groups.append(features / spread / features.shape[1] ** 0.5)
    return torch.cat(groups, 1).permute(0, 2, 3, 1)
