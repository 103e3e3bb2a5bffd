"""Undo and redo from the revisions; gestures applied once; what widgets remember."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from workbench.errors import ImageNotFound, LabelConflict
from workbench.store import schema
from workbench.store.class_removal import remove_class
from workbench.store.classes import read_classes_with_counts, write_instructions
from workbench.store.database import open_store, reading, writing
from workbench.store.gestures import forget_gestures, note_gesture, was_applied
from workbench.store.labels import read_label, read_label_and_revision, write_label, write_labels
from workbench.store.places import read_place, write_place
from workbench.store.search import Filter, find_next, find_position
from workbench.store.undo import (
    can_undo,
    find_changes,
    redo_act,
    redo_label,
    undo_act,
    undo_label,
)
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel
from workbench.tasks.segmentation import MaskLabel


def boxes(*starts: float, name: str = "screw") -> BoxLabel:
    """Return a label of small boxes that begin at these x."""
    return BoxLabel([Box(name, x, 1, x + 5, 9) for x in starts])


def test_undo_and_redo_walk_along_the_labels(make_store) -> None:
    store = make_store(images=1)
    labels = [None, boxes(1), boxes(1, 7), BoxLabel(), None]
    for label in labels[1:]:
        write_label(store, 1, label)
    store = open_store(store.folder)  # nothing is kept in memory
    for label in reversed(labels[:-1]):
        assert undo_label(store, 1) is not None and read_label(store, 1) == label
    assert undo_label(store, 1) is None and can_undo(store, 1) == (False, True)
    for label in labels[1:]:
        assert redo_label(store, 1) is not None and read_label(store, 1) == label
    assert redo_label(store, 1) is None and can_undo(store, 1) == (True, False)
    store.close()


def test_a_new_label_ends_what_can_be_redone(make_store) -> None:
    store = make_store(images=1)
    for label in (boxes(1), boxes(2)):
        write_label(store, 1, label)
    undo_label(store, 1)
    write_label(store, 1, boxes(3))
    assert redo_label(store, 1) is None
    undo_label(store, 1)
    assert read_label(store, 1) == boxes(1)


def test_undo_keeps_out_a_class_that_is_gone(make_store) -> None:
    store = make_store(images=1)
    both = BoxLabel([*boxes(1).boxes, *boxes(9, name="nut").boxes])
    write_label(store, 1, both)
    write_label(store, 1, BoxLabel())
    remove_class(store, "nut")
    undo_label(store, 1)
    assert read_label(store, 1) == boxes(1)


def test_undo_of_a_mask_names_the_old_file(make_store) -> None:
    store = make_store("segmentation", images=1)
    first, second = (np.full((24, 32), k, np.uint8) for k in (1, 2))
    for mask in (first, second):
        write_label(store, 1, MaskLabel(mask))
    undo_label(store, 1)
    assert read_label(store, 1) == MaskLabel(first)
    with reading(store) as connection:
        hashes = connection.execute(sa.select(schema.label_revisions.c.mask_sha256)).scalars().all()
    assert hashes[2] == hashes[0] != hashes[1]


def test_an_act_on_many_images_is_taken_back_as_one(make_store) -> None:
    store = make_store("classification", images=3)
    write_labels(store, [(1, ClassLabel("nut")), (2, ClassLabel("nut"))], gesture="a")
    write_labels(store, [(2, ClassLabel("screw")), (3, ClassLabel("screw"))], gesture="b")
    write_label(store, 1, ClassLabel("screw"))  # by a line of Python: no act of a hand
    assert sorted(undo_act(store)) == [2, 3]
    assert undo_act(store) == [2]  # image 1 was changed since
    assert [read_label(store, i) for i in (1, 2, 3)] == [ClassLabel("screw"), None, None]
    assert redo_act(store) == [2] and sorted(redo_act(store)) == [2, 3]
    assert redo_act(store) == []
    assert read_label(store, 3) == ClassLabel("screw")


def test_a_gesture_is_applied_once(make_store) -> None:
    store = make_store(images=1)
    revision = write_label(store, 1, boxes(1), gesture="g")
    assert was_applied(store, "g") and not was_applied(store, "h")
    assert write_label(store, 1, boxes(2), gesture="g") == revision
    assert read_label(store, 1) == boxes(1)
    undo_label(store, 1, gesture="u")
    assert undo_label(store, 1, gesture="u") is None and redo_label(store, 1, gesture="u") is None
    assert read_label(store, 1) is None
    note_gesture(store, "n")
    note_gesture(store, "n")
    assert was_applied(store, "n")


def test_a_gesture_that_is_refused_can_come_again(make_store) -> None:
    store = make_store(images=1)
    write_label(store, 1, boxes(1))
    with pytest.raises(LabelConflict):
        write_label(store, 1, boxes(2), expected_revision=0, gesture="g")
    assert not was_applied(store, "g")
    write_label(store, 1, boxes(2), gesture="g")
    assert read_label(store, 1) == boxes(2)


def test_the_same_gesture_on_many_threads_counts_once(make_store) -> None:
    store = make_store(images=1)

    def apply(number: int) -> int:
        return write_label(store, 1, boxes(number), gesture="same")

    with ThreadPoolExecutor(6) as pool:
        revisions = set(pool.map(apply, range(12)))
    assert len(revisions) == 1
    assert read_label_and_revision(store, 1)[1] in revisions


def test_only_old_gestures_are_forgotten(make_store, monkeypatch) -> None:
    monkeypatch.setattr("workbench.store.gestures.KEPT", 3)
    store = make_store(images=1)
    for number in range(6):
        note_gesture(store, f"g{number}")
    forget_gestures(store)
    assert [was_applied(store, f"g{n}") for n in range(6)] == [False] * 3 + [True] * 3


def test_undo_of_an_image_that_is_not_there(make_store) -> None:
    store = make_store(images=1)
    assert undo_label(store, 1) is None
    with pytest.raises(ImageNotFound):
        write_label(store, 9, boxes(1))


def test_changes_of_others_are_found(make_store) -> None:
    store = make_store(images=3)
    newest, changed = find_changes(store, None)
    assert (newest, changed) == (0, [])
    write_label(store, 2, boxes(1))
    newest, changed = find_changes(store, newest)
    assert changed == [2] and find_changes(store, newest) == (newest, [])


def test_places_positions_and_the_next_unlabeled(make_store) -> None:
    store = make_store(images=4)
    assert read_place(store, "labeler") is None
    write_place(store, "labeler", {"image": 2})
    write_place(store, "labeler", {"image": 3})
    assert read_place(store, "labeler") == {"image": 3}
    for image_id in (1, 3):
        write_label(store, image_id, boxes(1))
    labeled = [Filter(labeled=True)]
    assert find_position(store, [], 3) == 2 and find_position(store, labeled, 3) == 1
    assert find_position(store, labeled, 2) is None
    assert [find_next(store, [], after) for after in (0, 2, 4)] == [2, 4, 2]
    assert find_next(store, labeled, 0) is None


def test_classes_are_counted_and_described(make_store) -> None:
    store = make_store(images=2)
    write_label(store, 1, boxes(1, 9))
    write_label(store, 2, boxes(1))
    with writing(store) as connection:
        write_instructions(connection, "screw", "Only whole ones.")
    rows = read_classes_with_counts(store)
    assert [(row.name, row.images, row.items) for row in rows] == [("screw", 2, 3), ("nut", 0, 0)]
    assert rows[0].instructions == "Only whole ones."


OLD_SCHEMA = """
DROP INDEX label_revisions_act;
ALTER TABLE label_revisions DROP COLUMN act;
ALTER TABLE label_revisions DROP COLUMN target;
ALTER TABLE label_revisions DROP COLUMN kind;
ALTER TABLE classes DROP COLUMN instructions;
DROP TABLE gestures;
DROP TABLE places;
UPDATE schema_version SET version = 1;
"""


def test_a_project_of_the_first_schema_is_brought_up_to_date(make_store) -> None:
    store = make_store(images=1)
    write_label(store, 1, boxes(1))
    write_label(store, 1, boxes(2))
    with writing(store) as connection:
        for statement in OLD_SCHEMA.strip().split(";\n"):
            connection.exec_driver_sql(statement)
    store.close()
    opened = open_store(store.folder)
    assert read_label(opened, 1) == boxes(2)
    undo_label(opened, 1)
    assert read_label(opened, 1) == boxes(1)
    write_label(opened, 1, boxes(3), gesture="g")
    write_place(opened, "labeler", {"image": 1})
    assert (store.folder / "project-v1.db").exists()
    opened.close()
