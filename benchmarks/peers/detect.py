"""torchvision's detectors by its reference recipe: SGD with momentum, random flips.

Methods: ssdlite320_mobilenet_v3_large, fasterrcnn_mobilenet_v3_large_320_fpn, and
fcos_mobilenet_v2: FCOS with a feature pyramid on MobileNetV2; from ImageNet weights it takes AdamW,
and keeps the statistics of batch norm.
"""

import numpy as np
import torch
import torchvision
from common import (
    answer,
    draw_batches,
    hold_batch_norm,
    load_mobilenet,
    read_image,
    start,
    train_for,
)
from torch import nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

BATCH, FCOS_SIDE = 4, 512


def build_fcos(weights: str, classes: int) -> nn.Module:
    """Return FCOS on MobileNetV2, at strides 8 to 128."""
    network = torchvision.models.mobilenet_v2()
    if weights == "imagenet":
        load_mobilenet(network)
    places = {"6": "0", "13": "1", "18": "2"}
    backbone = BackboneWithFPN(
        network.features, places, [32, 96, 1280], 256, extra_blocks=LastLevelP6P7(256, 256)
    )
    return FCOS(backbone, num_classes=classes, min_size=FCOS_SIDE, max_size=FCOS_SIDE)


def build(method: str, weights: str, classes: int) -> nn.Module:
    """Return the detector; FCOS has no background class, the others have it as 0."""
    if method == "fcos_mobilenet_v2":
        return build_fcos(weights, classes)
    return torchvision.models.get_model(
        method, weights=None, weights_backbone=None, num_classes=classes + 1
    )


def build_optimizer(network: nn.Module, weights: str) -> torch.optim.Optimizer:
    """Return SGD, as in the reference recipe; AdamW from ImageNet weights."""
    if weights == "imagenet":
        return torch.optim.AdamW(network.parameters(), 5e-4)
    return torch.optim.SGD(network.parameters(), 0.02 * BATCH / 16, momentum=0.9, weight_decay=1e-4)


def read_target(item: dict, first: int) -> dict[str, torch.Tensor]:
    """Return the boxes of an item as torchvision's detectors take them."""
    rows = torch.tensor(item["boxes"], dtype=torch.float32).view(-1, 5)
    return {"boxes": rows[:, :4], "labels": rows[:, 4].long() + first}


def flip(image: torch.Tensor, target: dict) -> tuple[torch.Tensor, dict]:
    """Return an image (3, H, W) and its boxes, mirrored half of the time."""
    if torch.rand(()) < 0.5:
        return image, target
    boxes = target["boxes"].clone()
    boxes[:, [0, 2]] = image.shape[2] - boxes[:, [2, 0]]
    return image.flip(2), {**target, "boxes": boxes}


def main() -> None:
    """Train, predict, and write the answer."""
    asked = start()
    problem = asked.read()
    first = 0 if asked.method == "fcos_mobilenet_v2" else 1
    images = [
        torch.from_numpy(read_image(item["image"])).permute(2, 0, 1) for item in problem["train"]
    ]
    targets = [read_target(item, first) for item in problem["train"]]
    network = build(asked.method, asked.weights, len(problem["classes"]))
    optimizer = build_optimizer(network, asked.weights)
    batches = draw_batches(len(images), min(BATCH, len(images)), asked.seed)

    def step() -> torch.Tensor:
        network.train()
        if asked.weights == "imagenet":
            hold_batch_norm(network)
        chosen = [flip(images[i].float() / 255, targets[i]) for i in next(batches)]
        losses = network([image for image, _ in chosen], [target for _, target in chosen])
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        return torch.stack(list(losses.values())).sum()

    steps = train_for(asked.seconds, optimizer, step)
    network.eval()

    def predict(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = network([torch.from_numpy(image).permute(2, 0, 1).float() / 255])[0]
        columns = (found["boxes"], found["scores"][:, None], found["labels"][:, None] - first)
        return torch.cat(columns, 1).numpy()

    answer(
        asked,
        predict,
        lambda said: {str(index): rows for index, rows in enumerate(said)},
        steps=steps,
    )


if __name__ == "__main__":
    main()
