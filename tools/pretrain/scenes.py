"""Batches to learn from: several views of each material, some with a defect.

A pool holds sheets of materials, a few of which give way to new materials at a time. From it views
are painted many at once, which an album keeps: each is shown several times, in other photographs.
So painting costs little beside learning, and no view is seen for long.
"""

import math
from dataclasses import dataclass

import torch
from defects import KINDS, Scene, damage
from textures import (
    NUMBERS,
    coordinates,
    draw_programs,
    render_sheets,
    send,
    soften,
    turn,
    vary_programs,
)
from torch.nn import functional

SHEET = 256  # pixels a side
AT_ONCE = 64  # sheets that are painted together
OBJECTS, PLATES = 0.25, 0.35  # share of materials that are shown as a part, or as a plate
GRAY = 0.4  # share of materials that are shown without color, so that color alone does not do
SOUND = 0.45  # share of views without a defect
SOUND_VARIANTS = 0.6  # where sound views are what the others are compared with


@dataclass(frozen=True)
class Batch:
    """Views of P materials, V of each, in turn.

    images: float (P V, 3, S, S), 0..1. materials: int64 (P V,). kinds: int64 (P V,), of the defect,
    or -1. areas: float (P V, S, S), 1 where the defect is. views: V.
    """

    images: torch.Tensor
    materials: torch.Tensor
    kinds: torch.Tensor
    areas: torch.Tensor
    views: int


@dataclass(frozen=True)
class Cut:
    """How the views of a material are cut from its sheets.

    shares: the least and the most of a sheet's side that a material's views show, up to 1.
    spread: how much that varies among them, as a fraction. lean: radians they are turned by, one
    standard deviation. either_way: share of materials some of whose views lie upside down.
    """

    shares: tuple[float, float]
    spread: float
    lean: float
    either_way: float


OF_A_SHEET = Cut((0.41, 0.9), 0.06, 0.12, 1.0)
OF_VARIANTS = Cut((0.5, 1.1), 0.04, 0.06, 0.5)


class Pool:
    """Sheets of materials, which give way to new ones in turn: no material comes twice."""

    def __init__(self, size: int, seed: int, device: torch.device) -> None:
        self.programs, self.device = draw_programs(size, seed), device
        self.names = torch.arange(size)  # of the materials that the sheets show
        self.next = 0
        self.sheets = torch.empty(size, 3, SHEET, SHEET, dtype=torch.uint8, device=device)
        self.paint(size)

    def refresh(self, count: int) -> None:
        """Put sheets of that many new materials in place of the oldest."""
        indices = (torch.arange(count) + self.next) % len(self.names)
        self.programs.numbers[indices] = torch.rand(count, NUMBERS)
        self.names[indices] += len(self.names)
        self.paint(count)

    def paint(self, count: int) -> None:
        """Paint that many sheets, the oldest first."""
        for start in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - start)
            indices = (torch.arange(size) + self.next) % len(self.names)
            sheets = render_sheets(self.programs, indices, SHEET, self.device)
            self.sheets[send(indices, self.device)] = (sheets * 255).round().to(torch.uint8)
            self.next = (self.next + size) % len(self.names)

    def show(self, materials: int, views: int, side: int) -> Batch:
        """Return new views of that many materials, side x side pixels, not yet photographed."""
        rows = torch.randint(len(self.names), (materials,))
        kinds = draw_kinds(materials * views, SOUND)
        names = send(self.names[rows], self.device).repeat_interleave(views)
        sheets = self.sheets[send(rows, self.device)].float() / 255
        images, areas = paint_views(
            sheets.repeat_interleave(views, 0), kinds, views, side, OF_A_SHEET
        )
        return Batch(images, names, send(kinds, self.device), areas, views)


