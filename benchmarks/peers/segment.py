"""torchvision's small segmenters by its reference recipe, and a U-Net on MobileNetV2.

Methods: lraspp_mobilenet_v3_large, deeplabv3_mobilenet_v3_large (SGD with momentum, random size,
crop and flip, cross entropy), unet_mobilenet_v2 (segmentation-models-pytorch, AdamW, cross entropy
and Dice).
"""

import numpy as np
import torch
import torchvision
from common import (
    MOBILENET,
    answer,
    draw_batches,
    read_image,
    read_mask,
    start,
    to_input,
    train_for,
)
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

LONGEST, CROP, BATCH, IGNORED = 512, 320, 8, 255


def build_unet(weights: str, classes: int) -> nn.Module:
    """Return the U-Net; its encoder takes torchvision's names of weights."""
    import segmentation_models_pytorch as smp

    network = smp.Unet("mobilenet_v2", encoder_weights=None, classes=classes)
    if weights == "imagenet":
        state = torch.load(MOBILENET, weights_only=True)
        wanted = network.encoder.state_dict()
        network.encoder.load_state_dict({key: state[key] for key in wanted})
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


def fit_size(height: int, width: int) -> tuple[int, int]:
    """Return the size at which an image is shown: its longest side LONGEST, in steps of 32."""
    scale = min(1.0, LONGEST / max(height, width))
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


def train(asked, problem):
    """Return the trained network, and how many steps it took."""
    pairs = []
    for item in problem["train"]:
        image = read_image(item["image"])
        size = fit_size(*image.shape[:2])
        small = torch.from_numpy(read_image(item["image"], size)).permute(2, 0, 1)
        mask = torch.from_numpy(read_mask(item["mask"], size))[None]
        pairs.append((tv_tensors.Image(small), tv_tensors.Mask(mask)))
    network = build(asked.method, asked.weights, len(problem["classes"]) + 1)
    fill = {tv_tensors.Image: 124, tv_tensors.Mask: IGNORED}
    vary = v2.Compose(
        [
            v2.ScaleJitter((LONGEST, LONGEST), scale_range=(0.5, 2.0), antialias=True),
            v2.RandomCrop(CROP, pad_if_needed=True, fill=fill),
            v2.RandomHorizontalFlip(),
        ]
    )
    is_unet = asked.method.startswith("unet")
    if is_unet:
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    else:
        optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    batches = draw_batches(len(pairs), min(BATCH, len(pairs)), asked.seed)

    def step() -> torch.Tensor:
        network.train()
        if asked.weights != "random":
            for module in network.encoder.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
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
        rows, columns = fit_size(height, width)
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
