"""torchvision's small segmenters by its reference recipe, and a U-Net on MobileNetV2.

Methods: lraspp_mobilenet_v3_large, deeplabv3_mobilenet_v3_large (SGD with momentum, random size,
crop and flip, cross entropy), unet_mobilenet_v2 (segmentation-models-pytorch, AdamW, cross entropy
and Dice). From ImageNet weights U-Net takes smaller images and batches, for more steps in the same
seconds, and a lower rate for its encoder.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torchvision
from common import (
    answer,
    draw_batches,
    hold_batch_norm,
    load_mobilenet,
    read_image,
    read_mask,
    start,
    to_input,
    train_for,
)
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

IGNORED = 255


@dataclass(frozen=True)
class Recipe:
    """How large images, crops and batches are, how their size varies, and the encoder's rate."""

    longest: int
    crop: int
    batch: int
    scales: tuple[float, float]
    rate: float


RECIPES = {
    "random": Recipe(longest=512, crop=320, batch=8, scales=(0.5, 2.0), rate=1e-3),
    "imagenet": Recipe(longest=256, crop=256, batch=4, scales=(0.8, 1.25), rate=1e-4),
}


def build_unet(weights: str, classes: int) -> nn.Module:
    """Return the U-Net; its encoder takes torchvision's names of weights."""
    import segmentation_models_pytorch as smp

    network = smp.Unet("mobilenet_v2", encoder_weights=None, classes=classes)
    if weights == "imagenet":
        load_mobilenet(network.encoder)
    return network


def build(method: str, weights: str, classes: int) -> nn.Module:
    """Return the network for that many classes, background among them."""
    if method == "unet_mobilenet_v2":
        network = build_unet(weights, classes)
    else:
        network = torchvision.models.get_model(
            method, weights=None, weights_backbone=None, num_classes=classes
        )
    return network.to(memory_format=torch.channels_last)


def run(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return logits (N, K, H, W)."""
    found = network(images)
    return found["out"] if isinstance(found, dict) else found


def fit_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return the size at which an image is shown: at most that long, in steps of 32."""
    scale = min(1.0, longest / max(height, width))
    rows, columns = (max(64, round(side * scale / 32) * 32) for side in (height, width))
    return rows, columns


def compute_loss(logits: torch.Tensor, masks: torch.Tensor, with_dice: bool) -> torch.Tensor:
    """Return the cross entropy, with the Dice loss of the classes where that is asked for."""
    loss: torch.Tensor = nn.functional.cross_entropy(logits, masks, ignore_index=IGNORED)
    if with_dice:
        counted = (masks != IGNORED)[:, None]
        scores = logits.softmax(1) * counted
        wanted = nn.functional.one_hot(masks.clamp(max=logits.shape[1] - 1), logits.shape[1])
        wanted = wanted.permute(0, 3, 1, 2) * counted
        shared = (scores * wanted).sum((0, 2, 3))[1:]
        total = (scores + wanted).sum((0, 2, 3))[1:]
        loss = loss + (1 - (2 * shared + 1) / (total + 1)).mean()
    return loss


def read_pairs(items, longest):
    """Return images (3, H, W) and masks (1, H, W), at most that long."""
    pairs = []
    for item in items:
        size = fit_size(*read_image(item["image"]).shape[:2], longest)
        image = torch.from_numpy(read_image(item["image"], size)).permute(2, 0, 1)
        mask = torch.from_numpy(read_mask(item["mask"], size))[None]
        pairs.append((tv_tensors.Image(image), tv_tensors.Mask(mask)))
    return pairs


def build_optimizer(network, method, rate) -> torch.optim.Optimizer:
    """Return SGD, as in the reference recipe; for U-Net AdamW with that rate for the encoder."""
    if not method.startswith("unet"):
        return torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    groups = [
        {"params": network.encoder.parameters(), "lr": rate},
        {"params": network.decoder.parameters()},
        {"params": network.segmentation_head.parameters()},
    ]
    return torch.optim.AdamW(groups, 1e-3)


def train(asked, problem):
    """Return the trained network, and how many steps it took."""
    recipe = RECIPES[asked.weights]
    pairs = read_pairs(problem["train"], recipe.longest)
    network = build(asked.method, asked.weights, len(problem["classes"]) + 1)
    fill = {tv_tensors.Image: 124, tv_tensors.Mask: IGNORED}
    vary = v2.Compose(
        [
            v2.ScaleJitter((recipe.longest,) * 2, scale_range=recipe.scales, antialias=True),
            v2.RandomCrop(recipe.crop, pad_if_needed=True, fill=fill),
            v2.RandomHorizontalFlip(),
        ]
    )
    is_unet = asked.method.startswith("unet")
    optimizer = build_optimizer(network, asked.method, recipe.rate)
    batches = draw_batches(len(pairs), min(recipe.batch, len(pairs)), asked.seed)

    def step() -> torch.Tensor:
        network.train()
        if asked.weights == "imagenet":
            hold_batch_norm(network.encoder)
        varied = [vary(*pairs[i]) for i in next(batches)]
        if len(varied) == 1:  # batch norm over a pooled map needs two
            varied = varied * 2
        images = to_input([image.permute(1, 2, 0).numpy() for image, _ in varied])
        masks = torch.stack([mask[0] for _, mask in varied]).long()
        return compute_loss(run(network, images), masks, is_unet)

    return network, train_for(asked.seconds, optimizer, step)


def main() -> None:
    """Train, predict, and write the answer."""
    asked = start()
    network, steps = train(asked, asked.read())
    network.eval()

    def predict(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        rows, columns = fit_size(height, width, RECIPES[asked.weights].longest)
        small = torchvision.transforms.functional.resize(
            torch.from_numpy(image).permute(2, 0, 1), [rows, columns], antialias=True
        )
        with torch.inference_mode():
            logits = run(network, to_input([small.permute(1, 2, 0).numpy()]))
            logits = nn.functional.interpolate(logits, size=(height, width), mode="bilinear")
        return logits.argmax(1)[0].numpy().astype(np.uint8)

    answer(
        asked,
        predict,
        lambda said: {str(index): mask for index, mask in enumerate(said)},
        steps=steps,
    )


if __name__ == "__main__":
    main()
