"""The memory of normal patches: a bounded sample of them, thinned out so that it covers them all.

Source: greedy coreset (k-center) of PatchCore (Roth et al., 2022), after Sener and Savarese, 2018.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

POOL = 30_000  # patches that the memory is chosen from
FEWEST = 8  # patches of an image that are sampled, however many images there are


@dataclass(frozen=True)
class PatchPool:
    """A sample of the patches of normal images.

    features: float32 (P, C). sources: int64 (P,), the index of the image each comes from.
    """

    features: torch.Tensor
    sources: torch.Tensor


def sample_patches(
    images: Iterable[tuple[int, torch.Tensor]], count: int, generator: torch.Generator
) -> PatchPool:
    """Return a pool of at most POOL patches: as many of each image, at random places.

    images: (index, patches float (P, C)) of `count` images at most, or fewer: it may end early. No
    more than POOL patches are in memory at any time.
    """
    share = max(FEWEST, POOL // max(1, count))
    features, sources = [], []
    for index, patches in images:
        chosen = torch.randperm(len(patches), generator=generator)[:share]
        features.append(patches[chosen.to(patches.device)].cpu())
        sources.append(torch.full((len(chosen),), index))
        if sum(map(len, features)) > POOL:
            break
    return PatchPool(torch.cat(features)[:POOL], torch.cat(sources)[:POOL])


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


def spread_of(patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation of each channel of patches (P, C): float (C,) both."""
    return patches.mean(0), patches.std(0, correction=0)


def shuffle(count: int, seed: int) -> Sequence[int]:
    """Return the order in which images are looked at, so that any first part is a fair sample."""
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order
