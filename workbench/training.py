"""Starting a training run: checks, snapshot, folder, and a process of its own."""

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import NotEnoughLabels
from .settings import check_settings
from .store.database import Store
from .store.files import explained, run_path
from .store.run_folder import CONFIG, LOG, append_event, write_json, write_process
from .store.runs import add_run, list_runs
from .store.search import Filter, count_images
from .store.snapshots import create_snapshot
from .store.splits import split_images
from .tasks import find_task

FRACTIONS = {"train": 0.7, "dev": 0.15, "test": 0.15}
# How long threads of the engine that wait for each other keep their core: turns of a loop with
# GNU's OpenMP, milliseconds with LLVM's. To sleep at once costs nearly half of the training speed;
# to spin for long takes the cores from the kernel, where a person labels.
SHORT_SPINS = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}


class Detached(subprocess.Popen[bytes]):
    """A process that outlives this one: letting go of it is no mistake to be warned about."""

    def __del__(self) -> None:
        """Leave the process alone."""


# Processes that this one started: kept so that they are reaped when they end.
_children: dict[Path, Detached] = {}


def start_training(
    store: Store, preset: str, classes: list[str], name: str | None, changes: Mapping[str, Any]
) -> str:
    """Start a run on a new snapshot, in a process of its own, and return its id at once.

    changes: settings other than the preset's (see workbench.settings). Where no image has a split
    yet, the project is split first. Raises InvalidSetting and NotEnoughLabels before anything else.
    """
    check_settings(preset, changes)
    split_if_never(store)
    check_trainable(store, classes)
    name = name or f"run {len(list_runs(store)) + 1}"
    snapshot_id = create_snapshot(store, name)
    run_id = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    folder = run_path(store.folder, run_id)
    with explained(folder):
        folder.mkdir(parents=True)
    config = {"snapshot_id": snapshot_id, "preset": preset, "changes": dict(changes)}
    write_json(folder / CONFIG, config)
    add_run(store, run_id, name, snapshot_id, {"preset": preset, **changes})
    start_process(folder)
    return run_id


def split_if_never(store: Store) -> None:
    """Divide the images over train, dev and test where none of them has a split yet."""
    if count_images(store, [Filter(split=None)]) == count_images(store):
        split_images(store, FRACTIONS)


def check_trainable(store: Store, classes: list[str]) -> None:
    """Raise NotEnoughLabels unless the train split holds what the task needs."""
    labeled = count_images(store, [Filter(split="train", labeled=True)])
    if not labeled:
        raise NotEnoughLabels(
            "No image of the train split is labeled. Label some, or divide the labeled ones with "
            "project.split(reassign=True)."
        )
    counts = {
        name: count_images(store, [Filter(split="train", class_name=name)]) for name in classes
    }
    find_task(store.task).room.check_enough(labeled, counts)


def start_process(folder: Path) -> None:
    """Start the training process of a run's folder, in a session of its own: it outlives us."""
    append_event(folder, "queued")
    with (folder / LOG).open("ab") as log:
        child = Detached(
            [sys.executable, "-m", "workbench.engine.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=engine_environment(),
        )
    write_process(folder, child.pid)
    _children[folder] = child


def engine_environment() -> dict[str, str]:
    """Return the environment of the engine's processes: this same package, and SHORT_SPINS."""
    package = str(Path(__file__).parent.parent)
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([package, known] if known else [package])
    return {**SHORT_SPINS, **os.environ, "PYTHONPATH": path}


def reap(folder: Path) -> None:
    """Let go of the process that worked on a folder, where this one started it and it has ended."""
    child = _children.get(folder)
    if child is not None and child.poll() is not None:
        _children.pop(folder, None)
