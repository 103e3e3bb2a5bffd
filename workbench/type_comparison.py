"""Box or mask? Both project types on the same photos: what a box costs, what models say."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InvalidSetting, NotEnoughLabels
from .report import count_words
from .reviewing import list_reviewed
from .runs import Run
from .store.images import ImageRow, find_images, read_pixels
from .store.labels import read_label
from .tasks import detection, segmentation
from .tasks.detection import Box, BoxLabel
from .tasks.figures import divide
from .tasks.segmentation import MaskLabel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 4  # images in the figure
TITLE_WIDTH = 76  # characters in a line above it
CLEAR_DIFFERENCE = 0.5  # of a box that is sound, from which a mask says clearly more


@dataclass(frozen=True, eq=False, repr=False)
class TypeComparison:
    """How much of each labeled box is sound pixels, and both models on the same images.

    sound: {class name: mean share of its boxes that no mask covers, 0..1}; sound_share: of all
    boxes. images: the names that both projects hold, labeled in both, new to both runs.
    detection_figures, segmentation_figures: of each model on them.
    """

    images: tuple[str, ...]
    boxes: int
    sound_share: float
    sound: Mapping[str, float]
    detection_figures: Mapping[str, float]
    segmentation_figures: Mapping[str, float]
    runs: tuple[Run, Run] = field(repr=False)
    pairs: tuple[tuple[ImageRow, ImageRow], ...] = field(repr=False)

    @property
    def headline(self) -> str:
        """What it says, in a sentence or two."""
        boxes = count_words(self.boxes, "labeled box", "labeled boxes")
        said = f"Of {boxes} in {count_words(len(self.images), 'image')}, on average "
        said += f"{self.sound_share:.0%} of the pixels are sound. "
        if self.sound_share >= CLEAR_DIFFERENCE:
            return said + "Where size or shape decides, a mask says clearly more than a box."
        return said + "The boxes fit well: they say nearly as much as masks, and are quicker drawn."

    def plot(self, limit: int = SHOWN) -> "Figure":
        """Return a Figure: what boxes and masks say of the same photos, the headline above."""
        from .plots import plot_side_by_side  # matplotlib takes half a second to import

        figure = plot_side_by_side(self._draw(limit))
        figure.suptitle("\n".join(textwrap.wrap(self.headline, TITLE_WIDTH)), fontsize=9)
        return figure

    def _draw(self, limit: int) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield title, words and picture, of the box model and of the mask model in turn."""
        boxes, masks = self.runs
        for box_row, mask_row in self.pairs[:limit]:
            image = read_pixels(box_row)
            for run, room, row in ((boxes, detection, box_row), (masks, segmentation, mask_row)):
                said = run.read_prediction(row.id)
                snapshot = run.snapshot
                colors = dict(zip(snapshot.classes, snapshot.colors))
                drawn = room.draw(image, said, snapshot.classes, colors)
                yield row.name, describe_prediction(said), drawn

    def __repr__(self) -> str:
        """Return it for a terminal."""
        lines = [self.headline]
        lines += [f"  {name}: {share:.0%} sound" for name, share in self.sound.items()]
        for kind, figures in self._figures().items():
            listed = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
            lines.append(f"{kind}: {listed}")
        return "\n".join(lines)

    def _figures(self) -> dict[str, Mapping[str, float]]:
        """Return the figures of both models by what they are."""
        return {"Boxes": self.detection_figures, "Masks": self.segmentation_figures}

    def _repr_html_(self) -> str:
        """Return it for a notebook; every name is escaped."""
        first, *rest = repr(self).split("\n")
        return f"<p><b>{escape(first)}</b></p><pre>{escape(chr(10).join(rest))}</pre>"


def compare_types(detection_run: Run, segmentation_run: Run) -> TypeComparison:
    """Return what boxes and masks say of the photos that a detection and a segmentation run share.

    The two projects hold the same photos, as `project.make_segmentation` makes them; the images are
    the labeled ones of both test splits. Raises InvalidSetting, NotEnoughLabels, RunNotFinished.
    """
    runs = detection_run, segmentation_run
    for run, task in zip(runs, ("detection", "segmentation")):
        if run.store.task != task:
            raise InvalidSetting(
                f"Run {run.name!r} is of a {run.store.task} project; "
                "wb.compare_types(detection_run, segmentation_run) takes one of each."
            )
    pairs = find_pairs(*runs)
    if not pairs:
        raise NotEnoughLabels(
            "The two projects share no photo that is labeled in both and in the test split of "
            "both. project.make_segmentation() makes a project of the same photos."
        )
    shares = [share for pair in pairs for share in measure_sound(*runs, *pair)]
    if not shares:
        raise NotEnoughLabels("None of the photos that both projects share has a labeled box.")
    return make_comparison(runs, pairs, shares)


def make_comparison(
    runs: tuple[Run, Run],
    pairs: list[tuple[ImageRow, ImageRow]],
    shares: list[tuple[str, float]],
) -> TypeComparison:
    """Return the comparison; shares: (class name, sound share) of each labeled box."""
    names = list(dict.fromkeys(name for name, _ in shares))
    sound = {n: float(np.mean([share for name, share in shares if name == n])) for n in names}
    figures = [
        dict(run.review_images(sorted(row.id for row in rows), "test").report().overall)
        for run, rows in zip(runs, zip(*pairs))
    ]
    return TypeComparison(
        tuple(row.name for row, _ in pairs),
        len(shares),
        float(np.mean([share for _, share in shares])),
        sound,
        figures[0],
        figures[1],
        runs,
        tuple(pairs),
    )


def find_pairs(detection_run: Run, segmentation_run: Run) -> list[tuple[ImageRow, ImageRow]]:
    """Return the rows of the same photo in both projects: labeled, and new to both runs."""
    listed = []
    for run in (detection_run, segmentation_run):
        ids = list_reviewed(run.store, run.snapshot, "test", labeled=True)
        # A file is named by the hash of its content.
        listed.append({row.path.name: row for row in find_images(run.store, ids)})
    boxes, masks = listed
    return [(row, masks[name]) for name, row in boxes.items() if name in masks]


def measure_sound(
    detection_run: Run, segmentation_run: Run, box_row: ImageRow, mask_row: ImageRow
) -> list[tuple[str, float]]:
    """Return (class name, share of its pixels that no mask covers) of each labeled box."""
    boxes: BoxLabel = read_label(detection_run.store, box_row.id)
    mask: MaskLabel = read_label(segmentation_run.store, mask_row.id)
    return [(box.class_name, find_sound_share(box, mask.mask)) for box in boxes.boxes]


def find_sound_share(box: Box, mask: np.ndarray) -> float:
    """Return the share of a box's pixels that are 0 in a mask, uint8 (H, W)."""
    rows = slice(int(box.y0), max(int(box.y0) + 1, round(box.y1)))
    columns = slice(int(box.x0), max(int(box.x0) + 1, round(box.x1)))
    inside = mask[rows, columns]
    return divide(float((inside == 0).sum()), float(inside.size))


def describe_prediction(prediction: Any) -> str:
    """Return what a model found, in a few words."""
    if hasattr(prediction, "areas"):
        found = [f"{name} {share:.1%}" for name, share in prediction.areas.items() if share]
        return "covers " + ", ".join(found) if found else "covers nothing"
    return count_words(len(prediction.found), "box", "boxes")
