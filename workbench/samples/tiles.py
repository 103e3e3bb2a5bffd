"""Cement tiles with cracks and stains: the sample project for segmentation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..tasks.segmentation import MaskLabel
from .camera import (
    SUPERSAMPLING,
    Light,
    Scene,
    light_scene,
    make_layers,
    make_noise,
    make_scene,
    photograph,
    resize,
    smoothstep,
)
from .sample_image import SampleImage

CLASSES = ("crack", "stain")
IMAGE_SIZE = (256, 256)
FINE = 4  # cracks are painted at four pixels for each of the photo's, then averaged


@dataclass(frozen=True)
class Sprout:
    """Where a branch begins: x, y and width in pixels of the photo, heading in radians."""

    x: float
    y: float
    heading: float
    width: float


def draw_samples(seed: int, count: int) -> Iterator[SampleImage]:
    """Yield count photos: of eight tiles five are cracked, two of them and one more stained.

    Two of eight show neither, and have a mask of zeros. The same seed gives the same photos.
    """
    for index in range(count):
        rng = np.random.default_rng([seed, 3, index])
        kind = index % 8
        image, mask = draw_photo(rng, cracked=kind < 5, stained=kind in (2, 4, 5))
        folder = "sound" if kind > 5 else "stained" if kind == 5 else "cracked"
        yield SampleImage(f"{folder}/{index:03d}.png", image, MaskLabel(mask))


def draw_photo(
    rng: np.random.Generator, cracked: bool, stained: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo of a tile, uint8 (256, 256, 3), and its mask, uint8 (256, 256)."""
    size = IMAGE_SIZE[0] * SUPERSAMPLING, IMAGE_SIZE[1] * SUPERSAMPLING
    scene = make_tile(rng, size)
    mask = np.zeros(IMAGE_SIZE, np.uint8)
    if stained:
        soaked = soak_stain(scene, rng)
        mask[resize(soaked, IMAGE_SIZE, smooth=False) >= 0.5] = 2
    if cracked:
        cover = paint_cracks(rng)
        open_cracks(scene, resize(cover, size, smooth=False), rng)
        mask[resize(cover, IMAGE_SIZE, smooth=False) >= 0.5] = 1
    light = Light(rng.uniform(3.4, 4.4), rng.uniform(0.8, 1.0), rng.uniform(0.95, 1.15), 0.42)
    return photograph(light_scene(scene, light, 3.0), rng, noise=0.008), mask


def make_tile(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Return a sound cement tile: clouded, grainy, with sand and pores."""
    grey = rng.uniform(0.34, 0.44)
    warm = rng.uniform(0.0, 0.03)
    scene = make_scene(size, (grey + warm, grey, grey - 1.3 * warm))
    clouds = make_layers(rng, size, 120.0, 4) * np.float32(0.055)
    sand = make_noise(rng, size, 2.5)
    speckles = smoothstep(2.0, 2.6, make_noise(rng, size, 4.0)) * np.float32(0.14)
    pores = smoothstep(2.5, 3.0, make_noise(rng, size, 7.0))
    scene.height += sand * np.float32(0.22) + make_layers(rng, size, 40.0, 2) * np.float32(0.5)
    scene.height -= pores * 2
    shade = 1 + clouds + sand * np.float32(0.025) + speckles - pores * np.float32(0.14)
    scene.color *= np.clip(shade, 0.4, 1.6)[..., None]
    return scene


def soak_stain(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Colour one blot of rust water on the tile; return where it is: float32 (H, W), 0 or 1."""
    size = scene.height.shape[0], scene.height.shape[1]
    x, y = np.meshgrid(np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32))
    center = rng.uniform(0.22, 0.78, 2) * size[0]
    radius, squeeze = rng.uniform(0.11, 0.19) * size[0], rng.uniform(0.75, 1.3)
    distance = np.hypot((x - center[0]) * squeeze, (y - center[1]) / squeeze) / np.float32(radius)
    inside = 1 - distance + make_layers(rng, size, 60.0, 3) * np.float32(0.13)
    soaked = smoothstep(-0.02, 0.02, inside)
    rim = soaked * smoothstep(0.22, 0.0, inside)  # where it dried last it is darkest
    strength = soaked * np.float32(0.72) + rim * np.float32(0.28)
    absorbed = np.array([0.34, 0.62, 0.80], np.float32)
    scene.color *= 1 - strength[..., None] * absorbed
    return np.asarray(inside > 0, np.float32)


