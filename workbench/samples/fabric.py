"""Woven fabric, sound and with faults of five kinds: the sample for anomaly detection."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from ..tasks.anomaly import VERDICTS, AnomalyLabel
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
    soften,
    turn_grid,
)
from .sample_image import SampleImage

CLASSES = VERDICTS
IMAGE_SIZE = (224, 224)
THREAD = 17.0  # pixels of the scene from one thread to the next
NORMAL_SPLITS = ("train", "train", "test", "train", "dev", "train", "test", "train")
ABNORMAL_SPLITS = ("dev", "test", "test")


def draw_samples(seed: int, count: int) -> Iterator[SampleImage]:
    """Yield count photos, two of seven abnormal, each with its split: to train, only normal ones.

    The same seed gives the same photos.
    """
    abnormal_count = count * 2 // 7
    for index in range(count - abnormal_count):
        image, _ = draw_photo(np.random.default_rng([seed, 4, index]), None)
        split = NORMAL_SPLITS[index % len(NORMAL_SPLITS)]
        yield SampleImage(f"normal/{index:03d}.png", image, AnomalyLabel("normal"), split)
    for index in range(abnormal_count):
        fault = list(FAULTS)[index % len(FAULTS)]
        image, mask = draw_photo(np.random.default_rng([seed, 5, index]), fault)
        name = f"abnormal/{fault.replace(' ', '_')}_{index:03d}.png"
        split = ABNORMAL_SPLITS[index % len(ABNORMAL_SPLITS)]
        yield SampleImage(name, image, AnomalyLabel("abnormal", mask), split)


def draw_photo(rng: np.random.Generator, fault: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo, uint8 (224, 224, 3), and where the fabric is faulty, bool (224, 224)."""
    size = IMAGE_SIZE[0] * SUPERSAMPLING, IMAGE_SIZE[1] * SUPERSAMPLING
    scene = weave(rng, size)
    faulty = np.zeros(size, np.float32) if fault is None else FAULTS[fault](scene, rng)
    light = Light(rng.uniform(3.86, 3.94), rng.uniform(0.83, 0.85), rng.uniform(0.99, 1.01), 0.38)
    image = photograph(light_scene(scene, light, 3.0), rng, noise=0.006, unsteady=0.1)
    return image, resize(faulty, IMAGE_SIZE, smooth=False) >= 0.5


