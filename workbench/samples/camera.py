"""The inspection camera of the sample projects: noise, light, shadow, lens and sensor, in numpy.

A scene is a height map with a colour. It is drawn SUPERSAMPLING times larger than the photo that
`photograph` takes of it, so that edges come out antialiased. Lengths here are pixels of the scene.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

SUPERSAMPLING = 2


@dataclass
class Scene:
    """What lies before the camera; drawn into, item by item.

    height: float32 (H, W), in pixels above the surface. color: float32 (H, W, 3), 0..1, linear
    light. metal: float32 (H, W), 0 is matte, 1 mirrors its surroundings. owner: int16 (H, W), the
    number of the item that shows at a pixel, 0 for the surface.
    """

    height: np.ndarray
    color: np.ndarray
    metal: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Light:
    """Where the lamp is and how strong: azimuth and elevation in radians, ambient 0..1."""

    azimuth: float
    elevation: float
    strength: float = 1.0
    ambient: float = 0.35

    @property
    def direction(self) -> tuple[float, float, float]:
        """The unit vector x, y, z from the scene to the lamp."""
        flat = np.cos(self.elevation)
        return (
            float(flat * np.cos(self.azimuth)),
            float(flat * np.sin(self.azimuth)),
            float(np.sin(self.elevation)),
        )


def make_scene(size: tuple[int, int], color: tuple[float, float, float]) -> Scene:
    """Return an empty, flat surface of (height, width) pixels in one colour."""
    colors = np.broadcast_to(np.array(color, np.float32), (*size, 3)).copy()
    flat = np.zeros(size, np.float32)
    return Scene(flat, colors, flat.copy(), np.zeros(size, np.int16))


def make_grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of every pixel's centre: float32 (1, W) and (H, 1)."""
    height, width = size
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32) + 0.5
    return x[None, :], y[:, None]