def paint_cracks(rng: np.random.Generator) -> np.ndarray:
    """Return how much of each fine pixel the cracks cover: float32 (FINE * H, FINE * W), 0 or 1."""
    height, width = (side * FINE for side in IMAGE_SIZE)
    picture = Image.new("L", (width, height))
    pen = ImageDraw.Draw(picture)
    sprouts = [start_crack(rng)]
    branches = 0
    while sprouts:
        grown = grow_crack(pen, rng, sprouts.pop())
        room = 4 - branches
        sprouts += grown[:room]
        branches += len(grown[:room])
    return np.asarray(picture, np.float32) / 255


def start_crack(rng: np.random.Generator) -> Sprout:
    """Return a crack's beginning at one edge of the tile, heading across it."""
    side = int(rng.integers(4))
    along = rng.uniform(0.2, 0.8) * IMAGE_SIZE[0]
    far = IMAGE_SIZE[0] + 2.0
    x, y = [(along, -2.0), (far, along), (along, far), (-2.0, along)][side]
    heading = np.pi / 2 + side * np.pi / 2 + rng.uniform(-0.5, 0.5)
    return Sprout(float(x), float(y), float(heading), float(rng.uniform(6.5, 9.0)))


def grow_crack(pen: ImageDraw.ImageDraw, rng: np.random.Generator, sprout: Sprout) -> list[Sprout]:
    """Paint one branch until it has thinned out or left the tile; return where others leave it."""
    x, y, width = sprout.x, sprout.y, sprout.width
    bend, jag, swell = 0.0, 0.0, 0.0
    branches = []
    narrowing = rng.uniform(0.010, 0.020)
    while width > 1.5 and -3 < x < IMAGE_SIZE[1] + 3 and -3 < y < IMAGE_SIZE[0] + 3:
        bend = 0.985 * bend + rng.normal(0, 0.05)
        if rng.random() < 0.22:
            jag = rng.normal(0, 0.55)  # grains of sand turn a crack aside
        swell = 0.8 * swell + rng.normal(0, 0.10)
        heading = sprout.heading + bend + jag
        x, y = x + float(np.cos(heading)), y + float(np.sin(heading))
        paint_dot(pen, x, y, width * float(np.clip(1 + swell, 0.75, 1.3)))
        width -= narrowing if width > 4.0 else 0.16  # it ends in a point
        if rng.random() < 0.014 and width > 4.8:
            turn = rng.choice([-1, 1]) * rng.uniform(0.6, 1.1)
            branches.append(Sprout(x, y, float(sprout.heading + bend + turn), width * 0.78))
    return branches


def paint_dot(pen: ImageDraw.ImageDraw, x: float, y: float, width: float) -> None:
    """Paint a disc; x, y and width are pixels of the photo."""
    radius = width * FINE / 2
    x, y = x * FINE, y * FINE
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def open_cracks(scene: Scene, cover: np.ndarray, rng: np.random.Generator) -> None:
    """Cut cracks into the tile. cover: float32 (H, W), 0..1, how much of each pixel is crack."""
    size = cover.shape[0], cover.shape[1]
    deep = resize(resize(cover, (size[0] // 4, size[1] // 4), smooth=False), size) * cover
    grit = make_noise(rng, size, 3.0) * np.float32(0.05)
    scene.height -= cover * (2 + 5 * deep)
    scene.color *= (1 - cover * np.clip(0.62 + 0.26 * deep + grit, 0, 0.93))[..., None]
