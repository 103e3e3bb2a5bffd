"""Tiles: many predictions beside their labels, one of them large, and the way to a better label."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from ...errors import ImageNotFound, InvalidSetting
from ...image_set import Image
from ...project import Project
from ..asked import AskedWidget
from ..jobs import Job
from ..scripts import join_scripts
from .answers import ANSWERS, describe_look
from .look import REJECTED, Look

HERE = Path(__file__).parent
SURFACE = HERE.parent / "surface"
PARTS = ("parts", "asking", "panel", "shortcuts", "job_bar")
SURFACE_PARTS = ("inflate", "raster", "viewport", "layers", "pointers", "surface")
TILES_PARTS = (
    *("overlay", "tile_store", "tile_grid"),
    *("choices", "detail", "trying", "tiles"),
)
CSS = (
    *(HERE.parent / "parts.css", HERE.parent / "panel.css", SURFACE / "surface.css"),
    HERE / "tiles.css",
)
TICK_SECONDS = 0.5

WITHOUT_WIDGETS = (
    "The gallery needs a front end that shows widgets. Open this notebook in JupyterLab or "
    "Notebook 7 and run the cell again; run.review() and run.report() say the same in Python."
)


class Tiles(AskedWidget):
    """The images of a Look as tiles. image: the one that is open or was acted on last, or None."""

    _esm = join_scripts(
        *(HERE.parent / f"{name}.js" for name in PARTS),
        *(SURFACE / f"{name}.js" for name in SURFACE_PARTS),
        *(HERE / f"{name}.js" for name in TILES_PARTS),
    )
    _css = "\n".join(path.read_text("utf-8") for path in CSS)

    image = traitlets.Any(None, allow_none=True, help="The image that is looked at.")

    def __init__(self, look: Look, correct: Callable[[Image], None]) -> None:
        self.look, self._correct = look, correct
        self.project = Project(look.run.store)
        self._batch: Job | None = None
        self._told_batch: dict[str, Any] = {}
        super().__init__(ANSWERS, WITHOUT_WIDGETS, TICK_SECONDS, look.lock)
        look.on_change(self._tell)

    def find(self, image: Image | str | int) -> Image:
        """Return the image that is meant. Raises ImageNotFound."""
        if isinstance(image, str):
            return self.project.images[image]
        return self.project.images.find(image.id if isinstance(image, Image) else int(image))

    def accept(self, image: Image | str | int) -> None:
        """Make the prediction the label, by the threshold that is shown."""
        found = self.find(image)
        self.look.run.accept(found, self.look.threshold)
        found.state = None
        self._changed(found)

    def reject(self, image: Image | str | int) -> None:
        """Say that the prediction of an image without a label is no good: it is not offered again.

        Raises ImageNotFound for an image with a label.
        """
        found = self.find(image)
        if found.label is not None:
            raise ImageNotFound(f"{found.name!r} has a label, so there is no draft to reject.")
        found.state = REJECTED
        self._changed(found)

    def undo(self, image: Image | str | int) -> None:
        """Take back the last change of an image's label, or the rejection of its draft."""
        found = self.find(image)
        if found.state == REJECTED:
            found.state = None
        else:
            found.undo()
        self._changed(found)

    def correct(self, image: Image | str | int, from_prediction: bool = False) -> None:
        """Open an image in the labeler; from_prediction: the draft is its label to begin with."""
        found = self.find(image)
        if from_prediction and found.label is None:
            self.look.run.accept(found, self.look.threshold)
        self.image = found
        self._correct(found)

    def start_batch(self, source: str, target: str) -> None:
        """Predict a folder into a table, in a thread; the browser is told how far it is."""
        if self._batch is not None and self._batch.state == "running":
            raise InvalidSetting("A folder is being predicted already; stop it first.")
        run = self.look.run
        self._batch = Job("Predict", lambda job: run.predict_files(source, target, job.tell))
        if self._loop is None:
            self._batch.run()
        else:
            self._batch.start()
        self._tell_batch()

    def stop_batch(self) -> None:
        """Stop predicting a folder; no table is written then."""
        if self._batch is not None:
            self._batch.stop()

    def _tell_batch(self) -> None:
        """Send how far the prediction of a folder is, where that is new."""
        job = self._batch
        if job is None:
            return
        told = {**job.describe(), "words": describe_batch(job)}
        if told != self._told_batch:
            self._told_batch = told
            self.send({"kind": "batch", "batch": told})

    def _changed(self, image: Image) -> None:
        """Take in a change of one image, and show it."""
        self.image = image
        self.look.tick()
        self.send_changed([image.id])

    def send_changed(self, image_ids: list[int]) -> None:
        """Let the browser fetch these tiles again."""
        self.send({"kind": "changed", "images": image_ids})

    def tick(self) -> None:
        """Take in what was read, and what others changed."""
        self.look.tick()
        self._tell_batch()

    def send_list(self) -> None:
        """Send which images are shown, their order, and their outcomes."""
        outcomes = self.look.find_outcomes()
        buffers = [np.asarray(self.look.ids, "<i4").tobytes(), outcomes.tobytes()]
        self.send({"kind": "list", **describe_look(self.look)}, buffers)

    def _tell(self, what: str) -> None:
        """Follow the look."""
        if what == "job":
            job = self.look.job
            self.send({"kind": "job", "job": None if job is None else job.describe()})
            return
        if what == "labels":
            self.send_changed(self.look.changed)
        self.send_list()


def describe_batch(job: Job) -> str:
    """Return what became of the prediction of a folder, in words; nothing while it goes on."""
    if job.state == "failed":
        return job.error
    if job.state == "stopped":
        return "Stopped; no table was written."
    if job.state != "done":
        return ""
    report = job.result
    unread = "".join(f" {name}: {reason}" for name, reason in report.rejected[:5])
    more = f" {len(report.rejected)} could not be read:{unread}" if report.rejected else ""
    return f"{report.images} images are in {report.path}.{more}"
