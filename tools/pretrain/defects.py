"""Defects that are pasted into images, each with the mask of where it is.

Seventeen kinds, as inspection meets them. A defect is drawn around a random place, two kinds of
them around one on the rim, in coordinates of its own, turned at random; how far it stands out is
random too, down to what is hardly seen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from textures import coordinates, send, smooth_noise, soften, turn
from torch.nn import functional


@dataclass(frozen=True)
class Scene:
    """Images of sound parts: what is seen, where a part ends, and what lies behind it.

    images: float (N, 3, S, S), 0..1. beyond: float (N, S, S), how far beyond the outline a pixel
    is, below 0 inside, where the image is 2 wide. ground: float (N, 3, 1, 1), the background.
    """

    images: torch.Tensor
    beyond: torch.Tensor
    ground: torch.Tensor


@dataclass(frozen=True)
class Canvas:
    """Images to be damaged, and the coordinates of each defect.

    images, beyond, ground: as in Scene. others: as many images of other materials. along, across:
    float (N, S, S), the distance from the defect's middle along its length and across, where the
    image is 2 wide. strength: float (N, 1, 1, 1), how far it stands out, 0..1.
    """

    images: torch.Tensor
    others: torch.Tensor
    beyond: torch.Tensor
    ground: torch.Tensor
    along: torch.Tensor
    across: torch.Tensor
    strength: torch.Tensor

    def uniform(self, low: float, high: float) -> torch.Tensor:
        """Return a number for each image between low and high: float (N, 1, 1)."""
        return low + (high - low) * torch.rand(len(self.images), 1, 1, device=self.images.device)

    def waves(self, count: int, frequency: float) -> torch.Tensor:
        """Return a random smooth curve of the length: float (N, S, S), of about unit height."""
        parts = [
            torch.randn_like(self.uniform(0, 1))
            / (k + 1)
            * torch.sin(self.along * frequency * (k + 1) + self.uniform(0, 2 * math.pi))
            for k in range(count)
        ]
        return torch.stack(parts).sum(0)

    def rough(self, cutoff: float = 8) -> torch.Tensor:
        """Return smooth noise: float (N, S, S)."""
        side = self.images.shape[2]
        return smooth_noise(len(self.images), side, self.images.device, cutoff)

    def tone(self) -> torch.Tensor:
        """Return a color for each image, dark, bright or of its own: float (N, 3, 1, 1)."""
        gray = torch.rand(len(self.images), 1, 1, 1, device=self.images.device)
        gray = torch.where(gray < 0.6, gray * 0.3, 1 - 0.6 * (1 - gray))
        color = torch.rand(len(self.images), 3, 1, 1, device=self.images.device)
        return torch.where(self.uniform(0, 1)[:, None] < 0.6, gray, color)


SEEN = 0.012  # mean change of brightness, 0..1, around a pixel: less is no defect, but sound

Painted = tuple[torch.Tensor, torch.Tensor]  # what stands in its place (N, 3, S, S), how much of it


def edge(distance: torch.Tensor) -> torch.Tensor:
    """Return 1 where a signed distance (N, S, S) is below 0, falling to 0 within about a pixel."""
    return torch.sigmoid(-distance * distance.shape[-1])


def line_of(canvas: Canvas, offset: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Return the area (N, S, S) of a line of random length that tapers off at its ends."""
    length = canvas.uniform(0.15, 0.9)
    taper = (1 - (canvas.along / length) ** 2).clamp_min(0).sqrt()
    thick = width * (0.4 + 0.6 * taper)
    return edge(torch.maximum((canvas.across - offset).abs() - thick, canvas.along.abs() - length))


def blob_of(canvas: Canvas, low: float, high: float, roughness: float) -> torch.Tensor:
    """Return the area (N, S, S) of an ellipse with a rough rim, its radius between low and high."""
    stretch = torch.exp(canvas.uniform(-0.7, 0.7))
    radius = ((canvas.along / stretch) ** 2 + (canvas.across * stretch) ** 2).sqrt()
    return edge(radius * (1 + roughness * canvas.rough()) - canvas.uniform(low, high))


def crack(canvas: Canvas) -> Painted:
    """A thin dark line that wanders."""
    offset = 0.12 * canvas.waves(5, 4.0) + 0.01 * canvas.rough(24)
    area = line_of(canvas, offset, canvas.uniform(0.004, 0.025))
    return canvas.images * canvas.uniform(0, 0.4)[:, None], area


def scratch(canvas: Canvas) -> Painted:
    """One to three straight thin lines, bright or dark."""
    width = canvas.uniform(0.004, 0.018)
    area = line_of(canvas, canvas.uniform(-0.02, 0.02), width)
    for _ in range(2):
        beside = line_of(canvas, canvas.uniform(-0.2, 0.2), width)
        area = torch.maximum(area, beside * (canvas.uniform(0, 1) < 0.3))
    return canvas.tone().expand_as(canvas.images), area


