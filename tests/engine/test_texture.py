"""The reader of segmentation, which also sees how the features around a place go together."""

import pytest
import torch

from workbench.engine.backbone import Backbone
from workbench.engine.monitor import Monitor
from workbench.engine.probe import Views
from workbench.engine.reader import add_up
from workbench.engine.segmentation.texture import (
    AXES,
    AXES_FROM,
    TextureReader,
    find_textures,
)

PRODUCTS = AXES * (AXES + 1) // 2


@pytest.fixture
def maps():
    """Return features of two images at strides 4, 8 and 16."""
    torch.manual_seed(0)
    sides = zip(Backbone.channels[1:], (32, 16, 8), strict=True)
    return [torch.rand(2, count, side, side) * 3 for count, side in sides]


@pytest.fixture
def reader(maps):
    """Return a reader of three numbers whose axes are those of the maps."""
    reader = TextureReader(Backbone(), 3)
    reader.choose_axes([maps[1]])
    return reader


def mean_around(maps, row, column):
    """Return the mean over the 3 x 3 cells of maps (N, C, h, w) there, as many as there are."""
    return maps[:, :, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean((2, 3))


def test_untrained_it_says_nothing_and_sees_no_products(maps):
    reader = TextureReader(Backbone(), 3)
    *_, products = reader.look_around(maps)
    assert products.shape == (2, PRODUCTS, 8, 8) and not products.any()
    assert not reader.read(maps).any()


def test_places_have_a_middle_of_0_and_a_spread_of_1_along_the_axes(reader, maps):
    places = [mean_around(maps[1], row, column) for row in range(16) for column in range(16)]
    along = torch.cat(places) @ reader.axes.T - reader.origin
    assert along.mean(0).abs().max() < 1e-3
    assert torch.allclose(along.std(0, correction=0), torch.ones(AXES), atol=1e-3)


def test_axes_are_those_that_surroundings_differ_along():
    torch.manual_seed(0)
    features = torch.rand(4, 128, 12, 12) * 0.1
    features[:2, 7] += 2.0  # which differs from image to image
    features[:, 5, ::2] += 2.0  # which only differs from row to row
    reader = TextureReader(Backbone(), 1)
    reader.choose_axes(list(features[:, None]))
    widest = reader.axes[-1] / reader.axes[-1].norm()
    assert widest[7].abs() > 0.99


def test_products_are_of_features_near_a_place_and_averaged_around_it(reader, maps):
    *_, products = reader.look_around(maps)
    along = [
        [mean_around(maps[1], row, column) @ reader.axes.T - reader.origin for column in range(4)]
        for row in range(4)
    ]  # of the cells that the four in the corner of the coarser map are made of
    squared = torch.stack([torch.stack([x[:, :, None] * x[:, None] for x in row]) for row in along])
    wanted = squared.mean((0, 1))[:, reader.first, reader.second]
    assert products.shape == (2, PRODUCTS, 8, 8)
    assert torch.allclose(products[:, :, 0, 0], wanted, rtol=1e-3, atol=1e-3)
    assert (reader.first == reader.second).sum() == AXES  # squares are among them


def test_it_reads_all_that_it_sees(reader, maps):
    with torch.no_grad():
        reader.weight.normal_()
        reader.bias.normal_()
    wanted = add_up(reader.look_around(maps), reader.weight, reader.bias)
    assert torch.allclose(reader.read(maps), wanted, rtol=1e-3, atol=1e-2)


class Noise:
    """As many images of noise as there are views to choose axes by, and as many again."""

    def __len__(self):
        return 2 * AXES_FROM

    def __getitem__(self, index):
        return torch.randint(256, (3, 32, 48), dtype=torch.uint8), index


def test_axes_are_chosen_by_the_first_views(tmp_path):
    def as_it_is(image, target):
        return image, target

    views = Views(Noise(), as_it_is, as_it_is, 1, 0, Monitor(tmp_path))
    found = find_textures(Backbone().eval(), views)
    assert sum(map(len, found)) == AXES_FROM
    assert all(part.shape[1:] == (128, 4, 6) and part.dtype == torch.float for part in found)
