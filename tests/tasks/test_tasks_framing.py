"""How images become network inputs, and back: no pixel lost, no box moved, no seam."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tasks.framing import (
    PADDING,
    Framing,
    cut_inputs,
    letterbox_size,
    make_frames,
    merge_maps,
    resize_image,
    resize_map,
    tile_starts,
    whole_frame,
)

SIDES = st.integers(1, 900)


@given(SIDES, SIDES)
def test_letterbox_keeps_the_aspect_and_fits(height, width):
    scaled = letterbox_size((height, width), (256, 320))
    assert scaled[0] <= 256 and scaled[1] <= 320 and min(scaled) >= 1
    assert scaled[0] == 256 or scaled[1] == 320
    factor = min(256 / height, 320 / width)
    assert scaled[0] == pytest.approx(max(1, height * factor), abs=0.501)
    assert scaled[1] == pytest.approx(max(1, width * factor), abs=0.501)


def test_letterbox_pads_with_grey_at_the_right_and_bottom():
    image = np.full((50, 100, 3), 200, np.uint8)
    frames = make_frames((50, 100), Framing((64, 64)))
    (cut,) = cut_inputs(image, frames)
    assert cut.shape == (64, 64, 3) and (cut[:32] == 200).all() and (cut[32:] == PADDING).all()


@given(SIDES, SIDES)
def test_padding_may_be_the_mirror_image(height, width):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    (frame,) = make_frames((height, width), Framing((64, 96), is_mirrored=True))
    scaled = resize_image(image, frame.scaled_size)
    (cut,) = cut_inputs(image, [frame])
    h, w = frame.content_size
    assert cut.shape == (64, 96, 3) and (h == 64 or w == 96)
    rows, columns = np.arange(64) % (2 * h), np.arange(96) % (2 * w)  # there and back
    there = np.ix_(np.minimum(rows, 2 * h - 1 - rows), np.minimum(columns, 2 * w - 1 - columns))
    np.testing.assert_array_equal(cut, scaled[there])


@given(SIDES, SIDES, st.sampled_from([None, 0.3, 1.0, 4.0]))
def test_a_whole_image_is_one_input_without_padding(height, width, scale):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    (frame,) = frames = make_frames((height, width), Framing((256, 192), scale, is_whole=True))
    assert frame.input_size == frame.content_size == frame.scaled_size
    assert all(side % 32 == 0 and 64 <= side <= 1024 for side in frame.input_size)
    (cut,) = cut_inputs(image, frames)
    np.testing.assert_array_equal(cut, resize_image(image, frame.input_size))


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((400, 300), None, (256, 192)),
        ((300, 400), None, (192, 256)),
        ((800, 600), None, (256, 192)),
        ((400, 300), 0.5, (192, 160)),
        ((820, 300), 0.5, (416, 160)),
        ((4000, 3000), 0.5, (512, 384)),  # no more than four times the area
        ((10, 9000), None, (64, 1024)),
    ],
)
def test_whole_images_have_one_area_or_one_scale(size, scale, expected):
    (frame,) = make_frames(size, Framing((256, 192), scale, is_whole=True))
    assert frame.input_size == expected


@given(st.integers(1, 2000), st.integers(32, 256), st.integers(0, 31))
def test_tiles_cover_a_side_and_overlap_enough(length, tile, overlap):
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0 and starts[-1] + tile >= length
    assert all(start + tile <= length for start in starts) or starts == [0]
    assert all(b - a <= tile - overlap + 1 for a, b in pairwise(starts))


@pytest.mark.parametrize("size", [(300, 500), (64, 64), (1, 700), (257, 31)])
def test_tiles_merge_to_the_image_itself(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    frames = make_frames(size, Framing((128, 96), scale=1.0, overlap=32))
    maps = [cut.transpose(2, 0, 1).astype(np.float32) for cut in cut_inputs(image, frames)]
    np.testing.assert_allclose(merge_maps(maps, frames).transpose(1, 2, 0), image, atol=1e-3)


@given(SIDES, SIDES, st.sampled_from([None, 0.25, 1.0, 1.7]))
def test_boxes_come_back_where_they_were(height, width, scale):
    frames = make_frames((height, width), Framing((128, 128), scale, 32))
    box = np.array([[0, 0, width, height], [width / 3, 0, width / 2, height / 4]], np.float32)
    for frame in frames:
        again = frame.boxes_to_image(frame.boxes_to_input(box))
        np.testing.assert_allclose(again, box, atol=1e-2)
    whole = whole_frame((height, width), Framing((128, 128), scale, 32))
    assert whole.boxes_to_input(box)[0, 2:].tolist() == pytest.approx(
        [whole.scaled_size[1], whole.scaled_size[0]], rel=1e-5
    )


def test_every_point_is_owned_by_a_tile():
    frames = make_frames((300, 500), Framing((128, 128), scale=1.0, overlap=40))
    rows, columns = np.mgrid[0:300, 0:500]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    owners = np.zeros(len(points), int)
    for frame in frames:
        local = points - [frame.left, frame.top]
        inside = (local >= 0).all(axis=1) & (local < 128).all(axis=1)
        owners += inside & frame.owns(local)
    assert owners.min() >= 1
    assert (owners > 1).mean() < 0.05  # only where tiles meet


def test_a_map_of_one_cell_fills_the_image():
    assert (resize_map(np.array([[0.7]], np.float32), (3, 5)) == np.float32(0.7)).all()