def hole(canvas: Canvas) -> Painted:
    """A small round pit, dark, with a bright rim on one side."""
    area = blob_of(canvas, 0.03, 0.16, 0.12)
    shade = (0.5 + 4 * canvas.along * canvas.uniform(0, 1)).clamp(0, 1)[:, None]
    return canvas.images * 0.3 * canvas.uniform(0, 1)[:, None] + 0.3 * shade * canvas.tone(), area


def dent(canvas: Canvas) -> Painted:
    """A dent or bump: light on one side, shadow on the other, no edge."""
    size = canvas.uniform(0.06, 0.25)
    bell = torch.exp(-(canvas.along**2 + canvas.across**2) / size**2)
    lit = canvas.along / size * canvas.uniform(0.5, 1.2)
    return (canvas.images * (1 + lit[:, None])).clamp(0, 1), (bell * 1.6).clamp(0, 1)


def stain(canvas: Canvas) -> Painted:
    """A large soft change of color."""
    area = blob_of(canvas, 0.12, 0.5, 0.35)
    soft = soften(area[:, None], 9)[:, 0]
    return canvas.images * 0.5 + 0.5 * canvas.tone(), soft


def foreign(canvas: Canvas) -> Painted:
    """A piece of another material."""
    return canvas.others, blob_of(canvas, 0.05, 0.3, 0.3)


def chipped(canvas: Canvas) -> Painted:
    """Everything beyond a rough line is missing, or of another brightness."""
    rim = canvas.across + 0.05 * canvas.waves(4, 6.0) + 0.03 * canvas.rough(14)
    plain = canvas.tone().expand_as(canvas.images)
    kind = canvas.uniform(0, 1)[:, None]
    beside = torch.where(kind < 0.35, plain, canvas.others)
    beside = torch.where(kind > 0.6, canvas.images * canvas.uniform(0.5, 1.6)[:, None], beside)
    return beside, edge(torch.maximum(-rim + canvas.uniform(-0.1, 0.3), canvas.along.abs() - 0.5))


def frayed(canvas: Canvas) -> Painted:
    """The material is torn: its pixels are displaced at random."""
    side = canvas.images.shape[2]
    y, x = coordinates(side, canvas.images.device)
    reach = canvas.uniform(0.03, 0.1)
    grid = torch.stack([x + reach * canvas.rough(20), y + reach * canvas.rough(20)], 3)
    torn = functional.grid_sample(
        canvas.images, grid, padding_mode="reflection", align_corners=False
    )
    return torn, blob_of(canvas, 0.12, 0.35, 0.3)


def smeared(canvas: Canvas) -> Painted:
    """The material is blurred."""
    return soften(canvas.images, 9), blob_of(canvas, 0.12, 0.35, 0.25)


def worn(canvas: Canvas) -> Painted:
    """The pattern is worn away, to its mean color."""
    mean = canvas.images.mean((2, 3), keepdim=True).expand_as(canvas.images)
    noisy = mean + 0.02 * torch.randn_like(canvas.images)
    return noisy, blob_of(canvas, 0.06, 0.35, 0.3)


def spots(canvas: Canvas) -> Painted:
    """Several small dots."""
    area = torch.zeros_like(canvas.along)
    for _ in range(6):
        v, u = canvas.uniform(-0.35, 0.35), canvas.uniform(-0.35, 0.35)
        distance = ((canvas.along - u) ** 2 + (canvas.across - v) ** 2).sqrt()
        area = torch.maximum(area, edge(distance - canvas.uniform(0.015, 0.05)))
    return canvas.tone().expand_as(canvas.images), area


def fibre(canvas: Canvas) -> Painted:
    """A hair: a thin line in a strong curve."""
    offset = canvas.uniform(-0.5, 0.5) * (canvas.along * 3).pow(2) + 0.1 * canvas.waves(2, 3.0)
    return canvas.tone().expand_as(canvas.images), line_of(
        canvas, offset, canvas.uniform(0.005, 0.015)
    )


def fleck(canvas: Canvas) -> Painted:
    """One to three short thick rods, as chips and fibres that were pressed in."""
    area = torch.zeros_like(canvas.along)
    for k in range(3):
        v, u = (canvas.uniform(-0.4, 0.4) * (k > 0) for _ in range(2))
        across, along = turn(canvas.across - v, canvas.along - u, canvas.uniform(-0.7, 0.7))
        bow = canvas.uniform(-0.6, 0.6) * along**2
        length, width = canvas.uniform(0.02, 0.22), canvas.uniform(0.01, 0.045)
        rod = edge(torch.maximum((across + bow).abs() - width, along.abs() - length))
        area = torch.maximum(area, rod * (canvas.uniform(0, 1) < (0.4 if k else 1.0)))
    return canvas.images * 0.3 * canvas.uniform(0, 1)[:, None] + 0.7 * canvas.tone() ** 2, area


def wrinkle(canvas: Canvas) -> Painted:
    """Folds that are lit from one side."""
    stretch = canvas.uniform(1, 6)
    height = canvas.rough(30) + torch.sin(
        canvas.across * 9 * stretch + 3 * canvas.rough(6) + canvas.along
    )
    down, across = torch.gradient(-height.abs(), dim=(1, 2))
    lit = torch.tanh((down + canvas.uniform(-1, 1) * across) * canvas.uniform(1, 4))
    area = soften(blob_of(canvas, 0.2, 0.7, 0.3)[:, None], 9)[:, 0]
    return (canvas.images * (1 + 0.5 * lit[:, None])).clamp(0, 1), area


