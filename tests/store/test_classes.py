"""Classes: names, colors, ids that never change."""

import pytest

from workbench.errors import ClassExists, ClassInUse, InvalidSetting, UnknownClass
from workbench.store.class_removal import remove_class
from workbench.store.classes import (
    PALETTE,
    ClassRow,
    add_row,
    list_classes,
    pick_color,
    recolor_row,
    rename_row,
)
from workbench.store.database import Store, create_store, reading, writing
from workbench.store.labels import read_label, revisions, write_label
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel


def rows(store: Store) -> list[ClassRow]:
    """The classes of a project."""
    with reading(store) as connection:
        return list_classes(connection)


def names(store: Store) -> list[str]:
    """The names of the classes."""
    return [row.name for row in rows(store)]


def test_colors_are_all_different() -> None:
    taken: list[str] = []
    for _ in range(255):
        taken.append(pick_color(taken))
    assert len(set(taken)) == 255
    assert tuple(taken[: len(PALETTE)]) == PALETTE


def test_classes_keep_order_id_and_color(make_store) -> None:
    store = make_store()
    with writing(store) as connection:
        add_row(connection, "bolt", "#ABCDEF")
        rename_row(connection, "screw", "chip")
        recolor_row(connection, "nut", "#000000")
    assert rows(store) == [
        ClassRow(1, "chip", PALETTE[0]),
        ClassRow(2, "nut", "#000000"),
        ClassRow(3, "bolt", "#abcdef"),
    ]


def test_a_removed_class_comes_back_with_its_id(make_store) -> None:
    store = make_store()
    remove_class(store, "screw")
    with writing(store) as connection:
        add_row(connection, "gear")
        add_row(connection, "screw")
    assert [(row.id, row.name) for row in rows(store)] == [(2, "nut"), (3, "gear"), (1, "screw")]


def test_the_name_of_a_removed_class_is_free(make_store) -> None:
    store = make_store()
    remove_class(store, "screw")
    with writing(store) as connection:
        rename_row(connection, "nut", "screw")
    assert names(store) == ["screw"]
    remove_class(store, "screw")
    with writing(store) as connection:
        add_row(connection, "screw")
    assert [(row.id, row.name) for row in rows(store)] == [(2, "screw")]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0", "x" * 201, "\ud800", 5, None])
def test_names_that_nobody_can_read_are_refused(make_store, name) -> None:
    store = make_store()
    with pytest.raises(InvalidSetting), writing(store) as connection:
        add_row(connection, name)
    with pytest.raises(InvalidSetting), writing(store) as connection:
        rename_row(connection, "nut", name)
    assert names(store) == ["screw", "nut"]


@pytest.mark.parametrize("color", ["red", "#12345", "#12345g", "#1234567", 'x" onload="', 7])
def test_colors_are_six_digits(make_store, color) -> None:
    store = make_store()
    with pytest.raises(InvalidSetting, match="color"), writing(store) as connection:
        add_row(connection, "gear", color)


def test_twice_the_same_class_is_refused(make_store, tmp_path) -> None:
    store = make_store()
    with pytest.raises(ClassExists), writing(store) as connection:
        add_row(connection, "nut")
    with pytest.raises(ClassExists), writing(store) as connection:
        rename_row(connection, "nut", "screw")
    with pytest.raises(UnknownClass, match="'screw', 'nut'"), writing(store) as connection:
        rename_row(connection, "gear", "x")
    with pytest.raises(ClassExists):
        create_store(tmp_path / "twice", "detection", ["a", "a"])


def test_there_are_at_most_255(tmp_path) -> None:
    store = create_store(tmp_path / "many", "segmentation", [f"class {n}" for n in range(255)])
    with pytest.raises(InvalidSetting, match="255"), writing(store) as connection:
        add_row(connection, "one more")
    assert len(rows(store)) == 255
    store.close()


def test_a_class_in_use_stays_unless_labels_may_change(make_store) -> None:
    store = make_store(images=3)
    screw, nut = Box("screw", 1, 2, 3, 4), Box("nut", 5, 6, 7, 8)
    write_label(store, 1, BoxLabel([screw, nut, screw]))
    write_label(store, 2, BoxLabel([screw]))
    with pytest.raises(ClassInUse, match=r"2 labels .*remove_labels=True"):
        remove_class(store, "screw")
    assert names(store) == ["screw", "nut"]
    assert remove_class(store, "screw", remove_labels=True, author="Ann") == 2
    assert names(store) == ["nut"]
    assert read_label(store, 1) == BoxLabel([nut])
    assert read_label(store, 2) == BoxLabel([])
    assert [r.author for r in revisions(store, 2)] == ["Ann", None]
    with pytest.raises(UnknownClass):
        remove_class(store, "screw")


def test_removing_a_class_unlabels_classified_images(make_store) -> None:
    store = make_store("classification", images=2)
    write_label(store, 1, ClassLabel("screw"))
    write_label(store, 2, ClassLabel("nut"))
    remove_class(store, "screw", remove_labels=True)
    assert (read_label(store, 1), read_label(store, 2)) == (None, ClassLabel("nut"))


def test_anomaly_keeps_its_verdicts(make_store) -> None:
    store = make_store("anomaly")
    assert names(store) == ["normal", "abnormal"]
    with pytest.raises(InvalidSetting):
        remove_class(store, "normal")
