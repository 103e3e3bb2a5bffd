"""Measure frozen features on real photos: anomaly detection, and classes from few labels.

    python tools/pretrain/evaluate.py [OUT.safetensors:resnet10 ...] [--part dev]

Beside the files named: random weights, and the ImageNet weights in ../shared/weights. Everything
that is chosen is chosen on dev, which is cut from the training images; test is for reporting.

- anomaly: a memory of normal patches of stride 8, or of strides 8 and 16, decorrelated (PatchCore,
  Roth et al., 2022); the score of an image is the mean distance of its farthest patches. AUROC of
  both. On dev the magnetic tiles are those of the training half, defects among them; on test they
  are the set's own split_anomaly, whose defects were in part on dev.
- few: a logistic regression on 5, 10 and 20 images a class, on the standardised mean and highest
  features of strides 4, 8 and 16, averaged to stride 16, or on the mean of the last map, whichever
  is better on dev; balanced accuracy, the mean of 10 draws.
"""

import argparse
import csv
import zlib
from pathlib import Path

import numpy as np
import torch
from networks import Trunk, build
from PIL import Image
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional
from train import normalise

SHARED = Path(__file__).resolve().parents[3] / "shared"
SIDE = 256
SHOTS = (5, 10, 20)
DRAWS = 10
PATCHES, MEMORY = 20_000, 2_000
PATCHES_OF = (slice(1, 2), slice(1, 3))  # maps: of stride 8; of strides 8 and 16
SHRINKAGE = 0.01  # of the mean variance, added to that of each direction
HOT_SHARE = 0.01  # of the patches, the farthest, whose mean distance is the score of an image
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
UNDEFINED = {("hazelnut_toy", "dev")}  # no defects outside of its test images

Row = dict[str, str]


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


def read_image(path: Path) -> torch.Tensor:
    """Return an image as the networks take it: float (1, 3, SIDE, SIDE)."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return normalise(torch.from_numpy(np.array(small)).permute(2, 0, 1)[None] / 255)


def is_held_out(group: str) -> bool:
    """Tell whether a group of training images (a tile, a sheet, a fruit) is in dev."""
    return zlib.crc32(group.encode()) % 3 == 0


def split_rows(rows: list[Row], part: str, group: str) -> tuple[list[Row], list[Row]]:
    """Return the rows to learn from and those to measure on."""
    train = [row for row in rows if row["split"] == "train"]
    if part == "test":
        return train, [row for row in rows if row["split"] == "test"]
    held = [is_held_out(row.get(group) or row["image"]) for row in train]
    return (
        [row for row, out in zip(train, held) if not out],
        [row for row, out in zip(train, held) if out],
    )


def patches_of(maps: list[torch.Tensor]) -> torch.Tensor:
    """Return the patches (P, C) of an image's maps, at the places of the first."""
    averaged = [functional.avg_pool2d(part, 3, 1, 1, count_include_pad=False) for part in maps]
    size = averaged[0].shape[2:]
    alike = [functional.interpolate(part, size=size, mode="bilinear") for part in averaged]
    return torch.cat(alike, 1)[0].flatten(1).T


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


def split_normal(name: str, part: str) -> tuple[list[Row], list[Row]]:
    """Return the normal images to learn from and the images to measure on."""
    rows = read_rows(name)
    if name == "magnetic_tile":
        rows = [row for row in rows if row["exposure"] == EXPOSURE]
    if part == "test":
        column = "split_anomaly" if "split_anomaly" in rows[0] else "split"
        train, test = ([row for row in rows if row[column] == key] for key in ("train", "test"))
    else:
        train, test = split_rows(rows, part, CLASSES.get(name, ("", "image"))[1])
    return [row for row in train if row["label"] == NORMAL[name]], test


def measure_anomaly(name: str, describe: Trunk, part: str, taken: slice) -> float:
    """Return the AUROC on a set with the patches of some of the maps."""
    train, test = split_normal(name, part)
    folder = SHARED / "data" / name
    generator = torch.Generator().manual_seed(0)
    pool = []
    for row in train:
        patches = patches_of(describe(read_image(folder / row["image"]))[taken])
        pool.append(
            patches[torch.randperm(len(patches), generator=generator)[: PATCHES // len(train)]]
        )
    pooled = torch.cat(pool)
    mean, matrix = whiten(pooled, describe.channels[taken])
    memory = choose_memory((pooled - mean) @ matrix, MEMORY)
    scores = []
    for row in test:
        patches = patches_of(describe(read_image(folder / row["image"]))[taken])
        distances = torch.cdist((patches - mean) @ matrix, memory).amin(1)
        scores.append(float(distances.topk(round(HOT_SHARE * len(distances))).values.mean()))
    return float(roc_auc_score([row["label"] != NORMAL[name] for row in test], scores))


def pool_features(maps: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return two descriptions of an image, each (C,)."""
    size = maps[2].shape[2:]
    averaged = [functional.adaptive_avg_pool2d(part, size) for part in maps[:3]]
    wide = [part for m in averaged for part in (m.mean((2, 3)), m.amax((2, 3)))]
    return [torch.cat(wide, 1)[0], maps[-1].mean((2, 3))[0]]


def measure_few(name: str, describe: Trunk, part: str) -> list[list[float]]:
    """Return the balanced accuracy for both descriptions at each of SHOTS."""
    label, group = CLASSES[name]
    train, test = split_rows(read_rows(name), part, group)
    folder = SHARED / "data" / name
    train_x, test_x = (
        [pool_features(describe(read_image(folder / row["image"]))) for row in rows]
        for rows in (train, test)
    )
    train_y, test_y = (np.array([row[label] for row in rows]) for rows in (train, test))
    return [
        [learn_few(stack(train_x, i), train_y, stack(test_x, i), test_y, shots) for shots in SHOTS]
        for i in (0, 1)
    ]


def stack(described: list[list[torch.Tensor]], index: int) -> np.ndarray:
    """Return one of the descriptions of all images: float32 (N, C)."""
    return torch.stack([both[index] for both in described]).numpy()


def learn_few(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, shots: int
) -> float:
    """Return the mean balanced accuracy of DRAWS classifiers, each from that many a class."""
    found = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        rows = np.concatenate(
            [rng.permutation(np.flatnonzero(train_y == k))[:shots] for k in np.unique(train_y)]
        )
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        classifier.fit(train_x[rows], train_y[rows])
        found.append(balanced_accuracy_score(test_y, classifier.predict(test_x)))
    return float(np.mean(found))


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help="FILE:NETWORK, random:NETWORK")
    parser.add_argument("--part", choices=("dev", "test"), default="dev")
    asked = parser.parse_args()
    heads = [f"anomaly {name}" for name in NORMAL] + [f"few {name}" for name in CLASSES]
    print(f"part {asked.part}\n| network | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    for name in asked.networks or list(IMAGENET):
        describe = load_network(name)
        with torch.inference_mode():
            cells = [
                ""
                if (key, asked.part) in UNDEFINED
                else " or ".join(
                    f"{measure_anomaly(key, describe, asked.part, taken):.3f}"
                    for taken in PATCHES_OF
                )
                for key in NORMAL
            ]
            for key in CLASSES:
                both = measure_few(key, describe, asked.part)
                cells.append(" or ".join(" ".join(f"{v:.3f}" for v in row) for row in both))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
