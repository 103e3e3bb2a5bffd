"""Snapshots stay as they were; runs and predictions refer to them."""

import numpy as np
import pytest

from workbench.errors import InvalidSetting, RunNotFound, StorageFailed
from workbench.store.class_removal import remove_class
from workbench.store.classes import add_row, rename_row
from workbench.store.database import writing
from workbench.store.images import remove_images, set_fields
from workbench.store.labels import write_label
from workbench.store.predictions import predicted_ids, read_prediction, write_predictions
from workbench.store.runs import add_run, change_run, delete_run, find_run, list_runs
from workbench.store.snapshots import count_changes, create_snapshot, list_snapshots, read_snapshot
from workbench.tasks.anomaly import AnomalyPrediction
from workbench.tasks.classification import ClassPrediction
from workbench.tasks.detection import BoxPrediction, ScoredBox
from workbench.tasks.segmentation import MaskLabel, MaskPrediction

MASK = np.zeros((24, 32), np.uint8)
MASK[:2, :3] = 1
MASK[5, 5] = 2


def test_a_snapshot_stays_as_it_was(make_store) -> None:
    store = make_store("segmentation", ("crack", "chip"), images=4)
    write_label(store, 1, MaskLabel(MASK))
    write_label(store, 2, MaskLabel(np.zeros_like(MASK)))
    write_label(store, 3, MaskLabel(MASK))
    write_label(store, 3, None)
    set_fields(store, 1, split="train")
    snapshot = read_snapshot(store, create_snapshot(store, "before cleanup"))

    write_label(store, 1, None)
    set_fields(store, 1, split="test")
    with writing(store) as connection:
        rename_row(connection, "crack", "break")
        add_row(connection, "stain")
    remove_class(store, "chip", remove_labels=True)
    remove_images(store, [1, 4])

    for frozen in (snapshot, read_snapshot(store, snapshot.id)):
        assert (frozen.name, frozen.classes) == ("before cleanup", ("crack", "chip"))
        assert len(frozen.colors) == 2
        one, two, three, four = frozen.items
        assert (one.name, one.split, one.counts) == ("0.png", "train", {"crack": 6, "chip": 1})
        assert frozen.read_label(one) == MaskLabel(MASK)
        assert (two.counts, two.revision_id is None) == ({}, False)
        assert frozen.read_label(two) == MaskLabel(np.zeros_like(MASK))
        assert (three.revision_id, three.counts) == (None, {})
        assert frozen.read_label(four) is None
        assert frozen.read_image(one).shape == (24, 32, 3)
        assert one.image_size == (24, 32)
    assert [kept.name for kept in list_snapshots(store)] == ["before cleanup"]


def test_changes_since_a_snapshot_are_counted(make_store) -> None:
    store = make_store("segmentation", ("crack", "chip"), images=4)
    write_label(store, 1, MaskLabel(MASK))
    write_label(store, 2, MaskLabel(MASK))
    snapshot = create_snapshot(store, "now")
    assert count_changes(store, snapshot) == 0
    write_label(store, 1, MaskLabel(MASK))
    assert count_changes(store, snapshot) == 0
    write_label(store, 1, MaskLabel(MASK // 2))
    write_label(store, 3, MaskLabel(MASK))
    assert count_changes(store, snapshot) == 2
    remove_images(store, [2, 4])
    assert count_changes(store, snapshot) == 3
    write_label(store, 3, None)
    assert count_changes(store, snapshot) == 2


def test_what_is_no_snapshot_is_refused(make_store) -> None:
    store = make_store()
    with pytest.raises(InvalidSetting, match="snapshot"):
        read_snapshot(store, 7)
    with pytest.raises(InvalidSetting, match="name"):
        create_snapshot(store, " ")


def test_runs(make_store) -> None:
    store = make_store(images=1)
    snapshot = create_snapshot(store, "now")
    add_run(store, "2026-01-01-a", "first", snapshot, {"preset": "fast", "seed": 0})
    add_run(store, "2026-01-01-b", "second", snapshot, {})
    assert [row.id for row in list_runs(store)] == ["2026-01-01-a", "2026-01-01-b"]
    change_run(store, "2026-01-01-a", note="good one")
    row = find_run(store, "2026-01-01-a")
    assert (row.name, row.note, row.settings["preset"]) == ("first", "good one", "fast")
    with pytest.raises(RunNotFound, match="nothing"):
        find_run(store, "nothing")
    with pytest.raises(StorageFailed, match="id of a run"):
        add_run(store, "../outside", "x", snapshot, {})
    write_predictions(store, "2026-01-01-a", [(1, BoxPrediction(()))])
    delete_run(store, "2026-01-01-a")
    assert predicted_ids(store, "2026-01-01-a") == set()
    assert len(list_runs(store)) == 1


PREDICTIONS = {
    "classification": ClassPrediction({"screw": 0.25, "nut \"'🙂": 0.75}),
    "detection": BoxPrediction((ScoredBox("nut", 1.5, 2, 30, 20, 0.9),), 0.4),
    "segmentation": MaskPrediction(MASK, MASK * 100, ("screw", "nut"), 0.3),
    "anomaly": AnomalyPrediction(0.7, 0.5, np.linspace(0, 1, 12, dtype=np.float32), (24, 32)),
}


@pytest.mark.parametrize("task", PREDICTIONS)
def test_predictions_round_trip_and_are_replaced(make_store, task: str) -> None:
    store = make_store(task, images=3)
    add_run(store, "r1", "run", create_snapshot(store, "now"), {})
    prediction = PREDICTIONS[task]
    write_predictions(store, "r1", [(1, prediction), (2, prediction)])
    write_predictions(store, "r1", [(2, prediction)])
    assert read_prediction(store, "r1", 2) == prediction
    assert read_prediction(store, "r1", 3) is None
    assert predicted_ids(store, "r1") == {1, 2}
    for path in store.folder.glob("runs/r1/predictions/*.npz"):
        path.write_bytes(b"PK\x03\x04 not an archive")
        with pytest.raises(StorageFailed, match="predict again"):
            read_prediction(store, "r1", int(path.stem))
