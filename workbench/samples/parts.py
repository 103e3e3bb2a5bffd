"""Screws, nuts and washers on a tray: the sample project for object detection."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..tasks.detection import Box, BoxLabel
from .camera import (
    SUPERSAMPLING,
    Light,
    Scene,
    light_scene,
    make_grid,
    make_noise,
    make_scene,
    photograph,
    smoothstep,
)
from .hardware import (
    FINISHES,
    Finish,
    place_part,
    shape_nut,
    shape_screw,
    shape_washer,
    turn_part_grid,
)
from .sample_image import SampleImage

CLASSES = ("screw", "nut", "washer")
IMAGE_SIZE = (240, 320)
PATCH = 144  # pixels of the scene around a part: the longest screw fits at any angle
EMPTY_EVERY = 16
FINISHES_OF = {"screw": ("steel", "black"), "nut": ("brass", "copper"), "washer": ("zinc", "steel")}


@dataclass(frozen=True)
class Placement:
    """Where a part lies: its middle x, y and how far it reaches, in pixels of the scene."""

    x: float
    y: float
    reach: float


def draw_samples(seed: int, count: int) -> Iterator[SampleImage]:
    """Yield count photos of the tray, every sixteenth of it empty.

    The same seed gives the same photos.
    """
    for index in range(count):
        rng = np.random.default_rng([seed, 2, index])
        item_count = 0 if index % EMPTY_EVERY == 5 else int(rng.integers(3, 9))
        image, label = draw_photo(rng, item_count)
        yield SampleImage(f"tray/{index:03d}.png", image, label)


def draw_photo(rng: np.random.Generator, item_count: int) -> tuple[np.ndarray, BoxLabel]:
    """Return the photo of a tray with that many parts, uint8 (240, 320, 3), and their boxes."""
    size = IMAGE_SIZE[0] * SUPERSAMPLING, IMAGE_SIZE[1] * SUPERSAMPLING
    scene = make_tray(rng, size)
    class_names = [str(rng.choice(CLASSES)) for _ in range(item_count)]
    placed: list[Placement] = []
    for item, class_name in enumerate(class_names, start=1):
        drop_part(scene, rng, class_name, item, placed)
    light = Light(rng.uniform(3.6, 4.4), rng.uniform(0.85, 1.05), rng.uniform(0.9, 1.15), 0.35)
    image = photograph(light_scene(scene, light, 4.0), rng, rng.uniform(0, 0.5), 0.009)
    return image, BoxLabel(find_boxes(scene.owner, class_names))


def make_tray(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Return an empty plastic tray with a raised rim, seen a little from aside each time."""
    scene = make_scene(size, (0.085, 0.125, 0.175))
    x, y = make_grid(size)
    left, top = rng.uniform(10, 26, 2)
    right, bottom = size[1] - rng.uniform(10, 26), size[0] - rng.uniform(10, 26)
    corner = 40.0
    dx = np.maximum(np.maximum(left + corner - x, x - right + corner), 0)
    dy = np.maximum(np.maximum(top + corner - y, y - bottom + corner), 0)
    outside = np.hypot(dx, dy) - corner
    grain = make_noise(rng, size, 3.0)
    scene.height += smoothstep(-7, 1, outside) * 10 + grain * np.float32(0.16)
    wear = make_noise(rng, size, 70.0) * np.float32(0.06) + grain * np.float32(0.04)
    scene.color *= np.clip(1 + wear, 0.5, 1.5)[..., None]
    return scene


def drop_part(
    scene: Scene, rng: np.random.Generator, class_name: str, item: int, placed: list[Placement]
) -> None:
    """Put one part onto the tray, sometimes against another one."""
    part, reach = shape_part(rng, class_name)
    size = scene.height.shape[0], scene.height.shape[1]
    place = find_place(rng, size, reach, placed)
    if place is None:
        return
    placed.append(place)
    top, left = int(place.y) - PATCH // 2, int(place.x) - PATCH // 2
    rows = slice(max(top, 0), min(top + PATCH, size[0]))
    columns = slice(max(left, 0), min(left + PATCH, size[1]))
    part = part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    window = Scene(
        scene.height[rows, columns],
        scene.color[rows, columns],
        scene.metal[rows, columns],
        scene.owner[rows, columns],
    )  # views: what is drawn there is drawn into the scene
    place_part(window, part, pick_finish(rng, class_name), item, rng)


def shape_part(rng: np.random.Generator, class_name: str) -> tuple[np.ndarray, float]:
    """Return a part in its own patch, float32 (PATCH, PATCH), height, and how far it reaches."""
    u, v = turn_part_grid(rng, (PATCH, PATCH), (PATCH / 2, PATCH / 2))
    if class_name == "screw":
        length = rng.uniform(92, 118)
        return shape_screw(u, v, length, rng.uniform(15, 18)), length * 0.36
    if class_name == "nut":
        apothem = rng.uniform(27, 36)
        return shape_nut(u, v, apothem), apothem
    outer = rng.uniform(28, 40)
    return shape_washer(u, v, outer, outer * rng.uniform(0.48, 0.56), rng.uniform(5, 8)), outer


def pick_finish(rng: np.random.Generator, class_name: str) -> Finish:
    """Return what a part of that class is made of: mostly the first of its finishes."""
    first, second = FINISHES_OF[class_name]
    return FINISHES[first if rng.random() < 0.7 else second]


def find_place(
    rng: np.random.Generator, size: tuple[int, int], reach: float, placed: list[Placement]
) -> Placement | None:
    """Return a place where the part hides little of others, or None where the tray is full."""
    margin = 70.0
    for _ in range(60):
        x = float(rng.uniform(margin, size[1] - margin))
        y = float(rng.uniform(margin, size[0] - margin))
        gaps = [np.hypot(x - p.x, y - p.y) - 0.88 * (reach + p.reach) for p in placed]
        if min(gaps, default=1.0) >= 0:
            return Placement(x, y, reach)
    return None


def find_boxes(owner: np.ndarray, class_names: list[str]) -> list[Box]:
    """Return the box of what shows of each part, in pixels of the photo.

    owner: int16 (H, W), the part (1 is class_names[0]) at each pixel of the scene. A part that is
    not on the tray, or of which next to nothing shows, has no box.
    """
    boxes = []
    for item, class_name in enumerate(class_names, start=1):
        shows = owner == item
        rows, columns = np.flatnonzero(shows.any(axis=1)), np.flatnonzero(shows.any(axis=0))
        if shows.sum() < 200:
            continue
        x0, y0 = columns[0] // SUPERSAMPLING, rows[0] // SUPERSAMPLING
        x1, y1 = columns[-1] // SUPERSAMPLING + 1, rows[-1] // SUPERSAMPLING + 1
        boxes.append(Box(class_name, int(x0), int(y0), int(x1), int(y1)))
    return boxes