def show_variants(materials: int, views: int, side: int) -> Batch:
    """Return views of new materials, each of a sheet of its own, made on the CPU.

    The sheets of a material are variants of one program, as parts from one line differ.
    """
    programs = vary_programs(torch.rand(materials, NUMBERS), views)
    count = len(programs)
    sheets = render_sheets(programs, torch.arange(count), SHEET, torch.device("cpu"))
    kinds = draw_kinds(count, SOUND_VARIANTS)
    images, areas = paint_views(sheets, kinds, views, side, OF_VARIANTS)
    names = torch.arange(materials).repeat_interleave(views)
    return Batch(images, names, kinds, areas, views)


def draw_kinds(count: int, sound: float) -> torch.Tensor:
    """Return that many kinds of defects, int64 on the CPU; -1, none, for that share of them."""
    kinds = torch.randint(len(KINDS), (count,))
    kinds[torch.rand(count) < sound] = -1
    return kinds


def paint_views(
    sheets: torch.Tensor, kinds: torch.Tensor, views: int, side: int, cut: Cut
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return views (P V, 3, side, side) of sheets (P V, 3, S, S), and where their defects are."""
    scene = show_as_parts(cut_views(sheets, views, side, cut), views)
    images, areas = damage(scene, kinds)
    return show_in_gray(images, views), areas


class Album:
    """Views that were painted of late; each is shown several times, in other photographs.

    size: how many materials it holds, views of each. side: pixels of a view.
    """

    def __init__(self, pool: Pool, size: int, views: int, side: int) -> None:
        self.pool, self.size, self.views, self.side = pool, size, views, side
        device, shape = pool.device, (size, views)
        self.images = torch.empty(*shape, 3, side, side, dtype=torch.uint8, device=device)
        self.areas = torch.empty(*shape, side, side, dtype=torch.uint8, device=device)
        self.kinds = torch.empty(*shape, dtype=torch.int64, device=device)
        self.materials = torch.empty(size, dtype=torch.int64, device=device)
        self.filled = self.next = 0

    def add(self, count: int) -> None:
        """Paint the views of that many materials, in place of the oldest."""
        count = min(count, self.size - self.next)
        rows = slice(self.next, self.next + count)
        new = self.pool.show(count, self.views, self.side)
        self.images[rows] = (new.images * 255).round().to(torch.uint8).unflatten(0, (count, -1))
        self.areas[rows] = (new.areas * 255).round().to(torch.uint8).unflatten(0, (count, -1))
        self.kinds[rows] = new.kinds.unflatten(0, (count, -1))
        self.materials[rows] = new.materials[:: self.views]
        self.filled = max(self.filled, self.next + count)
        self.next = (self.next + count) % self.size

    def draw(self, materials: int, with_twins: bool) -> tuple[Batch, torch.Tensor]:
        """Return photographs of the views of that many materials, and another of each if asked."""
        rows = send(torch.randperm(self.filled)[:materials], self.pool.device)
        images = self.images[rows].flatten(0, 1).float() / 255
        areas = self.areas[rows].flatten(0, 1).float() / 255
        owners = self.materials[rows].repeat_interleave(self.views)
        twins = photograph(move(images, areas)[0]) if with_twins else images[:0]
        images, areas = move(images, areas)
        kinds = self.kinds[rows].flatten()
        return Batch(photograph(images), owners, kinds, areas, self.views), twins


def move(images: torch.Tensor, areas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return most of each image (N, 3, S, S) and its area, perhaps mirrored, a little turned."""
    count, device = len(images), images.device
    zoom = 0.7 + 0.3 * torch.rand(count, device=device).sqrt()
    angle = 0.1 * torch.randn(count, device=device)
    mirrored = torch.randint(2, (count,), device=device) * 2 - 1
    shift = (torch.rand(2, count, device=device) * 2 - 1) * (1 - zoom)
    both = torch.cat([images, areas[:, None]], 1)
    moved = sample(both, zoom, angle, shift, images.shape[2], mirrored)
    return moved[:, :3], moved[:, 3]


def cut_views(sheets: torch.Tensor, views: int, side: int, cut: Cut) -> torch.Tensor:
    """Return views (P V, 3, side, side) of sheets (P V, 3, S, S): parts, a little turned."""
    count, device = len(sheets) // views, sheets.device
    least, most = cut.shares
    zoom = least * (most / least) ** torch.rand(count, 1, device=device)
    zoom = (zoom * torch.exp(cut.spread * torch.randn(count, views, device=device))).flatten()
    zoom = zoom.clamp_max(1)
    angle = cut.lean * torch.randn(count, views, device=device)
    is_free = torch.rand(count, 1, device=device) < cut.either_way
    angle = (angle + math.pi * torch.randint(2, angle.shape, device=device) * is_free).flatten()
    room = (1 - zoom * 1.1).clamp_min(0)
    shift = (torch.rand(2, count * views, device=device) * 2 - 1) * room
    return sample(sheets, zoom, angle, shift, side)


def sample(
    images: torch.Tensor,
    zoom: torch.Tensor,
    angle: torch.Tensor,
    shift: torch.Tensor,
    side: int,
    mirrored: torch.Tensor | int = 1,
) -> torch.Tensor:
    """Return a part of each image (N, C, S, S): (N, C, side, side), mirrored beyond the edges.

    zoom: share of the image's side. angle: in radians. shift: (2, N), of the middle along x and y,
    where the image is 2 wide. mirrored: -1 where left and right change places. Each else (N,).
    """
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = [
        torch.stack([cosine * mirrored, -sine, shift[0]], 1),
        torch.stack([sine * mirrored, cosine, shift[1]], 1),
    ]
    size = [*images.shape[:2], side, side]
    grid = functional.affine_grid(torch.stack(rows, 1), size, align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class Layout:
    """Draws numbers for P materials and for the V views of each: float (P V, 1, 1)."""

    def __init__(self, images: torch.Tensor, views: int) -> None:
        self.views, self.total, self.device = views, len(images), images.device

    def each(self, spread: float, mean: float = 0.0) -> torch.Tensor:
        """Return one number for all views of a material."""
        count = self.total // self.views
        values = mean + spread * torch.randn(count, 1, 1, device=self.device)
        return values.repeat_interleave(self.views, 0)

    def view(self, spread: float) -> torch.Tensor:
        """Return a number for each view."""
        return spread * torch.randn(self.total, 1, 1, device=self.device)


def show_as_parts(images: torch.Tensor, views: int) -> Scene:
    """Return the images (P V, 3, S, S), some materials as a part or a plate on a background."""
    draw = Layout(images, views)
    y, x = coordinates(images.shape[2], images.device)
    chosen = torch.rand(draw.total // views, 1, 1, device=draw.device).repeat_interleave(views, 0)
    is_part, is_plate = chosen < OBJECTS, chosen > 1 - PLATES
    beyond = torch.where(is_plate, outline_plate(draw, y, x), outline_part(draw, y, x))
    inside = torch.sigmoid(-beyond * torch.exp(draw.each(0.5, 4.4)))[:, None]
    shade = 1 - (draw.each(0.35).abs() * torch.exp(3 * beyond.clamp(-1, 0)))[:, None]
    shade = shade * (1 + draw.each(0.25) * y + draw.each(0.25) * x)[:, None].clamp_min(0.3)
    part = images * shade + is_part[:, None] * shine(draw, y, x)
    ground = paint_ground(draw).clamp(0, 1)
    is_shown = is_part | is_plate
    shown = torch.where(is_shown[:, None], inside * part + (1 - inside) * ground, images)
    border = torch.maximum(y.abs(), x.abs()) - 1  # of an image that the material fills
    return Scene(shown.clamp(0, 1), torch.where(is_shown, beyond, border), ground)


def shine(draw: Layout, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the light that a smooth round part throws back from a lamp or two: (P V, 1, S, S)."""
    light = torch.zeros_like(y).expand(draw.total, -1, -1)
    for _ in range(2):
        v, u = y - draw.each(0.3) - draw.view(0.1), x - draw.each(0.3) - draw.view(0.1)
        size = torch.exp(draw.each(0.6, -2.0))
        light = light + draw.each(0.5).clamp(0, 1) * torch.exp(-(u**2 + v**2) / size**2)
    return light[:, None]


def outline_part(draw: Layout, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return how far beyond a part's wavy outline each pixel is, below 0 inside: (P V, S, S).

    A material's part has one outline, and lies a little differently in each view.
    """
    y, x, turned = y + draw.view(0.08), x + draw.view(0.08), draw.view(0.2)
    stretch = torch.exp(draw.each(0.2))
    radius = ((x * stretch) ** 2 + (y / stretch) ** 2).sqrt()
    angle = torch.atan2(y, x) + turned
    rim = draw.each(0.08, 0.68)
    for harmonic in range(1, 6):
        rim = rim + draw.each(0.12 / harmonic) * torch.cos(harmonic * angle + draw.each(3.0))
    return radius - rim


def outline_plate(draw: Layout, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return how far beyond the edges of a plate that nearly fills the image: (P V, S, S)."""
    turned, lean = draw.view(0.03), draw.view(0.03)
    v, u = y + turned * x + draw.view(0.03), x - turned * y + lean * y + draw.view(0.03)
    bow = draw.view(0.03)
    return torch.maximum(
        v.abs() - draw.each(0.06, 0.95) + bow * u**2, u.abs() - draw.each(0.06, 0.95) + bow * v**2
    )


def paint_ground(draw: Layout) -> torch.Tensor:
    """Return a plain background, often gray, black or white: float (P V, 3, 1, 1)."""
    count, device = draw.total // draw.views, draw.device
    ground = torch.rand(count, 3, 1, 1, device=device)
    ground = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.6, ground[:, :1], ground)
    ground = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.4, ground.round(), ground)
    return ground.repeat_interleave(draw.views, 0) + draw.view(0.02)[:, None]


def show_in_gray(images: torch.Tensor, views: int) -> torch.Tensor:
    """Return the images (P V, 3, S, S), all views of some materials without color."""
    is_gray = torch.rand(len(images) // views, 1, 1, 1, device=images.device) < GRAY
    gray = images.mean(1, keepdim=True).expand_as(images)
    return torch.where(is_gray.repeat_interleave(views, 0), gray, images)


def photograph(images: torch.Tensor) -> torch.Tensor:
    """Return the images (N, 3, S, S) as a camera sees them: light, contrast, focus, noise."""
    count, device = len(images), images.device

    def each(spread: float) -> torch.Tensor:
        return spread * torch.randn(count, 1, 1, 1, device=device)

    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * torch.exp(each(0.25)) + mean
    images = images * torch.exp(each(0.25)) + each(0.05)
    images = images * light(count, images.shape[2], device)[:, None]
    images = images * (1 + 0.03 * torch.randn(count, 3, 1, 1, device=device))
    blurred = soften(images, 3)
    images = torch.lerp(images, blurred, torch.rand(count, 1, 1, 1, device=device).pow(2))
    images = torch.lerp(images, soften(blurred, 5), (each(0.6) - 0.4).clamp(0, 1))
    noise = torch.rand(count, 1, 1, 1, device=device).pow(2) * 0.04
    return (images + noise * torch.randn_like(images)).clamp(0, 1)


def light(count: int, side: int, device: torch.device) -> torch.Tensor:
    """Return how bright the light is on each pixel, about 1: float (count, side, side).

    It falls off to one side, or lies in soft bands as on bent metal, or darkens towards the rim.
    """

    def each(spread: float) -> torch.Tensor:
        return spread * torch.randn(count, 1, 1, device=device)

    y, x = coordinates(side, device)
    slope = each(0.15) * x + each(0.15) * y
    angle = torch.where(each(1.0) < 0, each(0.1), math.pi * torch.rand(count, 1, 1, device=device))
    across, _ = turn(y, x, angle + math.pi / 2 * (each(1.0) < 0))
    bands = torch.zeros_like(across)
    for k in range(1, 5):
        bands = bands + each(0.25 / k) * torch.sin(k * 1.7 * across + each(3.0))
    rim = -each(0.15).abs() * (y**2 + x**2)
    is_banded = torch.rand(count, 1, 1, device=device) < 0.5
    return torch.exp((slope + bands * is_banded + rim).clamp(-1.5, 0.7))
