"""Making a review: a run's predictions read beside the labels of today, some at a time."""

from collections.abc import Iterator, Mapping, Sequence

from .review import Review
from .store.database import Store
from .store.images import ImageRow, find_images
from .store.labels import read_revision, read_revisions
from .store.predictions import read_prediction, read_predictions
from .store.search import ANY, Filter, list_ids
from .store.snapshots import Snapshot, add_new_classes, count_changes, list_trained
from .tasks.outcomes import make_table

PART = 200  # images read at once


def list_reviewed(
    store: Store, snapshot: Snapshot, split: str | None, labeled: bool | None
) -> list[int]:
    """Return the ids of a split's images; those that the run was trained on are in "train" alone.

    split: None for all.
    """
    wanted = [Filter(split=ANY if split is None else split, labeled=labeled)]
    ids = list_ids(store, wanted)
    if split in (None, "train"):
        return ids
    trained = list_trained(store, snapshot.id)
    return [image_id for image_id in ids if image_id not in trained]


class ReviewReader:
    """Reads what a run's model said of some images, and their labels; `review` has them so far.

    The images must be predicted. Labels that change later are taken in by `update`.
    """

    def __init__(
        self, store: Store, run_id: str, run_name: str, snapshot: Snapshot, image_ids: Sequence[int]
    ) -> None:
        self.store, self.run_id, self.run_name, self.snapshot = store, run_id, run_name, snapshot
        self.image_ids = list(image_ids)
        self.class_ids: Mapping[str, int] = add_new_classes(store, snapshot)
        self._table = make_table(store.task, list(self.class_ids))
        self._names: list[str] = []
        self._revisions: list[int] = []  # of each image's label, 0 for none
        self._places: dict[int, int] = {}

    def read(self) -> Iterator[int]:
        """Read all images, and yield how many are read after each part."""
        for start in range(0, len(self.image_ids), PART):
            self._read_part(self.image_ids[start : start + PART])
            yield len(self._names)

    def _read_part(self, image_ids: Sequence[int]) -> None:
        """Read the images of one part; those that were deleted meanwhile are left out."""
        rows = {row.id: row for row in find_images(self.store, image_ids)}
        revisions = [find_revision(row) for row in rows.values()]
        labels = read_revisions(self.store, [r for r in revisions if r], self.class_ids)
        for image_id, prediction in read_predictions(self.store, self.run_id, image_ids):
            row = rows[image_id]
            revision = find_revision(row)
            self._table.add(prediction, labels.get(revision))
            self._places[image_id] = len(self._names)
            self._names.append(row.name)
            self._revisions.append(revision)

    def update(self, image_ids: Sequence[int]) -> bool:
        """Take in the labels that these images have now; tell whether any was another one."""
        known = [image_id for image_id in image_ids if image_id in self._places]
        changed = [self._update_image(row) for row in find_images(self.store, known)]
        return any(changed)

    def _update_image(self, row: ImageRow) -> bool:
        """Take in the label that an image has now."""
        place = self._places[row.id]
        before, after = self._revisions[place], find_revision(row)
        if before == after:
            return False
        labels = [
            read_revision(self.store, revision, self.class_ids) if revision else None
            for revision in (before, after)
        ]
        prediction = read_prediction(self.store, self.run_id, row.id)
        self._table.replace(place, prediction, *labels)
        self._revisions[place] = after
        return True

    def make_review(self, split: str | None, threshold: float) -> Review:
        """Return the review of what was read so far; it follows later updates."""
        return Review(
            self.store.task,
            self.run_name,
            self.snapshot.name,
            count_changes(self.store, self.snapshot.id),
            split,
            threshold,
            tuple(self._places),
            tuple(self._names),
            self._table,
        )


def find_revision(row: ImageRow) -> int:
    """Return the revision of an image's label, 0 where it has none."""
    return 0 if row.label_state == "unlabeled" else row.revision
