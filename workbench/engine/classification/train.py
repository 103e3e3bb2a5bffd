"""How classification learns: whole images in an input of one aspect, and cross entropy.

On pretrained features the head learns first, and the network is trained on from there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from ...settings import Settings
from ...tasks import find_task
from ...tasks.classification import ClassLabel
from ...tasks.framing import Frame, Framing, pad_to
from ..augment import move_mirrored, vary_light, vary_view_mirrored
from ..choice import Choice
from ..data import Example, MakeSample, ScaledImages, to_tensor, usual_input
from ..loop import fit
from ..monitor import Monitor
from ..predict import measure
from ..probe import Views, probe_first, weigh_classes
from .model import ClassificationModel
from .probe import VIEWS, find_penalty, fit_probe

TASK = find_task("classification")
LABEL_SMOOTHING = 0.05
LEAD = 1.5  # standard errors: dev often shows parts that train shows too, and rounds learn those
MOVED = 15, (0.85, 1.15), 0.06  # up to so many degrees, between these scales, by that fraction


def choose_framing(examples: Sequence[Example], settings: Settings) -> Framing:
    """Return how images are shown to the network: each as a whole, all of one area.

    Nothing is padded, for what an image is described by is taken over all of its input. But for
    random weights: batch norm learns its statistics from images of one size. What lies beyond an
    image is its mirror image there: grey has edges, which the highest features would be of.
    """
    usual = usual_input(examples, settings.input_size)
    if settings.backbone == "random":
        return Framing(usual, is_mirrored=True)
    return Framing(usual, is_whole=True)


def make_target(label: ClassLabel, frame: Frame, classes: Sequence[str]) -> int:
    """Return the index of the class that the label names."""
    return classes.index(label.class_name)


def build_augmentation(settings: Settings) -> v2.Transform:
    """Return what varies a training image: flips, small turns, size and light."""
    return v2.Compose([vary_view_mirrored(*MOVED), vary_light()])


def make_sample(
    image: np.ndarray, target: int, framing: Framing, augment: v2.Transform
) -> tuple[torch.Tensor, int]:
    """Return one training input, uint8 (3, H, W), and its class index."""
    if not framing.is_whole:
        image = pad_to(image, framing.input_size, framing.is_mirrored)
    return augment(tv_tensors.Image(to_tensor(image))), target


def build_sampler(examples: Sequence[Example], framing: Framing, settings: Settings) -> MakeSample:
    """Return what pads and varies a training image with its target, as `train` does."""
    augment = build_augmentation(settings) if settings.augment else v2.Identity()
    return partial(make_sample, framing=framing, augment=augment)


def build_mover(framing: Framing, settings: Settings) -> MakeSample:
    """Return what pads and moves an image for the first fit, without flips or other light.

    How things lie and what color they have tells classes apart, and the features are held: the fit
    would only learn to do without that (tools/pretrain/RESULTS.md).
    """
    move = move_mirrored(*MOVED) if settings.augment else v2.Identity()
    return partial(make_sample, framing=framing, augment=move)


def make_label(target: int, classes: Sequence[str]) -> ClassLabel:
    """Return the label that a target stands for, to show what is trained on."""
    return ClassLabel(classes[target])


def compute_loss(
    model: ClassificationModel,
    inputs: torch.Tensor,
    targets: list[int],
    weights: torch.Tensor,
    penalty: float,
) -> torch.Tensor:
    """Return the cross entropy of a batch; weights float (K,) lift rare classes.

    They count in full for one image alone: not only beside those of the others. penalty: on half
    the sum of the head's squares, so that a head that was fitted with it does not forget it.
    """
    logits = model.classify(inputs)  # (N, K)
    losses = nn.functional.cross_entropy(
        logits.float(),
        torch.tensor(targets, device=logits.device),
        weights.to(logits.device),
        reduction="sum",
        label_smoothing=LABEL_SMOOTHING,
    )
    return losses / len(targets) + penalty / 2 * model.head.weight.square().sum()


def class_weights(examples: Sequence[Example], classes: Sequence[str]) -> torch.Tensor:
    """Return a weight for each class, float (K,): one over the root of how many show it.

    Over all examples the mean is 1.
    """
    by_name = Counter(example.read_label().class_name for example in examples)
    counts = torch.tensor([by_name[name] for name in classes])
    weights = weigh_classes(counts)
    return weights * counts.sum() / (weights * counts).sum()


def train(
    model: ClassificationModel,
    examples: Sequence[Example],
    dev: Sequence[Example],
    classes: Sequence[str],
    framing: Framing,
    settings: Settings,
    monitor: Monitor,
) -> None:
    """Train the model in place on the examples; dev decides which round is kept.

    Few images without dev are not trained on beyond the first fit: see `Settings.judged_below`.
    """
    images = ScaledImages(examples, framing, partial(make_target, classes=classes))
    dev_images = ScaledImages(dev, framing)
    weights = class_weights(examples, classes)
    make_plain = build_sampler(examples, framing, replace(settings, augment=False))
    make_moved = build_mover(framing, settings)
    is_all = not settings.steps(len(images), has_dev=len(dev) > 0)
    views = Views(images, make_plain, make_moved, VIEWS, settings.seed, monitor, is_all)
    is_ready = probe_first(model, views, partial(fit_probe, model, class_weights=weights))
    penalty = find_penalty(len(images)) if is_ready else 0.0
    look = partial(measure, images=dev_images, task=TASK, classes=classes, monitor=monitor)
    fit(
        model,
        images,
        build_sampler(examples, framing, settings),
        partial(compute_loss, weights=weights, penalty=penalty),
        Choice(look, len(dev), lead=LEAD),
        settings,
        monitor,
        is_ready,
    )


def choose_threshold(
    predictions: Iterable[Any], labels: Iterable[Any], classes: Sequence[str]
) -> float:
    """Return 0: the most probable class counts, however sure the model is."""
    return 0.0
