"""Before anything else learns: along what features are compared, and a logistic regression."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import torch

from ..data import normalise
from ..device import mixed_precision
from ..probe import AT_ONCE, LEAST_SPREAD, Views, fit_logistic, measure_scale
from .model import AXES, ClassificationModel, block_diagonal

VIEWS = 4  # of each image: as it is, and varied
AXES_FROM = 96  # views that the axes are chosen by
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
        looks = look_at(model, views)
        first = list(islice(looks, AXES_FROM // AT_ONCE))
        choose_axes(model, torch.cat([texture for _, texture, _ in first]))
        for features, texture, targets in chain(first, looks):
            seen.append(model.describe(features, model.turn(texture)))
            answers += targets
    described = torch.cat(seen)
    center, spread = measure_scale(described)
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


def look_at(
    model: ClassificationModel, views: Views
) -> Iterator[tuple[torch.Tensor, torch.Tensor, tuple[Any, ...]]]:
    """Yield what the model looks at in views, float32, with their classes; AT_ONCE together."""
    device = model.center.device
    for inputs, targets in views:
        images = normalise(inputs.to(device))
        with mixed_precision(device):
            features, texture = model.look(images)
        yield features.float(), texture.float(), targets


def choose_axes(model: ClassificationModel, texture: torch.Tensor) -> None:
    """Set along what the model compares features of texture, float (N, C, h, w): its axes.

    Those of each stride along which images differ most from one another, on average over an image;
    the places of all images have a spread of one along each.
    """
    center = texture.mean((0, 2, 3))
    sizes = list(model.compared)
    parts = torch.split(texture, sizes, dim=1), torch.split(center, sizes)
    chosen = []
    for part, mean, count in zip(*parts, AXES):
        between = torch.cov(part.mean((2, 3)).T.double(), correction=0)
        directions = torch.linalg.eigh(between).eigenvectors[:, -count:].float()  # (C, A)
        along = torch.einsum("nchw,ca->nahw", part - mean[:, None, None], directions)
        spread = along.square().mean((0, 2, 3)).sqrt().clamp(min=LEAST_SPREAD)
        chosen.append((directions / spread).T)
    model.origin.copy_(center)
    model.axes.copy_(block_diagonal(chosen))
