"""Few images of detection, shown in more ways: turned, and with their boxes pasted once more."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from workbench.engine.detection import PRESETS, build_sampler, choose_framing, make_target
from workbench.engine.detection.few import FEW, PASTED, lie_any_way, paste_again, turn
from workbench.engine.detection.targets import Target
from workbench.settings import Settings
from workbench.tasks.detection import Box, BoxLabel
from workbench.tasks.framing import Frame
from workbench.tasks.matching import box_overlap

CLASSES = ("warp", "weft")
DARK, BRIGHT, MARKED = 40, 160, 90  # gray of the left half, of the right half, above those


@dataclass(frozen=True)
class Drawn:
    """An image and its label, in memory."""

    label: BoxLabel
    image: np.ndarray
    image_size: tuple[int, int] = (96, 128)

    def read_label(self) -> BoxLabel:
        return self.label


def draw(*boxes):
    """Return an image, its left half dark and its right half bright, brighter within the boxes."""
    image = np.full((96, 128, 3), DARK, np.uint8)
    image[:, 64:] = BRIGHT
    for box in boxes:
        image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] += MARKED
    return Drawn(BoxLabel(boxes), image)


def boxed(example):
    """Return the example's image, and its boxes as training has them."""
    frame = Frame(example.image_size, example.image_size, 0, 0, example.image_size)
    return example.image, make_target(example.label, frame, CLASSES)


def see(image, target):
    """Return the mean gray within each box."""
    return [
        float(image[y0:y1, x0:x1].mean()) for x0, y0, x1, y1 in target.boxes.round().int().tolist()
    ]


def test_copies_hold_their_thing_where_it_looks_as_around_the_first():
    image, target = boxed(draw(Box("warp", 20, 40, 28, 46), Box("weft", 90, 30, 104, 38)))
    before = image.copy()
    torch.manual_seed(0)
    grays, counts = {0: [], 1: []}, []
    for _ in range(60):
        mixed, pasted = paste_again(image, target)
        counts.append(len(pasted.boxes) - 2)
        assert pasted.boxes[:2].equal(target.boxes)
        for index, gray in zip(pasted.class_indices.tolist(), see(mixed, pasted)):
            grays[index].append(gray)
    assert (image == before).all()  # it is kept for the next epoch
    assert PASTED - 0.2 < np.mean(np.array(counts) > 0) < PASTED + 0.2 and max(counts) == 3
    for index, ground in enumerate((DARK, BRIGHT)):  # some windows hold a part of the other half
        assert np.mean(np.abs(np.array(grays[index]) - ground - MARKED) <= 1) > 0.75


def test_no_copy_hides_a_box():
    crowd = [Box("warp", x, y, x + 8, y + 8) for x in range(4, 120, 24) for y in range(4, 90, 40)]
    image, target = boxed(draw(*crowd))
    torch.manual_seed(1)
    pasted = [paste_again(image, target)[1].boxes.numpy() for _ in range(40)]
    assert max(len(boxes) for boxes in pasted) > len(crowd)
    for boxes in pasted:
        assert (box_overlap(boxes, boxes)[~np.eye(len(boxes), dtype=bool)] == 0).all()


@pytest.mark.parametrize(
    "boxes",
    [[], [Box("warp", 0, 0, 100, 60)], [Box("warp", 0, 0, 128, 96)]],
    ids=["nothing", "large", "all of it"],
)
def test_what_fills_an_image_or_is_not_there_stays_alone(boxes):
    image, target = boxed(draw(*boxes))
    torch.manual_seed(2)
    for _ in range(20):
        mixed, pasted = paste_again(image, target)
        assert (mixed == image).all() and pasted.boxes.equal(target.boxes)


@pytest.mark.parametrize(
    "box", [Box("warp", 0, 30, 6, 40), Box("warp", 50, 95, 51, 96), Box("warp", 0, 40, 128, 41)]
)
def test_boxes_at_the_border_are_pasted_whole(box):
    image, target = boxed(draw(box))
    torch.manual_seed(3)
    drawn = [paste_again(image, target)[1] for _ in range(20)]
    assert max(len(pasted.boxes) for pasted in drawn) > 1
    for pasted in drawn:
        sides = pasted.boxes[:, 2:] - pasted.boxes[:, :2]
        assert sides.equal((target.boxes[:, 2:] - target.boxes[:, :2]).expand_as(sides))
        assert (pasted.boxes >= 0).all() and (pasted.boxes <= torch.tensor([128, 96] * 2)).all()


def test_a_turned_box_stays_around_its_thing():
    image, target = boxed(draw(Box("warp", 10, 20, 40, 26)))
    turned, moved = turn(image, target)
    assert turned.shape == (128, 96, 3) and moved.boxes.tolist() == [[20, 10, 26, 40]]
    assert see(turned, moved) == [DARK + MARKED]


def test_long_things_that_lie_one_way_are_not_turned():
    across, down, square = (0, 0, 60, 4), (0, 0, 4, 60), (0, 0, 12, 10)
    warp, weft = [draw(Box("warp", *down))] * 3, [draw(Box("weft", *across))] * 3
    assert not lie_any_way([*warp, *weft])
    assert not lie_any_way([*weft, draw(Box("warp", *square))])
    assert lie_any_way([draw(Box("warp", *way)) for way in (across, down, across)])
    assert lie_any_way([draw(Box("warp", *square)), draw(Box("weft", *square))])
    assert lie_any_way([draw()])


def count_boxes(count, settings):
    """Return how many boxes samples of `count` images of one box have at most."""
    examples = [draw(Box("warp", 40, 40, 52, 50))] * count
    make_sample = build_sampler(examples, choose_framing(examples, settings), settings)
    torch.manual_seed(4)
    drawn: list[Target] = [make_sample(*boxed(examples[0]))[1] for _ in range(20)]
    return max(len(target.boxes) for target in drawn)


def test_only_few_images_are_shown_in_more_ways_and_only_where_they_may_be_varied():
    settings: Settings = PRESETS["fast"]
    assert count_boxes(FEW, settings) > 1
    assert count_boxes(FEW + 1, settings) == 1
    plain = Settings(settings.input_size, augment=False)
    assert count_boxes(FEW, plain) == 1
