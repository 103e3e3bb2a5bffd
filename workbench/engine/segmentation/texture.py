"""A reader that also sees how the features around a place go together."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from ..backbone import Backbone
from ..probe import LEAST_SPREAD, Views
from ..reader import AROUND, Reader, add_up, average, enlarge, find_maps

AXES = 24  # along which features of stride 8 are compared
NEAR = 3  # cells, down and across, that are averaged before they are compared, and again after
AXES_FROM = 64  # views that the axes are chosen by


class TextureReader(Reader):
    """Reads, beside what a reader does, the mean products of features of stride 8 along AXES.

    A surface that differs from the others all over has no feature of its own; what it lacks or has
    too much of shows in squares and products. Source: Semantic Segmentation with Second-Order
    Pooling (Carreira et al., 2012), around each place.
    Buffers: axes, float (AXES, 128), and origin, float (AXES,), the middle of all places along
    them. Untrained the axes are 0, and so are the products.
    """

    axes: torch.Tensor
    origin: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor

    def __init__(self, backbone: Backbone, outputs: int) -> None:
        first, second = torch.ones(AXES, AXES).triu().nonzero(as_tuple=True)  # squares too
        super().__init__(backbone, outputs, besides=len(first))
        self.register_buffer("axes", torch.zeros(AXES, backbone.channels[2]))
        self.register_buffer("origin", torch.zeros(AXES))
        self.register_buffer("first", first)
        self.register_buffer("second", second)

    def look_around(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return what is read, maps (N, C, h, w), of those at strides 4, 8 and 16."""
        turned = self.turn(maps[1])
        products = turned[:, self.first] * turned[:, self.second]
        return [*super().look_around(maps), average_products(products)]

    def read(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return what each place says, (N, outputs, H / 4, W / 4), of maps (N, C, h, w).

        The products of a place are weighed as a quadratic form, without being written down.
        """
        widths = [self.in_features - len(self.first), len(self.first)]
        plain, weighed = torch.split(self.weight, widths, dim=1)
        said = add_up(super().look_around(maps), plain, self.bias)
        forms = weighed.new_zeros(len(weighed), AXES, AXES)  # of each output
        forms[:, self.first, self.second] = weighed
        turned = self.turn(maps[1])
        by_row = functional.conv2d(turned, forms.flatten(0, 1)[:, :, None, None])
        by_row = torch.unflatten(by_row, 1, (-1, AXES))  # (N, outputs, AXES, h, w)
        products = (by_row * turned[:, None]).sum(2)
        return said + enlarge(average_products(products), said)

    def turn(self, features: torch.Tensor) -> torch.Tensor:
        """Return features (N, 128, h, w) along the axes, averaged NEAR each place."""
        turned = functional.conv2d(features, self.axes[:, :, None, None], -self.origin)
        return average(turned.float(), NEAR)

    @torch.no_grad()
    def choose_axes(self, maps: Sequence[torch.Tensor]) -> None:
        """Compare along the axes that surroundings differ most along, in features (N, 128, h, w).

        The places of all of them have a spread of one along each.
        """
        around = [average(functional.avg_pool2d(part, 2), AROUND) for part in maps]
        between = torch.cov(as_rows(around).T.double(), correction=0)
        directions = torch.linalg.eigh(between).eigenvectors[:, -AXES:].float()  # (128, AXES)
        along = as_rows([average(part, NEAR) for part in maps]) @ directions
        spread, middle = torch.std_mean(along, 0, correction=0)
        spread = spread.clamp(min=LEAST_SPREAD)
        self.axes.copy_((directions / spread).T)
        self.origin.copy_(middle / spread)


def average_products(products: torch.Tensor) -> torch.Tensor:
    """Return products at stride 8, (N, P, 2 h, 2 w), averaged NEAR each place of stride 16."""
    return average(functional.avg_pool2d(products, 2), NEAR)


def find_textures(backbone: Backbone, views: Views) -> list[torch.Tensor]:
    """Return the features of stride 8, float32 (N, 128, h, w), of the first AXES_FROM views."""
    found: list[torch.Tensor] = []
    for _, (_, middle, _) in find_maps(backbone, views):
        found.append(middle.float())
        if sum(map(len, found)) >= AXES_FROM:
            break
    return found


def as_rows(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the places (P, C) of all maps (N, C, h, w)."""
    return torch.cat([part.movedim(1, -1).flatten(0, 2) for part in maps])
