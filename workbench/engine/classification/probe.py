"""The head before anything else learns: a logistic regression on features that stay as they are.

With few labels it is most of what can be learned, and it takes seconds; the network is then trained
on from there. Source: Fine-Tuning can Distort Pretrained Features (Kumar et al., 2022).
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..data import MakeSample, ScaledImages, normalise
from ..device import mixed_precision
from .model import ClassificationModel, pool

VIEWS = 4  # of each image: as it is, and varied
AT_ONCE = 16  # images that are looked at together
LEAST_SPREAD = 1e-3  # of a feature: below, it says nothing
PENALTY = 50.0  # on half the squares of the weights, beside the loss of all images
ITERATIONS = 60  # of L-BFGS


def fit_probe(
    model: ClassificationModel,
    images: ScaledImages,
    make_sample: MakeSample,
    make_plain: MakeSample,
    class_weights: torch.Tensor,
    go_on: Callable[[float], bool],
) -> None:
    """Set the model's center, spread and head from the images, seen VIEWS times each.

    make_sample and make_plain cut an image varied and as it is. class_weights: float (K,).
    go_on(fraction) may end the looking after the first view of each.
    """
    model.eval()
    seen, targets = [], []
    with torch.inference_mode():
        for view in range(VIEWS):
            make = make_sample if view else make_plain
            for start in range(0, len(images), AT_ONCE):
                done = (view + start / len(images)) / VIEWS
                if view and not go_on(done):
                    break
                indices = range(start, min(start + AT_ONCE, len(images)))
                pooled, wanted = look_at(model, [make(*images[index]) for index in indices])
                seen.append(pooled)
                targets += wanted
    described = torch.cat(seen)
    spread, center = torch.std_mean(described, 0, correction=0)
    model.center.copy_(center)
    model.spread.copy_(spread.clamp(min=LEAST_SPREAD))
    scaled = (described - center) / model.spread
    answers = torch.tensor(targets, device=scaled.device)
    penalty = PENALTY / len(images) / 2
    fit_head(model.head, scaled, answers, class_weights.to(scaled.device), penalty)


def look_at(
    model: ClassificationModel, samples: Sequence[tuple[torch.Tensor, int]]
) -> tuple[torch.Tensor, list[int]]:
    """Return what is pooled of samples, float (N, 2 C), and their class indices."""
    inputs, targets = zip(*samples)
    images = torch.stack(inputs).to(model.center.device)
    with mixed_precision(images.device):
        features = model.look(normalise(images)).float()
    return pool(features), list(targets)


def fit_head(
    head: nn.Linear,
    described: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    penalty: float,
) -> None:
    """Fit the layer to features, float (N, D), and class indices, int64 (N,), by L-BFGS.

    weights: float (K,), of the classes. penalty: on the sum of the squares of the layer's weights,
    beside the mean loss.
    """
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def lose() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(described), targets, weights)
        loss = loss + penalty * head.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(lose)  # type: ignore[no-untyped-call]
