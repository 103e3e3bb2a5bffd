"""The memory of normal patches: a bounded sample of them, thinned out so that it covers them all.

Source: greedy coreset (k-center) of PatchCore (Roth et al., 2022), after Sener and Savarese, 2018.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

POOL = 30_000  # patches that the memory is chosen from
SHRINKAGE = 0.01  # of the mean variance, added to that of each direction
PEAK_SHRINKAGE = 1.0  # the same for peaks, of which there are few
PEAK_PRIOR = 10  # rows of peaks that vary as patches do, beside those that were seen
PLACE_WEIGHT = 1.0  # of half the image: two normal patches are 1.4 apart, on average
COLOR_WEIGHT = 0.5  # of all colors, beside all features
LOWEST_SPREAD = 1e-4  # of a channel: below, it says nothing
ROWS_AT_ONCE = 256  # to bound what comparing rows with the pool takes


@dataclass(frozen=True)
class Pool:
    """What was seen of normal images: a sample of their patches, or the peaks of each.

    features: float32 (P, C). sources: int64 (P,), the index of the image each comes from.
    """

    features: torch.Tensor
    sources: torch.Tensor


def sample_patches(
    inputs: Iterable[tuple[int, torch.Tensor]], count: int, generator: torch.Generator
) -> Pool:
    """Return a pool of at most POOL patches: as many of each input, at random places.

    inputs: (index of the image, patches float (P, C)), `count` of them, or fewer: it may end early.
    """
    share = max(1, POOL // count)
    features, sources = torch.empty(0), torch.empty(POOL, dtype=torch.int64)
    end = 0
    for index, patches in inputs:
        if not len(features):
            # In one piece: thousands of small ones would leave the process's memory in tatters.
            features = torch.empty(POOL, patches.shape[1])
        chosen = torch.randperm(len(patches), generator=generator)[: min(share, POOL - end)]
        start, end = end, end + len(chosen)
        features[start:end] = patches[chosen.to(patches.device)].cpu()
        sources[start:end] = index
        if end == POOL:
            break
    return Pool(features[:end], sources[:end])


def choose_coreset(
    patches: torch.Tensor, size: int, seed: int, go_on: Callable[[float], bool] = lambda _: True
) -> torch.Tensor:
    """Return the indices, int64 (at most size,), of patches (P, D) that cover all of them.

    The first is chosen at random by the seed, each next is the one farthest from those before, so
    that the first k are a cover for every k. go_on(fraction) may end it early. Patches that are
    equal are taken once.
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(len(patches), (1,), generator=generator)
    distances = (patches - patches[first]).square().sum(1)
    distances[first] = -torch.inf

    def has_time(part: float) -> bool:
        return go_on((1 + part * (size - 1)) / size)

    return torch.cat([first, add_farthest(patches, distances, size - 1, has_time)])


def add_farthest(
    patches: torch.Tensor,
    distances: torch.Tensor,
    count: int,
    go_on: Callable[[float], bool] = lambda _: True,
) -> torch.Tensor:
    """Return up to count more patches of a cover, int64, each the farthest from those before.

    distances: float (P,), squared, of each patch to the cover so far, -inf for those that must not
    be chosen; it is moved on.
    """
    squares = patches.square().sum(1)
    chosen: list[int] = []
    while len(chosen) < count and go_on(len(chosen) / count):
        farthest, index = distances.max(0)
        if farthest <= 1e-6 * squares.mean():
            break
        current = int(index)
        chosen.append(current)
        products = torch.addmv(squares, patches, patches[current], alpha=-2)
        torch.minimum(distances, products + squares[current], out=distances)
        distances[current] = -torch.inf  # rounding must not choose it twice
    return torch.tensor(chosen, dtype=torch.int64)


