"""What a training run tells the world, and what it is told: events, checkpoints, cancel."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StorageFailed
from ..store.previews import write_preview
from ..store.run_folder import append_event, is_cancel_asked

EVENT_SECONDS = 0.3  # progress is written at most this often
EXPORT_SHARE = 1.0  # kept back of a time limit for export and figures: times what loading took
EXPORT_SECONDS = (2.0, 6.0)  # the least and the most of it
TRAINING_SHARE = 0.9  # of a run's progress; the rest is export and figures


class Cancelled(Exception):
    """A run was cancelled before there was a model worth keeping."""


class Monitor:
    """The line between one training run and those who watch it.

    time_limit: seconds for the whole run, or None. loading: how many of them are gone already, for
    to load what training needs; how fast the machine is shows in it.
    """

    def __init__(self, folder: Path, time_limit: float | None = None, loading: float = 0.0) -> None:
        self.folder = folder
        self.started = time.monotonic() - loading
        self.time_limit = time_limit
        self.kept_back = min(EXPORT_SECONDS[1], max(EXPORT_SECONDS[0], EXPORT_SHARE * loading))
        self._last_event = 0.0
        self._pictures: list[np.ndarray] = []

    @property
    def seconds_left(self) -> float | None:
        """How much of the time limit is left, 0 or more; None without one."""
        if self.time_limit is None:
            return None
        return max(0.0, self.time_limit - (time.monotonic() - self.started))

    @property
    def training_seconds(self) -> float | None:
        """How long training itself may take from now on; None: as long as it wants."""
        left = self.seconds_left
        return None if left is None else max(1.0, left - self.kept_back)

    def on_step(self, fraction: float, **values: float) -> None:
        """Tell how far training is, 0..1, and what the step gave; cheap enough for each step."""
        now = time.monotonic()
        if now - self._last_event >= EVENT_SECONDS:
            self._last_event = now
            append_event(
                self.folder, "progress", fraction=fraction * TRAINING_SHARE, **finite(values)
            )

    def on_epoch(self, figures: Mapping[str, Any]) -> None:
        """Tell what one round of training gave: loss and figures."""
        self._write_preview(int(figures["epoch"]))
        append_event(self.folder, "epoch", figures=finite(figures))

    def on_preview(self, images: Sequence[np.ndarray]) -> None:
        """Keep pictures, uint8 (H, W, 3) each, that show how good the model is in this round."""
        self._pictures = list(images)

    def _write_preview(self, epoch: int) -> None:
        """Write the pictures of a round as one file; a full disk costs the picture alone."""
        pictures, self._pictures = self._pictures, []
        if not pictures:
            return
        with suppress(OSError, StorageFailed):
            write_preview(self.folder, epoch, pictures)

    def on_note(self, text: str) -> None:
        """Tell a person something about this run."""
        append_event(self.folder, "note", text=text)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return is_cancel_asked(self.folder)


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON can hold them: a number that is not finite becomes None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
