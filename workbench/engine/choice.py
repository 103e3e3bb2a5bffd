"""Which state of a network is kept: what the dev images say, as far as they can be relied on."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .backbone import Network
from .checkpoint import Standing

Measure = Callable[[Network], dict[str, float]]


@dataclass(frozen=True)
class Choice:
    """Keeps the state that the dev images speak for.

    measure(model) gives the dev figures, of which "figure" decides (higher is better; where it is
    missing or not a number the last state is kept). count: dev images that it comes from.
    lead: a network that could answer before it was trained stays, unless a later state is better by
    so many standard errors of its figure. slack: a later state takes the place of the best where it
    is worse by no more than so many: what few images say is chance, and training on helps.
    """

    measure: Measure
    count: int
    lead: float = 0.0
    slack: float = 0.0

    def begin(self, model: Network, standing: Standing) -> None:
        """Keep a network that can answer before it is trained."""
        self.look(model, standing)
        if standing.best_figure is not None:
            error = standard_error(standing.best_figure, self.count)
            standing.best_figure += self.lead * error

    def look(self, model: Network, standing: Standing) -> dict[str, float]:
        """Return the figures on dev, and keep the model where they speak for it."""
        model.eval()
        with torch.inference_mode():
            figures = self.measure(model)
        figure = figures.pop("figure", math.nan)  # nan: nothing on dev defines it, such as boxes
        best = -math.inf if standing.best_figure is None else standing.best_figure
        if math.isnan(figure):
            standing.best_figure, is_kept = None, True
        else:
            error = standard_error(min(max(best, 0.0), 1.0), self.count)
            standing.best_figure, is_kept = max(best, figure), figure >= best - self.slack * error
        if is_kept:
            standing.best_state = copy.deepcopy(model.state_dict())
        return figures


def standard_error(figure: float, count: int) -> float:
    """Return by how much a share of count images, 0..1, may be off by chance: one deviation.

    Shares of none and of all may be off too: as if one more were right and one more wrong.
    """
    share = (figure * count + 1) / (count + 2)
    return math.sqrt(share * (1 - share) / (count + 2))
