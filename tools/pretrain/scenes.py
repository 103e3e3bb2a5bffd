"""Batches to learn from: several views of each material, some with a defect.

A pool of sheets is kept, from which views are cut and a few of which are painted anew at each step,
so that painting costs little and no sheet is seen for long.
"""

import math
from dataclasses import dataclass

import torch
from defects import KINDS, damage
from textures import Programs, coordinates, render_sheets
from torch.nn import functional

SHEET = 192  # pixels a side
OBJECTS = 0.3  # share of materials that are shown as a part on a background
GRAY = 0.5  # share of materials that are shown without color, so that color alone does not do
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
        images = show_as_objects(images, views)
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
    zoom = torch.exp(torch.rand(count, 1, device=device) * 1.1 - 1.2)  # share of the sheet's side
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


def show_as_objects(images: torch.Tensor, views: int) -> torch.Tensor:
    """Return the images (P V, 3, S, S), some materials cut out as a part, on a plain background.

    A material's part has one outline, and lies a little differently in each view.
    """
    total, device = len(images), images.device
    count = total // views

    def each(spread: float, mean: float = 0.0) -> torch.Tensor:
        values = mean + spread * torch.randn(count, 1, 1, device=device)
        return values.repeat_interleave(views, 0)

    y, x = coordinates(images.shape[2], device)
    y = y + 0.08 * torch.randn(total, 1, 1, device=device)
    x = x + 0.08 * torch.randn(total, 1, 1, device=device)
    turned = 0.2 * torch.randn(total, 1, 1, device=device)
    stretch = torch.exp(each(0.2))
    radius = ((x * stretch) ** 2 + (y / stretch) ** 2).sqrt()
    angle = torch.atan2(y, x) + turned
    rim = each(0.08, 0.68)
    for harmonic in range(1, 6):
        rim = rim + each(0.12 / harmonic) * torch.cos(harmonic * angle + each(3.0))
    inside = torch.sigmoid((rim - radius) * 40)[:, None]
    shade = 1 - each(0.35).abs()[:, None] * (radius / rim.clamp_min(0.2)).pow(2)[:, None]
    ground = torch.rand(count, 3, 1, 1, device=device)
    ground = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.6, ground[:, :1], ground)
    ground = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.4, ground.round(), ground)
    ground = ground.repeat_interleave(views, 0) + 0.02 * torch.randn(total, 1, 1, 1, device=device)
    shown = inside * images * shade + (1 - inside) * ground
    is_object = (torch.rand(count, 1, 1, 1, device=device) < OBJECTS).repeat_interleave(views, 0)
    return torch.where(is_object, shown, images).clamp(0, 1)


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
    images = (images - mean) * torch.exp(each(0.15)) + mean + each(0.06)
    y, x = coordinates(images.shape[2], device)
    images = images * (1 + each(0.08) * x + each(0.08) * y)
    images = images * (1 + 0.03 * torch.randn(count, 3, 1, 1, device=device))
    blurred = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = torch.lerp(images, blurred, torch.rand(count, 1, 1, 1, device=device).pow(2))
    noise = torch.rand(count, 1, 1, 1, device=device).pow(2) * 0.04
    return (images + noise * torch.randn_like(images)).clamp(0, 1)
