"""The reader before anything else learns: what a single place says of a thing and of its sides."""

from functools import partial

import torch

from ..probe import Views, fit_logistic, measure_scale, weigh_classes
from ..reader import collect_places, middles
from .model import FIRST_LOGIT, DetectionModel, encode_sides
from .targets import Target, make_maps

VIEWS = 1  # of each image: as it is
PLACES = 24_000  # that are looked at, of all images together
WARM = 0.6  # heat of a place that counts as one of a thing
PENALTY = 27.0  # on half the squares of the weights, beside the loss of all images
SUMMED = 1000  # places at once, in double precision: 12,000 would take 120 MB
CONFIDENCE = 0.2  # of the logits: a reader that is sure of its images leaves nothing to learn


def fit_probe(model: DetectionModel, views: Views, size: tuple[int, int]) -> None:
    """Set the model's reader from views of (height, width); as it is where they show no thing."""
    model.eval()
    choose = partial(
        choose_places,
        class_count=model.class_count,
        size=size,
        count=max(2, PLACES // len(views)),
    )
    described, target, sides = collect_places(model.backbone, model.reader, views, choose)
    is_thing = target > 0
    if not is_thing.any():
        return
    center, spread = measure_scale(described)
    scaled = described.sub_(center).div_(spread)
    weights = weigh_classes(target.bincount(minlength=model.class_count + 1))
    penalty = PENALTY / len(views.images)
    kernel, bias = fit_logistic(scaled, target, weights, penalty)
    kernel, bias = (CONFIDENCE * (part[1:] - part[0]) for part in (kernel, bias))  # against nothing
    sides_kernel, sides_bias = fit_ridge(scaled[is_thing], encode_sides(sides[is_thing]), penalty)
    model.reader.assign(
        torch.cat([kernel, sides_kernel]),
        torch.cat([bias + FIRST_LOGIT, sides_bias]),
        (center, spread),
    )


def choose_places(
    target: Target, class_count: int, size: tuple[int, int], count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return places of an input of (height, width), at most count, up to half of them of things.

    They are (P, 2); beside them int64 (P,), 0 for nothing or 1 + the index of a class, and float32
    (P, 4), the distances in pixels to the sides.
    """
    heat, sides, weights = make_maps(target, class_count, size)
    highest, owners = heat.max(dim=0)  # (h, w)
    taken = [
        cells[torch.randperm(len(cells))[: count // 2]]
        for cells in (((highest >= WARM) & (weights > 0)).nonzero(), (highest == 0).nonzero())
    ]
    rows, columns = (cells := torch.cat(taken)).T
    wanted = owners[rows, columns] + 1
    wanted[len(taken[0]) :] = 0
    return middles(cells, highest.shape), wanted, sides[:, rows, columns].T


def fit_ridge(
    described: torch.Tensor, wanted: torch.Tensor, penalty: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return kernel (K, D) and bias (K,) that say float (N, K) of float (N, D), by least squares.

    penalty: on the kernel's squares, beside the mean of the errors' squares.
    """
    center, mean = described.mean(0), wanted.mean(0)
    products = described.new_zeros(len(center), len(center), dtype=torch.double)
    products.fill_diagonal_(penalty * len(described))
    shared = products.new_zeros(len(center), len(mean))
    for rows, answers in zip(torch.split(described, SUMMED), torch.split(wanted, SUMMED)):
        inputs, outputs = (rows - center).double(), (answers - mean).double()
        products += inputs.T @ inputs
        shared += inputs.T @ outputs
    kernel = torch.linalg.solve(products, shared).T.float()
    return kernel, mean - kernel @ center
