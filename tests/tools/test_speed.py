"""What a network costs: the measurement itself, on the smallest network."""

import sys
from pathlib import Path

import pytest

PRETRAIN = Path(__file__).resolve().parents[2] / "tools" / "pretrain"


@pytest.mark.slow
def test_the_costs_of_a_network_are_positive_and_grow_with_the_image(monkeypatch):
    monkeypatch.syspath_prepend(str(PRETRAIN))
    import speed
    from networks import Trunk

    monkeypatch.setattr(speed, "REPEATED", 1)
    trunk = Trunk("shufflenet_v2_x1_0")
    assert speed.time_training(trunk, 64, 2) > 0
    small, large = (speed.time_prediction(trunk, side) for side in (64, 256))
    assert 0 < small < large
    for name in ("speed", "networks"):
        sys.modules.pop(name, None)
