"""What a place of an image says by itself: one linear layer on the features around it.

It can be fitted before anything else learns, from single places: few labels and seconds are enough.
Source: a pixel's own features tell classes apart with few strokes, as in ilastik (Berg et al.,
2019).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .backbone import Backbone
from .data import normalise
from .device import mixed_precision, return_memory
from .probe import Views

# What is looked at of a view's target: places (P, 2), x and y, -1..1 from edge to edge; and what
# belongs to each of them, (P, ...).
ChoosePlaces = Callable[[Any], tuple[torch.Tensor, ...]]


AROUND = 5  # cells of stride 16, down and across, whose features are averaged


class Reader(nn.Linear):
    """Reads numbers from the backbone's maps at strides 4, 8 and 16, and from their means AROUND.

    besides: numbers of a place that a subclass has it read too. Untrained it says 0.
    """

    def __init__(self, backbone: Backbone, outputs: int, besides: int = 0) -> None:
        _, *widths = backbone.channels
        super().__init__(sum(widths) + sum(widths[1:]) + besides, outputs)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def look_around(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return what is read, maps (N, C, h, w), of those at strides 4, 8 and 16."""
        return [*maps, average_around(*maps[1:])]

    def read(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return what each place says, (N, outputs, H / 4, W / 4), of maps (N, C, h, w)."""
        return add_up(self.look_around(maps), self.weight, self.bias)

    @torch.no_grad()
    def assign(
        self, kernel: torch.Tensor, bias: torch.Tensor, scale: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Read what a kernel (outputs, D) and bias say of features less a center, over a spread.

        scale: center and spread, (D,) each.
        """
        center, spread = scale
        kernel = kernel / spread
        self.weight.copy_(kernel)
        self.bias.copy_(bias - kernel @ center)


def add_up(maps: Sequence[torch.Tensor], weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return weighted sums of what maps (N, C, h, w) hold, (N, outputs, H, W) as in the first.

    weight: (outputs, D), D channels in all. bias: (outputs,).
    """
    kernels = torch.split(weight[:, :, None, None], [part.shape[1] for part in maps], dim=1)
    finest = functional.conv2d(maps[0], kernels[0], bias)
    coarser = map(functional.conv2d, maps[1:], kernels[1:])
    return finest + sum(enlarge(scores, finest) for scores in coarser)


def average_around(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """Return the means around each place, (N, C + D, h, w), of maps at strides 8 and 16.

    fine: (N, C, 2 h, 2 w). coarse: (N, D, h, w). What lies beyond the image does not count.
    """
    both = torch.cat([functional.avg_pool2d(fine, 2), coarse], dim=1)
    return average(both, AROUND)


def average(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Return the means over `side` cells, down and across, around each place of (N, C, h, w)."""
    return functional.avg_pool2d(maps, side, 1, side // 2, count_include_pad=False)


def enlarge(maps: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return maps (N, C, h, w) at the height and width of others, in between by straight lines."""
    return functional.interpolate(maps, size=like.shape[2:], mode="bilinear")


def collect_places(
    backbone: Backbone, reader: Reader, views: Views, choose_places: ChoosePlaces
) -> tuple[torch.Tensor, ...]:
    """Return what the reader reads at places of all views, (N, D), and what belongs to them."""
    found = tuple(map(torch.cat, zip(*describe_places(backbone, reader, views, choose_places))))
    return_memory()  # of the many small parts, as much as the whole
    return found


def describe_places(
    backbone: Backbone, reader: Reader, views: Views, choose_places: ChoosePlaces
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield, view by view, what is read at its places, (P, D), and what belongs to them."""
    for targets, maps in find_maps(backbone, views):
        with torch.inference_mode(), mixed_precision(maps[0].device):
            seen = reader.look_around(maps)
        for row, target in enumerate(targets):
            places, *answers = (part.to(seen[0].device) for part in choose_places(target))
            yield look_at([part[row, None] for part in seen], places), *answers


def find_maps(backbone: Backbone, views: Views) -> Iterator[tuple[list[Any], list[torch.Tensor]]]:
    """Yield the targets of some views, and their maps (N, C, h, w) at strides 4, 8 and 16."""
    device = next(backbone.parameters()).device
    for inputs, targets in views:
        with torch.inference_mode(), mixed_precision(device):
            maps = backbone(normalise(inputs.to(device)))[1:]
        yield targets, maps


def look_at(maps: Sequence[torch.Tensor], places: torch.Tensor) -> torch.Tensor:
    """Return the features (P, D) at places (P, 2) of one image's maps, (1, C, h, w) each."""
    grid = places[None, None]  # (1, 1, P, 2)
    found = [
        functional.grid_sample(part.float(), grid, padding_mode="border", align_corners=False)
        for part in maps
    ]
    return torch.cat(found, dim=1)[0, :, 0].T


def middles(cells: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Return the places (P, 2) of cells (P, 2), row and column, of a map of (height, width)."""
    return (cells.flip(1) * 2 + 1) / torch.tensor([size[1], size[0]]) - 1
