"""The linear layer that says what a place of an image looks like by itself."""

import torch

from workbench.engine.backbone import Backbone
from workbench.engine.monitor import Monitor
from workbench.engine.probe import Views
from workbench.engine.reader import (
    AROUND,
    Reader,
    describe_places,
    look_at,
    middles,
)


def test_features_are_read_at_the_places_asked_for():
    fine, coarse = torch.rand(1, 4, 16, 24), torch.rand(1, 3, 8, 12)
    places = torch.tensor([[-1 + 1 / 24, -1 + 1 / 16], [1 - 1 / 24, 1 - 1 / 16]])
    found = look_at([fine, coarse], places)
    assert found.shape == (2, 7)
    assert torch.allclose(found[:, :4], fine[0, :, [0, -1], [0, -1]].T, atol=1e-5)
    assert torch.allclose(found[:, 4:], coarse[0, :, [0, -1], [0, -1]].T, atol=1e-5)


def test_places_of_cells_lie_in_their_middles():
    fine = torch.rand(1, 2, 5, 7)
    cells = torch.tensor([[0, 0], [4, 6], [2, 5]])  # row and column
    found = look_at([fine], middles(cells, (5, 7)))
    assert torch.allclose(found, fine[0, :, cells[:, 0], cells[:, 1]].T, atol=1e-5)


def test_a_reader_says_of_scaled_features_what_it_was_fitted_to_say():
    reader = Reader(Backbone(), 3)
    sides = zip(Backbone.channels[1:], (32, 16, 8), strict=True)
    maps = [torch.rand(2, count, side, side) * 5 + 2 for count, side in sides]
    assert not reader.read(maps).any()
    kernel, bias = torch.randn(3, reader.in_features), torch.randn(3)
    center, spread = torch.rand(reader.in_features), torch.rand(reader.in_features) + 0.5
    reader.assign(kernel, bias, (center, spread))
    places = middles(cells := torch.tensor([[0, 0], [31, 5], [13, 20]]), (32, 32))
    for row, found in enumerate(reader.read(maps)):
        seen = look_at([part[row, None] for part in reader.look_around(maps)], places)
        wanted = ((seen - center) / spread) @ kernel.T + bias
        assert torch.allclose(found[:, cells[:, 0], cells[:, 1]].T, wanted, rtol=1e-3, atol=1e-2)


def test_a_reader_reads_the_mean_of_what_lies_around_in_the_image():
    reader = Reader(Backbone(), 1)
    fine, middle, coarse = (
        torch.rand(2, count, side, side)
        for count, side in zip(Backbone.channels[1:], (32, 16, 8), strict=True)
    )
    *as_they_are, around = reader.look_around([fine, middle, coarse])
    assert all(map(torch.equal, as_they_are, (fine, middle, coarse)))
    cells = AROUND // 2 + 1  # of the window at the corner that are in the image
    of_middle = middle[:, :, : 2 * cells, : 2 * cells].mean((2, 3))
    of_coarse = coarse[:, :, :cells, :cells].mean((2, 3))
    assert torch.allclose(around[:, :, 0, 0], torch.cat([of_middle, of_coarse], 1), atol=1e-5)
    with torch.no_grad():
        reader.weight[:, -256:] = 1.0  # reads the surroundings at stride 16 alone
    found = reader.read([fine, middle, coarse])
    assert found.shape == (2, 1, 32, 32)
    assert torch.allclose(found[:, 0, 0, 0], of_coarse.sum(1), rtol=1e-4)


class Noise:
    """Three images of noise, whose targets are their numbers."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return torch.randint(256, (3, 64, 64), dtype=torch.uint8), index


def test_places_are_described_with_what_belongs_to_them(tmp_path):
    def choose(target):
        return torch.zeros(target + 1, 2), torch.full((target + 1,), target)

    def as_it_is(image, target):
        return image, target

    views = Views(Noise(), as_it_is, as_it_is, 2, 0, Monitor(tmp_path))
    backbone = Backbone().eval()
    seen = list(describe_places(backbone, Reader(backbone, 1), views, choose))
    assert sorted(len(answers) for _, answers in seen) == [1, 1, 2, 2, 3, 3]
    assert all(found.shape == (len(answers), 448 + 384) for found, answers in seen)
    assert all((answers == len(answers) - 1).all() for _, answers in seen)
