"""Before anything else learns: along what features are compared, and a logistic regression."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch

from ..data import normalise
from ..device import mixed_precision
from ..probe import AT_ONCE, LEAST_SPREAD, Views, fit_logistic, measure_scale
from .model import AXES, COLOR_FACTS, ClassificationModel, block_diagonal, describe

VIEWS = 4  # of each image: as it is, and varied
AXES_FROM = 64  # views that the axes are chosen by
COLOR_WEIGHT = 3.0  # of what colors say, which are few, beside one feature
PENALTY = 100.0  # on half the squares of the weights, beside the loss of all images


def fit_probe(model: ClassificationModel, views: Views, class_weights: torch.Tensor) -> None:
    """Set the model's axes, scale and head from views of the images.

    class_weights: float (K,).
    """
    model.eval()
    device = model.center.device
    seen: list[torch.Tensor] = []
    answers: list[int] = []
    with torch.inference_mode():
        for described_views, targets in describe_views(model, views):
            seen.append(described_views)
            answers += targets
    described = torch.cat(seen)
    center, spread = measure_scale(described)
    spread[-COLOR_FACTS:] /= COLOR_WEIGHT
    kernel, bias = fit_logistic(
        (described - center) / spread,
        torch.tensor(answers, device=device),
        class_weights.to(device),
        PENALTY / len(views.images),
    )
    with torch.no_grad():
        model.center.copy_(center)
        model.spread.copy_(spread)
        model.head.weight.copy_(kernel)
        model.head.bias.copy_(bias)


def describe_views(
    model: ClassificationModel, views: Views
) -> Iterator[tuple[torch.Tensor, tuple[Any, ...]]]:
    """Yield descriptions of views, float (N, D), with their classes; first set the model's axes."""
    looks = look_at(model, views)
    waiting = deque(islice(looks, AXES_FROM // AT_ONCE))
    model.axes.copy_(choose_axes(torch.cat([look[1] for look in waiting]), model.compared))
    while look := waiting.popleft() if waiting else next(looks, None):  # each is then let go
        features, texture, colors, targets = look
        along = model.turn(texture)
        yield describe(features, along, colors, model.first, model.second), targets


def look_at(
    model: ClassificationModel, views: Views
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, tuple[Any, ...]]]:
    """Yield what the model looks at in views, float32, with their classes; AT_ONCE together."""
    device = model.center.device
    for inputs, targets in views:
        images = normalise(inputs.to(device))
        with mixed_precision(device):
            features, texture, colors = model.look(images)
        yield features.float(), texture.float(), colors.float(), targets


def choose_axes(texture: torch.Tensor, widths: Sequence[int]) -> torch.Tensor:
    """Return the axes (A, C) that features (N, C, h, w) are compared along.

    widths: how many of the C channels are of each stride. The axes are those of each stride along
    which images differ most from one another, on average over an image; the places of all images
    have a spread of one along each.
    """
    chosen = []
    for part, count in zip(torch.split(texture, list(widths), 1), AXES):
        between = torch.cov(part.mean((2, 3)).T.double(), correction=0)
        directions = torch.linalg.eigh(between).eigenvectors[:, -count:].float()  # (C, A)
        along = torch.einsum("nchw,ca->anhw", part, directions).flatten(1)
        spread = along.std(1, correction=0).clamp(min=LEAST_SPREAD)
        chosen.append((directions / spread).T)
    return block_diagonal(chosen)
