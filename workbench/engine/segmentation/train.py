"""How segmentation learns: crops at a scale that keeps thin things, cross entropy and Dice."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from ...settings import Settings
from ...tasks import find_task
from ...tasks.framing import Frame, Framing, pad_to, shrink
from ...tasks.segmentation import MaskLabel, MaskPrediction
from ..augment import IGNORED, vary_light, vary_view_mirrored
from ..choice import Choice
from ..data import (
    Example,
    MakeSample,
    ScaledImages,
    are_cut_out,
    choose_dev,
    crop_size,
    to_tensor,
    usual_area,
    usual_input,
)
from ..loop import fit
from ..monitor import Monitor
from ..predict import measure
from ..probe import Views, probe_first
from .model import SegmentationModel
from .paste import paste_again
from .probe import VIEWS, fit_probe

TASK = find_task("segmentation")
Augment = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
KEPT_SHARE = 0.85  # IoU of labels with themselves, after they went through the chosen scale
COVERED = 0.4  # a scaled pixel is foreground where that share of it is
HIGHEST_SCALE = 2.0
SCALES = (0.25, 0.35, 0.5, 0.7)  # that are tried, beside that which fits an image into one input
LOOKED_AT = 16  # labels that are looked at to choose the scale
FOREGROUND_CROPS = 0.6  # share of crops that hold something on purpose
FOREGROUND_WEIGHT = 6.0  # of a pixel of a class, beside one of background: there are few of them


def choose_framing(examples: Sequence[Example], settings: Settings) -> Framing:
    """Return the smallest scale at which labels keep their shape, and tiles of input_size.

    Images are never made smaller than one input, nor larger than HIGHEST_SCALE times. Those that
    are cut out of photos are shown as a whole, without padding, where their usual size allows it.
    """
    if are_cut_out(examples):
        usual = usual_input(examples, settings.input_size)
        scale = min(HIGHEST_SCALE, math.sqrt(math.prod(usual) / usual_area(examples)))
        if scale >= find_scale(examples, scale):
            return Framing(usual, scale, is_whole=True)
    longest = max(max(example.image_size) for example in examples)
    whole = settings.input_size / longest
    side = (settings.input_size, settings.input_size)
    if whole >= 1:
        return Framing(side, min(HIGHEST_SCALE, whole) if whole >= HIGHEST_SCALE else 1.0)
    return Framing(side, find_scale(examples, whole))


def find_scale(examples: Sequence[Example], lowest: float) -> float:
    """Return the smallest of some scales at which labels keep their shape, at least `lowest`."""
    if lowest >= 1:
        return lowest
    filled = [example for example in examples if example.item.counts][:LOOKED_AT]
    masks = [example.read_label().mask for example in filled]
    scales = (lowest, *(scale for scale in SCALES if scale > lowest))
    return next((scale for scale in scales if all_kept(masks, scale)), 1.0)


def all_kept(masks: Sequence[np.ndarray], scale: float) -> bool:
    """Tell whether masks, uint8 (H, W), survive being scaled by `scale` and back."""
    shared = total = 0
    for mask in masks:
        small = scale_mask(mask, shrink(mask.shape, 1 / scale))
        height, width = mask.shape
        again = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))
        shared += int(((again == mask) & (mask > 0)).sum())
        total += int(((again > 0) | (mask > 0)).sum())
    return shared >= KEPT_SHARE * total


def scale_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask, uint8 (H, W), at (height, width): foreground where enough is covered."""
    if mask.shape == tuple(size):
        return np.array(mask)
    height, width = size
    found = [int(k) for k in np.unique(mask) if k]
    covered = np.zeros((len(found) + 1, height, width), np.float32)
    for row, k in enumerate(found, start=1):
        part = Image.fromarray((mask == k).astype(np.float32))
        covered[row] = np.asarray(part.resize((width, height), Image.Resampling.BOX))
    best = np.array([0, *found], np.uint8)[covered.argmax(axis=0)]
    return np.where(covered.sum(axis=0) >= COVERED, best, 0).astype(np.uint8)


def make_target(label: MaskLabel, frame: Frame, classes: Sequence[str]) -> np.ndarray:
    """Return the label's mask at the frame's scale: uint8 (h, w)."""
    return scale_mask(label.mask, frame.scaled_size)


def build_augmentation(settings: Settings) -> Augment:
    """Return what varies a training image and its mask.

    Flips, small turns, size, light; and what the mask holds is often pasted in once more.
    """
    vary = v2.Compose([vary_view_mirrored(15, (0.85, 1.2), 0.05), vary_light()])
    return lambda image, mask: paste_again(*vary(image, mask))


