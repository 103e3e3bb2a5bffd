"""Labels: round trips through the disk, revisions, conflicts."""

import itertools
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import (
    ImageNotFound,
    InvalidLabel,
    InvalidSetting,
    LabelConflict,
    StorageFailed,
    UnknownClass,
)
from workbench.store.class_removal import remove_class
from workbench.store.classes import add_row, rename_row
from workbench.store.database import Store, create_store, open_store, writing
from workbench.store.files import load_mask, store_mask
from workbench.store.images import add_images, find_image, remove_images
from workbench.store.labels import (
    read_label,
    read_label_and_revision,
    revert_label,
    revisions,
    write_label,
    write_labels,
)
from workbench.store.search import Filter, list_ids
from workbench.tasks.anomaly import AnomalyLabel
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel
from workbench.tasks.segmentation import MaskLabel

HEIGHT, WIDTH = 24, 32
CLASSES = ("crack", 'Ri\'ss "2"', "🙂 emoji", " spaces ", "שבר", "a/../b", "<b>x</b>", "%s")
BOX = BoxLabel([Box("screw", 1, 2, 3, 4)])


def masks(highest: int) -> st.SearchStrategy[np.ndarray]:
    """Masks that are empty, one pixel, a border, full, or any pattern."""
    pixels = st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1))
    points = st.dictionaries(pixels, st.integers(1, highest), max_size=30)
    return st.one_of(points.map(_draw), st.integers(1, highest).map(_border), _full(highest))


def _draw(points: dict[tuple[int, int], int]) -> np.ndarray:
    """A mask with some pixels."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, value in points.items():
        mask[place] = value
    return mask


def _border(value: int) -> np.ndarray:
    """A mask with the outermost pixels only."""
    mask = np.full((HEIGHT, WIDTH), value, np.uint8)
    mask[1:-1, 1:-1] = 0
    return mask


def _full(highest: int) -> st.SearchStrategy[np.ndarray]:
    """Masks of one class all over."""
    return st.integers(1, highest).map(lambda k: np.full((HEIGHT, WIDTH), k, np.uint8))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Boxes inside of the image, from hairlines to the whole."""
    x = sorted(draw(st.lists(st.floats(0, WIDTH), min_size=2, max_size=2, unique=True)))
    y = sorted(draw(st.lists(st.floats(0, HEIGHT), min_size=2, max_size=2, unique=True)))
    return Box(draw(st.sampled_from(CLASSES)), x[0], y[0], x[1], y[1])


verdict_masks = masks(1).filter(lambda mask: mask.any())
LABELS = {
    "classification": st.sampled_from(CLASSES).map(ClassLabel),
    "detection": st.lists(boxes(), max_size=5).map(BoxLabel),
    "segmentation": masks(len(CLASSES)).map(MaskLabel),
    "anomaly": st.one_of(
        st.just(AnomalyLabel("normal")),
        st.just(AnomalyLabel("normal", np.zeros((HEIGHT, WIDTH), bool))),
        st.just(AnomalyLabel("abnormal")),
        verdict_masks.map(lambda mask: AnomalyLabel("abnormal", mask > 0)),
    ),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory, pictures) -> Iterator[dict[str, Store]]:
    """One project of each type, with one image."""
    made = {}
    for task in LABELS:
        classes = () if task == "anomaly" else CLASSES
        made[task] = create_store(tmp_path_factory.mktemp(task) / "project", task, classes)
        add_images(made[task], [pictures(1)])
    yield made
    for store in made.values():
        store.close()


