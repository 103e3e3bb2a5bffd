"""Training images as a run would vary them, with their labels: drawn by the engine's process."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import NotEnoughLabels, RunFailed
from .settings import check_settings
from .store.database import Store
from .store.run_folder import write_json
from .store.search import Filter, count_images
from .tasks import find_task
from .training import engine_environment


@dataclass(frozen=True)
class AugmentedImage:
    """One varied training image: pixels, uint8 (h, w, 3), and the label that was varied with it."""

    name: str
    label: Any
    pixels: np.ndarray
    split: str | None = "varied"

    def read(self) -> np.ndarray:
        """Return the pixels."""
        return self.pixels


def draw_augmented(
    store: Store,
    classes: list[str],
    preset: str,
    count: int,
    seed: int,
    changes: Mapping[str, Any],
) -> list[AugmentedImage]:
    """Return `count` labeled images as training with that preset would vary them.

    It takes some seconds: the engine is a process of its own. Raises NotEnoughLabels where nothing
    is labeled, InvalidSetting, and RunFailed where the engine cannot draw them.
    """
    check_settings(preset, changes)
    if not count_images(store, [Filter(labeled=True)]):
        raise NotEnoughLabels(
            "No image is labeled yet, so there is nothing to train on or to show."
        )
    with tempfile.TemporaryDirectory() as name:
        request, out = Path(name) / "request.json", Path(name) / "out.npz"
        wanted = {"preset": preset, "changes": dict(changes), "count": count, "seed": seed}
        write_json(request, wanted)
        module = "workbench.engine.show_augmented"
        done = subprocess.run(
            [sys.executable, "-m", module, str(store.folder), str(request), str(out)],
            env=engine_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or ["it was killed"]
            raise RunFailed(f"The augmented images could not be drawn: {reason[0]}")
        return read_samples(store.task, classes, out)


def read_samples(task: str, classes: list[str], path: Path) -> list[AugmentedImage]:
    """Return what the engine wrote."""
    room = find_task(task).room
    class_ids = {name: place for place, name in enumerate(classes, start=1)}
    with np.load(path, allow_pickle=False) as arrays:
        records = json.loads(bytes(arrays["records"]))
        masks = [arrays.get(f"mask{index}") for index in range(len(records))]
        images = [arrays[f"image{index}"] for index in range(len(records))]
    return [
        AugmentedImage(record["name"], room.unpack_label(record["label"], mask, class_ids), image)
        for record, mask, image in zip(records, masks, images)
    ]