def make_sample(
    image: np.ndarray,
    target: np.ndarray,
    size: tuple[int, int] | None,
    augment: Augment,
    is_mirrored: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one training crop, uint8 (3, h, w), and its mask (h, w).

    size: of the crop, (height, width); None takes the whole image. Beyond the image a crop is grey
    and its mask IGNORED; where is_mirrored, both are their mirror image.
    """
    size = size or target.shape
    top, left = choose_corner(target, size)
    part = (slice(top, top + size[0]), slice(left, left + size[1]))
    mask = pad_to(target[part], size, is_mirrored, IGNORED)
    padded = tv_tensors.Image(to_tensor(pad_to(image[part], size, is_mirrored)))
    image_tensor, mask_tensor = augment(padded, tv_tensors.Mask(torch.from_numpy(mask)))
    return image_tensor, mask_tensor


def choose_corner(target: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """Return where a crop of (height, width) starts; often so that it holds some foreground."""
    room = [max(0, target.shape[axis] - size[axis]) for axis in (0, 1)]
    if not any(room):
        return 0, 0
    rows, columns = np.nonzero(target)
    if len(rows) and float(torch.rand(())) < FOREGROUND_CROPS:
        pick = int(torch.randint(len(rows), ()))
        middle = rows[pick], columns[pick]
        starts = (middle[i] - int(torch.randint(size[i], ())) for i in (0, 1))
        top, left = (int(np.clip(start, 0, most)) for start, most in zip(starts, room))
        return top, left
    return int(torch.randint(room[0] + 1, ())), int(torch.randint(room[1] + 1, ()))


def build_sampler(examples: Sequence[Example], framing: Framing, settings: Settings) -> MakeSample:
    """Return what cuts and varies a training image with its target, as `train` does."""
    return partial(
        make_sample,
        size=crop_size(examples, framing),
        augment=choose_augmentation(settings),
        is_mirrored=framing.is_whole,
    )


def choose_augmentation(settings: Settings) -> Augment:
    """Return what varies a training image and its mask, or leaves them as they are."""
    return build_augmentation(settings) if settings.augment else v2.Identity()


def build_viewer(examples: Sequence[Example], framing: Framing, settings: Settings) -> MakeSample:
    """Return what cuts and varies an image for the reader, which sees it as in use.

    Crops of one size are for batch norm alone, and the reader has none.
    """
    if framing.is_whole:
        return partial(make_sample, size=None, augment=choose_augmentation(settings))
    return build_sampler(examples, framing, settings)


def make_label(target: torch.Tensor, classes: Sequence[str]) -> MaskLabel:
    """Return the label that a target stands for, to show what is trained on."""
    mask = target.numpy()
    return MaskLabel(np.where(mask == IGNORED, 0, mask))


def compute_loss(
    model: nn.Module, inputs: torch.Tensor, targets: list[torch.Tensor]
) -> torch.Tensor:
    """Return cross entropy plus Dice loss of a batch (V-Net, Milletari et al., 2016)."""
    (logits,) = model(inputs)  # (N, K + 1, h, w)
    masks = torch.stack(targets).to(logits.device).long()  # (N, h, w)
    logits = logits.float()
    weights = torch.full((logits.shape[1],), FOREGROUND_WEIGHT, device=logits.device)
    weights[0] = 1.0
    entropy = nn.functional.cross_entropy(logits, masks, weights, ignore_index=IGNORED)
    return entropy + dice_loss(logits, masks)


def dice_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice, averaged over the classes that the batch holds, background left out."""
    counted = masks != IGNORED  # (N, h, w)
    scores = logits.softmax(dim=1) * counted[:, None]
    owners = torch.where(counted, masks, 0)
    own_scores = scores.gather(1, owners[:, None]).flatten()  # of the class that each pixel has
    count = logits.shape[1]
    shared = own_scores.new_zeros(count).index_add(0, owners.flatten(), own_scores)
    wanted = owners.flatten().bincount(minlength=count)  # what is ignored counts as background
    losses = 1 - (2 * shared + 1) / (scores.sum((0, 2, 3)) + wanted + 1)
    present = wanted[1:] > 0
    return (losses[1:] * present).sum() / present.sum().clamp(min=1)


def train(
    model: SegmentationModel,
    examples: Sequence[Example],
    dev: Sequence[Example],
    classes: Sequence[str],
    framing: Framing,
    settings: Settings,
    monitor: Monitor,
) -> None:
    """Train the model in place on the examples; dev decides which round is kept."""
    images = ScaledImages(examples, framing, partial(make_target, classes=classes))
    dev_images = ScaledImages(choose_dev(dev, framing), framing)
    make_crop = build_sampler(examples, framing, settings)
    make_plain, make_varied = (
        build_viewer(examples, framing, replace(settings, augment=augment))
        for augment in (False, settings.augment)
    )
    views = Views(images, make_plain, make_varied, VIEWS, settings.seed, monitor)
    is_ready = probe_first(model, views, partial(fit_probe, model))
    look = partial(measure, images=dev_images, task=TASK, classes=classes, monitor=monitor)
    fit(
        model,
        images,
        make_crop,
        compute_loss,
        Choice(look, len(dev_images), slack=1.0),
        settings,
        monitor,
        is_ready,
    )


def choose_threshold(
    predictions: Iterable[MaskPrediction | None],
    labels: Iterable[MaskLabel | None],
    classes: Sequence[str],
) -> float:
    """Return 0.5: a pixel counts where something is more probable than background."""
    return 0.5
