"""Bolts and washers, one in each photo: the sample project for classification."""

from collections.abc import Iterator

import numpy as np

from ..tasks.classification import ClassLabel
from .camera import SUPERSAMPLING, Light, Scene, light_scene, make_noise, make_scene, photograph
from .hardware import FINISHES, place_part, shape_bolt, shape_washer, turn_part_grid
from .sample_image import SampleImage

CLASSES = ("bolt", "washer")
IMAGE_SIZE = (192, 192)
SURFACES = {
    "steel bench": (0.105, 0.11, 0.12),
    "green mat": (0.045, 0.13, 0.10),
    "blue cloth": (0.06, 0.11, 0.20),
}


def draw_samples(seed: int, count: int) -> Iterator[SampleImage]:
    """Yield count photos, a bolt and a washer in turn. The same seed gives the same photos."""
    for index in range(count):
        rng = np.random.default_rng([seed, 1, index])
        class_name = CLASSES[index % len(CLASSES)]
        name = f"{class_name}/{index // len(CLASSES):03d}.png"
        yield SampleImage(name, draw_photo(rng, class_name), ClassLabel(class_name))


def draw_photo(rng: np.random.Generator, class_name: str) -> np.ndarray:
    """Return the photo of one bolt or washer: uint8 (192, 192, 3)."""
    size = IMAGE_SIZE[0] * SUPERSAMPLING, IMAGE_SIZE[1] * SUPERSAMPLING
    scene = make_surface(rng, size)
    part = draw_bolt(rng, size) if class_name == "bolt" else draw_washer(rng, size)
    finish = FINISHES[str(rng.choice(("steel", "zinc", "brass", "copper"), p=[0.4, 0.3, 0.2, 0.1]))]
    place_part(scene, part, finish, 1, rng)
    light = Light(rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.1), rng.uniform(0.85, 1.2), 0.35)
    warmth = rng.uniform(-0.05, 0.05)
    radiance = light_scene(scene, light) * np.array([1 + warmth, 1, 1 - warmth], np.float32)
    return photograph(radiance, rng, rng.uniform(0, 0.9), rng.uniform(0.006, 0.016))


def make_surface(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Return an empty bench, mat or cloth, darker than any part."""
    kind = str(rng.choice(list(SURFACES)))
    scene = make_scene(size, SURFACES[kind])
    fine, rough = make_noise(rng, size, 2.0), make_noise(rng, size, 60.0)
    if kind == "steel bench":
        fine = make_noise(rng, size, (1.0, 60.0))
        scene.metal[:] = 0.25
    scene.height += fine * np.float32(0.12)
    scene.color *= np.clip(1 + 0.05 * fine + 0.08 * rough, 0.4, 1.6)[..., None]
    return scene


def draw_bolt(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return a bolt of random length, turned, near the middle: float32 (H, W), height."""
    length = rng.uniform(0.62, 0.84) * size[1]
    width = rng.uniform(0.125, 0.17) * size[1]
    u, v = turn_part_grid(rng, size, place_middle(rng, size))
    return shape_bolt(u, v, length, width, rng.uniform(0, np.pi / 3))


def draw_washer(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return a washer of random width near the middle: float32 (H, W), height."""
    outer = rng.uniform(0.20, 0.34) * size[1]
    inner = outer * rng.uniform(0.42, 0.62)
    u, v = turn_part_grid(rng, size, place_middle(rng, size))
    return shape_washer(u, v, outer, inner, rng.uniform(9, 15))


def place_middle(rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float]:
    """Return a point x, y near the middle."""
    dx, dy = rng.uniform(-0.06, 0.06, 2)
    return (0.5 + float(dx)) * size[1], (0.5 + float(dy)) * size[0]
