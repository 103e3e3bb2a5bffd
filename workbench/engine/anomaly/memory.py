"""The memory of normal patches: a bounded sample of them, thinned out so that it covers them all.

Source: greedy coreset (k-center) of PatchCore (Roth et al., 2022), after Sener and Savarese, 2018.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

POOL = 30_000  # patches that the memory is chosen from
SHRINKAGE = 0.01  # of the mean variance, added to that of each direction
PLACE_WEIGHT = 1.0  # of half the image: two normal patches are 1.4 apart, on average
LOWEST_SPREAD = 1e-4  # of a channel: below, it says nothing
ROWS_AT_ONCE = 256  # to bound what comparing rows with the pool takes


@dataclass(frozen=True)
class PatchPool:
    """A sample of the patches of normal images.

    features: float32 (P, C). sources: int64 (P,), the index of the image each comes from.
    """

    features: torch.Tensor
    sources: torch.Tensor


def sample_patches(
    inputs: Iterable[tuple[int, torch.Tensor]], count: int, generator: torch.Generator
) -> PatchPool:
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
    return PatchPool(features[:end], sources[:end])


def choose_coreset(
    patches: torch.Tensor, size: int, seed: int, go_on: Callable[[float], bool] = lambda _: True
) -> torch.Tensor:
    """Return the indices, int64 (at most size,), of patches (P, D) that cover all of them.

    The first is chosen at random by the seed, each next is the one farthest from those before, so
    that the first k are a cover for every k. go_on(fraction) may end it early. Patches that are
    equal are taken once.
    """
    generator = torch.Generator().manual_seed(seed)
    current = int(torch.randint(len(patches), (), generator=generator))
    chosen = [current]
    squares = patches.square().sum(1)
    distances = torch.full_like(squares, torch.inf)
    while len(chosen) < min(size, len(patches)) and go_on(len(chosen) / size):
        products = torch.addmv(squares, patches, patches[current], alpha=-2)
        distances = torch.minimum(distances, products + squares[current])
        distances[current] = -torch.inf  # rounding must not choose it twice
        farthest, index = distances.max(0)
        if farthest <= 1e-6 * squares.mean():
            break
        current = int(index)
        chosen.append(current)
    return torch.tensor(chosen)


def find_substitutes(pool: PatchPool, rows: torch.Tensor) -> torch.Tensor:
    """Return, for each of the pool's rows (M,), the nearest patch of any other image: int64 (M,).

    With it in a row's place the memory is what it would be without that row's image. The pool holds
    patches of two images at least.
    """
    squares = pool.features.square().sum(1)
    found = []
    for part in torch.split(rows, ROWS_AT_ONCE):
        distances = torch.addmm(squares, pool.features[part], pool.features.T, alpha=-2)
        distances[pool.sources[part][:, None] == pool.sources] = torch.inf
        found.append(distances.argmin(1))
    return torch.cat(found)


def decorrelate(features: torch.Tensor) -> torch.Tensor:
    """Return the matrix (C, C) that gives the channels of patches (P, C) one spread, uncorrelated.

    Directions in which normal patches hardly vary are those in which defects show (PaDiM, Defard et
    al., 2021); they are blown up no more than SHRINKAGE allows. Squared distances are means over
    the channels.
    """
    spread = spread_of(features)
    scaled = ((features - features.mean(0)) / spread).double()
    values, vectors = torch.linalg.eigh(scaled.T @ scaled / len(scaled))
    values = values.clamp(min=0) + SHRINKAGE * values.mean().clamp(min=1e-6)
    whitening = torch.div(vectors, values.sqrt()).float()
    return torch.div(whitening, spread[:, None]) / math.sqrt(len(spread))


def build_projection(features: torch.Tensor, places: int) -> torch.Tensor:
    """Return the matrix (C, C) that makes patches (P, C) comparable.

    The last `places` channels say where a patch is, -1 to 1; the others are decorrelated.
    """
    projection = PLACE_WEIGHT * torch.eye(features.shape[1])
    projection[:-places, :-places] = decorrelate(features[:, :-places])
    return projection


def spread_of(features: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of each channel of patches (P, C), never 0: float (C,)."""
    return features.std(0, correction=0).clamp(min=LOWEST_SPREAD)


def shuffle(count: int, seed: int) -> Sequence[int]:
    """Return the order in which images are looked at, so that any first part is a fair sample."""
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order
