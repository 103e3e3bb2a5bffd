"""What learns before all else: the samples that a probe looks at, and the logistic regression."""

import numpy as np
import pytest
import torch

from workbench.engine import checkpoint, probe
from workbench.engine.backbone import Backbone, Network
from workbench.engine.monitor import Monitor
from workbench.engine.probe import AT_ONCE, Views, fit_logistic, measure_scale, probe_first


class Numbered:
    """Images whose pixels are their own number."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return np.full((4, 4, 3), index, np.uint8), index


def as_it_is(image, target):
    return torch.from_numpy(image).permute(2, 0, 1), target


def varied(image, target):
    return torch.from_numpy(image).permute(2, 0, 1), target + 100


def read(views):
    return [target for _, targets in views for target in targets]


def test_every_image_comes_as_it_is_before_it_comes_varied(tmp_path):
    views = Views(Numbered(), as_it_is, varied, 3, 5, Monitor(tmp_path))
    targets = read(views)
    assert len(views) == len(targets) == 120
    assert sorted(targets[:40]) == list(range(40)) and targets[:40] != list(range(40))
    assert sorted(targets[40:80]) == sorted(targets[80:]) == [100 + i for i in range(40)]
    assert targets == read(views)
    assert all(
        (inputs[:, 0, 0, 0] == torch.tensor(targets) % 100).all() for inputs, targets in views
    )


@pytest.mark.parametrize("share, is_all", [("PROBED", False), ("PROBED_ALONE", True)])
def test_views_end_when_their_time_is_over_but_not_before_the_first(
    tmp_path, monkeypatch, share, is_all
):
    views = Views(Numbered(), as_it_is, varied, 3, 0, Monitor(tmp_path, time_limit=0.5), is_all)
    monkeypatch.setattr(probe, share, 0.0)
    assert len(read(views)) == AT_ONCE


@pytest.mark.parametrize("is_all", [False, True])
def test_views_that_nothing_follows_tell_how_far_they_are(tmp_path, is_all):
    told = []
    monitor = Monitor(tmp_path)
    monitor.on_step = told.append
    views = Views(Numbered(), as_it_is, varied, 3, 0, monitor, is_all)
    read(views)
    assert told == ([start / len(views) for start in range(0, len(views), AT_ONCE)] * is_all)


def test_there_is_an_end_to_what_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "MOST_SAMPLES", 50)
    views = Views(Numbered(), as_it_is, varied, 3, 0, Monitor(tmp_path))
    assert len(views) == len(read(views)) == 50


def test_a_logistic_regression_finds_the_direction_that_tells():
    torch.manual_seed(0)
    described = torch.randn(300, 5) * torch.tensor([1.0, 50.0, 1.0, 1.0, 1.0]) + 7
    targets = (described[:, 0] > 7).long()
    center, spread = measure_scale(described)
    scaled = (described - center) / spread
    kernel, bias = fit_logistic(scaled, targets, torch.ones(2), 0.01)
    assert ((scaled @ kernel.T + bias).argmax(1) == targets).float().mean() > 0.97
    strict, _ = fit_logistic(scaled, targets, torch.ones(2), 1.0)
    assert strict.norm() < kernel.norm() / 2
    assert kernel[:, 0].abs().min() > 5 * kernel[:, 1:].abs().max()


def test_a_feature_that_never_changes_says_nothing():
    center, spread = measure_scale(torch.ones(9, 3))
    assert torch.equal(center, torch.ones(3)) and (spread > 0).all()


def test_a_probe_comes_first_on_learned_features_and_once(tmp_path):
    views = Views(Numbered(), as_it_is, varied, 1, 0, Monitor(tmp_path))
    fitted = []
    for origin in ("random", "shipped"):
        network = Network()
        network.backbone = Backbone()
        network.backbone.origin = origin
        assert probe_first(network, views, fitted.append) == (origin == "shipped")
    assert fitted == [views]
    (tmp_path / checkpoint.NAME).touch()  # the run goes on from there
    assert probe_first(network, views, fitted.append)
    assert fitted == [views]
