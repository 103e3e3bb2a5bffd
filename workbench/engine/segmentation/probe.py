"""The reader before anything else learns: a logistic regression on the features of single pixels.

Source: a pixel's own features tell classes apart with few strokes, as in ilastik (Berg et al.,
2019).
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from ..augment import IGNORED
from ..data import normalise
from ..device import mixed_precision
from ..probe import Views, fit_logistic, measure_scale
from .model import SegmentationModel

VIEWS = 2  # of each image: as it is, and varied
PIXELS = 24_000  # that are looked at, of all images together
FOREGROUND = 0.6  # share of the pixels that are taken of the classes
BACKGROUND_WEIGHT = 2.0  # of a pixel of none, beside what its share asks for
PENALTY = 0.01  # on half the squares of the weights, beside the mean loss


def fit_probe(model: SegmentationModel, views: Views) -> None:
    """Set the model's reader from pixels of the views; as it is where they show no class."""
    model.eval()
    device, seen, answers = model.reader.weight.device, [], []
    count = max(2, PIXELS // len(views))
    with torch.inference_mode():
        for inputs, targets in views:
            with mixed_precision(device):
                maps = model.backbone(normalise(inputs.to(device)))[1:]
            for row, mask in enumerate(targets):
                places, wanted = choose_pixels(mask, count)
                seen.append(look_at([part[row, None] for part in maps], places.to(device)))
                answers.append(wanted)
    described, target = torch.cat(seen), torch.cat(answers).to(device)
    if not target.any():
        return
    center, spread = measure_scale(described)
    counts = target.bincount(minlength=len(model.reader.bias))
    weights = (len(target) / len(counts) / counts.clamp(min=1)).sqrt()
    weights[0] *= BACKGROUND_WEIGHT
    kernel, bias = fit_logistic((described - center) / spread, target, weights, PENALTY)
    kernel = kernel / spread
    with torch.no_grad():
        model.reader.weight.copy_(kernel)
        model.reader.bias.copy_(bias - kernel @ center)


def choose_pixels(mask: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels of a mask, uint8 (h, w): their places (P, 2), and their classes, int64 (P,).

    About count of them, FOREGROUND of them evenly of the classes that the mask holds. Places are x
    and y, -1..1 from edge to edge.
    """
    present = [int(k) for k in torch.unique(mask) if k != IGNORED]
    classes = max(1, sum(k > 0 for k in present))
    taken = []
    for k in present:
        pixels = (mask == k).nonzero()
        share = FOREGROUND / classes if k else 1 - FOREGROUND
        taken.append(pixels[torch.randperm(len(pixels))[: max(1, round(share * count))]])
    pixels = torch.cat(taken) if taken else mask.new_zeros(0, 2).long()
    places = (pixels.flip(1) * 2 + 1) / torch.tensor(mask.shape[::-1]) - 1
    return places, mask[pixels[:, 0], pixels[:, 1]].long()


def look_at(maps: Sequence[torch.Tensor], places: torch.Tensor) -> torch.Tensor:
    """Return the features (P, C) at places (P, 2) of one image's maps, (1, C, h, w) each."""
    grid = places[None, None]  # (1, 1, P, 2)
    found = [
        functional.grid_sample(part.float(), grid, padding_mode="border", align_corners=False)
        for part in maps
    ]
    return torch.cat(found, dim=1)[0, :, 0].T
