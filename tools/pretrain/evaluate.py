"""Measure frozen features on real photos: anomaly detection, and classes from few labels.

    python tools/pretrain/evaluate.py [OUT.safetensors:resnet10 ...] [--part thirds]
                                      [--accuracy balanced]

Beside the files named: random weights, and the ImageNet weights in ../shared/weights. Everything
that is chosen is chosen on the training images: on thirds, each of which is held out in turn by
tile, sheet or fruit, or on dev, which is the first of them; test is for reporting.

- anomaly: a memory of normal patches (PatchCore, Roth et al., 2022): as anomaly detection has it,
  with colors, places and peaks, from images of their own size; from squares, of stride 8 alone; of
  strides 8 and 16, decorrelated, where the score of an image is the mean distance of its farthest
  patches; and of strides 8 and 16 as they are, where it is that of the farthest, weighted, as
  PatchCore has it. AUROC of the four. On dev the magnetic tiles are those of the training half,
  defects among them; on test they are the set's own split_anomaly, whose defects were in part on
  dev.
- few: a logistic regression on 5, 10 and 20 images a class, balanced accuracy (--accuracy plain:
  the share that is right), the mean of 10 draws. On three descriptions of an image as
  classification shows it, standardised: its own; the mean and highest features of strides 4, 8 and
  16, averaged to stride 16; the mean of the last map.
"""

import argparse
import csv
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from networks import Trunk, build
from PIL import Image
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional
from train import normalise

from workbench.engine import anomaly, classification
from workbench.engine.anomaly.memory import Moments, choose_coreset, sample_patches
from workbench.engine.anomaly.model import average, locate, measure_distances
from workbench.engine.anomaly.train import compare_with
from workbench.engine.classification.model import COLOR_FACTS, describe, find_colors, find_pairs
from workbench.engine.classification.probe import COLOR_WEIGHT, choose_axes
from workbench.tasks.anomaly import HOT_SHARE
from workbench.tasks.framing import Framing, make_frames, resize_image

SHARED = Path(__file__).resolve().parents[3] / "shared"
SIDE = 256
SHOTS = (5, 10, 20)
DRAWS = 10
ACCURACIES = {"balanced": balanced_accuracy_score, "plain": accuracy_score}
POOL, MEMORY = 20_000, 2_000
SHRINKAGE = 0.01  # of the mean variance, added to that of each direction
EXPOSURE = "1"  # the only one that normal and defective magnetic tiles have in common
CLASSES = {
    "magnetic_tile": ("label", "tile"),
    "piped_paper": ("label", "sheet"),
    "fgrade_tomato": ("label", "tomato"),
}
IMAGENET = {
    "squeezenet1_0": "squeezenet1_0-deepcompression.pth",
    "mobilenet_v2": "mobilenet_v2-coral-ptq.pth",
}
NORMAL = {"magnetic_tile": "free", "piped_paper": "good", "hazelnut_toy": "good"}
UNDEFINED = {("hazelnut_toy", key) for key in ("dev", "thirds")}  # no defects but in test


MIDDLE, BOTH = slice(1, 2), slice(1, 3)  # maps that patches are of: stride 8, or 8 and 16
NEIGHBOURS = 9  # in the memory, that weigh the farthest patch

Row = dict[str, str]
Split = tuple[list[Row], list[Row]]  # to learn from, and to measure on
THIRDS = 3  # of the training images


@dataclass(frozen=True)
class Look:
    """What a network sees in an image.

    highest, mean: (C,), of strides 4, 8 and 16. last: (L,), the mean of the last map. texture:
    float16 (D, h, w), the smoothed features of strides 4 and 8. colors: (4, h, w).
    """

    highest: torch.Tensor
    mean: torch.Tensor
    last: torch.Tensor
    texture: torch.Tensor
    colors: torch.Tensor


