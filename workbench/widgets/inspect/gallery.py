"""Gallery: a run's report and predictions, and the way from an error to a better label."""

from typing import Any

import ipywidgets
import traitlets

from ...image_set import Image
from ...predicting import decide
from ...project import Project
from ...runs import Run
from ...store.images import find_images, read_pixels
from ...store.predictions import read_prediction
from ...tasks import find_task
from ..asked import find_loop
from ..labelers.labeler import Labeler
from ..still import Still, make_picture, make_sheet
from .look import Look
from .report_panel import ReportPanel
from .tiles import Tiles

HIDDEN, SHOWN = "none", ""
MOST_DRAWN = 8  # tiles of a still


class Gallery(Still, ipywidgets.VBox):  # type: ignore[misc]
    """The predictions of a finished run beside the labels, the worst first, with its report.

    split: "test", "dev", "train", "all" images, or those "unlabeled". `image` is the one that was
    looked at last; observe it. Everything done by hand is a call too: `show`, `choose`, `accept`,
    `reject`, `correct`, `undo`, and `threshold`, which can be set. Raises RunNotFinished.
    """

    image = traitlets.Any(None, allow_none=True, help="The image that was looked at last.")

    def __init__(self, run: Run, split: str = "test") -> None:
        self.run, self.project = run, Project(run.store)
        self.labeler: Labeler | None = None
        self.look = Look(run, split, find_loop() is not None)
        self.report = ReportPanel(run, look=self.look)
        self.tiles = Tiles(self.look, self._open_labeler)
        self.tiles.on_tick = self.update_still
        self._back = ipywidgets.Button(
            description="Back to the gallery", icon="arrow-left", tooltip="Back to the gallery"
        )
        self._back.layout.width = "auto"
        self._back.on_click(lambda button: self.back())
        self._desk = ipywidgets.VBox([])
        super().__init__([self.report, self.tiles, self._desk])
        self.add_class("workbench-gallery")
        self.tiles.observe(lambda change: self.set_trait("image", change["new"]), "image")

    @property
    def threshold(self) -> float:
        """What counts as found or abnormal; `save` keeps it with the run. Can be set."""
        return self.look.threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        self.look.move(threshold)

    def save(self) -> None:
        """Make the threshold the run's own: predict and export use it from now on."""
        self.look.save()

    def show(self, split: str) -> None:
        """Look at "test", "dev" or "train" images, at "all", or at those "unlabeled"."""
        self.look.show(split)

    def choose(self, **wanted: Any) -> None:
        """Filter and sort: outcomes, order, class_name, low, high (of scores), text, cell."""
        self.look.choose(**wanted)

    @property
    def names(self) -> list[str]:
        """The names of the images that are shown, in order."""
        return [self.project.images.find(int(i)).name for i in self.look.ids]

    def accept(self, image: Image | str) -> None:
        """Make the prediction the label, by the threshold that is shown."""
        self.tiles.accept(image)

    def reject(self, image: Image | str) -> None:
        """Say that the draft of an image without a label is no good; it is not offered again."""
        self.tiles.reject(image)

    def undo(self, image: Image | str) -> None:
        """Take back the last change of an image's label, or the rejection of its draft."""
        self.tiles.undo(image)

    def correct(self, image: Image | str) -> None:
        """Open an image in the labeler, in the place of the tiles; `back` returns to them."""
        self.tiles.correct(image)

    def make_still(self) -> str:
        """Return the report, and the first tiles with their predictions."""
        return self.report.make_still() + self._draw_tiles()

    def _draw_tiles(self) -> str:
        """Return a sheet of the first tiles as a picture."""
        room, run = find_task(self.project.task).room, self.run
        drawn = []
        for row in find_images(run.store, [int(i) for i in self.look.ids[:MOST_DRAWN]]):
            said = read_prediction(run.store, run.id, row.id)
            if said is None:
                continue
            said = decide(said, self.look.threshold)
            classes = run.snapshot.classes
            colors = dict(zip(classes, run.snapshot.colors))
            drawn.append(room.draw(read_pixels(row), said, classes, colors))
        return make_picture(make_sheet(drawn), "Predictions") if drawn else ""

    def sign_still(self) -> Any:
        """Return what the tiles and the report depend on."""
        return self.report.sign_still(), self.look.ids[:MOST_DRAWN].tolist()

    def _open_labeler(self, image: Image) -> None:
        """Show the labeler where the tiles were."""
        self._close_labeler()
        self.labeler = Labeler(self.project, image=image)
        self._desk.children = [self._back, self.labeler]
        self.report.layout.display = self.tiles.layout.display = HIDDEN

    def back(self) -> None:
        """Return from the labeler to the tiles, with what was corrected."""
        image = self.labeler.image if self.labeler is not None else None
        self._close_labeler()
        self.report.layout.display = self.tiles.layout.display = SHOWN
        self.look.tick()
        if image is not None:
            self.tiles.send_changed([image.id])
            self.tiles.send_list()

    def _close_labeler(self) -> None:
        """Let go of the labeler."""
        self._desk.children = []
        if self.labeler is not None:
            self.labeler.close()
            self.labeler = None

    def close(self) -> None:
        """Close the gallery in all its views."""
        parts = (self.labeler, getattr(self, "tiles", None), getattr(self, "report", None))
        for part in parts:
            if part is not None:
                part.close()
        super().close()
