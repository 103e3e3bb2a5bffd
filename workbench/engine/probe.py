"""What learns before all else: a logistic regression on features that stay as they are.

With few labels it is most of what can be learned, and it takes seconds; the network is then trained
on from there. Source: Fine-Tuning can Distort Pretrained Features (Kumar et al., 2022).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .backbone import Network
from .checkpoint import has_checkpoint
from .data import Alike, MakeSample, ScaledImages, stack_alike
from .device import place, return_memory
from .monitor import Monitor

AT_ONCE = 16  # images that are looked at together
MOST_SAMPLES = 2000
PROBED = 0.5  # of the time that training may take
PROBED_ALONE = 0.8  # where nothing is trained after the probe
LEAST_SPREAD = 1e-3  # of a feature: below, it says nothing
ITERATIONS = 60  # of L-BFGS


@dataclass(frozen=True)
class Views:
    """Samples of some images to look at: each as it is, then varied, count times in all.

    They come shuffled, the same for the same seed, and end early when the time that a probe may
    take is over or the run is cancelled, but not before the first. is_all: nothing is trained after
    them, so that the probe may take nearly all of the time, and tells how far it is.
    """

    images: ScaledImages
    make_plain: MakeSample
    make_varied: MakeSample
    count: int
    seed: int
    monitor: Monitor
    is_all: bool = False

    def __len__(self) -> int:
        """Return how many samples there are at most."""
        return min(MOST_SAMPLES, self.count * len(self.images))

    def __iter__(self) -> Iterator[Alike]:
        """Yield samples, AT_ONCE in turn: together where they are of one size, else alone."""
        torch.manual_seed(self.seed)
        seconds, started = self.monitor.training_seconds, time.monotonic()
        share = PROBED_ALONE if self.is_all else PROBED
        order = np.random.default_rng(self.seed).permutation(len(self.images))
        for start in range(0, len(self), AT_ONCE):
            is_late = seconds is not None and time.monotonic() - started > share * seconds
            if start and (is_late or self.monitor.is_cancelled):
                return
            if self.is_all:
                self.monitor.on_step(start / len(self))
            yield from stack_alike(
                (self.make_varied if place >= len(order) else self.make_plain)(
                    *self.images[int(order[place % len(order)])]
                )
                for place in range(start, min(start + AT_ONCE, len(self)))
            )


def probe_first(model: Network, views: Views, fit_probe: Callable[[Views], None]) -> bool:
    """Fit a probe on the views where the features have learned before; tell whether they have.

    A run that goes on from a checkpoint has its probe already.
    """
    if model.backbone.is_pretrained and not has_checkpoint(views.monitor.folder):
        place(model)
        fit_probe(views)
        return_memory()
    return model.backbone.is_pretrained


def weigh_classes(counts: torch.Tensor) -> torch.Tensor:
    """Return a weight for each class, float (K,): one over the root of how often it occurs."""
    return counts.clamp(min=1).float().rsqrt()


def fit_logistic(
    described: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, penalty: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return kernel (K, D) and bias (K,) of a logistic regression, by L-BFGS.

    described: float (N, D), of one scale. targets: int64 (N,), class indices. weights: float (K,),
    of the classes. penalty: on half the sum of the kernel's squares, beside the mean loss.
    """
    kernel = described.new_zeros(len(weights), described.shape[1], requires_grad=True)
    bias = described.new_zeros(len(weights), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [kernel, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def lose() -> torch.Tensor:
        optimizer.zero_grad()
        logits = nn.functional.linear(described, kernel, bias)
        loss = nn.functional.cross_entropy(logits, targets, weights)
        loss = loss + penalty / 2 * kernel.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(lose)  # type: ignore[no-untyped-call]
    return kernel.detach(), bias.detach()


def measure_scale(described: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return center and spread, (D,) each, of features (N, D)."""
    spread, center = torch.std_mean(described, 0, correction=0)
    return center, spread.clamp(min=LEAST_SPREAD)
