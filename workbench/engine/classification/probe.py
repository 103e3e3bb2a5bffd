"""Before anything else learns: along what features are compared, and a logistic regression."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import torch

from ..data import normalise
from ..device import mixed_precision
from ..probe import LEAST_SPREAD, Views, fit_logistic, measure_scale
from .model import AXES, COLOR_FACTS, ClassificationModel, block_diagonal, describe

VIEWS = 4  # of each image: as it is, and moved
AXES_FROM = 64  # views that the axes are chosen by
COLOR_WEIGHT = 3.0  # of what colors say, which are few, beside one feature
PENALTY = 100.0  # on half the squares of the weights, beside the loss of all images

# What the model looks at in images of one size, float32, and their classes.
Look = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int]]


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
        find_penalty(len(views.images)),
    )
    with torch.no_grad():
        model.center.copy_(center)
        model.spread.copy_(spread)
        model.head.weight.copy_(kernel)
        model.head.bias.copy_(bias)


def find_penalty(images: int) -> float:
    """Return the penalty on half the squares of the weights, beside the mean loss of images."""
    return PENALTY / images


def describe_views(
    model: ClassificationModel, views: Views
) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield descriptions of views, float (N, D), with their classes; first set the model's axes."""
    looks = look_at(model, views)
    waiting: deque[Look] = deque()
    while sum(len(look[3]) for look in waiting) < AXES_FROM and (look := next(looks, None)):
        waiting.append(look)
    model.axes.copy_(choose_axes([look[1] for look in waiting], model.compared))
    while look := waiting.popleft() if waiting else next(looks, None):  # each is then let go
        features, texture, colors, targets = look
        along = model.turn(texture)
        yield describe(features, along, colors, model.first, model.second), targets


def look_at(model: ClassificationModel, views: Views) -> Iterator[Look]:
    """Yield what the model looks at in views."""
    device = model.center.device
    for inputs, targets in views:
        images = normalise(inputs.to(device))
        with mixed_precision(device):
            features, texture, colors = model.look(images)
        yield features.float(), texture.float(), colors.float(), targets


def choose_axes(textures: Iterable[torch.Tensor], widths: Sequence[int]) -> torch.Tensor:
    """Return the axes (A, C) that features are compared along.

    textures: the features, (N, C, h, w) each, of images of one size. widths: how many of the C
    channels are of each stride. The axes are those of each stride along which images differ most
    from one another, on average over an image; the places of all images have a spread of one along
    each.
    """
    chosen = []
    by_stride = zip(*(torch.split(texture, list(widths), 1) for texture in textures))
    for parts, count in zip(by_stride, AXES):
        means = torch.cat([part.mean((2, 3)) for part in parts])  # (images, C)
        between = torch.cov(means.T.double(), correction=0)
        directions = torch.linalg.eigh(between).eigenvectors[:, -count:].float()  # (C, A)
        turned = [torch.einsum("nchw,ca->anhw", part, directions).flatten(1) for part in parts]
        along = torch.cat(turned, 1)
        spread = along.std(1, correction=0).clamp(min=LEAST_SPREAD)
        chosen.append((directions / spread).T)
    return block_diagonal(chosen)
