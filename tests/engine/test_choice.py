"""Which state of a network is kept."""

import math

import pytest
import torch
from torch import nn

from workbench.engine.backbone import Network
from workbench.engine.checkpoint import Standing
from workbench.engine.choice import Choice, standard_error
from workbench.engine.loop import finish_round
from workbench.engine.monitor import Monitor


class Tiny(Network):
    """A network of one weight, to follow which state is kept."""

    output_names = ("value",)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))


def train_rounds(figures, folder, **trust):
    """Return where a run stands after rounds with these figures on dev; the state is the round."""
    model, standing = Tiny(), Standing()
    for index, figure in enumerate(figures):
        model.weight.data.fill_(index)
        measured = {} if figure is None else {"accuracy": figure, "figure": figure}
        choice = Choice(lambda _, m=measured: dict(m), count=98, **trust)
        finish_round(model, standing, [1.0], choice, Monitor(folder))
    return standing


@pytest.mark.parametrize(
    ("figures", "kept"),
    [([0.1, 0.9, 0.5], 1), ([0.5, 0.5, 0.2], 1), ([math.nan] * 3, 2), ([None] * 3, 2)],
)
def test_the_best_round_on_dev_is_kept(tmp_path, figures, kept):
    standing = train_rounds(figures, tmp_path)
    assert standing.best_state["weight"] == kept and len(standing.history) == 3
    assert "figure" not in standing.history[0]


@pytest.mark.parametrize(
    ("figures", "kept"),
    [
        ([0.5, 0.46, 0.3], 1),  # of 98 images .05 is chance
        ([0.5, 0.46, 0.42], 1),  # it counts from the best, not from what was kept
        ([0.5, 0.42, 0.46], 2),
        ([0.0, 0.0, 0.0], 2),
    ],
)
def test_a_later_round_is_kept_where_only_chance_speaks_against_it(tmp_path, figures, kept):
    standing = train_rounds(figures, tmp_path, slack=1.0)
    assert standing.best_state["weight"] == kept
    assert standing.best_figure == max(figures)


@pytest.mark.parametrize(("later", "kept"), [(0.54, 0), (0.56, 1)])
def test_a_network_that_was_ready_stays_unless_a_later_one_is_clearly_better(later, kept):
    figures = iter([0.5, later])
    choice = Choice(lambda _: {"figure": next(figures)}, count=98, lead=1.0)
    model, standing = Tiny(), Standing()
    choice.begin(model, standing)
    model.weight.data.fill_(1)
    choice.look(model, standing)
    assert standing.best_state["weight"] == kept


def test_a_network_that_was_ready_and_right_everywhere_stays():
    choice = Choice(lambda _: {"figure": 1.0}, count=20, lead=3.0)  # no share is that much better
    model, standing = Tiny(), Standing()
    choice.begin(model, standing)
    model.weight.data.fill_(1)
    choice.look(model, standing)
    assert standing.best_state["weight"] == 0


def test_few_images_leave_more_to_chance():
    assert standard_error(0.5, 98) == pytest.approx(0.05)
    assert standard_error(0.5, 10) > standard_error(0.5, 1000) > 0
    of_all, of_none = standard_error(1.0, 20), standard_error(0.0, 20)
    assert of_all == pytest.approx(of_none) and of_all > 0
