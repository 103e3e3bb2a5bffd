"""Paint photos of kinds that no set here holds, train on them, and print figures on test.

    python benchmarks/painted.py [--only steel cracks] [--preset fast] [--time-limit SECONDS]
                                 [--seed 0] [--draw 0]

Steel: 240 photos of hot-rolled strip to learn from and 120 for testing, 200 x 200 pixels, six kinds
of defects, one kind a photo, in boxes. Cracks: 250 and 80 photos of rough ground, 384 x 544 pixels,
with branching cracks 1 to 7 pixels wide among joints, stains and pits; six masks of ten are a
pixel wider on each side. Another draw paints other photos. They have nothing in common with
tools/pretrain, which paints what the weights learn from.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from real_sets import FIGURES, MemoryWatch, split_off_dev
from scipy import ndimage

import workbench as wb

STEEL = (200, 200)  # pixels down and across
GROUND = (384, 544)
STEEL_COUNTS = (240, 120)  # photos to learn from, and for testing
GROUND_COUNTS = (250, 80)
WHERE = 0.35  # of a thing's cover, from which a pixel belongs to it
JITTER = 0.04  # spread of a box's sides, in widths of it: people draw loosely
OVERLAP = 0.3  # of the smaller of two boxes, up to which they are two things
CRACKED = 0.75  # share of the photos of ground

Draw = np.random.Generator
Painted = tuple[np.ndarray, Any]  # uint8 (H, W), and its label


def make_noise(
    draw: Draw, shape: tuple[int, int], sigma: float | tuple[float, float]
) -> np.ndarray:
    """Return noise (H, W) of mean 0 and spread 1, smoothed by sigma pixels, or down and across."""
    smooth = ndimage.gaussian_filter(draw.standard_normal(shape), sigma, mode="reflect")
    return (smooth - smooth.mean()) / (smooth.std() + 1e-9)


def make_blob(
    draw: Draw, spans: tuple[float, float, float, float], rough: float, grain: float
) -> np.ndarray:
    """Return how much an uneven ellipse covers each pixel of STEEL, 0..1.

    spans: least and most width, least and most height, in pixels. rough: how uneven its rim is.
    grain: of how many pixels the unevenness is.
    """
    width, height = draw.uniform(*spans[:2]), draw.uniform(*spans[2:])
    middle = [draw.uniform(side / 3, STEEL[0] - side / 3) for side in (width, height)]
    rows, columns = np.mgrid[: STEEL[0], : STEEL[1]]
    away = np.hypot((columns - middle[0]) / (width / 2), (rows - middle[1]) / (height / 2))
    uneven = rough / 2 * make_noise(draw, STEEL, grain)
    return 1 / (1 + np.exp(np.clip(12 * (away - 1 + uneven), -50, 50)))


def walk(
    draw: Draw, start: tuple[float, float], angle: float, length: float, wander: float
) -> np.ndarray:
    """Return the points (P, 2), column and row, of a walk whose angle wanders each pixel."""
    angles = angle + np.cumsum(draw.normal(0, wander, max(1, int(length))))
    return np.array(start) + np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), 0)


def cover_line(points: np.ndarray, width: float, shape: tuple[int, int]) -> np.ndarray:
    """Return how much a line through points (P, 2) covers each pixel (H, W), 0..1."""
    columns, rows = np.floor(points).astype(int).T
    is_inside = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
    if not is_inside.any():
        return np.zeros(shape)
    off = np.ones(shape, bool)
    off[rows[is_inside], columns[is_inside]] = False
    return np.clip(width / 2 + 0.5 - ndimage.distance_transform_edt(off), 0, 1)


def paint_strip(draw: Draw) -> np.ndarray:
    """Return the strip without a defect: uneven light, grain along the rolling, fine grain."""
    rows, columns = np.mgrid[: STEEL[0], : STEEL[1]] / STEEL[0] - 0.5
    angle = draw.uniform(0, 2 * np.pi)
    rolling = draw.uniform(2, 14), draw.uniform(0.6, 1.2)
    return (
        draw.uniform(70, 190)
        + draw.uniform(3, 14) * make_noise(draw, STEEL, draw.uniform(20, 60))
        + draw.uniform(2, 8) * make_noise(draw, STEEL, rolling)
        + draw.uniform(2, 9) * make_noise(draw, STEEL, draw.uniform(0.5, 1.5))
        + draw.uniform(0, 40) * (np.cos(angle) * columns + np.sin(angle) * rows)
    )


def paint_crazing(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint nets of fine cracks into the image; return where: covers (H, W), as all kinds do."""
    areas = []
    for _ in range(draw.choice([1, 1, 2])):
        area = make_blob(draw, (80, 190, 50, 190), 0.5, 14)
        net = np.zeros(STEEL)
        inside = np.argwhere(area > 0.5)
        for row, column in draw.permutation(inside)[: len(inside) // 160]:
            points = walk(
                draw, (column, row), draw.normal(np.pi / 2, 0.8), draw.uniform(6, 26), 0.35
            )
            net = np.maximum(net, draw.uniform(0.4, 1) * cover_line(points, 1.2, STEEL))
        image -= draw.uniform(18, 50) * net * (area > 0.4)
        areas.append(area)
    return areas


def paint_inclusions(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint dark slivers along the rolling."""
    areas = []
    for _ in range(draw.integers(1, 5)):
        area = make_blob(draw, (6, 26, 30, 150), 0.9, draw.uniform(3, 8))
        image -= draw.uniform(25, 70) * area * (1 + 0.3 * make_noise(draw, STEEL, 2))
        areas.append(area)
    return areas


def paint_patches(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint areas that are brighter, or darker, with a bright rim."""
    areas, sign = [], draw.choice([-1, 1], p=[0.8, 0.2])
    for _ in range(draw.integers(1, 5)):
        area = make_blob(draw, (30, 110, 30, 150), 0.8, draw.uniform(5, 14))
        rim = ndimage.gaussian_gradient_magnitude(area, 1.5)
        image += sign * draw.uniform(20, 60) * area * (1 + 0.2 * make_noise(draw, STEEL, 3))
        image += draw.uniform(0, 40) * rim / (rim.max() + 1e-9)
        areas.append(area)
    return areas


def paint_pits(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint areas full of small dark pits."""
    areas = []
    for _ in range(draw.choice([1, 1, 1, 2])):
        area = make_blob(draw, (60, 170, 90, 220), 0.6, 16)
        pits = draw.uniform(0.3, 1, STEEL) * (draw.random(STEEL) < draw.uniform(0.008, 0.03))
        pits = ndimage.gaussian_filter(pits * (area > 0.5), draw.uniform(0.9, 2.2))
        image -= draw.uniform(25, 70) * np.clip(pits / (np.quantile(pits, 0.995) + 1e-9), 0, 1.2)
        areas.append(area)
    return areas


def paint_scale(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint areas of flakes that were rolled in."""
    areas = []
    for _ in range(draw.integers(1, 4)):
        area = make_blob(draw, (50, 150, 40, 150), 0.7, 12)
        flakes = make_noise(draw, STEEL, (draw.uniform(4, 9), draw.uniform(2, 4)))
        flakes = np.clip(flakes - draw.uniform(0.2, 0.8), 0, 1.5) * (area > 0.45)
        image += draw.choice([-1, 1], p=[0.75, 0.25]) * draw.uniform(18, 45) * flakes
        areas.append(area)
    return areas


def paint_scratches(draw: Draw, image: np.ndarray) -> list[np.ndarray]:
    """Paint bright lines, most of them along the rolling and all of one direction."""
    areas = []
    tilt = draw.choice([np.pi / 2, 0, draw.uniform(0, np.pi)], p=[0.6, 0.2, 0.2])
    for _ in range(draw.integers(1, 4)):
        angle, length = tilt + draw.normal(0, 0.06), draw.uniform(50, 220)
        middle = draw.uniform(15, STEEL[1] - 15, 2)
        start = middle - length / 2 * np.array([np.cos(angle), np.sin(angle)])
        points = walk(draw, (start[0], start[1]), angle, length, 0.01)
        area = cover_line(points, draw.uniform(2, 11), STEEL)
        bright = ndimage.gaussian_filter(area, 0.7) * (1 + 0.25 * make_noise(draw, STEEL, 3))
        image += draw.uniform(35, 100) * bright
        areas.append(area)
    return areas


KINDS: dict[str, Callable[[Draw, np.ndarray], list[np.ndarray]]] = {
    "crazing": paint_crazing,
    "inclusion": paint_inclusions,
    "patches": paint_patches,
    "pitted": paint_pits,
    "rolled": paint_scale,
    "scratches": paint_scratches,
}


def find_box(draw: Draw, area: np.ndarray, kind: str) -> wb.Box | None:
    """Return the box that a person draws around an area (H, W), or None where it is too small."""
    rows, columns = np.nonzero(area > WHERE)
    if len(rows) < 12:
        return None
    (left, right), (top, bottom) = (np.quantile(x, [0.004, 0.996]) for x in (columns, rows))
    sides = np.array([left - 2, top - 2, right + 3, bottom + 3])
    spans = np.tile(sides[2:] - sides[:2], 2)
    x0, y0, x1, y1 = np.clip(sides + JITTER * spans * draw.standard_normal(4), 0, STEEL[0])
    return wb.Box(kind, x0, y0, x1, y1) if min(x1 - x0, y1 - y0) > 4 else None


def are_apart(boxes: list[wb.Box]) -> bool:
    """Tell whether no two boxes overlap by more than OVERLAP."""
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            areas = [(box.x1 - box.x0) * (box.y1 - box.y0) for box in (one, other)]
            if min(width, height) > 0 and width * height > OVERLAP * min(areas):
                return False
    return True


def paint_steel(draw: Draw, kind: str) -> Painted:
    """Return a photo of a strip with defects of one kind, and its boxes."""
    while True:
        image = paint_strip(draw)
        areas = KINDS[kind](draw, image)
        boxes = [box for area in areas if (box := find_box(draw, area, kind)) is not None]
        if len(boxes) == len(areas) and are_apart(boxes):
            return photograph(draw, image), wb.BoxLabel(boxes)


def paint_ground(draw: Draw) -> Painted:
    """Return a photo of rough ground, and the mask of its cracks; some photos have none."""
    image = (
        draw.uniform(90, 190)
        + draw.uniform(4, 16) * make_noise(draw, GROUND, draw.uniform(30, 90))
        + draw.uniform(4, 14) * make_noise(draw, GROUND, draw.uniform(0.7, 2.5))
    )
    pits = draw.random(GROUND) < draw.uniform(0, 0.004)
    image -= draw.uniform(20, 120) * ndimage.gaussian_filter(pits.astype(float), 1.3) * 8
    image -= draw.uniform(0, 30) * (make_noise(draw, GROUND, 25) > 1.4)  # stains
    if draw.random() < 0.4:  # a joint: straight, wider than cracks, and sound
        start = draw.uniform(0, GROUND[1]), 0.0
        points = walk(draw, start, np.pi / 2 + draw.normal(0, 0.2), 600, 0)
        image -= draw.uniform(20, 60) * cover_line(points, draw.uniform(6, 14), GROUND)
    crack = np.zeros(GROUND)
    if draw.random() < CRACKED:
        for points, width in grow_cracks(draw):
            crack = np.maximum(crack, cover_line(points, width, GROUND))
    image -= draw.uniform(25, 80) * crack * (1 + 0.3 * make_noise(draw, GROUND, 2))
    mask = crack > 0.5
    if draw.random() < 0.6:
        mask = ndimage.binary_dilation(mask, iterations=1)
    return photograph(draw, image), wb.MaskLabel(mask.astype(np.uint8))


def grow_cracks(draw: Draw) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the points (P, 2) and the width of a crack, and then of its branches."""
    start = draw.uniform(0, GROUND[1]), draw.uniform(0, GROUND[0])
    angle, width = draw.uniform(0, 2 * np.pi), draw.uniform(1, 7)
    trunk = walk(draw, start, angle, draw.uniform(150, 500), 0.12)
    yield trunk, width
    for _ in range(draw.integers(0, 5)):
        column, row = trunk[draw.integers(len(trunk))]
        turn = draw.choice([-1, 1]) * draw.uniform(0.4, 1.3)
        points = walk(draw, (column, row), angle + turn, draw.uniform(30, 200), 0.15)
        yield points, max(1.0, width * draw.uniform(0.3, 0.8))


def photograph(draw: Draw, image: np.ndarray) -> np.ndarray:
    """Return an image (H, W) a little out of focus and with a camera's noise: uint8 (H, W)."""
    blurred = ndimage.gaussian_filter(image, draw.uniform(0.3, 0.9))
    noisy = blurred + draw.normal(0, draw.uniform(1, 5), image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def build(name: str, folder: Path, seed: int) -> wb.Project:
    """Return a new project of painted photos, labeled and split: "steel" or "cracks"."""
    is_steel = name == "steel"
    learned, tested = STEEL_COUNTS if is_steel else GROUND_COUNTS
    task, classes = ("detection", list(KINDS)) if is_steel else ("segmentation", ["crack"])
    project = wb.Project.create(folder, task, classes)
    draw = np.random.default_rng(seed)
    for number, kind in zip(range(learned + tested), cycle(KINDS)):
        image, label = paint_steel(draw, kind) if is_steel else paint_ground(draw)
        file = io.BytesIO()
        Image.fromarray(image).save(file, "png")
        photo = f"{number:04}.png"
        split = None if number < learned else "test"
        project.add_images({photo: file.getvalue()}, split=split, progress=False)
        project.images[photo].label = label
    split_off_dev(project)
    return project


def measure(name: str, asked: argparse.Namespace) -> str:
    """Return the row of one set."""
    with tempfile.TemporaryDirectory() as home:
        project = build(name, Path(home) / name, asked.draw)
        began = time.monotonic()
        with MemoryWatch() as watch:
            run = project.train(
                preset=asked.preset,
                seed=asked.seed,
                time_limit=asked.time_limit,
                progress=False,
            )
        seconds = time.monotonic() - began
        report = run.report(split="test")
        figures = ", ".join(f"{figure} {report[figure]:.3f}" for figure in FIGURES[project.task])
        project.close()
    return f"| {name} | {project.task} | {seconds:.0f} | {figures} | {watch.peak:.0f} |"


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=("steel", "cracks"), default=["steel", "cracks"]
    )
    parser.add_argument("--preset", choices=("fast", "accurate"), default="fast")
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draw", type=int, default=0)
    asked = parser.parse_args()
    print("| set | task | training s | figures on test | worker MB |\n|" + " --- |" * 5, flush=True)
    for name in asked.only:
        print(measure(name, asked), flush=True)


if __name__ == "__main__":
    main()
