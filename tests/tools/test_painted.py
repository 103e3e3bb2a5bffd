"""The painted photos of benchmarks/painted.py: what is in them, and how they are labeled."""

import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def painted(monkeypatch):
    """The benchmark as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import painted

    yield painted
    for name in ("painted", "real_sets"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("number", range(6))
def test_each_photo_of_steel_shows_defects_of_one_kind_in_boxes(painted, number):
    image, label = painted.paint_steel(np.random.default_rng(number), list(painted.KINDS)[number])
    assert image.shape == painted.STEEL and image.dtype == np.uint8 and image.std() > 2
    assert {box.class_name for box in label.boxes} == {list(painted.KINDS)[number]}
    assert all(0 <= box.x0 < box.x1 <= 200 and 0 <= box.y0 < box.y1 <= 200 for box in label.boxes)
    assert painted.are_apart(label.boxes)


def test_a_draw_paints_the_same_photos_again_and_another_draw_others(painted):
    one, again, other = (
        painted.paint_steel(np.random.default_rng(seed), "patches")[0] for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_cracks_are_dark_and_some_photos_have_none(painted):
    draw = np.random.default_rng(0)
    photos = [painted.paint_ground(draw) for _ in range(12)]
    masks = [label.mask.astype(bool) for _, label in photos]
    cracked = [mask.any() for mask in masks]
    assert any(cracked) and not all(cracked)
    assert all(mask.shape == painted.GROUND and mask.mean() < 0.1 for mask in masks)
    darker = [
        np.median(image[~mask]) - np.median(image[mask])
        for (image, _), mask in zip(photos, masks)
        if mask.any()
    ]
    assert np.median(darker) > 5


def test_boxes_that_overlap_by_much_are_not_apart(painted):
    small, large = wb.Box("a", 10, 10, 20, 20), wb.Box("a", 0, 0, 100, 100)
    assert not painted.are_apart([large, small])
    assert painted.are_apart([wb.Box("a", 0, 0, 12, 20), small])


@pytest.mark.parametrize(("name", "task"), [("steel", "detection"), ("cracks", "segmentation")])
def test_a_project_has_all_photos_labeled_and_split(painted, monkeypatch, tmp_path, name, task):
    monkeypatch.setattr(painted, "STEEL_COUNTS", (10, 6))
    monkeypatch.setattr(painted, "GROUND_COUNTS", (10, 6))
    project = painted.build(name, tmp_path / name, 0)
    assert project.task == task
    splits = [image.split for image in project.images.where(labeled=True)]
    assert [splits.count(split) for split in ("train", "dev", "test")] == [8, 2, 6]
    project.close()
