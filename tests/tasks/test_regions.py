"""The magic wand and the box that turns into a mask, on drawn and on real photos."""

from pathlib import Path

import numpy as np

from workbench.tasks.regions import box_to_mask, wand


def draw_disc(noise: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo of a bright disc on grainy ground, and the disc: bool (H, W)."""
    y, x = np.mgrid[:120, :160]
    disc = (x - 80) ** 2 + (y - 60) ** 2 < 30**2
    grain = np.random.default_rng(0).integers(-noise, noise + 1, (120, 160, 3))
    photo = np.where(disc[..., None], 190, 70) + grain
    return photo.clip(0, 255).astype(np.uint8), disc


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the IoU of two masks."""
    return float((found & wanted).sum() / (found | wanted).sum())


def test_the_wand_takes_what_is_alike_and_joined() -> None:
    photo, disc = draw_disc(noise=6)
    assert overlap(wand(photo, 80, 60, 40), disc) > 0.97
    assert wand(photo, 80, 60, 0).sum() < 20
    assert wand(photo, 0, 0, 255).all()


def test_a_box_turns_into_the_thing_in_it() -> None:
    photo, disc = draw_disc(noise=12)
    found = box_to_mask(photo, (44, 25, 117, 96))
    assert overlap(found, disc) > 0.9
    assert not found[:25].any() and not found[:, 117:].any()
    assert np.array_equal(found, box_to_mask(photo, (44, 25, 117, 96)))


def test_a_box_around_nothing_is_the_box_and_outside_is_nothing() -> None:
    flat = np.full((60, 80, 3), 90, np.uint8)
    found = box_to_mask(flat, (10.4, 10, 30, 40.2))
    assert found.any() and not found[:10].any() and not found[:, :10].any()
    assert not box_to_mask(flat, (200, 10, 300, 40)).any()
    assert box_to_mask(flat, (0, 0, 80, 60)).all()  # nothing around it to tell it from
    assert box_to_mask(flat, (5, 5, 6, 6)).sum() == 1


def test_a_large_photo_is_answered_at_its_own_size() -> None:
    photo, disc = draw_disc(noise=4)
    large = np.kron(photo, np.ones((10, 10, 1), np.uint8))
    found = box_to_mask(large, (440, 250, 1170, 960))
    assert found.shape == large.shape[:2]
    assert overlap(found, np.kron(disc, np.ones((10, 10), np.bool_))) > 0.9


def test_the_module_loads_no_opencv() -> None:
    source = Path(box_to_mask.__code__.co_filename).read_text("utf-8")
    assert "\nimport cv2" not in source