def turn_grid(
    size: tuple[int, int], center: tuple[float, float], angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return every pixel's u and v along axes turned by angle (radians) around center (x, y)."""
    x, y = make_grid(size)
    dx, dy = x - np.float32(center[0]), y - np.float32(center[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return dx * cos + dy * sin, dy * cos - dx * sin


def resize(values: np.ndarray, size: tuple[int, int], smooth: bool = True) -> np.ndarray:
    """Return a float32 (h, w) map resized to (height, width); averaged in boxes unless smooth."""
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.BOX
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.array(picture.resize((size[1], size[0]), how))


def make_noise(
    rng: np.random.Generator, size: tuple[int, int], grain: float | tuple[float, float]
) -> np.ndarray:
    """Return smooth noise with bumps of about `grain` (one, or y and x) pixels: float32 (H, W).

    Mean 0, deviation about 1. Value noise: random numbers on a coarse grid, cubic in between.
    """
    grains = grain if isinstance(grain, tuple) else (grain, grain)
    coarse = tuple(max(2, round(n / g) + 1) for n, g in zip(size, grains))
    values = rng.standard_normal(coarse, dtype=np.float32)
    return values if coarse == size else np.asarray(resize(values, size) * np.float32(1.3))


def make_layers(
    rng: np.random.Generator, size: tuple[int, int], grain: float, octaves: int
) -> np.ndarray:
    """Return noise in octaves, each half as coarse and 0.6 as strong: float32 (H, W)."""
    layers = [
        make_noise(rng, size, max(1.0, grain / 2**k)) * np.float32(0.6**k) for k in range(octaves)
    ]
    return np.asarray(np.sum(layers, axis=0, dtype=np.float32))


def soften(values: np.ndarray, radius: float) -> np.ndarray:
    """Return a map blurred by about radius pixels: float32 (H, W)."""
    size = values.shape[0], values.shape[1]
    small = max(2, round(size[0] / radius)), max(2, round(size[1] / radius))
    return resize(resize(values, small, smooth=False), size)


def smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """Return 0 below low, 1 above high and an S between (low may lie above high): float32."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def light_scene(scene: Scene, light: Light, shadow_softness: float = 5.0) -> np.ndarray:
    """Return what the scene sends to the camera, which looks straight down: float32 (H, W, 3)."""
    normals = make_normals(scene.height)
    lx, ly, lz = light.direction
    facing = np.clip(normals[0] * lx + normals[1] * ly + normals[2] * lz, 0, None)
    shadow = soften(cast_shadow(scene.height, light), shadow_softness)
    lit = light.strength * np.clip(1 - shadow, 0, 1)
    hollow = np.clip(soften(scene.height, 8.0) - scene.height, 0, None)  # hardly any sky down there
    ambient = light.ambient / (1 + 0.06 * hollow)
    matte = ambient + (1 - light.ambient) * facing * lit
    shiny = mirror_surroundings(normals, light) * (0.45 + 0.55 * lit)
    brightness = matte + scene.metal * (shiny - matte)
    return np.asarray(scene.color * brightness[..., None], np.float32)


def make_normals(height: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y, z of the unit normal of a height map: three float32 (H, W)."""
    dy, dx = np.gradient(height)
    z = 1 / np.sqrt(dx * dx + dy * dy + 1)
    return -dx * z, -dy * z, z


def cast_shadow(height: np.ndarray, light: Light) -> np.ndarray:
    """Return where something higher stands between a pixel and the lamp: float32 (H, W), 0..1."""
    lx, ly, lz = light.direction
    reach = float(height.max() - height.min()) / max(lz, 0.2)
    shadow = np.zeros_like(height)
    steps = 10
    for step in range(1, steps + 1):
        along = reach * step / steps
        shift = (round(-ly * along), round(-lx * along))
        above = np.roll(height, shift, (0, 1)) - height - np.float32(lz * along)
        np.maximum(shadow, np.clip(above, 0, 1), out=shadow)
    return shadow


def mirror_surroundings(
    normals: tuple[np.ndarray, np.ndarray, np.ndarray], light: Light
) -> np.ndarray:
    """Return how bright the lamp, ceiling and walls are that metal mirrors: float32 (H, W)."""
    nx, ny, nz = normals
    x, y = make_grid((nx.shape[0], nx.shape[1]))
    view_x, view_y = 0.9 * (x / nx.shape[1] - 0.5), 0.9 * (y / nx.shape[0] - 0.5)
    rx, ry, rz = 2 * nz * nx + view_x, 2 * nz * ny + view_y, 2 * nz * nz - 1
    lx, ly, lz = light.direction
    lamp = smoothstep(0.5, 1.1, rx * lx + ry * ly + rz * lz)
    window = smoothstep(0.55, 0.9, rz * 0.45 - rx * lx * 0.75 - ry * ly * 0.75)
    ceiling = np.clip(0.5 + 0.5 * rz, 0, 1) ** 2
    mirrored = 0.10 + 0.42 * ceiling + (1.05 * lamp + 0.35 * window) * light.strength
    return np.asarray(mirrored, np.float32)


def photograph(
    radiance: np.ndarray,
    rng: np.random.Generator,
    blur: float = 0.0,
    noise: float = 0.012,
    unsteady: float = 1.0,
) -> np.ndarray:
    """Return the photo of what a scene sends out: uint8 (H / 2, W / 2, 3).

    blur: the lens's, in pixels of the photo. noise: the sensor's, as a fraction of white.
    unsteady: how much lens and lamp change from photo to photo, 0..1.
    """
    height, width = (side // SUPERSAMPLING for side in radiance.shape[:2])
    photo = radiance.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean((1, 3))
    photo = photo * make_vignette((height, width), rng, unsteady)[..., None]  # (H, W, 3)
    photo = np.clip(photo, 0, None) ** np.float32(1 / 2.2)
    photo = photo - np.clip(photo - 0.8, 0, None) * 0.45  # highlights roll off, they do not clip
    picture = Image.fromarray((np.clip(photo, 0, 1) * 255 + 0.5).astype(np.uint8))
    if blur > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    grain = rng.standard_normal((height, width, 3), dtype=np.float32)
    grain = grain * 0.5 + grain.mean(axis=2, keepdims=True)
    values = np.asarray(picture, np.float32) + grain * np.float32(noise * 255)
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def make_vignette(size: tuple[int, int], rng: np.random.Generator, unsteady: float) -> np.ndarray:
    """Return how much light reaches each pixel: less in the corners: float32 (H, W)."""
    x, y = make_grid(size)
    dx, dy = x / size[1] - 0.5, y / size[0] - 0.5
    fall = 0.37 + 0.12 * unsteady * rng.uniform(-1, 1)
    slope = (0.12 * unsteady * rng.uniform(-1, 1, 2)).astype(np.float32)
    return np.asarray(1 - fall * (dx * dx + dy * dy) + slope[0] * dx + slope[1] * dy, np.float32)
