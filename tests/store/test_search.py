"""Filters, counts and pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.errors import InvalidSetting, UnknownClass
from workbench.store.database import Store, create_store
from workbench.store.images import NewImage, add_images, remove_images, set_fields
from workbench.store.labels import write_label
from workbench.store.search import Filter, count_images, list_ids, read_after, read_page
from workbench.tasks.detection import Box, BoxLabel


def build(folder: Path, pictures: Callable[..., NewImage]) -> Store:
    """Six images: 1 screw, 2 nut and screw, 3 nothing there, 4 to 6 unlabeled; 6 is removed."""
    store = create_store(folder, "detection", ("screw", "nut"))
    splits = ["train", "train", "dev", None, None, "test"]
    batch = [
        pictures(n, name=f"Cam{n}_100%/ÄÖ {n}.png", split=split, metadata={"line": f"Line-{n}"})
        for n, split in enumerate(splits, 1)
    ]
    add_images(store, batch)
    screw, nut = Box("screw", 1, 2, 3, 4), Box("nut", 1, 2, 3, 4)
    write_label(store, 1, BoxLabel([screw]))
    write_label(store, 2, BoxLabel([nut, screw, nut]))
    write_label(store, 3, BoxLabel([]))
    set_fields(store, 2, mark="needs review")
    set_fields(store, 5, mark="needs review")
    remove_images(store, [6])
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory, pictures) -> Iterator[Store]:
    """A project that the tests only look at."""
    store = build(tmp_path_factory.mktemp("search") / "project", pictures)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [1, 2, 3, 4, 5]),
        (Filter(split="train"), [1, 2]),
        (Filter(split=None), [4, 5]),
        (Filter(split="test"), []),
        (Filter(labeled=True), [1, 2, 3]),
        (Filter(labeled=False), [4, 5]),
        (Filter(class_name="screw"), [1, 2]),
        (Filter(class_name="nut", split="train", labeled=True), [2]),
        (Filter(text="cam3"), [3]),
        (Filter(text="äö"), [1, 2, 3, 4, 5]),
        (Filter(text="line-4"), [4]),
        (Filter(text="100%"), [1, 2, 3, 4, 5]),
        (Filter(text="1%"), []),
        (Filter(text="_1"), [1, 2, 3, 4, 5]),
        (Filter(text="m_1"), []),
        (Filter(text="'; DROP TABLE images; --"), []),
        (Filter(state="needs review"), [2, 5]),
        (Filter(state="labeled"), [1]),
        (Filter(state="nothing there"), [3]),
        (Filter(state="unlabeled"), [4]),
    ],
)
def test_filters(store, wanted: Filter, expected: list[int]) -> None:
    assert list_ids(store, [wanted]) == expected
    assert count_images(store, [wanted]) == len(expected)
    assert [row.id for row in read_page(store, [wanted])] == expected


def test_filters_add_up(store) -> None:
    assert list_ids(store, [Filter(split="train"), Filter(class_name="nut")]) == [2]
    assert list_ids(store, [Filter(split="train"), Filter(split="dev")]) == []


def test_pages(store) -> None:
    assert [row.id for row in read_page(store, [], 1, 2)] == [2, 3]
    assert [row.id for row in read_page(store, [], 4, 50)] == [5]
    assert read_page(store, [], 5, 50) == []
    assert [row.id for row in read_after(store, [Filter(split=None)], 4, 2)] == [5]


def test_what_cannot_be_found_is_said(store) -> None:
    with pytest.raises(UnknownClass, match="'screw', 'nut'"):
        count_images(store, [Filter(class_name="gear")])
    with pytest.raises(InvalidSetting, match="'dev'"):
        Filter(split="validation")
    with pytest.raises(InvalidSetting, match="text"):
        Filter(text=3)


def test_a_mark_goes_and_the_label_speaks_again(tmp_path, pictures) -> None:
    store = build(tmp_path / "project", pictures)
    set_fields(store, 2, mark=None)
    assert list_ids(store, [Filter(state="labeled")]) == [1, 2]
    write_label(store, 5, BoxLabel([]))
    assert list_ids(store, [Filter(state="needs review")]) == [5]
    store.close()