def weave(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Return sound fabric in plain weave, never quite straight."""
    center = tuple(float(c) for c in rng.uniform(0, 2 * THREAD, 2))
    u, v = turn_grid(size, (center[0], center[1]), rng.uniform(-0.008, 0.008))
    u = u / THREAD + make_noise(rng, size, 60.0) * np.float32(0.03)
    v = v / THREAD + make_noise(rng, size, 60.0) * np.float32(0.03)
    column, row = np.floor(u), np.floor(v)
    across, along = np.abs(np.sin(np.pi * u)), np.abs(np.sin(np.pi * v))
    over = np.where((column + row) % 2 == 0, 1, -1) * across * along
    warp, weft = 4 * np.sqrt(across) + 3 * over, 4 * np.sqrt(along) - 3 * over
    is_warp = warp > weft
    fibres = np.where(is_warp, make_noise(rng, size, (9.0, 1.5)), make_noise(rng, size, (1.5, 9.0)))
    scene = make_scene(size, (0.11, 0.21, 0.32))
    scene.color[~is_warp] = (0.27, 0.36, 0.43)
    scene.color *= np.clip(1 + 0.06 * fibres, 0.4, 1.6)[..., None]
    scene.height += np.maximum(warp, weft) + fibres * np.float32(0.15)
    return scene


def tear_hole(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Tear a round hole with loose ends; return where it is: float32 (H, W), 0 or 1."""
    size = scene.height.shape[0], scene.height.shape[1]
    return open_fabric(scene, rng, measure_blot(rng, size, rng.uniform(26, 44), 1.0))


def cut_fabric(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Cut a long slit into the fabric; return where it is: float32 (H, W), 0 or 1."""
    size = scene.height.shape[0], scene.height.shape[1]
    return open_fabric(scene, rng, measure_blot(rng, size, rng.uniform(38, 46), 2.6))


def open_fabric(scene: Scene, rng: np.random.Generator, inside: np.ndarray) -> np.ndarray:
    """Open the fabric where inside (float32 (H, W)) is above 0, frayed; return where: 0 or 1."""
    size = inside.shape[0], inside.shape[1]
    frayed = inside + make_noise(rng, size, (2.0, 7.0)) * np.float32(0.05)
    gone = smoothstep(-0.03, 0.03, frayed)
    scene.height += smoothstep(-0.5, 0.0, inside) * 4  # the edge curls up
    scene.height -= gone * 22
    scene.color *= (1 - gone * np.float32(0.90))[..., None]
    return np.asarray(frayed > 0, np.float32)


def spill_stain(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Soak a blot of oil or coffee into the fabric; return where it is: float32 (H, W), 0 or 1."""
    size = scene.height.shape[0], scene.height.shape[1]
    inside = measure_blot(rng, size, rng.uniform(56, 84), 1.2)
    soaked = smoothstep(-0.06, 0.06, inside)
    rim = soaked * smoothstep(0.25, 0.0, inside)
    coffee, ink = np.array([[0.10, 0.66, 0.92], [0.84, 0.87, 0.86]], np.float32)
    ink_fraction = rng.choice([0.0, 0.2, 1.0])
    absorbed = np.asarray(coffee + ink_fraction * (ink - coffee), np.float32)
    strength = soaked * np.float32(0.85) + rim * np.float32(0.15)
    scene.color *= 1 - strength[..., None] * absorbed
    return np.asarray(inside > 0, np.float32)


def measure_blot(
    rng: np.random.Generator, size: tuple[int, int], radius: float, stretch: float
) -> np.ndarray:
    """Return how far inside of a ragged blot each pixel lies: float32 (H, W), above 0 inside.

    It is stretched up to `stretch` times one way, and squeezed as much the other.
    """
    center = rng.uniform(0.25, 0.75, 2) * np.array(size[::-1])
    u, v = turn_grid(size, (float(center[0]), float(center[1])), rng.uniform(0, np.pi))
    distance = np.hypot(u / stretch, v * stretch) / np.float32(radius)
    ragged = make_layers(rng, size, 40.0, 2) * np.float32(0.10)
    return np.asarray(1 - distance + ragged, np.float32)


def pull_thread(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Pull a thread out into a loop, which leaves a ladder; return where: float32 (H, W), 0..1."""
    size = scene.height.shape[0], scene.height.shape[1]
    x, y = rng.uniform(0.12, 0.3) * size[1], rng.uniform(0.25, 0.75) * size[0]
    length = rng.uniform(0.45, 0.6) * size[1]
    run = np.array([[x, y], [x + length, y + rng.uniform(-4, 4)]])
    ladder = paint_line(size, run, THREAD * 1.1)
    scene.height -= ladder * 5
    scene.color *= (1 - 0.82 * ladder)[..., None]
    high, wide = rng.choice([-1, 1]) * rng.uniform(70, 105), rng.uniform(30, 90)
    corners = run[1] + np.array([[0, 0], [wide, high], [-60 - wide, 1.2 * high], [-55, 0]])
    t = np.linspace(0, 1, 40)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]  # a Bezier curve's
    loop = np.concatenate(weights, axis=1) @ corners  # (40, 2)
    return np.asarray(np.maximum(ladder, lay_thread(scene, loop, 13.0, (0.80, 0.86, 0.90))))


def lay_fibre(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Lay a curled foreign fibre on the fabric; return where it is: float32 (H, W), 0 to 1."""
    size = scene.height.shape[0], scene.height.shape[1]
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0.015, 0.12, 70))
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * rng.uniform(4.0, 5.5)
    points = np.cumsum(steps, axis=0)
    points += rng.uniform(0.4, 0.6, 2) * np.array(size[::-1]) - points.mean(axis=0)
    color = ((0.75, 0.08, 0.06), (0.02, 0.02, 0.02), (0.95, 0.78, 0.22))[int(rng.integers(3))]
    return lay_thread(scene, points, rng.uniform(13, 16), color)


def lay_thread(
    scene: Scene, points: np.ndarray, width: float, color: tuple[float, float, float]
) -> np.ndarray:
    """Lay a round thread along points (float (N, 2), x y) on the fabric; return its cover, 0..1."""
    size = scene.height.shape[0], scene.height.shape[1]
    cover = paint_line(size, points, width)
    round_top = soften(cover, width / 2) * width
    scene.height += cover * (8 + round_top - scene.height)
    scene.color += cover[..., None] * (np.array(color, np.float32) - scene.color)
    return cover


def paint_line(size: tuple[int, int], points: np.ndarray, width: float) -> np.ndarray:
    """Return how much of each pixel a line with round ends covers: float32 (H, W), 0..1."""
    picture = Image.new("L", (size[1] * 2, size[0] * 2))
    pen = ImageDraw.Draw(picture)
    for start, end in pairwise(points):
        count = max(2, int(np.hypot(*(end - start))) + 1)
        for x, y in np.linspace(start, end, count) * 2:
            pen.ellipse((x - width, y - width, x + width, y + width), fill=255)
    return resize(np.asarray(picture, np.float32) / np.float32(255), size, smooth=False)


FAULTS: dict[str, Callable[[Scene, np.random.Generator], np.ndarray]] = {
    "hole": tear_hole,
    "stain": spill_stain,
    "pulled thread": pull_thread,
    "fibre": lay_fibre,
    "cut": cut_fabric,
}
