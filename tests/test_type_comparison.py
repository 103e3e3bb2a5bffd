"""Box or mask: what a box costs, on photos that two projects share."""

from pathlib import Path

import numpy as np
import pytest
from finished import NAMES, SIZE, finish_run, make_prediction, make_project

import workbench as wb
from workbench.type_comparison import find_sound_share


@pytest.fixture
def runs(tmp_path: Path) -> tuple[wb.Run, wb.Run]:
    """A detection and a segmentation run on the same photos; cracks fill a quarter of a box."""
    boxes, box_run = make_project(tmp_path / "boxes", "detection")
    masks = boxes.make_segmentation(tmp_path / "masks", progress=False)
    for image in masks.images.where(class_name="nut"):
        mask = np.zeros(SIZE, np.uint8)
        mask[: SIZE[0] // 2, : SIZE[1] // 4] = 1
        image.label = wb.MaskLabel(mask)
    said = {name: make_prediction("segmentation", 0.9) for name in NAMES}
    return box_run, finish_run(masks, said)


def test_a_box_says_how_much_of_it_is_sound(runs: tuple[wb.Run, wb.Run]) -> None:
    compared = wb.compare_types(*runs)
    assert set(compared.images) == set(NAMES[:4]) and compared.boxes == 2
    assert compared.sound_share == compared.sound["nut"] == 0.75
    assert "75%" in compared.headline and "mask says clearly more" in compared.headline
    assert compared.detection_figures["map_50"] == runs[0].report()["map_50"]
    assert 0 < compared.segmentation_figures["mean_iou"] < 1
    assert "mean_iou" in repr(compared) and "<b>" in compared._repr_html_()
    assert len(compared.plot(limit=2).axes) == 4


def test_a_tight_box_is_as_good_as_a_mask() -> None:
    box = wb.Box("nut", 2, 3, 6, 9)
    mask = np.zeros((12, 12), np.uint8)
    assert find_sound_share(box, mask) == 1
    mask[3:9, 2:6] = 1
    assert find_sound_share(box, mask) == 0
    mask[3:9, 2:4] = 0
    assert find_sound_share(box, mask) == 0.5


def test_what_cannot_be_compared_says_why(runs: tuple[wb.Run, wb.Run], tmp_path: Path) -> None:
    boxes, masks = runs
    with pytest.raises(wb.InvalidSetting, match="one of each"):
        wb.compare_types(masks, boxes)
    for image in wb.Project(masks.store).images:
        image.label = None
    with pytest.raises(wb.NotEnoughLabels, match="share no photo"):
        wb.compare_types(boxes, masks)