@pytest.mark.parametrize("task", LABELS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_round_trip(stores, task: str, data: st.DataObject) -> None:
    label = data.draw(LABELS[task])
    revision = write_label(stores[task], 1, label, author="Zoë")
    again = open_store(stores[task].folder)
    try:
        assert read_label_and_revision(again, 1) == (label, revision)
        assert revisions(again, 1)[0].label == label
    finally:
        again.close()


def test_masks_as_large_as_the_largest_images_are_read_without_a_warning(tmp_path: Path) -> None:
    mask = np.zeros((9_600, 9_600), np.uint8)
    mask[-1, -1] = 255
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_mask(tmp_path, store_mask(tmp_path, mask))
    assert loaded.shape == mask.shape
    assert (loaded[-1, -1], int(loaded.sum())) == (255, 255)


def test_unlabeled_and_nothing_there_differ(make_store) -> None:
    store = make_store(images=3)
    write_label(store, 1, BoxLabel([]))
    write_label(store, 2, BOX)
    states = [find_image(store, image_id).state for image_id in (1, 2, 3)]
    assert states == ["nothing there", "labeled", "unlabeled"]
    assert (read_label(store, 1), read_label(store, 3)) == (BoxLabel([]), None)
    write_label(store, 1, None)
    assert find_image(store, 1).state == "unlabeled"
    assert read_label(store, 1) is None


def test_each_change_appends_a_revision_and_the_same_label_none(make_store) -> None:
    store = make_store(images=2)
    ids = [
        write_label(store, 1, BOX, author="Ann"),
        write_label(store, 1, BOX, author="Bob"),
        write_label(store, 1, BoxLabel([]), author="Bob"),
        write_label(store, 1, None),
        write_label(store, 1, None),
    ]
    assert ids == [1, 1, 2, 3, 3]
    history = revisions(store, 1)
    assert [(r.id, r.label, r.author) for r in history] == [
        (3, None, None),
        (2, BoxLabel([]), "Bob"),
        (1, BOX, "Ann"),
    ]
    assert all(a.created >= b.created for a, b in itertools.pairwise(history))
    assert history[0].created.tzinfo is not None
    assert revisions(store, 2) == []
    assert write_label(store, 2, None) == 0  # unlabeled before and after: nothing to write


def test_revert_is_a_new_revision(make_store) -> None:
    store = make_store(images=2)
    first = write_label(store, 1, BOX)
    write_label(store, 1, BoxLabel([]))
    assert revert_label(store, 1, first) == 3
    assert read_label(store, 1) == BOX
    with pytest.raises(InvalidSetting, match="history"):
        revert_label(store, 2, first)


def test_a_label_that_does_not_fit_changes_nothing(make_store) -> None:
    store = make_store(images=2)
    write_label(store, 1, BOX)
    bad = BoxLabel([Box("screw", 0, 0, 33, 5)])
    for label, error in (
        (bad, InvalidLabel),
        (ClassLabel("screw"), InvalidLabel),
        (BoxLabel([Box("gear", 0, 0, 3, 5)]), UnknownClass),
    ):
        with pytest.raises(error):
            write_label(store, 1, label)
        with pytest.raises(error):
            write_labels(store, [(2, BOX), (1, label)])
    assert read_label(store, 1) == BOX
    assert read_label(store, 2) is None
    with pytest.raises(ImageNotFound):
        write_label(store, 99, BOX)
    remove_images(store, [2])
    with pytest.raises(ImageNotFound):
        write_label(store, 2, BOX)


def test_an_outdated_write_is_refused_with_what_changed(make_store) -> None:
    store = make_store(images=1)
    first = write_label(store, 1, BOX, "Ann", expected_revision=0)
    write_label(store, 1, BoxLabel([]), "Bob", expected_revision=first)
    with pytest.raises(LabelConflict, match=r"'0\.png' was changed by Bob .*reload"):
        write_label(store, 1, None, "Ann", expected_revision=first)
    assert read_label(store, 1) == BoxLabel([])
    write_label(store, 1, None, "Bob")
    with pytest.raises(LabelConflict, match="removed by Bob"):
        write_label(store, 1, BOX, "Ann", expected_revision=first)


def test_of_many_writers_with_one_revision_one_wins(make_store) -> None:
    store = make_store(images=1)
    outcomes: list[str] = []

    def label(number: int) -> None:
        try:
            box = BoxLabel([Box("nut", 0, 0, number, 5)])
            write_label(store, 1, box, expected_revision=0)
            outcomes.append("saved")
        except LabelConflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=label, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["saved"]


def test_many_labels_at_once(make_store) -> None:
    store = make_store(images=60)
    write_labels(store, [(n, BOX if n % 2 else BoxLabel([])) for n in range(1, 61)], "import")
    assert len(list_ids(store, [Filter(class_name="screw")])) == 30
    assert len(list_ids(store, [Filter(state="nothing there")])) == 30
    write_labels(store, [])


def test_masks_hold_stable_ids_through_renaming_and_removal(make_store) -> None:
    store = make_store("segmentation", ("a", "b", "c"), images=1)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[0, :3] = [1, 2, 3]
    write_label(store, 1, MaskLabel(mask))
    with writing(store) as connection:
        rename_row(connection, "c", "crack")
        add_row(connection, "d")
    assert remove_class(store, "b", remove_labels=True, author="Ann") == 1
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[0, :3] = [1, 0, 2]  # "crack" moved up
    assert read_label(store, 1) == MaskLabel(expected)
    assert [r.author for r in revisions(store, 1)] == ["Ann", None]
    expected[0, 3] = 3  # "d", whose id is 4
    write_label(store, 1, MaskLabel(expected))
    assert read_label(store, 1) == MaskLabel(expected)


def test_a_damaged_or_missing_mask_is_named(make_store) -> None:
    store = make_store("segmentation", ("a",), images=1)
    write_label(store, 1, MaskLabel(np.ones((HEIGHT, WIDTH), np.uint8)))
    path = next(store.folder.glob("masks/*/*.png"))
    path.write_bytes(path.read_bytes()[:-5] + b"12345")
    with pytest.raises(StorageFailed, match="damaged"):
        read_label(store, 1)
    path.unlink()
    with pytest.raises(StorageFailed, match="missing"):
        read_label(store, 1)
    write_label(store, 1, MaskLabel(np.zeros((HEIGHT, WIDTH), np.uint8)))
    assert find_image(store, 1).state == "nothing there"
