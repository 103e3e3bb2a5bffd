"""How a run trains: what a preset sets, what a person may change, and within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .errors import InvalidSetting

PRESET_NAMES = ("fast", "accurate")
BACKBONES = ("shipped", "imagenet", "random")
BOUNDS: dict[str, tuple[float, float]] = {  # setting: (lowest, highest)
    "input_size": (64, 2048),
    "batch_size": (1, 256),
    "epochs": (1, 10_000),
    "learning_rate": (1e-7, 1.0),
    "time_limit": (1.0, 1e7),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Settings:
    """How one run trains.

    input_size: longer side of the network input or tile, in pixels, a multiple of 32.
    epochs: how often every image is seen; None: as often as fits min_steps and max_steps.
    batch_size: images a step. learning_rate: the highest of the schedule.
    backbone: "shipped", "imagenet" or "random". augment: whether training images are varied.
    seed: same seed, same machine, same figures. time_limit: seconds for the whole run, or None.
    max_memory: anomaly only, how many patches the memory keeps. Of features that have learned
    before, pretrained_rate: what part of the learning rate is theirs; held_steps: how many steps
    they stay as they are, which takes less time and lets what is new learn from them first; None:
    to the end. judged_below: with fewer images than that and none of dev to judge by, what is
    fitted to such features first is not trained on.
    """

    input_size: int
    batch_size: int = 8
    learning_rate: float = 2e-3
    min_steps: int = 100
    max_steps: int = 1000
    passes: int = 30
    epochs: int | None = None
    backbone: str = "shipped"
    augment: bool = True
    seed: int = 0
    time_limit: float | None = None
    max_memory: int = 2000
    pretrained_rate: float = 0.2
    held_steps: int | None = 0
    judged_below: int = 0

    def steps(self, images: int, has_dev: bool) -> int:
        """Return how many batches to train on, for that many images, with or without dev."""
        if self.epochs is not None:
            return max(1, self.epochs * -(-images // self.batch_size))
        if not has_dev and images < self.judged_below and self.backbone != "random":
            return 0
        wanted = self.passes * images // self.batch_size
        return min(self.max_steps, max(self.min_steps, wanted))

    def learns_on(self, step: int) -> bool:
        """Tell whether features that have learned before do so further, at that step."""
        return self.held_steps is not None and step >= self.held_steps


JUDGED_BELOW = 1000  # training on may also make it worse (tools/pretrain/RESULTS.md)

# {project type: {preset: its settings}}
TASK_PRESETS = {
    "classification": {
        "fast": Settings(
            input_size=224,
            batch_size=8,
            learning_rate=1e-3,
            min_steps=240,
            max_steps=960,
            passes=10,
            pretrained_rate=0.8,
            judged_below=JUDGED_BELOW,
        ),
        "accurate": Settings(
            input_size=256,
            batch_size=16,
            learning_rate=1e-3,
            min_steps=300,
            max_steps=4000,
            passes=80,
            pretrained_rate=0.8,
            judged_below=JUDGED_BELOW,
        ),
    },
    "detection": {
        "fast": Settings(
            input_size=256, batch_size=2, min_steps=1200, max_steps=2400, passes=20, held_steps=400
        ),
        "accurate": Settings(
            input_size=384, batch_size=4, min_steps=900, max_steps=4000, passes=60, held_steps=400
        ),
    },
    "segmentation": {
        "fast": Settings(
            input_size=256, batch_size=4, min_steps=240, max_steps=800, passes=20, held_steps=None
        ),
        "accurate": Settings(
            input_size=384, batch_size=8, min_steps=400, max_steps=3000, passes=60, held_steps=None
        ),
    },
    "anomaly": {
        "fast": Settings(input_size=256, batch_size=8, max_memory=2000),
        "accurate": Settings(input_size=384, batch_size=8, max_memory=6000),
    },
}

CHANGEABLE = frozenset(
    (
        "input_size",
        "batch_size",
        "epochs",
        "learning_rate",
        "time_limit",
        "seed",
        "backbone",
        "augment",
    )
)


def check_settings(preset: str, changes: Mapping[str, Any]) -> None:
    """Raise InvalidSetting, naming what is allowed, unless the preset and every change are."""
    if preset not in PRESET_NAMES:
        raise InvalidSetting(f"There is no preset {preset!r}. Choose 'fast' or 'accurate'.")
    for name, value in changes.items():
        if name not in CHANGEABLE:
            allowed = ", ".join(sorted(CHANGEABLE))
            raise InvalidSetting(f"There is no training setting {name!r}. There are: {allowed}.")
        check_setting(name, value)


def check_setting(name: str, value: Any) -> None:
    """Raise InvalidSetting unless the value is allowed for that setting."""
    if name == "backbone":
        if value not in BACKBONES:
            raise InvalidSetting(f"backbone={value!r}: choose one of {', '.join(BACKBONES)}.")
    elif name == "augment":
        if not isinstance(value, bool):
            raise InvalidSetting(f"augment={value!r}: it is True or False.")
    elif value is not None or name not in ("time_limit", "epochs"):
        check_number(name, value)


def check_number(name: str, value: Any) -> None:
    """Raise InvalidSetting unless the number is of the right kind and within its bounds."""
    lowest, highest = BOUNDS[name]
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    is_right_kind = is_whole or (isinstance(lowest, float) and isinstance(value, float))
    if not is_right_kind or not lowest <= float(value) <= highest:
        raise InvalidSetting(f"{name}={value!r}: it lies between {lowest} and {highest}.")
    if name == "input_size" and value % 32:
        raise InvalidSetting(f"input_size={value}: it is a multiple of 32, for example 256.")


def apply_changes(preset: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the preset's settings with a person's changes."""
    known = {field.name for field in fields(Settings)}
    return replace(preset, **{name: value for name, value in changes.items() if name in known})


def check_threshold(threshold: float) -> float:
    """Return the threshold. Raises InvalidSetting outside of 0..1."""
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 1:
        raise InvalidSetting(f"A threshold lies between 0 and 1, not at {threshold!r:.40}.")
    return float(threshold)
