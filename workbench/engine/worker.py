"""The training process: python -m workbench.engine.worker RUN_FOLDER.

It reads the run's config.json and the snapshot named there, trains, exports, measures, and says in
events.jsonl how it went. It knows nothing of notebooks.
"""

import errno
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import torch
from filelock import FileLock, Timeout

from ..errors import StorageFailed, WorkbenchError
from ..settings import Settings, apply_changes
from ..store.database import open_store
from ..store.run_folder import (
    CONFIG,
    append_event,
    end_broken_line,
    is_cancel_asked,
    read_json,
    write_process,
)
from ..store.snapshots import Snapshot, read_snapshot
from ..tasks import find_task
from ..tasks.framing import Framing
from .backbone import Network
from .data import Example, ScaledImages, labeled_examples, pick_evenly
from .device import prepare_process, return_memory
from .export import collect_facts, export_network, write_card
from .monitor import Cancelled, Monitor, finite
from .predict import predict_examples

MEASURED = 200  # dev images that the final figures and the threshold come from, at most
FEWEST = 20  # of them, however short the time
TRIED = 4  # of them, to see how long one takes
MEASURING = 0.8  # of the time that is left for them; export needs the rest
QUEUE_SECONDS = 0.5


def main(folder: Path) -> int:
    """Do the run in that folder, tell how it ended, and return the process's exit status."""
    loading_seconds = time.time() - psutil.Process().create_time()
    write_process(folder, os.getpid())
    end_broken_line(folder)
    try:
        with queue(folder):
            append_event(folder, "started", pid=os.getpid())
            run(folder, loading_seconds)
    except Cancelled:
        append_event(folder, "cancelled")
    except Exception as error:  # whatever happened, a person must be told
        traceback.print_exc()
        append_event(folder, "failed", error=explain(error))
        return 1
    return 0


@contextmanager
def queue(folder: Path) -> Iterator[None]:
    """Hold the project's training lock inside the block; wait until the runs before have ended.

    Raises Cancelled when somebody asks for that while the run waits.
    """
    lock = FileLock(folder.parent / "training.lock")
    while True:
        if is_cancel_asked(folder):
            raise Cancelled
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            time.sleep(QUEUE_SECONDS)
    try:
        yield
    finally:
        lock.release()


def run(folder: Path, loading_seconds: float) -> None:
    """Train on the run's snapshot, write the model, and tell the figures on dev.

    loading_seconds: of a time limit, what went by until this process had loaded what it needs.
    """
    config = read_json(folder / CONFIG)
    snapshot = read_snapshot(open_store(folder.parent.parent), config["snapshot_id"])
    room = find_room(snapshot.task)
    settings = apply_changes(room.PRESETS[config["preset"]], config["changes"])
    prepare_process(settings.seed)
    monitor = Monitor(folder, settings.time_limit, loading_seconds)
    examples = labeled_examples(snapshot, "train")
    dev = pick_evenly(labeled_examples(snapshot, "dev"), MEASURED)
    model, framing = train(room, snapshot, examples, dev, settings, monitor)
    return_memory()
    append_event(folder, "progress", fraction=0.92, stage="measuring")
    split = "dev" if dev else "train"
    known = dev or pick_evenly(examples, MEASURED)
    measured = fit_into_time(model, snapshot, known, framing, monitor)
    threshold, figures = measure(room, model, snapshot, measured, framing, is_dev=bool(dev))
    return_memory()
    append_event(folder, "progress", fraction=0.96, stage="exporting")
    facts = collect_facts(model, snapshot, settings, config["preset"], finite(figures))
    export_network(model, folder)
    write_card(model, snapshot, framing, threshold, facts, folder)
    kind = "cancelled" if monitor.is_cancelled else "finished"
    append_event(folder, kind, metrics=finite(figures), split=split, threshold=threshold)


def find_room(task: str) -> ModuleType:
    """Return the engine's room of a project type; only that one is loaded."""
    return import_module(f".{find_task(task).name}", __package__)


def train(
    room: ModuleType,
    snapshot: Snapshot,
    examples: list[Example],
    dev: list[Example],
    settings: Settings,
    monitor: Monitor,
) -> tuple[Network, Framing]:
    """Return the trained network and how it wants its images."""
    framing: Framing = room.choose_framing(examples, settings)
    model: Network = room.build_model(snapshot.classes, settings)
    origin = model.backbone.origin
    if settings.backbone == "imagenet" and origin != "imagenet":
        monitor.on_note(
            "The ImageNet weights could not be fetched (is there a network?); "
            f"{origin} ones are used instead."
        )
    room.train(model, examples, dev, snapshot.classes, framing, settings, monitor)
    return model, framing


def fit_into_time(
    model: Network,
    snapshot: Snapshot,
    examples: list[Example],
    framing: Framing,
    monitor: Monitor,
) -> list[Example]:
    """Return as many of the examples, evenly spread, as there is time to look at twice.

    All of them without a time limit, and never fewer than FEWEST. Says so where some are left out.
    """
    if monitor.seconds_left is None:
        return examples
    model.eval()
    images = ScaledImages(pick_evenly(examples, TRIED), framing)
    started = time.monotonic()
    for _ in predict_examples(model, images, find_task(snapshot.task), snapshot.classes, 0.5):
        pass
    seconds = (time.monotonic() - started) / len(images)
    count = max(FEWEST, int(MEASURING * monitor.seconds_left / (2 * seconds + 1e-6)))
    if count < len(examples):
        monitor.on_note(
            f"The threshold and the figures come from {count} of {len(examples)} images: "
            "time_limit left no more time."
        )
    return pick_evenly(examples, count)


def measure(
    room: ModuleType,
    model: Network,
    snapshot: Snapshot,
    examples: list[Example],
    framing: Framing,
    is_dev: bool,
) -> tuple[float, dict[str, float]]:
    """Return the threshold that fits best on dev, and the figures on the examples with it."""
    model.eval()
    task = find_task(snapshot.task)
    images = ScaledImages(examples, framing)
    labels = [example.read_label() for example in examples]

    def predict(threshold: float) -> Iterator[Any]:
        return predict_examples(model, images, task, snapshot.classes, threshold)

    # On images that it was trained on, a model is too sure of itself to choose by.
    chosen_on = (predict(0.5), labels) if is_dev else ((), ())
    chosen: float = room.choose_threshold(*chosen_on, snapshot.classes)
    threshold = model.move_scale(chosen)
    figures = task.room.evaluate(predict(threshold), labels, snapshot.classes, threshold)
    return threshold, figures.overall


def explain(error: Exception) -> str:
    """Return what went wrong and what to do, in a sentence or two."""
    if isinstance(error, WorkbenchError) and not isinstance(error, StorageFailed):
        return str(error)
    text = str(error).lower()
    is_full = isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("alloc" in text or "out of memory" in text)
    )
    if is_full:
        return (
            "The machine has not enough memory for this. Close other notebooks, or train with a "
            "smaller input_size or batch_size, for example project.train(batch_size=2)."
        )
    if isinstance(error, OSError) and (error.errno == errno.ENOSPC or "disk is full" in text):
        return "The disk is full. Free some space, then call run.resume()."
    if isinstance(error, StorageFailed):
        return str(error)
    return (
        f"Training stopped with an unexpected error: {type(error).__name__}: {error}. "
        "log.txt in the run's folder has the details; run.resume() tries again."
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