Average = Callable[[torch.Tensor], torch.Tensor]
Read = Callable[[list[Look], list[Look]], list[np.ndarray]]
Part = tuple[list[Look], np.ndarray]  # images, and the class of each


class PaddedConv(nn.Module):
    """A convolution of stride 2 that pads at the right and the bottom, as TensorFlow does."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        convolution.padding = (0, 0)
        self.convolution = convolution

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the convolution of images (N, C, H, W)."""
        return self.convolution(functional.pad(images, (0, 1, 0, 1)))


def load_imagenet(name: str) -> Trunk:
    """Return SqueezeNet 1.0, or MobileNetV2 with the padding that its weights were trained with."""
    network = build(name)
    network.load_state_dict(torch.load(SHARED / "weights" / IMAGENET[name], weights_only=True))
    if name == "squeezenet1_0":
        return Trunk(name, network)
    for block in list(network.modules()):
        for key, child in list(block.named_children()):
            if isinstance(child, nn.Conv2d) and child.stride == (2, 2):
                setattr(block, key, PaddedConv(child))
    return Trunk(name, network, "features.18")


def load_network(name: str) -> Trunk:
    """Return a network; its last map is what is pooled alone.

    name: "squeezenet1_0", "mobilenet_v2", "random:NETWORK" or "FILE:NETWORK".
    """
    torch.manual_seed(0)
    path, _, kind = name.rpartition(":")
    trunk = Trunk(kind) if path else load_imagenet(kind)
    if path not in ("", "random"):
        trunk.load(load_file(path))
    return trunk.eval().to(memory_format=torch.channels_last)


