"""A plain fine-tune of a torchvision network, and a probe.

Methods: mobilenet_v2, mobilenet_v3_large, resnet18 (fine-tuned: flips and random resized crops;
from random weights SGD with momentum, after torchvision's reference recipe, from ImageNet weights
AdamW), squeezenet1_0_probe and mobilenet_v2_probe (frozen, with a logistic regression).
"""

import numpy as np
import torch
import torchvision
from common import (
    WEIGHTS,
    answer,
    draw_batches,
    hold_batch_norm,
    load_mobilenet,
    read_image,
    start,
    to_input,
    train_for,
)
from torch import nn
from torchvision.transforms import v2

SIDE, BATCH = 224, 16
LEAST_CROPS = {"random": 0.35, "imagenet": 0.6}  # share of the area
SQUEEZENET = WEIGHTS / "squeezenet1_0-deepcompression.pth"


def build(name: str, weights: str, classes: int) -> nn.Module:
    """Return the network with a new last layer."""
    network = torchvision.models.get_model(name)
    if weights == "imagenet":
        load_mobilenet(network)
    if name == "resnet18":
        network.fc = nn.Linear(network.fc.in_features, classes)
    else:
        network.classifier[-1] = nn.Linear(network.classifier[-1].in_features, classes)
    return network.to(memory_format=torch.channels_last)


def build_optimizer(network: nn.Module, weights: str) -> torch.optim.Optimizer:
    """Return SGD, as in the reference recipe; AdamW from ImageNet weights."""
    if weights == "imagenet":
        return torch.optim.AdamW(network.parameters(), 6e-4)
    return torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)


def fine_tune(asked, problem):
    """Return predict(image) of a fine-tuned network, and how many steps it took."""
    items = problem["train"]
    images = [torch.from_numpy(read_image(item["image"])).permute(2, 0, 1) for item in items]
    labels = torch.tensor([item["label"] for item in items])
    network = build(asked.method, asked.weights, len(problem["classes"]))
    scale = (LEAST_CROPS[asked.weights], 1.0)
    vary = v2.Compose(
        [v2.RandomResizedCrop(SIDE, scale=scale, antialias=True), v2.RandomHorizontalFlip()]
    )
    optimizer = build_optimizer(network, asked.weights)
    batches = draw_batches(len(items), min(BATCH, len(items)), asked.seed)

    def step() -> torch.Tensor:
        network.train()
        if asked.weights == "imagenet":
            hold_batch_norm(network)
        chosen = next(batches)
        views = [vary(images[i]).permute(1, 2, 0).numpy() for i in chosen]
        loss: torch.Tensor = nn.functional.cross_entropy(network(to_input(views)), labels[chosen])
        return loss

    steps = train_for(asked.seconds, optimizer, step)
    network.eval()

    def predict(image: np.ndarray) -> np.ndarray:
        small = torchvision.transforms.functional.resize(
            torch.from_numpy(image).permute(2, 0, 1), [SIDE, SIDE], antialias=True
        )
        with torch.inference_mode():
            return network(to_input([small.permute(1, 2, 0).numpy()])).softmax(1)[0].numpy()

    return predict, steps


def probe(asked, problem):
    """Return predict(image) of a logistic regression on frozen features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    name = asked.method.removesuffix("_probe")
    network = torchvision.models.get_model(name)
    if asked.weights == "imagenet" and name == "squeezenet1_0":
        network.load_state_dict(torch.load(SQUEEZENET, weights_only=True))
    elif asked.weights == "imagenet":
        load_mobilenet(network)
    network.eval()

    def describe(image: np.ndarray) -> np.ndarray:
        small = torchvision.transforms.functional.resize(
            torch.from_numpy(image).permute(2, 0, 1), [SIDE, SIDE], antialias=True
        )
        with torch.inference_mode():
            features = network.features(to_input([small.permute(1, 2, 0).numpy()]))
        return features.mean((2, 3))[0].numpy()

    features = np.stack([describe(read_image(item["image"])) for item in problem["train"]])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    classifier.fit(features, [item["label"] for item in problem["train"]])
    places = classifier.classes_

    def predict(image: np.ndarray) -> np.ndarray:
        scores = np.zeros(len(problem["classes"]))
        scores[places] = classifier.predict_proba(describe(image)[None])[0]
        return scores

    return predict, 0


def main() -> None:
    """Train, predict, and write the answer."""
    asked = start()
    learn = probe if asked.method.endswith("_probe") else fine_tune
    predict, steps = learn(asked, asked.read())
    answer(asked, predict, lambda said: {"scores": np.stack(said)}, steps=steps)


if __name__ == "__main__":
    main()
