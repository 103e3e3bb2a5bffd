"""Batches to learn from: several views of each material, some with a defect.

A pool of sheets is kept, from which views are cut and a few of which are painted anew at each step,
so that painting costs little and no sheet is seen for long.
"""

import math
from dataclasses import dataclass

import torch
from defects import KINDS, damage
from textures import Programs, coordinates, render_sheets, soften, turn
from torch.nn import functional

SHEET = 256  # pixels a side
OBJECTS, PLATES = 0.25, 0.35  # share of materials that are shown as a part, or as a plate
GRAY = 0.4  # share of materials that are shown without color, so that color alone does not do
SOUND = 0.45  # share of views without a defect


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


class Pool:
    """A sheet of each program, painted anew in turn."""

    def __init__(self, programs: Programs, device: torch.device) -> None:
        self.programs, self.device = programs, device
        self.next = 0
        self.sheets = torch.empty(len(programs), 3, SHEET, SHEET, dtype=torch.uint8, device=device)

    def refresh(self, count: int) -> None:
        """Paint that many sheets anew, the oldest first."""
        for start in range(0, count, 64):
            size = min(64, count - start)
            indices = (torch.arange(size, device=self.device) + self.next) % len(self.programs)
            sheets = render_sheets(self.programs, indices, SHEET)
            self.sheets[indices] = (sheets * 255).round().to(torch.uint8)
            self.next = (self.next + size) % len(self.programs)

    def draw(self, materials: int, views: int, side: int) -> Batch:
        """Return a batch of that many materials and views of each, side x side pixels."""
        chosen = torch.randperm(len(self.programs), device=self.device)[:materials]
        images = cut_views(self.sheets[chosen].float() / 255, views, side)
        images = show_as_parts(images, views)
        kinds = torch.randint(len(KINDS), (len(images),), device=self.device)
        kinds[torch.rand(len(images), device=self.device) < SOUND] = -1
        damaged, areas = damage(images, kinds)
        damaged = show_in_gray(damaged, views)
        return Batch(photograph(damaged), chosen.repeat_interleave(views), kinds, areas, views)


def cut_views(sheets: torch.Tensor, views: int, side: int) -> torch.Tensor:
    """Return views (P V, 3, side, side) of sheets (P, 3, S, S): parts, a little turned, flipped.

    One magnification for all views of a sheet, but for a few percent.
    """
    count, device = len(sheets), sheets.device
    zoom = torch.exp(torch.rand(count, 1, device=device) * 0.8 - 0.9)  # share of the sheet's side
    zoom = (zoom * torch.exp(0.06 * torch.randn(count, views, device=device))).flatten()
    angle = 0.12 * torch.randn(count * views, device=device)
    angle = angle + math.pi * torch.randint(2, angle.shape, device=device)
    room = (1 - zoom * 1.1).clamp_min(0)
    shift = (torch.rand(2, count * views, device=device) * 2 - 1) * room
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = [torch.stack([cosine, -sine, shift[0]], 1), torch.stack([sine, cosine, shift[1]], 1)]
    grid = functional.affine_grid(
        torch.stack(rows, 1), [count * views, 3, side, side], align_corners=False
    )
    return functional.grid_sample(
        sheets.repeat_interleave(views, 0), grid, padding_mode="reflection", align_corners=False
    )


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


def show_as_parts(images: torch.Tensor, views: int) -> torch.Tensor:
    """Return the images (P V, 3, S, S), some materials as a part or a plate on a background."""
    draw = Layout(images, views)
    y, x = coordinates(images.shape[2], images.device)
    chosen = torch.rand(draw.total // views, 1, 1, device=draw.device).repeat_interleave(views, 0)
    is_part, is_plate = chosen < OBJECTS, chosen > 1 - PLATES
    beyond = torch.where(is_plate, outline_plate(draw, y, x), outline_part(draw, y, x))
    inside = torch.sigmoid(-beyond * torch.exp(draw.each(0.5, 4.4)))[:, None]
    shade = 1 - (draw.each(0.35).abs() * torch.exp(3 * beyond.clamp(-1, 0)))[:, None]
    part = images * shade + is_part[:, None] * shine(draw, y, x)
    shown = inside * part + (1 - inside) * paint_ground(draw)
    return torch.where((is_part | is_plate)[:, None], shown, images).clamp(0, 1)


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
        v.abs() - draw.each(0.06, 0.92) + bow * u**2, u.abs() - draw.each(0.06, 0.92) + bow * v**2
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
