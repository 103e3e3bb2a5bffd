"""Splits: fractions, strata, few images, abnormal ones."""

from collections import Counter

import pytest

from workbench.errors import InvalidSetting
from workbench.store.images import find_image, set_fields
from workbench.store.labels import write_labels
from workbench.store.search import Filter, list_ids
from workbench.store.splits import SPLITS, Group, assign_splits, split_images
from workbench.tasks.anomaly import AnomalyLabel
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel

SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}


def splits_of(store) -> list[str | None]:
    """The split of every image, in order."""
    return [find_image(store, image_id).split for image_id in list_ids(store)]


def count_by_class(store, name: str) -> tuple[int, int, int]:
    """How many images of a class are in train, dev and test."""
    return tuple(len(list_ids(store, [Filter(split=s, class_name=name)])) for s in SPLITS)


def test_shares_and_classes_are_kept(make_store) -> None:
    store = make_store("classification", ("bolt", "washer"), images=100)
    labels = [(n, ClassLabel("bolt" if n <= 80 else "washer")) for n in range(1, 101)]
    write_labels(store, labels)
    assert split_images(store, SHARES) == {"train": 70, "dev": 15, "test": 15}
    assert count_by_class(store, "bolt") == (56, 12, 12)
    assert count_by_class(store, "washer") == (14, 3, 3)


def test_the_seed_decides_and_nothing_else(make_store) -> None:
    first, second = make_store(images=60), make_store(images=60)
    for store in (first, second):
        write_labels(store, [(n, BoxLabel([Box("nut", 0, 0, n, 9)])) for n in range(1, 31)])
        split_images(store, SHARES, seed=3)
    assert splits_of(first) == splits_of(second)
    split_images(second, SHARES, seed=4, reassign=True)
    assert splits_of(first) != splits_of(second)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (7, (5, 1, 1))],
)
def test_few_images_teach_first_then_measure(make_store, count: int, expected) -> None:
    store = make_store("classification", ("bolt", "washer"), images=2 * count)
    labels = [(n, ClassLabel("bolt" if n <= count else "washer")) for n in range(1, 2 * count + 1)]
    write_labels(store, labels)
    split_images(store, SHARES)
    assert count_by_class(store, "bolt") == expected
    assert count_by_class(store, "washer") == expected


def test_rare_classes_reach_every_split(make_store) -> None:
    store = make_store("detection", ("common", "rare"), images=120)
    common, rare = Box("common", 0, 0, 3, 3), Box("rare", 4, 4, 9, 9)
    labels = [(n, BoxLabel([common, rare] if n % 20 == 0 else [common])) for n in range(1, 121)]
    write_labels(store, labels)
    sizes = split_images(store, SHARES)
    assert count_by_class(store, "rare") == (4, 1, 1)
    assert abs(sizes["train"] - 84) <= 1
    assert abs(sizes["dev"] - 18) <= 1


def test_empty_and_unlabeled_images_are_divided_too(make_store) -> None:
    store = make_store(images=40)
    write_labels(store, [(n, BoxLabel([])) for n in range(1, 21)])
    split_images(store, SHARES)
    for state in ("nothing there", "unlabeled"):
        counts = [len(list_ids(store, [Filter(split=s, state=state)])) for s in SPLITS]
        assert counts == [14, 3, 3]


def test_images_keep_their_split_unless_reassigned(make_store) -> None:
    store = make_store(images=40)
    for image_id in range(1, 11):
        set_fields(store, image_id, split="test")
    assert split_images(store, SHARES)["test"] == 10
    assert splits_of(store)[:10] == ["test"] * 10
    assert split_images(store, SHARES, reassign=True) == {"train": 28, "dev": 6, "test": 6}
    before = splits_of(store)
    split_images(store, SHARES, seed=9)
    assert splits_of(store) == before


@pytest.mark.parametrize("abnormal", [1, 2, 9])
def test_abnormal_images_are_never_trained_on(make_store, abnormal: int) -> None:
    store = make_store("anomaly", images=40 + abnormal)
    verdicts = ["normal"] * 40 + ["abnormal"] * abnormal
    write_labels(store, [(n, AnomalyLabel(v)) for n, v in enumerate(verdicts, 1)])
    split_images(store, SHARES)
    train, dev, test = count_by_class(store, "abnormal")
    assert train == 0
    assert dev + test == abnormal
    assert test >= dev >= abnormal // 2
    assert count_by_class(store, "normal") == (28, 6, 6)


def test_without_dev_there_is_none(make_store) -> None:
    store = make_store(images=10)
    assert split_images(store, {"train": 0.8, "dev": 0, "test": 0.2})["dev"] == 0
    assert Counter(splits_of(store)) == {"train": 8, "test": 2}


def test_nothing_to_split(make_store) -> None:
    assert split_images(make_store(), SHARES) == {"train": 0, "dev": 0, "test": 0}


@pytest.mark.parametrize(
    "fractions",
    [(0.8, 0.15, 0.2), (0.5, 0.1, 0.1), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)],
)
def test_fractions_that_do_not_add_up_are_refused(make_store, fractions) -> None:
    store = make_store(images=3)
    with pytest.raises(InvalidSetting):
        split_images(store, dict(zip(SPLITS, fractions)))
    assert splits_of(store) == [None] * 3


def test_a_test_split_that_came_with_the_images_leaves_dev_its_share():
    members = list(range(100))
    group = Group(members, {"train": 0.8, "dev": 0.2, "test": 0.0})
    assigned = assign_splits([group], dict.fromkeys(range(30), "test"))
    counts = Counter(assigned.values())
    assert counts == {"train": 56, "dev": 14}


def test_new_images_restore_the_shares():
    group = Group(list(range(100)), {"train": 0.7, "dev": 0.15, "test": 0.15})
    fixed = {i: "train" if i < 56 else "dev" if i < 68 else "test" for i in range(80)}
    assigned = assign_splits([group], fixed)
    assert Counter(assigned.values()) == {"train": 14, "dev": 3, "test": 3}
