"""The rule of brush and polygon: by hand, by properties, and the same in the browser."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench
from workbench.tasks.painting import (
    decode_points,
    encode_points,
    fill_region,
    paint_polygon,
    paint_stroke,
    quantize,
)

SIZE = (24, 40)  # height, width
RASTER = Path(workbench.__file__).parent / "widgets" / "surface" / "raster.js"


def stroke(points: list[tuple[float, float]], size: int, shape: str = "round") -> np.ndarray:
    """Return what a stroke paints on an empty mask: bool (H, W)."""
    mask = np.zeros(SIZE, np.uint8)
    paint_stroke(mask, quantize(points), size, shape, 1, False)
    return mask > 0


@pytest.mark.parametrize("shape", ["round", "square"])
@pytest.mark.parametrize("at", [(3.0, 5.0), (3.5, 5.5), (3.96, 5.96), (3.01, 5.99)])
def test_one_pixel_brush_paints_the_pixel_under_the_pointer(
    at: tuple[float, float], shape: str
) -> None:
    assert np.argwhere(stroke([at], 1, shape)).tolist() == [[5, 3]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_a_click_with_a_square_brush_paints_its_size(size: int) -> None:
    painted = stroke([(12.3, 11.8)], size, "square")
    assert painted.sum() == size * size
    rows, columns = np.nonzero(painted)
    assert np.ptp(rows) == np.ptp(columns) == size - 1


def test_round_footprint_by_hand() -> None:
    painted = stroke([(10.5, 10.5)], 3)  # centres within 1.5: the 3 x 3 around it
    assert painted.sum() == 9 and painted[9:12, 9:12].all()
    assert stroke([(10.0, 10.0)], 2).sum() == 4  # all four centres are 0.71 away


def test_the_border_cuts_a_stroke_and_outside_paints_nothing() -> None:
    assert stroke([(0, 0)], 4, "square").sum() == 4
    assert stroke([(39.9, 23.9)], 1).sum() == 1
    assert not stroke([(-50, -50), (-20, 90)], 9).any()
    assert stroke([(-50, 12), (90, 12)], 2).sum() == 2 * SIZE[1]


@pytest.mark.parametrize("end", [(39, 2), (39, 23), (5, 23), (0.2, 0.3)])
def test_a_fast_thin_stroke_has_no_gap(end: tuple[float, float]) -> None:
    painted = stroke([(1.2, 1.7), end], 1)
    rows, columns = np.nonzero(painted)
    long = columns if np.ptp(columns) >= np.ptp(rows) else rows
    assert set(range(long.min(), long.max() + 1)) == set(long.tolist())


COORDINATES = st.floats(-12, 52, allow_nan=False)
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=8)
SHAPES = st.sampled_from(["round", "square"])


@settings(deadline=None, max_examples=60)
@given(POINTS, st.integers(1, 15), SHAPES, st.booleans())
def test_a_stroke_is_its_segments_one_after_the_other(
    points: list[tuple[float, float]], size: int, shape: str, protect: bool
) -> None:
    start = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % 3
    whole, parts = start.copy(), start.copy()
    found = quantize(points)
    rect = paint_stroke(whole, found, size, shape, 1, protect)
    for number in range(max(len(found) - 1, 1)):
        paint_stroke(parts, found[number : number + 2], size, shape, 1, protect)
    assert np.array_equal(whole, parts)
    changed = whole != start
    if rect is not None:
        x, y, width, height = rect
        changed[y : y + height, x : x + width] = False
    assert not changed.any()
    if protect:
        assert np.array_equal(whole == 2, start == 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(-(2**30), 2**30), st.integers(-(2**30), 2**30)), min_size=1))
def test_points_travel_and_long_steps_stay_on_their_line(points: list[tuple[int, int]]) -> None:
    near = np.asarray(points) % 30_000
    assert np.array_equal(decode_points(encode_points(near)), near)


def test_a_long_step_is_split_and_300_points_are_small() -> None:
    far = np.array([[0, 0], [100_000, -70_000]])
    travelled = decode_points(encode_points(far))
    assert travelled[0].tolist() == [0, 0] and travelled[-1].tolist() == [100_000, -70_000]
    assert len(travelled) == 5
    assert len(encode_points(np.zeros((300, 2), int))) == 8 + 4 * 299
    for damaged in (b"", b"1234567", b"1234567890"):
        with pytest.raises(ValueError, match="no points"):
            decode_points(damaged)


def test_polygon_by_hand() -> None:
    mask = np.zeros(SIZE, np.uint8)
    rect = paint_polygon(mask, quantize([(2, 3), (6, 3), (6, 5), (2, 5)]), 3, False)
    assert mask.sum() == 3 * 8 and (mask[3:5, 2:6] == 3).all() and rect is not None
    star = np.zeros(SIZE, np.uint8)  # crossed twice: even-odd leaves the middle free
    paint_polygon(star, quantize([(4, 4), (30, 4), (30, 20), (4, 20)] * 2), 1, False)
    assert not star.any()


def test_fill_takes_the_region_and_respects_protection() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 20] = 2
    assert fill_region(mask, 3, 3, 1, False) == (0, 0, 20, 24)
    assert (mask[:, :20] == 1).all() and not mask[:, 21:].any()
    assert fill_region(mask, 3, 3, 1, False) is None
    assert fill_region(mask, 20, 3, 1, True) is None and (mask[:, 20] == 2).all()


CASES = 600
RUN_CASES = """
import { encodePoints, paintPolygon, paintStroke } from "%s";
import { readFileSync } from "node:fs";
const [width, height] = [%d, %d];
const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ points, size, shape, index, protect, polygon }) => {
  const mask = Uint8Array.from({ length: width * height }, (_, i) => ((i * 7) %% 11) %% 3);
  const found = Int32Array.from(points);
  const rect = polygon
    ? paintPolygon(mask, width, height, found, index, protect)
    : paintStroke(mask, width, height, found, size, shape, index, protect);
  const sent = Buffer.from(encodePoints(found)).toString("hex");
  const sides = rect && [rect.x, rect.y, rect.width, rect.height];
  return [Buffer.from(mask).toString("hex"), sides, sent];
})));
"""


def make_case(generator: np.random.Generator) -> dict[str, object]:
    """Return a random stroke or polygon."""
    reach = int(generator.choice([40 * 16, 4000 * 16]))
    points = generator.integers(-reach // 4, reach, 2 * int(generator.integers(3, 9)))
    return {
        "points": points.tolist(),
        "size": int(generator.choice([1, 2, 3, 4, 5, 12, 33])),
        "shape": str(generator.choice(["round", "square"])),
        "index": int(generator.integers(0, 3)),
        "protect": bool(generator.integers(2)),
        "polygon": bool(generator.integers(4) == 0),
    }


def test_the_browser_paints_the_same_pixels(tmp_path: Path) -> None:
    node = shutil.which("node") or find_bundled_node()
    if node is None:
        reason = "No Node.js to run raster.js with."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    generator = np.random.default_rng(0)
    cases = [make_case(generator) for _ in range(CASES)]
    (tmp_path / "raster.mjs").write_text(RASTER.read_text("utf-8"), "utf-8")
    (tmp_path / "run.mjs").write_text(RUN_CASES % ("./raster.mjs", SIZE[1], SIZE[0]), "utf-8")
    done = subprocess.run(
        [node, "run.mjs"], cwd=tmp_path, input=json.dumps(cases), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for case, (painted, rect, sent) in zip(cases, json.loads(done.stdout)):
        mask = (np.arange(SIZE[0] * SIZE[1]) * 7 % 11 % 3).astype(np.uint8).reshape(SIZE)
        points = np.asarray(case["points"]).reshape(-1, 2)
        index, protect = case["index"], case["protect"]
        if case["polygon"]:
            found = paint_polygon(mask, points, index, protect)
        else:
            found = paint_stroke(mask, points, case["size"], case["shape"], index, protect)
        assert mask.tobytes().hex() == painted, case
        assert (None if found is None else list(found)) == rect, case
        assert encode_points(points).hex() == sent, case


def find_bundled_node() -> str | None:
    """Return the Node.js that Playwright brings, or None."""
    from playwright._impl._driver import compute_driver_executable

    node, _ = compute_driver_executable()
    return node if Path(node).exists() else None
