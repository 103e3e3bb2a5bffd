"""The reader before anything else learns: a logistic regression on features of single pixels."""

from functools import partial

import torch

from ..augment import IGNORED
from ..probe import Views, fit_logistic, measure_scale, weigh_classes
from ..reader import collect_places, middles
from .model import SegmentationModel
from .texture import find_textures

VIEWS = 2  # of each image: as it is, and varied
PIXELS = 24_000  # that are looked at, of all images together
FOREGROUND = 0.6  # share of the pixels that are taken of the classes
BACKGROUND_WEIGHT = 2.0  # of a pixel of none, beside what its share asks for
PENALTY = 0.01  # on half the squares of the weights, beside the mean loss


def fit_probe(model: SegmentationModel, views: Views) -> None:
    """Set the model's reader from pixels of the views; as it is where they show no class."""
    model.eval()
    choose = partial(choose_pixels, count=max(2, PIXELS // len(views)))
    model.reader.choose_axes(find_textures(model.backbone, views))
    described, target = collect_places(model.backbone, model.reader, views, choose)
    if not target.any():
        return
    center, spread = measure_scale(described)
    weights = weigh_classes(target.bincount(minlength=len(model.reader.bias)))
    weights[0] *= BACKGROUND_WEIGHT
    scaled = described.sub_(center).div_(spread)  # in place: a copy takes 80 MB
    kernel, bias = fit_logistic(scaled, target, weights, PENALTY)
    model.reader.assign(kernel, bias, (center, spread))


def choose_pixels(mask: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels of a mask, uint8 (h, w): their places (P, 2), and their classes, int64 (P,).

    About count of them, FOREGROUND of them evenly of the classes that the mask holds.
    """
    present = [int(k) for k in torch.unique(mask) if k != IGNORED]
    classes = max(1, sum(k > 0 for k in present))
    taken = []
    for k in present:
        pixels = (mask == k).nonzero()
        share = FOREGROUND / classes if k else 1 - FOREGROUND
        taken.append(pixels[torch.randperm(len(pixels))[: max(1, round(share * count))]])
    pixels = torch.cat(taken) if taken else mask.new_zeros(0, 2).long()
    return middles(pixels, mask.shape), mask[pixels[:, 0], pixels[:, 1]].long()
