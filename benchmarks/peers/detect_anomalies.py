"""anomalib's PatchCore and PaDiM on MobileNetV2, at 256 x 256 pixels, on normal images alone.

Methods: patchcore, padim. Their networks are called directly, without Lightning, which would take
seconds more. EfficientAD is not among them: its teacher and Imagenette are downloads.
"""

import ctypes
import sys

import numpy as np
import torch
import torchvision
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from common import answer, load_mobilenet, read_image, start, to_input
from torch import nn

SIDE = (256, 256)
LAYERS = ["features.6", "features.13"]  # strides 8 and 16
CORESET = 0.1  # of the patches, as PatchCore's paper has it
POOLED = 20_000  # patches that the coreset is chosen from, so that it ends in minutes
PADIM_FEATURES = 100
MMAP_THRESHOLD = -3  # of mallopt: what is larger goes back to the system at once
LOW, HIGH = 4 << 20, 32 << 20  # bytes


def build_backbone(weights: str) -> nn.Module:
    """Return MobileNetV2 with random or ImageNet weights."""
    network = torchvision.models.mobilenet_v2()
    if weights == "imagenet":
        load_mobilenet(network)
    return network


def fit(model: nn.Module, images: list[np.ndarray], method: str) -> None:
    """Show the model the normal images, and fit what it keeps of them."""
    model.train()
    model.feature_extractor.eval()
    for image in images:
        model(to_input([image]))
    if method == "padim":
        model.fit()
        return
    patches = torch.vstack(model.embedding_store)
    chosen = torch.randperm(len(patches))[:POOLED]
    model.embedding_store = [patches[chosen]]
    # Or glibc's heap grows by what is compared at each step of the choice, to 24 GB and its end.
    set_mmap_threshold(LOW)
    model.subsample_embedding(CORESET)
    set_mmap_threshold(HIGH)


def set_mmap_threshold(size: int) -> None:
    """Say from which size on memory goes back to the system at once, where glibc can be told."""
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, size)


def main() -> None:
    """Train, predict, and write the answer."""
    asked = start()
    normal = [item for item in asked.read()["train"] if not item["abnormal"]]
    images = [read_image(item["image"], SIDE) for item in normal]
    backbone = build_backbone(asked.weights).eval()
    if asked.method == "padim":
        model = PadimModel(backbone, LAYERS, n_features=PADIM_FEATURES)
    else:
        model = PatchcoreModel(LAYERS, backbone)
    with torch.no_grad():  # or PatchCore's choice of its memory keeps all that it compared
        fit(model, images, asked.method)
    model.eval()

    def predict(image: np.ndarray) -> float:
        small = torchvision.transforms.functional.resize(
            torch.from_numpy(image).permute(2, 0, 1), list(SIDE), antialias=True
        )
        with torch.inference_mode():
            return float(model(to_input([small.permute(1, 2, 0).numpy()])).pred_score)

    answer(asked, predict, lambda said: {"scores": np.array(said)})


if __name__ == "__main__":
    main()