def read_rows(name: str) -> list[Row]:
    """Return the rows of a set's split.csv."""
    with (SHARED / "data" / name / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_image(path: Path, framing: Framing | None = None) -> torch.Tensor:
    """Return an image as the networks take it: float (1, 3, h, w).

    framing: how a room shows it; None: stretched to SIDE x SIDE.
    """
    with Image.open(path) as picture:
        image = np.asarray(picture.convert("RGB"))
    size = (SIDE, SIDE)
    if framing is not None:
        size = make_frames(image.shape[:2], framing)[0].scaled_size
    small = torch.from_numpy(np.array(resize_image(image, size)))
    return normalise(small.permute(2, 0, 1)[None] / 255)


def frame_as(room: ModuleType, name: str, rows: Iterable[Row]) -> Framing:
    """Return how a room shows these images of a set, at about SIDE x SIDE."""
    sizes = []
    for row in rows:
        with Image.open(SHARED / "data" / name / row["image"]) as picture:
            sizes.append((picture.height, picture.width))
    examples = [SimpleNamespace(image_size=size) for size in sizes]
    return room.choose_framing(examples, replace(room.PRESETS["fast"], input_size=SIDE))


def third_of(group: str) -> int:
    """Return which third, 0 to 2, a group of training images (a tile, a sheet, a fruit) is in."""
    return zlib.crc32(group.encode()) % THIRDS


def split_rows(rows: list[Row], part: str, group: str) -> list[Split]:
    """Return the rows to learn from and those to measure on: three times for part "thirds"."""
    train = [row for row in rows if row["split"] == "train"]
    if part == "test":
        return [(train, [row for row in rows if row["split"] == "test"])]
    thirds = [third_of(row.get(group) or row["image"]) for row in train]
    return [
        (
            [row for row, third in zip(train, thirds) if third != out],
            [row for row, third in zip(train, thirds) if third == out],
        )
        for out in range(THIRDS if part == "thirds" else 1)
    ]


def choose_memory(patches: torch.Tensor, size: int) -> torch.Tensor:
    """Return the greedy cover (size, C) of patches (P, C)."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(patches.shape[1], 128, generator=generator) / 128**0.5
    small = patches @ mixed
    nearest, current, chosen = torch.full((len(small),), torch.inf), 0, []
    for _ in range(min(size, len(small))):
        chosen.append(current)
        nearest = torch.minimum(nearest, (small - small[current]).square().sum(1))
        current = int(nearest.argmax())
    return patches[chosen]


def whiten(patches: torch.Tensor, sizes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean (C,) of patches (P, C), and the matrix (C, C) that decorrelates each map."""
    mean = patches.mean(0)
    blocks = []
    for part in torch.split(patches - mean, sizes, dim=1):
        values, vectors = torch.linalg.eigh((part.T @ part / len(part)).double())
        values = values.clamp(min=0) + SHRINKAGE * values.mean()
        blocks.append((vectors / values.sqrt()).float() / part.shape[1] ** 0.5)
    return mean, torch.block_diag(*blocks)


def split_normal(name: str, part: str) -> list[Split]:
    """Return the normal images to learn from and the images to measure on."""
    rows = read_rows(name)
    if name == "magnetic_tile":
        rows = [row for row in rows if row["exposure"] == EXPOSURE]
    if part == "test":
        column = "split_anomaly" if "split_anomaly" in rows[0] else "split"
        splits = [tuple([row for row in rows if row[column] == key] for key in ("train", "test"))]
    else:
        splits = split_rows(rows, part, CLASSES.get(name, ("", "image"))[1])
    return [
        ([row for row in train if row["label"] == NORMAL[name]], test) for train, test in splits
    ]


def measure_anomaly(name: str, trunk: Trunk, part: str) -> list[float]:
    """Return the AUROC on a set, the mean of the splits, for each way to read the features."""
    found = []
    for train, test in split_normal(name, part):
        is_abnormal = [row["label"] != NORMAL[name] for row in test]
        scores = [
            score_as_room(name, trunk, train, test),
            score_decorrelated(name, trunk, train, test, MIDDLE),
            score_decorrelated(name, trunk, train, test, BOTH),
            score_as_patchcore(name, trunk, train, test),
        ]
        found.append([float(roc_auc_score(is_abnormal, row)) for row in scores])
    return np.mean(found, 0).tolist()


def score_as_room(name: str, trunk: Trunk, train: list[Row], test: list[Row]) -> list[float]:
    """Return how abnormal images are as anomaly detection has it, from normal ones as they are."""
    folder, framing = SHARED / "data" / name, frame_as(anomaly, name, train)
    peaks = []

    def see(row: Row) -> tuple[torch.Tensor, torch.Tensor]:
        image = read_image(folder / row["image"], framing)
        features = trunk(image)[1]
        beside_mean = image - image.mean((2, 3), keepdim=True)
        colors = functional.adaptive_avg_pool2d(beside_mean, tuple(features.shape[2:]))
        patches = torch.cat([average(features), average(colors), locate(features)], 1)
        return patches, features.amax((2, 3))

    def learn() -> Iterator[tuple[int, torch.Tensor]]:
        for index, row in enumerate(train):
            patches, highest = see(row)
            peaks.append(highest)
            yield index, patches[0].flatten(1).T

    pool = sample_patches(learn(), len(train), torch.Generator().manual_seed(0)).features
    moments = Moments.of(pool), Moments.of(torch.cat(peaks))
    rows = compare_with(pool, *moments).memory
    compared = compare_with(pool[choose_coreset(rows, MEMORY, seed=0)], *moments)
    return [score(measure_distances(*see(row), compared)) for row in test]


def score_decorrelated(
    name: str, trunk: Trunk, train: list[Row], test: list[Row], maps: slice
) -> list[float]:
    """Return how far images are from a memory of normal patches of some maps, decorrelated."""
    pool = pool_patches(name, trunk, train, maps)
    mean, matrix = whiten(pool, trunk.channels[maps])
    memory = choose_memory((pool - mean) @ matrix, MEMORY)
    images = (see_patches(name, trunk, row, maps) for row in test)
    return [score(torch.cdist((image - mean) @ matrix, memory).amin(1)) for image in images]


def score_as_patchcore(name: str, trunk: Trunk, train: list[Row], test: list[Row]) -> list[float]:
    """Return how far the farthest patch of each image is from a memory, features as they are.

    It counts more where the row that it is nearest to is far from the others. Border patches are
    averaged with zeros, as anomalib has it.
    """
    memory = choose_memory(pool_patches(name, trunk, train, BOTH, average_padded), MEMORY)

    def farthest(image: torch.Tensor) -> float:
        distances, nearest = torch.cdist(image, memory).min(1)
        patch = int(distances.argmax())
        rows = torch.cdist(memory[nearest[patch]][None], memory)[0].topk(NEIGHBOURS, largest=False)
        around = torch.cdist(image[patch][None], memory[rows.indices])[0]
        return float((1 - around.softmax(0)[0]) * distances[patch])

    return [farthest(see_patches(name, trunk, row, BOTH, average_padded)) for row in test]


def pool_patches(
    name: str, trunk: Trunk, rows: list[Row], maps: slice, average: Average = average
) -> torch.Tensor:
    """Return a sample (P, C) of the patches of images: POOL at most, as many of each."""
    generator = torch.Generator().manual_seed(0)
    pool = []
    for row in rows:
        patches = see_patches(name, trunk, row, maps, average)
        chosen = torch.randperm(len(patches), generator=generator)[: POOL // len(rows)]
        pool.append(patches[chosen])
    return torch.cat(pool)


def see_patches(
    name: str, trunk: Trunk, row: Row, maps: slice, average: Average = average
) -> torch.Tensor:
    """Return the patches (P, C) of an image, of some maps."""
    return join(trunk(read_image(SHARED / "data" / name / row["image"]))[maps], average)


def average_padded(values: torch.Tensor) -> torch.Tensor:
    """Return (N, C, h, w) averaged over 3 x 3 places, those beyond the border counted as 0."""
    return functional.avg_pool2d(values, 3, 1, 1)


def join(maps: list[torch.Tensor], average: Average = average) -> torch.Tensor:
    """Return patches (P, C) of maps (1, c, h, w), averaged, at the places of the first."""
    alike = [
        functional.interpolate(average(part), size=maps[0].shape[2:], mode="bilinear")
        for part in maps
    ]
    return torch.cat(alike, 1)[0].flatten(1).T


def score(distances: torch.Tensor) -> float:
    """Return the mean of the HOT_SHARE of an image's distances that are highest."""
    hottest = distances.flatten().topk(round(HOT_SHARE * distances.numel()))
    return float(hottest.values.mean())


def look_at(maps: list[torch.Tensor], image: torch.Tensor) -> Look:
    """Return what there is to see in an image (1, 3, SIDE, SIDE) and its maps."""
    middle, last = (part.shape[2:] for part in maps[1:3])
    averaged = [functional.adaptive_avg_pool2d(part, last) for part in maps[:3]]
    texture = torch.cat([functional.adaptive_avg_pool2d(maps[0], middle), maps[1]], 1)
    smoothed = functional.avg_pool2d(texture, 3, 1, 1, count_include_pad=False)
    return Look(
        torch.cat([part.amax((2, 3)) for part in averaged], 1)[0],
        torch.cat([part.mean((2, 3)) for part in averaged], 1)[0],
        maps[-1].mean((2, 3))[0],
        smoothed[0].half(),
        find_colors(image)[0],
    )


def measure_few(
    name: str, trunk: Trunk, part: str, accuracy: str = "balanced"
) -> list[list[float]]:
    """Return the accuracy, of ACCURACIES, for each of three descriptions at each of SHOTS."""
    label, group = CLASSES[name]
    folder = SHARED / "data" / name
    splits = split_rows(read_rows(name), part, group)
    rows = {row["image"]: row for split in splits for half in split for row in half}
    framing = frame_as(classification, name, rows.values())
    images = ((key, read_image(folder / key, framing)) for key in rows)
    looks = {key: look_at(trunk(image), image) for key, image in images}
    found = []
    for split in splits:
        known, asked = ([looks[row["image"]] for row in half] for half in split)
        known_y, asked_y = (np.array([row[label] for row in half]) for half in split)
        found.append(
            [
                [
                    learn_few(read, (known, known_y), (asked, asked_y), shots, accuracy)
                    for shots in SHOTS
                ]
                for read in (read_as_room(trunk.channels), read_wide, read_last)
            ]
        )
    return np.mean(found, 0).tolist()


def read_wide(known: list[Look], asked: list[Look]) -> list[np.ndarray]:
    """Return what images to learn from and others are described by: mean and highest features."""
    return standardise(
        torch.stack([torch.cat([look.mean, look.highest]) for look in looks]).numpy()
        for looks in (known, asked)
    )


def read_last(known: list[Look], asked: list[Look]) -> list[np.ndarray]:
    """Return the mean of the last map of images to learn from and of others."""
    return standardise(
        torch.stack([look.last for look in looks]).numpy() for looks in (known, asked)
    )


def read_as_room(channels: list[int]) -> Read:
    """Return what describes images as classification does; the known ones choose the axes."""
    pairs = find_pairs()

    def read(known: list[Look], asked: list[Look]) -> list[np.ndarray]:
        textures = [look.texture[None].float() for look in known]
        compared = (choose_axes(textures, channels[:2]), *pairs)
        described = standardise(
            np.concatenate([describe_as_room(look, *compared) for look in looks])
            for looks in (known, asked)
        )
        for part in described:
            part[:, -COLOR_FACTS:] *= COLOR_WEIGHT
        return described

    return read


def describe_as_room(
    look: Look, axes: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> np.ndarray:
    """Return the highest features of an image, and how those along axes go together: (1, D)."""
    along = torch.einsum("dhw,ad->ahw", look.texture.float(), axes)
    highest, colors = look.highest[None, :, None, None], look.colors[None]
    return describe(highest, along[None], colors, first, second).numpy()


def standardise(described: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return descriptions (N, D) of one scale each, by the first of them."""
    known, *others = described
    scale = StandardScaler().fit(known)
    return [scale.transform(part) for part in (known, *others)]


def learn_few(read: Read, learned: Part, measured: Part, shots: int, accuracy: str) -> float:
    """Return the mean accuracy of DRAWS classifiers, each from that many a class."""
    (known, known_y), (asked, asked_y) = learned, measured
    found = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        rows = np.concatenate(
            [rng.permutation(np.flatnonzero(known_y == k))[:shots] for k in np.unique(known_y)]
        )
        known_x, asked_x = read([known[row] for row in rows], asked)
        classifier = LogisticRegression(C=0.01, max_iter=500)
        classifier.fit(known_x, known_y[rows])
        found.append(ACCURACIES[accuracy](asked_y, classifier.predict(asked_x)))
    return float(np.mean(found))


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help="FILE:NETWORK, random:NETWORK")
    parser.add_argument("--part", choices=("thirds", "dev", "test"), default="thirds")
    parser.add_argument("--accuracy", choices=ACCURACIES, default="balanced")
    asked = parser.parse_args()
    heads = [f"anomaly {name}" for name in NORMAL] + [f"few {name}" for name in CLASSES]
    print(f"part {asked.part}\n| network | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    for name in asked.networks or list(IMAGENET):
        trunk = load_network(name)
        with torch.inference_mode():
            cells = [
                ""
                if (key, asked.part) in UNDEFINED
                else " or ".join(f"{v:.3f}" for v in measure_anomaly(key, trunk, asked.part))
                for key in NORMAL
            ]
            for key in CLASSES:
                rows = measure_few(key, trunk, asked.part, asked.accuracy)
                cells.append(" or ".join(" ".join(f"{v:.3f}" for v in row) for row in rows))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
