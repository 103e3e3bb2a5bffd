"""The head before anything else learns: a logistic regression on what is pooled of each image."""

import torch

from ..data import normalise
from ..device import mixed_precision
from ..probe import Views, fit_logistic, measure_scale
from .model import ClassificationModel, pool

VIEWS = 4  # of each image: as it is, and varied
PENALTY = 50.0  # on half the squares of the weights, beside the loss of all images


def fit_probe(model: ClassificationModel, views: Views, class_weights: torch.Tensor) -> None:
    """Set the model's center, spread and head from views of the images.

    class_weights: float (K,).
    """
    model.eval()
    device = model.center.device
    seen: list[torch.Tensor] = []
    answers: list[int] = []
    with torch.inference_mode():
        for inputs, targets in views:
            images = normalise(inputs.to(device))
            with mixed_precision(device):
                features = model.look(images).float()
            seen.append(pool(features))
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
