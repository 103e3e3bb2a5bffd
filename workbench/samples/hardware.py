"""Bolts, screws, nuts and washers as height maps.

Each shape function takes u and v, the distance of every pixel from the part's middle along its own
axes (float32, broadcastable to (H, W), in pixels), and returns float32 (H, W): the height above the
surface, 0 where the part is not.
"""

from dataclasses import dataclass

import numpy as np

from .camera import Scene, make_noise, smoothstep, turn_grid


@dataclass(frozen=True)
class Finish:
    """What a part is made of: its colour in linear light, 0..1, and how much it mirrors, 0..1."""

    color: tuple[float, float, float]
    metal: float = 1.0


FINISHES = {
    "steel": Finish((0.58, 0.59, 0.61)),
    "zinc": Finish((0.60, 0.66, 0.74)),
    "brass": Finish((0.80, 0.52, 0.16)),
    "copper": Finish((0.74, 0.38, 0.24)),
    "black": Finish((0.075, 0.075, 0.085), 0.85),
}


def place_part(
    scene: Scene, part: np.ndarray, finish: Finish, item: int, rng: np.random.Generator
) -> None:
    """Put a part (float32 (H, W), height) into the scene, over what is lower there."""
    shape = part.shape[0], part.shape[1]
    shows = (part > 0) & (part > scene.height)
    scratches = make_noise(rng, shape, 2.0) * np.float32(0.05)
    tarnish = 1 + make_noise(rng, shape, 30.0) * np.float32(0.05)
    color = np.array(finish.color, np.float32) * tarnish[..., None]
    scene.height[shows] = (part + scratches)[shows]
    scene.color[shows] = color[shows]
    scene.metal[shows] = finish.metal
    scene.owner[shows] = item


def shape_revolved(v: np.ndarray, radius: np.ndarray, axis: float) -> np.ndarray:
    """Return a turned part that lies on its side.

    radius: float32, broadcastable to v, at each pixel's place along the axis; axis: its height.
    """
    square = radius * radius - v * v
    return np.where((radius > 0) & (square > 0), axis + np.sqrt(np.clip(square, 0, None)), 0)


def thread_radius(
    u: np.ndarray, v: np.ndarray, radius: float, pitch: float, start: float
) -> np.ndarray:
    """Return the radius of a rod with a thread from u = start on: float32 (H, W)."""
    turns = u / pitch + v / (4 * radius)  # the winding leans by half a pitch from side to side
    wave = np.abs(2 * (turns - np.floor(turns)) - 1)
    depth = 0.62 * pitch * smoothstep(start - 0.2 * pitch, start + 0.4 * pitch, u)
    return np.asarray(radius - depth * wave, np.float32)


def shape_bolt(
    u: np.ndarray, v: np.ndarray, length: float, width: float, roll: float
) -> np.ndarray:
    """Return a hexagon bolt on its side, head at negative u; width is its rod's."""
    radius, head = width / 2, 0.68 * width
    neck, end = -length / 2 + head, length / 2
    rod = thread_radius(u, v, radius, 0.30 * width, neck + 0.25 * (end - neck))
    rod = np.minimum(rod, 0.62 * radius + (end - u) * 0.9)  # the chamfer at the tip
    rod = np.where((u > neck) & (u < end), rod, 0)
    axis = 0.9 * width
    top = shape_bolt_head(u + length / 2, v, head, width, roll)
    return np.asarray(np.maximum(shape_revolved(v, rod, axis * 0.7), top))


def shape_bolt_head(
    u: np.ndarray, v: np.ndarray, head: float, width: float, roll: float
) -> np.ndarray:
    """Return a hexagon from its side, between u = 0 and u = head, its outer end turned round."""
    apothem = 0.82 * width
    top = np.full_like(v, np.inf)
    bottom = np.full_like(v, -np.inf)
    for angle in roll + np.arange(6) * np.pi / 3:
        across, up = float(np.cos(angle)), float(np.sin(angle))
        if abs(up) < 1e-3:
            continue
        plane = (apothem - v * across) / up
        if up > 0:
            top = np.minimum(top, plane)
        else:
            bottom = np.maximum(bottom, plane)
    turned = 0.80 * width + u * 0.85
    square = turned * turned - v * v
    cone = np.sqrt(np.clip(square, 0, None))
    inside = (u > 0) & (u < head) & (top > bottom) & (square > 0)
    return np.where(inside, 0.9 * width + np.minimum(top, cone), 0)


def shape_screw(u: np.ndarray, v: np.ndarray, length: float, width: float) -> np.ndarray:
    """Return a pan-head screw with a pointed tip on its side, head at negative u."""
    radius, head, cap = width / 2, 0.62 * width, 1.05 * width
    seat, end = -length / 2 + head, length / 2
    rod = thread_radius(u, v, radius, 0.36 * width, seat)
    rod = np.minimum(rod, 0.08 * width + (end - u) * 0.55)
    dome = cap * np.sqrt(np.clip(1 - ((u - seat) / head) ** 2, 0, 1))
    profile = np.where(u < seat, dome, np.where(u < end, rod, 0))
    profile = np.where((u < seat - head) | (u > end), 0, profile)
    return shape_revolved(v, profile, 0.55 * width)


def shape_washer(
    u: np.ndarray, v: np.ndarray, outer: float, inner: float, thickness: float
) -> np.ndarray:
    """Return a flat ring with rounded edges; outer and inner are radii."""
    r = np.hypot(u, v)
    edge = np.minimum(outer - r, r - inner)
    rounded = np.clip(edge / max(2.5, 0.12 * (outer - inner)), 0, 1)
    turning = 0.07 * np.sin(r * 1.4)  # the marks of the lathe
    height = thickness * np.sqrt(1 - (1 - rounded) ** 2) + turning
    return np.where(edge > 0, np.maximum(height, 0.3), 0)


def shape_nut(u: np.ndarray, v: np.ndarray, apothem: float) -> np.ndarray:
    """Return a hexagon nut from above, with its threaded hole; apothem is half the key's width."""
    angles = np.arange(3) * np.pi / 3
    flats = np.max([np.abs(u * np.cos(a) + v * np.sin(a)) for a in angles], axis=0)
    r = np.hypot(u, v)
    hole, thick = 0.56 * apothem, 0.75 * apothem
    height = np.minimum(thick, thick + (0.98 * apothem - r) * 0.55)  # turned corners
    height = np.minimum(height, thick + (r - 1.22 * hole) * 1.1)  # countersunk hole
    side = np.clip((apothem - flats) / 1.5, 0, 1)
    winding = 0.5 * np.sin(r * 2.2) * (r < 1.2 * hole)
    return np.where((flats < apothem) & (r > hole), np.maximum(height * side + winding, 0.4), 0)


def turn_part_grid(
    rng: np.random.Generator, size: tuple[int, int], center: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return u and v of a part that lies at center (x, y), turned at random."""
    return turn_grid(size, center, rng.uniform(0, 2 * np.pi))
