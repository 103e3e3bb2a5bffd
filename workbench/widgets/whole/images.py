"""ImagesPanel: the images of a project at a glance: filter them, give them splits, remove them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InvalidSetting
from ...image_set import Image
from ...project import Project
from ...store.classes import read_classes_with_counts
from ...store.held_classes import count_states, read_held_classes
from ...store.splits import SPLITS, count_splits
from ...store.undo import find_changes
from ..asked import Answer, Answers, AskedWidget
from ..labelers.answers import choose_images
from ..scripts import join_scripts

HERE = Path(__file__).parent
PARTS = ("parts", "dialogs", "asking", "panel", "shortcuts")
CSS = (HERE.parent / "parts.css", HERE.parent / "panel.css", HERE / "images.css")
TICK_SECONDS = 1.0
PAGE = 200  # rows and thumbnails at most in one answer
NO_SPLIT = "none"

WITHOUT_WIDGETS = "The images need a front end that shows widgets; project.images lists them."

Params = Mapping[str, Any]


class ImagesPanel(AskedWidget):
    """All images of a project as thumbnails, with their states and splits.

    label: what is called with an image that a person wants to label; None for no such button.
    """

    _esm = join_scripts(
        *(HERE.parent / f"{name}.js" for name in PARTS),
        HERE.parent / "labelers" / "rows.js",
        HERE / "images.js",
    )
    _css = "\n".join(path.read_text("utf-8") for path in CSS)

    def __init__(self, project: Project, label: Callable[[Image], Any] | None = None) -> None:
        self.project, self.label = project, label
        self._seen = self._sign()
        super().__init__(ANSWERS, WITHOUT_WIDGETS, TICK_SECONDS)

    def _sign(self) -> tuple[Any, ...]:
        """Return what changes when images, labels or splits do."""
        store = self.project.store
        return (
            find_changes(store, None)[0],
            len(self.project.images),
            tuple(count_splits(store).items()),
        )

    def tick(self) -> None:
        """Tell the browser when others changed something."""
        with self._lock:
            seen = self._sign()
            if seen != self._seen:
                self._seen = seen
                self.send({"kind": "changed", **describe_images(self)})

    def find_ids(self, image_ids: Sequence[Any]) -> list[str]:
        """Return the names of images by id. Raises ImageNotFound."""
        return [self.project.images.find(int(image_id)).name for image_id in image_ids]


def describe_images(panel: ImagesPanel) -> dict[str, Any]:
    """Return counts of states and splits, and the classes."""
    store = panel.project.store
    splits = count_splits(store)
    return {
        "name": panel.project.name,
        "states": dict(count_states(store)),
        "splits": {**splits, NO_SPLIT: len(panel.project.images) - sum(splits.values())},
        "classes": [row.name for row in read_classes_with_counts(store)],
        "can_label": panel.label is not None,
    }


def answer_start(panel: ImagesPanel, params: Params) -> Answer:
    """Return the counts."""
    return describe_images(panel), []


def answer_rows(panel: ImagesPanel, params: Params) -> Answer:
    """Return one page of the images that fit a filter: {rows, total}."""
    images = choose_images(panel.project.images, params.get("filter"))
    start, count = int(params.get("start", 0)), min(int(params.get("count", 60)), PAGE)
    page = images.page(start, count)
    held = read_held_classes(panel.project.store, [image.id for image in page])
    rows = [
        {
            "id": image.id,
            "name": image.name,
            "state": image.state,
            "split": image.split or "",
            "classes": held[image.id],
        }
        for image in page
    ]
    return {"rows": rows, "total": len(images)}, []


def answer_thumbnails(panel: ImagesPanel, params: Params) -> Answer:
    """Return a JPEG for each id, b"" where an image cannot be read."""
    ids = [int(image_id) for image_id in params["ids"]][:PAGE]
    pictures = []
    for image_id in ids:
        try:
            pictures.append(panel.project.images.find(image_id).read_thumbnail())
        except (ValueError, LookupError):
            pictures.append(b"")
    return {"ids": ids}, pictures


def answer_split(panel: ImagesPanel, params: Params) -> Answer:
    """Divide the images that have no split."""
    panel.project.split(seed=int(params.get("seed", 0)))
    return {**describe_images(panel), "code": "project.split()"}, []


def answer_set_split(panel: ImagesPanel, params: Params) -> Answer:
    """Give some images a split."""
    split = str(params["split"])
    if split not in (*SPLITS, NO_SPLIT):
        raise InvalidSetting(f"A split is one of {', '.join(SPLITS)}, not {split!r:.40}.")
    value = None if split == NO_SPLIT else split
    names = panel.find_ids(params["ids"])
    for name in names:
        panel.project.images[name].split = value
    code = f"for name in {names[:3]!r}: project.images[name].split = {value!r}"
    return {**describe_images(panel), "code": code}, []


def answer_remove(panel: ImagesPanel, params: Params) -> Answer:
    """Take some images out of the project."""
    names = panel.find_ids(params["ids"])
    panel.project.remove_images(names)
    return {**describe_images(panel), "code": f"project.remove_images({names[:3]!r})"}, []


def answer_label(panel: ImagesPanel, params: Params) -> Answer:
    """Go to the labeler with an image."""
    if panel.label is not None:
        panel.label(panel.project.images.find(int(params["image"])))
    return {}, []


ANSWERS: Answers = {
    "start": answer_start,
    "rows": answer_rows,
    "thumbnails": answer_thumbnails,
    "split": answer_split,
    "set_split": answer_set_split,
    "remove": answer_remove,
    "label": answer_label,
}
