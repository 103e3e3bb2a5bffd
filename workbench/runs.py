"""Training runs as the kernel sees them: what they were asked, how far they are, what came out."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from .errors import InvalidSetting, NotEnoughLabels, RunNotFinished, UnsupportedFormat
from .model import Model
from .model_card import CARD, NETWORK
from .predicting import accept_prediction, decide, predict_images, save_threshold
from .progress import Progress, show_progress
from .report import Report
from .review import Review
from .reviewing import ReviewReader, list_reviewed
from .settings import check_threshold
from .store.authors import find_author
from .store.database import Store
from .store.files import explained, run_path
from .store.images import find_image, read_pixels
from .store.labels import read_label
from .store.predictions import read_prediction
from .store.previews import list_previews
from .store.run_folder import (
    LOG,
    EventReader,
    RunState,
    ask_to_cancel,
    find_process,
    forget_cancel,
    is_starting,
)
from .store.runs import RunRow, change_run, delete_run, find_run
from .store.search import ANY, Filter, list_ids
from .store.snapshots import Snapshot, count_changes, read_snapshot
from .tasks import find_task
from .training import reap, start_process

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .batch import BatchReport

ACTIVE = ("queued", "running")
POLL_SECONDS = 0.2
CANCEL_SECONDS = 60.0  # how long a run may take to save where it stands, before it is killed


class Run:
    """One training run: what it was asked, how far it is, and what came out of it."""

    def __init__(self, store: Store, row: RunRow) -> None:
        self.store = store
        self._row = row
        self.folder = run_path(store.folder, row.id)
        self._reader = EventReader(self.folder)
        self._state = RunState()

    @property
    def id(self) -> str:
        """The run's id, which is also the name of its folder."""
        return self._row.id

    @property
    def name(self) -> str:
        """What a person calls the run; it can be set."""
        return self._row.name

    @name.setter
    def name(self, name: str) -> None:
        self._change(name=name)

    @property
    def note(self) -> str:
        """What a person wrote about the run; it can be set."""
        return self._row.note

    @note.setter
    def note(self, note: str) -> None:
        self._change(note=note)

    def _change(self, **values: str) -> None:
        """Write name or note, and read the row again."""
        change_run(self.store, self.id, **values)
        self._row = find_run(self.store, self.id)

    @property
    def created(self) -> datetime:
        """When the run was started, in UTC."""
        return self._row.created

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was asked: the preset, and what was changed in it."""
        return dict(self._row.settings)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The frozen version of the project that the run trains on."""
        return read_snapshot(self.store, self._row.snapshot_id)

    @property
    def changed_labels(self) -> int:
        """How many labels of the project changed since that snapshot."""
        return count_changes(self.store, self._row.snapshot_id)

    def _update(self) -> RunState:
        """Return the state after all events so far."""
        for event in self._reader.read_new():
            self._state.apply(event)
        return self._state

    @property
    def status(self) -> str:
        """One of "queued", "running", "finished", "failed", "cancelled" and "interrupted".

        Interrupted: its process is gone without a word; `resume` goes on from the last checkpoint.
        """
        if self._update().status not in ACTIVE or self._is_alive():
            return self._state.status
        # The process may have ended, as it should, between the two looks.
        return "interrupted" if self._update().status in ACTIVE else self._state.status

    def _is_alive(self) -> bool:
        """Tell whether a process works on the run, or is about to."""
        reap(self.folder)
        return find_process(self.folder) is not None or is_starting(self.folder)

    @property
    def progress(self) -> float:
        """How far the run is, 0..1."""
        return self._update().progress

    @property
    def seconds(self) -> float:
        """How long the run has worked since it was last started; 0 before."""
        state = self._update()
        if state.started is None or state.status == "queued":
            return 0.0
        return max(0.0, (state.ended or time.time()) - state.started)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict for each round of training: epoch, step, loss, and the figures on dev."""
        return list(self._update().history)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the final model on dev (on train where there is no dev); {} before."""
        return dict(self._update().metrics)

    @property
    def notes(self) -> list[str]:
        """What the run wants a person to know, such as which weights it started from."""
        return list(self._update().notes)

    @property
    def previews(self) -> dict[int, Path]:
        """What the model said of a few dev images, as a picture for each round: {epoch: file}."""
        return list_previews(self.folder)

    @property
    def error(self) -> str | None:
        """What went wrong and what to do, for a run that failed or was interrupted; else None."""
        if self.status == "interrupted":
            return (
                "The training process is gone: it was killed, the machine was restarted, or memory "
                "ran out. run.resume() goes on from the last checkpoint."
            )
        return self._state.error

    @property
    def log(self) -> str:
        """What the training process printed."""
        path = self.folder / LOG
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def __repr__(self) -> str:
        """Return the run in a line."""
        status = self.status
        main = self.metrics.get(find_task(self.store.task).main_figure)
        figure = "" if main is None else f", {find_task(self.store.task).main_figure} {main:.3f}"
        return f"<Run {self.name!r} ({self.id}), {status}, {self._state.progress:.0%}{figure}>"

    def wait(self, timeout: float | None = None, progress: Progress = True) -> str:
        """Wait until the run ends, or for `timeout` seconds, and return its status.

        A progress bar shows how far it is. Interrupting the wait does not stop the run.
        """
        end = None if timeout is None else time.monotonic() + timeout
        for _ in show_progress(self._ticks(end), 100, self.name, "%", progress):
            pass
        return self.status

    def _ticks(self, end: float | None) -> Iterator[int]:
        """Yield once for each hundredth of the run, as they pass."""
        shown = 0
        while True:
            is_over = self.status not in ACTIVE
            done = 100 if self._state.status == "finished" else int(100 * self._state.progress)
            yield from range(shown, done)
            shown = max(shown, done)
            if is_over or (end is not None and time.monotonic() >= end):
                return
            time.sleep(POLL_SECONDS)

    def cancel(self, wait: bool = True) -> None:
        """Stop the run; it keeps the best model so far, and `resume` can go on later.

        wait: return when it has stopped. A process that does not answer for a minute is killed.
        """
        if self.status not in ACTIVE:
            return
        ask_to_cancel(self.folder)
        if wait and self.wait(CANCEL_SECONDS, progress=False) in ACTIVE:
            process = find_process(self.folder)
            if process is not None:
                process.kill()
                psutil.wait_procs([process], timeout=5)

    def resume(self) -> None:
        """Go on from the last checkpoint. Raises InvalidSetting for an active or finished run."""
        status = self.status
        if status in ACTIVE or status == "finished":
            raise InvalidSetting(
                f"Run {self.name!r} is {status}; only a run that was cancelled or interrupted, or "
                "that failed, can be resumed."
            )
        forget_cancel(self.folder)
        start_process(self.folder)

    def delete(self) -> None:
        """Delete the run, its model and its predictions; an active one is cancelled first."""
        self.cancel()
        delete_run(self.store, self.id)
        shutil.rmtree(self.folder, ignore_errors=True)

    def model(self) -> Model:
        """Return the run's model. Raises RunNotFinished while there is none."""
        if not ((self.folder / NETWORK).exists() and (self.folder / CARD).exists()):
            reason = f" {self.error}" if self.error else ""
            raise RunNotFinished(
                f"Run {self.name!r} is {self.status} and has no model yet; wait with run.wait()."
                f"{reason}"
            )
        return self._model

    @cached_property
    def _model(self) -> Model:
        """The model, read once."""
        return Model(self.folder)

    def export(self, folder: str | os.PathLike[str], format: str = "onnx") -> Path:
        """Copy model.onnx and model.json into a folder, which is made, and return it."""
        if format != "onnx":
            raise UnsupportedFormat(f"A run is exported as 'onnx', not as {format!r}.")
        model = self.model()
        target = Path(folder).expanduser()
        with explained(target):
            target.mkdir(parents=True, exist_ok=True)
            for name in (NETWORK, CARD):
                shutil.copyfile(model.folder / name, target / name)
        return target

    def predict(self, split: str | None = None, progress: Progress = True) -> int:
        """Predict all images of a split (None: of the project), store it, return how many they are.

        Images that the run has predicted before are not predicted again.
        """
        wanted = [Filter(split=ANY if split is None else split)]
        ids = list_ids(self.store, wanted)
        self._predict_ids(ids, progress)
        return len(ids)

    def _predict_ids(self, ids: list[int], progress: Progress) -> None:
        """Predict and store the images that are not predicted yet."""
        predict_images(self.store, self.id, self.model(), ids, progress)

    def predict_files(
        self, source: Any, path: str | os.PathLike[str], progress: Progress = True
    ) -> BatchReport:
        """Predict photos that are in no project, and write a row for each to a .csv or .json file.

        source: a file, folder, glob or archive, as for project.add_images. Each row has the counts
        or the covered share of each class, or the verdict. Raises SourceNotFound and
        UnsupportedFormat.
        """
        from .batch import predict_files

        return predict_files(self.model(), source, os.fspath(path), self.threshold, progress)

    def prediction(self, image: Any) -> Any:
        """Return what the run's model says of an image of the project; predicted now if need be."""
        return self.read_prediction(image.id)

    def read_prediction(self, image_id: int) -> Any:
        """Return what `prediction` does, for the image of an id."""
        self._predict_ids([image_id], progress=False)
        return decide(read_prediction(self.store, self.id, image_id), self.threshold)

    def accept(self, image: Any, threshold: float | None = None) -> None:
        """Make what the model says of an image its label; the label's history says so.

        threshold: what counts; None for the model's own. image.undo() takes it back. Raises
        UnknownClass where the class is gone.
        """
        limit = self.threshold if threshold is None else check_threshold(threshold)
        prediction = decide(self.prediction(image), limit)
        author = ", ".join(filter(None, (find_author(), f"from {self.name}")))
        accept_prediction(self.store, self.snapshot, image.id, prediction, author)

    @property
    def threshold(self) -> float:
        """What counts as found or abnormal: a score >= threshold. Can be set.

        It is saved with the run: `predict`, `report`, the gallery and what `export` writes use it.
        """
        return self.model().threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        save_threshold(self.model(), threshold)

    def report(self, split: str | None = "test", threshold: float | None = None) -> Report:
        """Return the figures on the labeled images of a split, by their labels of today.

        split: None for all. Images that the run was trained on count in "train" alone, wherever
        they are now. threshold: None for the model's own. Raises NotEnoughLabels for no images.
        """
        ids = list_reviewed(self.store, self.snapshot, split, labeled=True)
        if not ids:
            where = "the project" if split is None else f"the {split} split"
            raise NotEnoughLabels(
                f"No labeled image of {where} can be measured: label some, or choose another split."
            )
        return self.review_images(ids, split).report(threshold)

    def review(self, split: str | None = "test", labeled: bool | None = None) -> Review:
        """Return what the model got right and wrong in a split, image by image; None for all.

        labeled: True or False for those with or without a label alone. Images that are not
        predicted yet are predicted now.
        """
        ids = list_reviewed(self.store, self.snapshot, split, labeled)
        return self.review_images(ids, split)

    def review_images(self, ids: list[int], split: str | None = None) -> Review:
        """Return the review of the images of these ids; split: what to call them."""
        self._predict_ids(ids, progress=True)
        reader = ReviewReader(self.store, self.id, self.name, self.snapshot, ids)
        for _ in reader.read():
            pass
        return reader.make_review(split, self.threshold)

    def plot_predictions(self, split: str | None = "test", limit: int = 6) -> Figure:
        """Return a Figure of some images of a split, label and prediction side by side.

        They are taken at even distances, since the first ones are often of one kind.
        """
        from .plots import plot_predictions  # matplotlib takes half a second to import

        wanted = [Filter(split=ANY if split is None else split)]
        ids = list_ids(self.store, wanted)
        count = min(limit, len(ids))
        chosen = [ids[place * len(ids) // count] for place in range(count)]
        self._predict_ids(chosen, progress=False)
        cells = (
            (
                read_pixels(row),
                row.name,
                read_label(self.store, row.id),
                decide(read_prediction(self.store, self.id, row.id), self.threshold),
            )
            for row in (find_image(self.store, image_id) for image_id in chosen)
        )
        colors = dict(zip(self.snapshot.classes, self.snapshot.colors))
        return plot_predictions(cells, self.snapshot.classes, colors, limit)

    def plot_history(self) -> Figure:
        """Return a matplotlib Figure of the loss and the dev figures, round by round."""
        from .plots import plot_history  # matplotlib takes half a second to import

        return plot_history(self.history)
