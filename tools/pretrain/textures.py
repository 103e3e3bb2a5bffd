"""Random texture programs, and sheets of what they paint.

A program is a fixed draw of parameters: which two fields it mixes (filtered noise, periodic
patterns, cells, laid-out shapes, small random networks), how it bends their values, and which
colors they become. Each sheet of a program is a fresh sample of it: the same material, another
place.

Source: filtered noise and dead leaves as in Learning to See by Looking at Noise (Baradad et al.,
2021), cells of Worley, 1996, networks of coordinates as in compositional pattern producing networks
(Stanley, 2007).
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

FIELDS = ("noise", "noise", "periodic", "cells", "shapes", "network", "network")
INPUTS, UNITS = 6, 12  # of a network that paints a field: y, x, three noises, 1; a hidden layer
FIRST, SECOND = 40, 160  # where a program's numbers for its two fields begin
NETWORKS = {FIRST: 240, SECOND: 470}  # and those for their networks
NUMBERS = 700  # of a program
CHOICES = [0, 1, 10, 13, 16]  # numbers that say which fields, which curves and which mixture
VARIED = 0.05  # at most: by how much the numbers of a material's variants differ (spread)
VARIED_NETWORKS = 0.3  # of that, for networks: each has hundreds of numbers
CELLS = 60  # points of a cellular field
SHAPES = 10  # pieces that a field of shapes lays out
COLORS = 5  # of a palette


@dataclass(frozen=True)
class Programs:
    """The parameters of K programs, drawn once.

    numbers: float (K, F), each uniform in 0..1; the first columns choose, the others tune.
    """

    numbers: torch.Tensor

    def __len__(self) -> int:
        """Return how many programs there are."""
        return len(self.numbers)


def draw_programs(count: int, seed: int) -> Programs:
    """Return that many programs; the same for the same seed, on every device."""
    generator = torch.Generator().manual_seed(seed)
    return Programs(torch.rand(count, NUMBERS, generator=generator))


def vary_programs(numbers: torch.Tensor, count: int) -> Programs:
    """Return that many variants of each program, float (K, F), in turn: one material, many looks.

    How much they differ is drawn for each program, up to VARIED. Which fields, curves and mixture
    it takes stays.
    """
    spread = VARIED * torch.rand(len(numbers), 1, 1)
    noise = spread * torch.randn(len(numbers), count, NUMBERS)
    noise[..., min(NETWORKS.values()) :] *= VARIED_NETWORKS
    noise[..., CHOICES] = 0
    return Programs((numbers[:, None] + noise).clamp(0, 1).flatten(0, 1))


class Numbers:
    """Hands out a program's numbers in turn, each as a tensor (N, 1, 1)."""

    def __init__(self, numbers: torch.Tensor, start: int) -> None:
        self.numbers, self.next = numbers, start

    def take(self, low: float = 0.0, high: float = 1.0, jitter: float = 0.0) -> torch.Tensor:
        """Return the next number between low and high, varied by a share of itself."""
        value = low + (high - low) * self.numbers[:, self.next, None, None]
        self.next += 1
        return value * (1 + jitter * torch.randn_like(value)) if jitter else value

    def choose(self, count: int) -> torch.Tensor:
        """Return the next number as a choice: int64 (N,), 0 to count - 1."""
        return self.take(0, count - 1e-4)[:, 0, 0].long()


