"""The labels that a labeler works on: read from the store, changed by gestures, written back."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import InvalidSetting, LabelConflict
from ...project import Project
from ...store.gestures import note_gesture, was_applied
from ...store.images import find_image
from ...store.labels import read_label_and_revision, write_label, write_labels
from ...store.undo import redo_act, redo_label, undo_act, undo_label
from . import anomaly, classification, detection, segmentation
from .change import Change, Rect, find_difference
from .gesture import Gesture

ROOMS: dict[str, ModuleType] = {
    "classification": classification,
    "detection": detection,
    "segmentation": segmentation,
    "anomaly": anomaly,
}
KEPT = 4  # labels in memory: a mask of 12 megapixels takes 12 MB
ATTEMPTS = 5  # until a gesture gives way to others who change the same label


@dataclass(frozen=True)
class Truth:
    """The label of an image as it is on disk, and the id of its revision (0: none yet)."""

    label: Any
    revision: int


@dataclass(frozen=True)
class Outcome:
    """What a gesture made of one image: its truth now, the revision before, where it differs.

    rect: pixels of the mask that may differ from the revision before; None for none.
    """

    image_id: int
    truth: Truth
    previous: int
    rect: Rect | None


class Truths:
    """The current labels of the images that are being worked on; the store has the last word."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.room = ROOMS[project.task]
        self._kept: OrderedDict[int, Truth] = OrderedDict()

    def read(self, image_id: int) -> Truth:
        """Return the label of an image as it is on disk now. Raises ImageNotFound."""
        kept = self._kept.get(image_id)
        if kept is None or kept.revision != find_image(self.project.store, image_id).revision:
            kept = Truth(*read_label_and_revision(self.project.store, image_id))
        self._keep(image_id, kept)
        return kept

    def knows(self, image_id: int, revision: int) -> bool:
        """Tell whether that revision of the image's label is the one held here."""
        kept = self._kept.get(image_id)
        return kept is not None and kept.revision == revision

    def apply(self, gesture: Gesture) -> list[Outcome]:
        """Apply a gesture, once for all, and return what it made of each image, on disk.

        A gesture that was applied before gives the truth as it is. Raises what the room and the
        store raise; nothing is changed then.
        """
        if was_applied(self.project.store, gesture.id):
            return [self._see(image_id, None) for image_id in gesture.image_ids]
        if gesture.tool in ("undo", "redo"):
            return self._undo(gesture)
        if len(gesture.image_ids) == 1:
            return [self._apply_to_one(gesture, gesture.image_ids[0])]
        return self._apply_to_many(gesture)

    def _apply_to_one(self, gesture: Gesture, image_id: int) -> Outcome:
        """Change one label; again on top of the newer one when somebody was faster."""
        for attempt in range(ATTEMPTS):
            before = self.read(image_id)
            change = self.change(gesture, image_id, before)
            try:
                revision = write_label(
                    self.project.store,
                    image_id,
                    change.label,
                    self.project.author,
                    expected_revision=before.revision,
                    gesture=gesture.id,
                )
            except LabelConflict:
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            truth = Truth(change.label, revision)
            self._keep(image_id, truth)
            return Outcome(image_id, truth, before.revision, change.rect)
        raise AssertionError("unreachable")

    def _apply_to_many(self, gesture: Gesture) -> list[Outcome]:
        """Change the labels of all images that the gesture names, in one transaction."""
        befores = {image_id: self.read(image_id) for image_id in gesture.image_ids}
        changes = {i: self.change(gesture, i, before) for i, before in befores.items()}
        labels = [(image_id, change.label) for image_id, change in changes.items()]
        write_labels(self.project.store, labels, self.project.author, gesture=gesture.id)
        return [self._see(i, changes[i].rect, befores[i].revision) for i in befores]

    def change(self, gesture: Gesture, image_id: int, before: Truth) -> Change:
        """Return what the gesture makes of a label. Raises InvalidSetting, InvalidLabel, …"""
        image = self.project.images.find(image_id)
        if gesture.tool == "unlabel":
            return Change(None, self._find_rect(before.label, None))
        if gesture.tool not in self.room.TOOLS:
            raise InvalidSetting(
                f"{gesture.tool!r} is no tool of {self.project.task}; "
                f"choose one of: {', '.join((*self.room.TOOLS, 'unlabel', 'undo', 'redo'))}."
            )
        params = self._complete(gesture.params)
        change: Change = self.room.change_label(
            before.label, gesture.tool, params, image, self.project.classes
        )
        return change

    def _complete(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the params, with the boxes of the image that it copies from."""
        if "source" not in params:
            return params
        label = self.read(params["source"]).label
        return {**params, "boxes": label.boxes if label is not None else ()}

    def _undo(self, gesture: Gesture) -> list[Outcome]:
        """Take back or repeat the last act, of the image or of the whole project."""
        store, author = self.project.store, self.project.author
        if gesture.params.get("scope") == "project":
            change_all = undo_act if gesture.tool == "undo" else redo_act
            changed = change_all(store, author, gesture=gesture.id)
            if not changed:
                note_gesture(store, gesture.id)
            return [self._see(image_id, None) for image_id in changed]
        if gesture.image_id is None:
            raise InvalidSetting("Undo needs an image, or scope='project'.")
        before = self.read(gesture.image_id)
        change_one = undo_label if gesture.tool == "undo" else redo_label
        if change_one(store, gesture.image_id, author, gesture=gesture.id) is None:
            note_gesture(store, gesture.id)
        after = self.read(gesture.image_id)
        rect = self._find_rect(before.label, after.label)
        return [Outcome(gesture.image_id, after, before.revision, rect)]

    def _see(self, image_id: int, rect: Rect | None, previous: int = -1) -> Outcome:
        """Return an outcome with the truth of now; previous -1: the browser's own is unknown."""
        return Outcome(image_id, self.read(image_id), previous, rect)

    def _find_rect(self, before: Any, after: Any) -> Rect | None:
        """Return where the masks of two labels differ; None without masks."""
        if not hasattr(self.room, "read_mask"):
            return None
        old, new = self.room.read_mask(before), self.room.read_mask(after)
        if old is None and new is None:
            return None
        old = np.zeros_like(new) if old is None else old
        return find_difference(old, np.zeros_like(old) if new is None else new)

    def _keep(self, image_id: int, truth: Truth) -> None:
        """Keep a label in memory, and forget the one that was not used for longest."""
        self._kept[image_id] = truth
        self._kept.move_to_end(image_id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def read_mask(self, label: Any) -> np.ndarray | None:
        """Return the mask that the browser shows, uint8 (H, W); None where there is none."""
        if not hasattr(self.room, "read_mask"):
            return None
        mask: np.ndarray | None = self.room.read_mask(label)
        return mask
