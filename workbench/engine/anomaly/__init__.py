"""How anomaly detection learns."""

from .model import PRESETS, build_model
from .train import (
    build_sampler,
    choose_framing,
    choose_threshold,
    make_label,
    make_sample,
    make_target,
    train,
)

__all__ = [
    "PRESETS",
    "build_model",
    "build_sampler",
    "choose_framing",
    "choose_threshold",
    "make_label",
    "make_sample",
    "make_target",
    "train",
]