def uneven(canvas: Canvas) -> Painted:
    """A band, or all beyond a line, is ground or coated differently: brighter, darker, flatter."""
    bow = canvas.uniform(-0.3, 0.3) * canvas.along**2 + 0.04 * canvas.rough(6)
    far = torch.where(canvas.uniform(0, 1) < 0.5, canvas.uniform(0.1, 0.5), 4.0)
    inside = torch.maximum(-canvas.across - bow, canvas.across + bow - far)
    mean = canvas.images.mean((2, 3), keepdim=True)
    contrast, gain = torch.exp(canvas.uniform(-1.5, 0.7)), torch.exp(canvas.uniform(-0.6, 0.4))
    changed = (mean + (canvas.images - mean) * contrast[:, None]) * gain[:, None]
    soft = torch.exp(canvas.uniform(-5, -0.5))
    return changed.clamp(0, 1), torch.sigmoid(-inside / soft * 4)


def broken(canvas: Canvas) -> Painted:
    """A piece of the rim is missing, or broken to another surface, often with a line around it."""
    area = blob_of(canvas, 0.06, 0.4, 0.2)
    rough = canvas.tone() + 0.15 * canvas.rough(20)[:, None] + 0.1 * canvas.rough(6)[:, None]
    kind = canvas.uniform(0, 1)[:, None]
    gain = torch.exp(canvas.uniform(-1.0, 0.5))[:, None]
    surface = torch.where(kind < 0.3, canvas.ground.expand_as(canvas.images), rough)
    surface = torch.where(kind > 0.6, canvas.images * gain, surface)
    line = (4 * area * (1 - area))[:, None] * (canvas.uniform(0, 1) < 0.6)[:, None]
    surface = torch.lerp(surface, canvas.tone().expand_as(surface), line)
    return surface.clamp(0, 1), area * edge(canvas.beyond)


def rubbed(canvas: Canvas) -> Painted:
    """A length of the rim is rubbed off, bright or dark."""
    band = canvas.beyond.abs() - canvas.uniform(0.01, 0.08) * (1 + 0.5 * canvas.rough(14))
    length = (canvas.along**2 + canvas.across**2).sqrt() - canvas.uniform(0.15, 0.7)
    return canvas.tone().expand_as(canvas.images), edge(torch.maximum(band, length))


KINDS: tuple[Callable[[Canvas], Painted], ...] = (
    crack,
    scratch,
    hole,
    dent,
    stain,
    foreign,
    chipped,
    frayed,
    smeared,
    worn,
    spots,
    fibre,
    fleck,
    wrinkle,
    uneven,
    broken,
    rubbed,
)
ON_RIM = (broken, rubbed)


def place(beyond: torch.Tensor, on_rim: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coordinates along and across a random direction from a random middle: (N, S, S).

    beyond: as in Scene; the middle lies about where it is 0, if on_rim.
    """
    count, side, device = len(beyond), beyond.shape[2], beyond.device
    middle = torch.rand(2, count, 1, 1, device=device) * 1.5 - 0.75
    if on_rim:
        near = torch.rand_like(beyond) - beyond.abs() * side / 4
        index = near.flatten(1).argmax(1)
        middle = torch.stack([index // side, index % side])[..., None, None] / side * 2 - 1
    y, x = coordinates(side, device)
    angle = math.pi * torch.rand(count, 1, 1, device=device) * 2
    across, along = turn(y - middle[0], x - middle[1], angle)
    zoom = torch.exp(0.35 * torch.randn(count, 1, 1, device=device))
    return along / zoom, across / zoom


def damage(scene: Scene, kinds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scene's images with a defect each, (N, 3, S, S), and its area (N, S, S), 0..1.

    kinds: int64 (N,) on the CPU, which of KINDS; -1 leaves the image sound.
    """
    images = scene.images
    damaged, areas = images.clone(), torch.zeros_like(images[:, 0])
    others = images.roll(len(images) // 2 + 1, 0)
    for kind, paint in enumerate(KINDS):
        found = (kinds == kind).nonzero()[:, 0]
        if not len(found):
            continue
        rows = send(found, images.device)
        strength = torch.rand(len(rows), 1, 1, 1, device=images.device).sqrt() * 0.8 + 0.2
        canvas = Canvas(
            images[rows],
            others[rows],
            scene.beyond[rows],
            scene.ground[rows],
            *place(scene.beyond[rows], paint in ON_RIM),
            strength,
        )
        painted, area = paint(canvas)
        blurred = soften(area[:, None], 7)[:, 0]
        area = torch.lerp(area, blurred, canvas.uniform(-1, 1).clamp_min(0))  # often out of focus
        damaged[rows] = torch.lerp(canvas.images, painted, area[:, None] * strength)
        areas[rows] = area
    damaged = damaged.clamp(0, 1)
    change = soften((damaged - images).abs().mean(1, keepdim=True), 5)[:, 0]
    return damaged, areas * (change > SEEN)
