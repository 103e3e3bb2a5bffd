"""The training loop of the three rooms that learn by gradient descent."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import RunFailed
from ..settings import Settings
from .backbone import Network, freeze_norms
from .checkpoint import Standing, load_checkpoint, save_checkpoint
from .choice import Choice
from .data import Alike, MakeSample, ScaledImages, make_batch, normalise
from .device import mixed_precision, place, return_memory
from .monitor import Cancelled, Monitor

ROUNDS = 10  # how often a run looks at the dev images, and saves where it stands
LOOKING = 0.15  # of a limited time: beyond, a round goes by without a look, but for the last
WARM_UP = 0.08  # fraction of the run in which the learning rate climbs
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 5.0

ComputeLoss = Callable[[Any, torch.Tensor, list[Any]], torch.Tensor]


def fit(
    model: Network,
    images: ScaledImages,
    make_sample: MakeSample,
    compute_loss: ComputeLoss,
    choice: Choice,
    settings: Settings,
    monitor: Monitor,
    is_ready: bool = False,
) -> None:
    """Train the model in place, from the run's last checkpoint on; it ends as the choice says.

    compute_loss(model, inputs, targets) gives a scalar. choice looks at the model before, where it
    is_ready to answer already, and after each round; the settings may ask for no step. A time limit
    shortens the schedule; a wish to cancel ends it after the step. Raises Cancelled when that comes
    before the first round is done, so that there is no model to keep.
    """
    place(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), weight_decay=WEIGHT_DECAY)
    standing = load_checkpoint(monitor.folder, model, optimizer)
    if is_ready and not standing.best_state:
        choice.begin(model, standing)
    steps = settings.steps(len(images), has_dev=choice.count > 0)
    clock = Clock(steps, monitor.training_seconds, standing)
    while clock.fraction < 1 and not monitor.is_cancelled:
        next_round = math.floor(clock.fraction * ROUNDS + 1e-6) + 1
        losses: list[float] = []
        while clock.fraction * ROUNDS < next_round - 1e-6 and not monitor.is_cancelled:
            set_learning_rate(optimizer, schedule(clock.fraction))
            torch.manual_seed(settings.seed * 1_000_003 + standing.step)
            batch = make_batch(images, standing.step, settings, make_sample)
            release(model, later_layers=settings.learns_on(standing.step))
            losses.append(train_step(model, optimizer, batch, compute_loss))
            standing.step += 1
            monitor.on_step(clock.fraction, loss=losses[-1], step=standing.step, steps=steps)
        if not monitor.is_cancelled and clock.has_time_to_look:
            with clock.look():
                finish_round(model, standing, losses, choice, monitor)
        standing.elapsed_seconds = clock.elapsed
        save_checkpoint(monitor.folder, standing, model, optimizer)
        return_memory()
    if not standing.best_state:
        raise Cancelled
    model.load_state_dict(standing.best_state)


class Clock:
    """How far a run is: by steps, or by time where that runs out first."""

    def __init__(self, steps: int, seconds: float | None, standing: Standing) -> None:
        self.steps, self.seconds, self.standing = steps, seconds, standing
        self.started = time.monotonic() - standing.elapsed_seconds
        self.resumed_seconds = standing.elapsed_seconds
        self.looked_seconds = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return time.monotonic() - self.started

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0..1."""
        by_step = self.standing.step / self.steps if self.steps else 1.0
        if self.seconds is None:
            return min(1.0, by_step)
        return min(1.0, max(by_step, self.elapsed / (self.resumed_seconds + self.seconds)))

    @property
    def has_time_to_look(self) -> bool:
        """Whether the dev images may be looked at now: always where there is no limit."""
        is_over = self.fraction >= 1
        return self.seconds is None or is_over or self.looked_seconds <= LOOKING * self.elapsed

    @contextmanager
    def look(self) -> Iterator[None]:
        """Count the time inside the block as that of a look at the dev images."""
        began = time.monotonic()
        yield
        self.looked_seconds += time.monotonic() - began


def parameter_groups(model: Network, settings: Settings) -> list[dict[str, Any]]:
    """Return the optimizer's groups: pretrained layers learn more slowly than new ones."""
    learning_rate = settings.learning_rate
    slow_rate = settings.pretrained_rate if model.backbone.is_pretrained else 1.0
    groups: dict[float, list[nn.Parameter]] = {1.0: [], slow_rate: []}
    for name, parameter in model.named_parameters():
        groups[slow_rate if name.startswith("backbone.") else 1.0].append(parameter)
    return [
        {"params": parameters, "lr": rate * learning_rate, "base": rate * learning_rate}
        for rate, parameters in groups.items()
        if parameters
    ]


def schedule(fraction: float) -> float:
    """Return the learning rate's factor, 0..1: a linear climb, then half a cosine to nearly 0."""
    if fraction < WARM_UP:
        return (fraction + 0.01) / (WARM_UP + 0.01)
    return 0.5 * (1 + math.cos(math.pi * (fraction - WARM_UP) / (1 - WARM_UP))) + 1e-3


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group to its own highest rate times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * factor


def release(model: Network, later_layers: bool) -> None:
    """Say which of a pretrained backbone's layers learn: the later ones or none, never the first.

    Edges and colors are the same everywhere, and the gradients of the largest maps take a third of
    the time of a step and most of its memory. Random weights always learn.
    """
    backbone = model.backbone
    backbone.requires_grad_(later_layers or not backbone.is_pretrained)
    if backbone.is_pretrained:
        for layer in backbone.first_layers:
            layer.requires_grad_(False)


def train_step(
    model: Network,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Alike],
    compute_loss: ComputeLoss,
) -> float:
    """Improve the model by one batch and return its loss. Raises RunFailed if it is not finite.

    The statistics of a pretrained backbone's batch norms stay: a few images would upset them.
    """
    model.train()
    if model.backbone.is_pretrained:
        freeze_norms(model.backbone)
    optimizer.zero_grad(set_to_none=True)
    device, count = next(model.parameters()).device, sum(len(targets) for _, targets in batch)
    total = 0.0
    for images, targets in batch:
        with mixed_precision(device):
            loss = compute_loss(model, normalise(images.to(device)), targets)
        if not torch.isfinite(loss):
            raise RunFailed(
                "Training lost its way (the loss is not finite); try a lower learning_rate."
            )
        share = len(targets) / count
        (loss * share).backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach()) * share
    nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT)
    optimizer.step()
    return total


def finish_round(
    model: Network,
    standing: Standing,
    losses: list[float],
    choice: Choice,
    monitor: Monitor,
) -> None:
    """Measure the model on dev, keep it where that speaks for it, and tell."""
    figures = choice.look(model, standing)
    entry = {
        "epoch": len(standing.history) + 1,
        "step": standing.step,
        "loss": sum(losses) / max(1, len(losses)),
        **figures,
    }
    standing.history.append(entry)
    monitor.on_epoch(entry)