def send(indices: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a small tensor on the device; a GPU is not waited for."""
    return indices.to(device, non_blocking=True)


def render_sheets(
    programs: Programs, indices: torch.Tensor, side: int, device: torch.device
) -> torch.Tensor:
    """Return a fresh sheet of each program: float (N, 3, side, side), 0..1, on the device."""
    here = programs.numbers[indices]
    numbers = send(here, device)
    kinds = Numbers(here, 0)
    first = bend(render_field(kinds.choose(len(FIELDS)), numbers, FIRST, side), numbers, 10)
    second = bend(render_field(kinds.choose(len(FIELDS)), numbers, SECOND, side), numbers, 13)
    field = mix(first, second, numbers, 16)
    return roughen(shade(colorize(field, numbers, 20), field, numbers, 120), numbers, 130)


def render_field(kinds: torch.Tensor, numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return fields (N, side, side) of about unit spread; kinds (N,) index FIELDS, on the CPU."""
    painters = {
        "noise": paint_noise,
        "periodic": paint_periodic,
        "cells": paint_cells,
        "shapes": paint_shapes,
        "network": paint_network,
    }
    field = torch.empty(len(kinds), side, side, device=numbers.device)
    for name, paint in painters.items():
        rows = [i for i, kind in enumerate(kinds.tolist()) if FIELDS[kind] == name]
        if rows:
            index = send(torch.tensor(rows), numbers.device)
            field[index] = standardise(paint(numbers[index], start, side))
    return field


def standardise(field: torch.Tensor) -> torch.Tensor:
    """Return fields (N, H, W) with mean 0 and spread 1 each."""
    field = field - field.mean((1, 2), keepdim=True)
    return field / (field.std((1, 2), keepdim=True) + 1e-6)


def soften(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return images (N, C, H, W), each pixel the mean of size x size around it; size is odd."""
    for kernel in ((1, size), (size, 1)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        images = functional.avg_pool2d(images, kernel, 1, padding, count_include_pad=False)
    return images


def coordinates(side: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return y and x (side, side) from -1 to 1."""
    line = torch.linspace(-1, 1, side, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return y, x


def turn(
    y: torch.Tensor, x: torch.Tensor, angle: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coordinates turned by an angle in radians."""
    return angle.cos() * y - angle.sin() * x, angle.sin() * y + angle.cos() * x


def filtered_noise(amplitude: torch.Tensor, side: int) -> torch.Tensor:
    """Return noise (N, side, side) with that amplitude, (N, side, side / 2 + 1), in frequency."""
    noise = torch.randn(len(amplitude), side, side, device=amplitude.device)
    return torch.fft.irfft2(torch.fft.rfft2(noise) * amplitude, s=(side, side))


def frequencies(side: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cycles a sheet along y and x of each term of a real Fourier transform."""
    rows = torch.fft.fftfreq(side, device=device) * side
    columns = torch.fft.rfftfreq(side, device=device) * side
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return y, x


def paint_noise(numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return noise with a falling spectrum, stretched along one direction, often with a peak."""
    take = Numbers(numbers, start).take
    y, x = turn(*frequencies(side, numbers.device), take(0, math.pi, 0.05))
    stretch = torch.exp(take(-1.8, 1.8))
    radius = ((y * stretch) ** 2 + (x / stretch) ** 2).sqrt().clamp_min(0.5)
    slope, peak, width = take(0.3, 3.2, 0.03), take(3, 45, 0.06), take(0.7, 6)
    strength = (take() < 0.5).float() * take(0, 0.3)
    amplitude = radius**-slope + strength * torch.exp(-(((radius - peak) / width) ** 2))
    return filtered_noise(amplitude, side)


def smooth_noise(count: int, side: int, device: torch.device, cutoff: float = 4) -> torch.Tensor:
    """Return smooth random fields (count, side, side) of unit spread."""
    y, x = frequencies(side, device)
    amplitude = torch.exp(-(y**2 + x**2) / cutoff**2).expand(count, -1, -1)
    return standardise(filtered_noise(amplitude, side))


def paint_periodic(numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return lines, grids, dots, weaves, checks or bricks, a little bent."""
    hand = Numbers(numbers, start)
    kind = hand.choose(7)
    count = len(numbers)
    y, x = turn(*coordinates(side, numbers.device), hand.take(0, math.pi, 0.03))
    warp = hand.take(0, 0.06) * (hand.take() < 0.6)
    y = y + warp * smooth_noise(count, side, numbers.device)
    x = x + warp * smooth_noise(count, side, numbers.device)
    across, down = torch.exp(hand.take(1.2, 3.6, 0.01)), torch.exp(hand.take(1.2, 3.6, 0.01))
    phase = 2 * math.pi * torch.rand(count, 2, 1, 1, device=numbers.device)
    u, v = across * x * math.pi + phase[:, 0], down * y * math.pi + phase[:, 1]
    sharp = torch.exp(hand.take(-0.5, 2.5))
    shifted = u + math.pi * torch.floor(v / math.pi) / 2
    patterns = [
        u.sin(),
        torch.maximum(u.sin(), v.sin()),
        u.sin() * v.sin(),
        u.sin() + v.sin() - hand.take(0, 1.2),
        torch.where((u / math.pi).floor() % 2 == (v / math.pi).floor() % 2, u.sin(), v.sin()),
        u.sin() + (u / 2 + v).sin() + (u / 2 - v).sin(),
        torch.maximum(v.cos().abs(), shifted.cos().abs()) - 0.9,
    ]
    chosen = torch.stack(patterns, 1)[torch.arange(count, device=kind.device), kind]
    return torch.tanh(sharp * chosen)


def paint_cells(numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return grains: the distance to the nearest of random points, or to the border between two."""
    hand = Numbers(numbers, start)
    y, x = turn(*coordinates(side // 2, numbers.device), hand.take(0, math.pi))
    stretch = torch.exp(hand.take(-0.8, 0.8))
    count = hand.take(8, CELLS)[:, :, 0]
    points = torch.rand(len(numbers), CELLS, 2, device=numbers.device) * 2.8 - 1.4
    unused = torch.arange(CELLS, device=numbers.device)[None] >= count
    points = points + 9.0 * unused[..., None]
    grid = torch.stack([(y * stretch).flatten(1), (x / stretch).flatten(1)], 2)
    nearest, owners = torch.cdist(grid, points).topk(2, dim=2, largest=False)
    gap = nearest[..., 1] - nearest[..., 0]
    levels = torch.rand(len(numbers), CELLS, device=numbers.device).gather(1, owners[..., 0])
    kind = hand.choose(3)[:, None]
    field = torch.where(kind == 0, nearest[..., 0], torch.where(kind == 1, gap, levels))
    field = field.view(len(numbers), 1, side // 2, side // 2)
    return functional.interpolate(field, size=(side, side), mode="bilinear")[:, 0]


def paint_shapes(numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return a layout of plates, disks, rings and bars, in every sheet the same but for pose."""
    hand = Numbers(numbers, start)
    count, device = len(numbers), numbers.device
    y, x = turn(*coordinates(side, device), 0.1 * torch.randn(count, 1, 1, device=device))
    y, x = (part + 0.1 * torch.randn(count, 1, 1, device=device) for part in (y, x))
    field = torch.zeros(count, side, side, device=device)
    for _ in range(SHAPES):
        v, u = y - hand.take(-1, 1), x - hand.take(-1, 1)
        kind, size = hand.choose(4)[:, None, None], hand.take(0.05, 0.5)
        disk = (u**2 + v**2).sqrt() - size
        plate = torch.maximum(u.abs() - size, v.abs() - size * 0.6)
        bar = torch.minimum(u.abs(), v.abs()) - 0.15 * size
        signed = torch.where(kind == 0, disk, torch.where(kind == 1, plate, bar))
        signed = torch.where(kind == 3, disk.abs() - 0.25 * size, signed)
        inside = torch.sigmoid(-signed * side)
        field = field * (1 - inside) + inside * hand.take(-1.5, 1.5)
    return field


def paint_network(numbers: torch.Tensor, start: int, side: int) -> torch.Tensor:
    """Return what a small random network makes of coordinates and of noise."""
    hand = Numbers(numbers, start)
    count, device = len(numbers), numbers.device
    y, x = turn(*coordinates(side, device), hand.take(0, 2 * math.pi, 0.02))
    scale = torch.exp(hand.take(0.0, 2.7))
    shift = torch.rand(2, count, 1, 1, device=device)
    fields = [scale * (y + shift[0]), scale * (x + shift[1])]
    fields += [smooth_noise(count, side, device, cutoff) for cutoff in (3, 10, 30)]
    fields = [hand.take(0.0, 1.5) * field for field in fields]
    values = torch.stack([*fields, torch.ones_like(fields[0])], 1)  # (N, INPUTS, S, S)
    drawn = numbers[:, NETWORKS[start] :][:, : UNITS * (INPUTS + UNITS + 1)]
    weights = torch.special.ndtri(drawn.clamp(1e-4, 1 - 1e-4))  # of unit spread
    first, second, last = weights.split([UNITS * INPUTS, UNITS * UNITS, UNITS], 1)
    for matrix in (first, second):
        values = activate(torch.einsum("nui,nihw->nuhw", matrix.unflatten(1, (UNITS, -1)), values))
    return torch.einsum("nu,nuhw->nhw", last, values)


def activate(values: torch.Tensor) -> torch.Tensor:
    """Return values (N, UNITS, H, W) through one curve for each quarter of the units."""
    waves, soft, bells, folds = values.chunk(4, 1)
    return torch.cat([waves.sin(), soft.tanh(), torch.exp(-(bells**2)), folds.abs().sqrt()], 1)


def bend(field: torch.Tensor, numbers: torch.Tensor, start: int) -> torch.Tensor:
    """Return fields (N, H, W) through one of seven curves: plain, cut, folded, stepped."""
    hand = Numbers(numbers, start)
    kind, amount = hand.choose(7), hand.take(0, 1, 0.08)
    curves = [
        field,
        torch.tanh(field * (0.5 + amount)),
        torch.sin(field * (1 + 5 * amount)),
        field.abs() * (1 + amount) - 1,
        torch.tanh((field - 2 * amount + 1) * 8),
        torch.round(field * (1 + 2 * amount)) / (1 + 2 * amount),
        torch.exp(-field.abs() * (1 + 4 * amount)) * 2 - 1,
    ]
    return torch.stack(curves, 1)[torch.arange(len(field), device=field.device), kind]


def mix(
    first: torch.Tensor, second: torch.Tensor, numbers: torch.Tensor, start: int
) -> torch.Tensor:
    """Return two fields as one (N, H, W), 0..1."""
    hand = Numbers(numbers, start)
    kind, amount = hand.choose(5), hand.take(0.05, 0.7)
    mixed = [
        first,
        first + amount * second,
        torch.where(second > 0.5, first, -first * amount),
        first * (1 + amount * second),
        torch.maximum(first, second * amount),
    ]
    field = torch.stack(mixed, 1)[torch.arange(len(first), device=first.device), kind]
    low, high = field.amin((1, 2), keepdim=True), field.amax((1, 2), keepdim=True)
    return (field - low) / (high - low + 1e-6)


def colorize(field: torch.Tensor, numbers: torch.Tensor, start: int) -> torch.Tensor:
    """Return fields (N, H, W) in 0..1 as colors (N, 3, H, W) of the program's palette.

    Half of the palettes stay close to one color, mostly a dull one, as real surfaces do; a third of
    all are gray.
    """
    count = len(field)
    palette = numbers[:, start : start + 3 * COLORS].view(count, COLORS, 3)
    hand = Numbers(numbers, start + 3 * COLORS)
    is_quiet, contrast = hand.take() < 0.5, torch.exp(hand.take(-2.8, -0.5))
    is_gray = hand.take() < 0.35
    base = palette[:, :1]
    base = torch.lerp(base.mean(2, keepdim=True), base, hand.take() ** 1.5)
    palette = torch.where(is_quiet, base + contrast * (palette - 0.5), palette)
    palette = torch.where(is_gray, palette.mean(2, keepdim=True), palette)
    palette = (palette + 0.02 * torch.randn(count, 1, 3, device=field.device)).clamp(0, 1)
    place = field * (COLORS - 1) * 0.9999
    index = place.long()
    share = (place - index)[..., None]
    rows = torch.arange(count, device=field.device)[:, None, None]
    colors = palette[rows, index] * (1 - share) + palette[rows, index + 1] * share
    return colors.permute(0, 3, 1, 2).clamp(0, 1)


def shade(
    colors: torch.Tensor, field: torch.Tensor, numbers: torch.Tensor, start: int
) -> torch.Tensor:
    """Return colors (N, 3, H, W) with the light that falls from one side on the field as a relief.

    A third of the programs are reliefs; some of these are of one color, as cast or pressed metal.
    """
    hand = Numbers(numbers, start)
    is_relief, is_plain = hand.take() < 0.35, hand.take() < 0.4
    depth, angle = torch.exp(hand.take(0.5, 3.0)), hand.take(0, 2 * math.pi, 0.05)
    down, across = torch.gradient(field, dim=(1, 2))
    slope = depth * field.shape[-1] / 64 * (angle.cos() * across + angle.sin() * down)
    lit = (1 + torch.tanh(slope) * hand.take(0.2, 0.9) + torch.exp(hand.take(-6, -1)) * slope**2)[
        :, None
    ]
    base = torch.where(is_plain[:, None], colors.mean((2, 3), keepdim=True), colors)
    return torch.where(is_relief[:, None], base * lit, colors).clamp(0, 1)


def roughen(colors: torch.Tensor, numbers: torch.Tensor, start: int) -> torch.Tensor:
    """Return colors (N, 3, H, W) with the grain that every real surface has.

    Fine noise, often stretched along one direction as fibres and brush marks are, which changes
    brightness and, less, color.
    """
    hand = Numbers(numbers, start)
    side, count = colors.shape[2], len(colors)
    y, x = turn(*frequencies(side, colors.device), hand.take(0, math.pi, 0.03))
    stretch = torch.exp(hand.take(-2, 2) * (hand.take() < 0.6))
    radius = ((y * stretch) ** 2 + (x / stretch) ** 2).sqrt().clamp_min(1.0)
    low, high = torch.exp(hand.take(0.5, 3.0)), torch.exp(hand.take(3.0, 4.5))
    amplitude = (1 - torch.exp(-((radius / low) ** 2))) * torch.exp(-((radius / high) ** 2))
    grain = standardise(filtered_noise(amplitude * radius**-0.5, side))[:, None]
    tint = 1 + hand.take(0, 0.5)[:, None] * torch.randn(count, 3, 1, 1, device=colors.device)
    strength = torch.exp(hand.take(-5.5, -1.7, 0.1))[:, None]
    return (colors * (1 + strength * grain * tint)).clamp(0, 1)