class Cover:
    """A coreset of a pool, and what it would be without any one image.

    chosen: int64 (M,), its rows of the pool.
    """

    def __init__(self, pool: Pool, chosen: torch.Tensor) -> None:
        self.pool, self.chosen = pool, chosen
        self.owners = pool.sources[chosen]

    @cached_property
    def distances(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The squared distance of each patch to its nearest row, and whose image that is.

        And the distance to the nearest row of any other image; float, int64, float (P,).
        """
        rows = self.pool.features[self.chosen]
        squares = rows.square().sum(1)
        nearest, owner, second = [], [], []
        for part in torch.split(self.pool.features, ROWS_AT_ONCE):
            distances = torch.addmm(squares, part, rows.T, alpha=-2)
            distances += part.square().sum(1, keepdim=True)
            lowest, index = distances.min(1)
            nearest.append(lowest)
            owner.append(self.owners[index])
            distances.masked_fill_(owner[-1][:, None] == self.owners, torch.inf)
            second.append(distances.amin(1))
        return torch.cat(nearest), torch.cat(owner), torch.cat(second)

    def without(self, image: int) -> torch.Tensor:
        """Return the rows of the pool, int64 (M,), that would cover the patches of other images.

        Those of the cover that are not the image's, and as many more as it had of it.
        """
        kept = self.chosen[self.owners != image]
        nearest, owner, second = self.distances
        distances = torch.where(owner == image, second, nearest)
        distances[self.pool.sources == image] = -torch.inf
        distances[kept] = -torch.inf
        more = add_farthest(self.pool.features, distances, len(self.chosen) - len(kept))
        return torch.cat([kept, more])


@dataclass(frozen=True)
class Moments:
    """What a projection is made from: sums over patches that can be taken apart again.

    count: of the patches. total: float64 (C,). products: float64 (C, C), of channels with channels.
    """

    count: int
    total: torch.Tensor
    products: torch.Tensor

    @classmethod
    def of(cls, features: torch.Tensor) -> "Moments":
        """Return those of patches (P, C)."""
        values = features.double()
        return cls(len(values), values.sum(0), values.T @ values)

    def __sub__(self, other: "Moments") -> "Moments":
        """Return those of the patches that are not among the other's."""
        return Moments(
            self.count - other.count, self.total - other.total, self.products - other.products
        )

    @property
    def center(self) -> torch.Tensor:
        """The mean of each channel: float32 (C,)."""
        return (self.total / self.count).float()

    @property
    def covariance(self) -> torch.Tensor:
        """The covariance of the channels: float64 (C, C)."""
        mean = self.total / self.count
        return self.products / self.count - torch.outer(mean, mean)


def decorrelate(covariance: torch.Tensor, shrinkage: float = SHRINKAGE) -> torch.Tensor:
    """Return the matrix (C, C) that gives channels of that covariance one spread, uncorrelated.

    Directions in which normal patches hardly vary are those in which defects show (PaDiM, Defard et
    al., 2021); they are blown up no more than shrinkage allows. Squared distances are means over
    the channels.
    """
    spread = covariance.diagonal().clamp(min=0).sqrt().clamp(min=LOWEST_SPREAD)
    values, vectors = torch.linalg.eigh(covariance / torch.outer(spread, spread))
    values = values.clamp(min=0) + shrinkage * values.mean().clamp(min=1e-6)
    whitening = torch.div(vectors, values.sqrt()) / spread[:, None]
    return (whitening / math.sqrt(len(spread))).float()


def build_projection(moments: Moments, colors: int, places: int) -> torch.Tensor:
    """Return the matrix (C, C) that makes patches comparable, float32.

    The last `places` channels say where a patch is, -1 to 1. Those before them, features and then
    `colors` channels, are decorrelated.
    """
    projection = PLACE_WEIGHT * torch.eye(len(moments.total))
    where = len(moments.total) - places
    for part, weight in (
        (slice(where - colors), 1.0),
        (slice(where - colors, where), COLOR_WEIGHT),
    ):
        projection[part, part] = weight * decorrelate(moments.covariance[part, part])
    return projection


def build_peak_projection(peaks: Moments, patches: Moments) -> torch.Tensor:
    """Return the matrix (F, F) that makes peaks of images comparable, float32.

    The first F channels of the patches are what the peaks are the highest of: how much these vary
    stands in for how much peaks do, where few images tell.
    """
    expected = patches.covariance.diagonal()[: len(peaks.total)].diag()
    both = (peaks.count * peaks.covariance + PEAK_PRIOR * expected) / (peaks.count + PEAK_PRIOR)
    return decorrelate(both, PEAK_SHRINKAGE)


def shuffle(count: int, seed: int) -> Sequence[int]:
    """Return the order in which images are looked at, so that any first part is a fair sample."""
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order
