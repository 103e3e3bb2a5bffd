"""How object detection learns: whole images or crops, heat at centres, distances to sides.

Source: Training-Time-Friendly Network (Liu et al., 2020): heat as long as the box is, and distances
learned at several cells of a box, so that few images and few steps are enough.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.ops import generalized_box_iou_loss
from torchvision.transforms import v2

from ...settings import Settings
from ...tasks import find_task
from ...tasks.detection import Box, BoxLabel, BoxPrediction, best_threshold
from ...tasks.framing import Frame, Framing, pad_to
from ...tasks.peaks import SCORE_FLOOR
from ..augment import vary_light, vary_view
from ..backbone import Network
from ..choice import Choice
from ..data import Example, MakeSample, ScaledImages, choose_dev, crop_size, to_tensor
from ..loop import fit
from ..monitor import Monitor
from ..predict import measure
from ..probe import Views, probe_first
from .few import FEW, lie_any_way, make_sample_of_few
from .model import DetectionModel
from .probe import VIEWS, fit_probe
from .targets import Target, box_areas, make_maps

TASK = find_task("detection")
LEAST_SIDE = 8.0  # scaled pixels of a box's short side, so that it covers two cells
SMALL_SHARE = 0.1  # of a class's boxes may be smaller
HIGHEST_SCALE = 2.0
LEAST_OVERLAP = 64
ALIKE = 1.25  # sizes and scales that differ by no more than that factor are taken for one
BIASED_CROPS = 0.7  # share of crops that hold a box on purpose
LEAST_LEFT = 0.35  # of a box's area, or it is dropped from a varied image
SIDES_WEIGHT = 2.0
FALLBACK_THRESHOLD = 0.3


def choose_framing(examples: Sequence[Example], settings: Settings) -> Framing:
    """Return whole images where their boxes stay about large enough, else a scale at which they do.

    Images are then cut into tiles of input_size, which overlap so far that the tile which holds the
    middle of a usual box holds all of it. Where large boxes would not fit into a tile, the scale
    lies between what small and large ones ask for.
    """
    side = (settings.input_size, settings.input_size)
    longest = [max(example.image_size) for example in examples]
    short_side, long_side = box_sides(examples)
    scale = balance_scale(LEAST_SIDE / short_side, settings.input_size / long_side)
    if scale * max(longest) <= ALIKE * settings.input_size:
        if max(longest) > ALIKE * min(longest):
            return Framing(side)
        return Framing(side, settings.input_size / max(longest))  # as whole, but with less padding
    scale = min(HIGHEST_SCALE, scale)
    overlap = max(LEAST_OVERLAP, round(long_side * scale))
    return Framing(side, scale, min(overlap, settings.input_size // 2))


def balance_scale(needed: float, fitting: float) -> float:
    """Return the scale that small boxes need, where large ones then fit into a tile.

    Elsewhere it lies halfway: small ones are too small by the factor that large ones are too large.
    """
    return needed if needed <= fitting else math.sqrt(needed * fitting)


def box_sides(examples: Sequence[Example]) -> tuple[float, float]:
    """Return the short side of small boxes and the long side of large ones, in pixels of the image.

    The first is that of the class with the thinnest. Infinity and 1 without boxes.
    """
    sides: dict[str, list[tuple[float, float]]] = {}
    for example in examples:
        for box in example.read_label().boxes:
            sides.setdefault(box.class_name, []).append((box.x1 - box.x0, box.y1 - box.y0))
    arrays = [np.array(values) for values in sides.values()]  # (N, 2) each
    shortest = [float(np.quantile(array.min(axis=1), SMALL_SHARE)) for array in arrays]
    longest = [float(np.quantile(array.max(axis=1), 1 - SMALL_SHARE)) for array in arrays]
    return min(shortest, default=np.inf), max(longest, default=1.0)


def make_target(label: BoxLabel, frame: Frame, classes: Sequence[str]) -> Target:
    """Return the label's boxes in pixels of the frame."""
    boxes = np.array([box.xyxy for box in label.boxes], np.float32).reshape(-1, 4)
    indices = [classes.index(box.class_name) for box in label.boxes]
    return Target(
        torch.from_numpy(frame.boxes_to_input(boxes)), torch.tensor(indices, dtype=torch.int64)
    )


def build_augmentation(settings: Settings) -> v2.Transform:
    """Return what varies a training image and its boxes: flips, size, place and light.

    No turns: the upright box around a turned box is too large, most of all around a thin one.
    """
    return v2.Compose([vary_view(0, (0.8, 1.25), 0.08), vary_light()])


def make_sample(
    image: np.ndarray, target: Target, size: tuple[int, int], augment: v2.Transform
) -> tuple[torch.Tensor, Target]:
    """Return one training crop, uint8 (3, h, w), and the boxes whose middle it shows."""
    top, left = choose_corner(image, target, size)
    cut = image[top : top + size[0], left : left + size[1]]
    boxes = target.boxes - torch.tensor([left, top, left, top])
    x, y = box_middles(boxes).T
    inside = (x >= 0) & (y >= 0) & (x < cut.shape[1]) & (y < cut.shape[0])
    boxes, class_indices = boxes[inside], target.class_indices[inside]
    whole = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size)
    varied, moved = augment(
        tv_tensors.Image(to_tensor(pad_to(cut, size))),
        v2.functional.clamp_bounding_boxes(whole),  # what the crop shows of them
    )
    moved = v2.functional.clamp_bounding_boxes(moved).as_subclass(torch.Tensor)
    kept = box_areas(moved) > LEAST_LEFT * box_areas(boxes)
    return varied.as_subclass(torch.Tensor), Target(moved[kept], class_indices[kept])


def choose_corner(image: np.ndarray, target: Target, size: tuple[int, int]) -> tuple[int, int]:
    """Return where a crop of (height, width) starts; often so that it shows the middle of a box."""
    room = [max(0, image.shape[axis] - size[axis]) for axis in (0, 1)]
    if any(room) and len(target.boxes) and float(torch.rand(())) < BIASED_CROPS:
        x, y = box_middles(target.boxes)[int(torch.randint(len(target.boxes), ()))].tolist()
        corner = [middle - float(torch.rand(())) * length for middle, length in zip((y, x), size)]
        top, left = (int(np.clip(start, 0, most)) for start, most in zip(corner, room))
        return top, left
    return int(torch.randint(room[0] + 1, ())), int(torch.randint(room[1] + 1, ()))


def box_middles(boxes: torch.Tensor) -> torch.Tensor:
    """Return the middles x, y of boxes, float32 (N, 4) xyxy: float32 (N, 2)."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def build_sampler(examples: Sequence[Example], framing: Framing, settings: Settings) -> MakeSample:
    """Return what cuts and varies a training image with its target, as `train` does."""
    augment = build_augmentation(settings) if settings.augment else v2.Identity()
    make_one = partial(make_sample, size=crop_size(examples, framing), augment=augment)
    if not settings.augment or len(examples) > FEW:
        return make_one
    return partial(make_sample_of_few, make_sample=make_one, can_turn=lie_any_way(examples))


def make_label(target: Target, classes: Sequence[str]) -> BoxLabel:
    """Return the label that a target stands for, to show what is trained on."""
    pairs = zip(target.class_indices.tolist(), target.boxes.tolist())
    return BoxLabel(Box(classes[index], *box) for index, box in pairs)


def compute_loss(model: Network, inputs: torch.Tensor, targets: list[Target]) -> torch.Tensor:
    """Return the loss of a batch, float32: focal loss of the heat, and GIoU loss of the boxes."""
    logits, sides = (output.float() for output in model(inputs))  # (N, K, h, w), (N, 4, h, w)
    size = inputs.shape[2], inputs.shape[3]
    maps = zip(*(make_maps(target, logits.shape[1], size) for target in targets))
    heat, wanted, weights = (torch.stack(part).to(logits.device) for part in maps)
    return heat_loss(logits, heat) + SIDES_WEIGHT * sides_loss(sides, wanted, weights)


def heat_loss(logits: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
    """Return the focal loss of heatmaps (N, K, h, w) a thing (CornerNet, Law and Deng, 2018)."""
    scores = logits.sigmoid()
    is_middle = heat == 1
    found = (1 - scores) ** 2 * nn.functional.logsigmoid(logits)
    quiet = (1 - heat) ** 4 * scores**2 * nn.functional.logsigmoid(-logits)
    return -torch.where(is_middle, found, quiet).sum() / is_middle.sum().clamp(min=1)


def sides_loss(sides: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the mean GIoU loss (Rezatofighi et al., 2019) of boxes; sides are (N, 4, h, w)."""
    counts = weights > 0  # (N, h, w)
    found, truth = (sides_to_boxes(part.permute(0, 2, 3, 1)[counts]) for part in (sides, wanted))
    losses: torch.Tensor = generalized_box_iou_loss(found, truth)  # (n,)
    return (losses * weights[counts]).sum() / weights.sum().clamp(min=1)


def sides_to_boxes(sides: torch.Tensor) -> torch.Tensor:
    """Return boxes around the origin, xyxy (n, 4), of sides (n, 4); each at least a little wide."""
    low = -sides[:, :2]
    return torch.cat([low, torch.maximum(sides[:, 2:], low + 0.25)], dim=1)


def choose_threshold(
    predictions: Iterable[BoxPrediction | None],
    labels: Iterable[BoxLabel | None],
    classes: Sequence[str],
) -> float:
    """Return the threshold with the best f1; FALLBACK_THRESHOLD where nothing is labeled.

    It lies halfway between the last box that should count and the next one: few dev images say
    little of how low the scores of other images go.
    """
    predictions, labels = list(predictions), list(labels)
    if not any(label and label.boxes for label in labels):
        return FALLBACK_THRESHOLD
    best = best_threshold(predictions, labels, classes)
    scores = [box.score for prediction in predictions if prediction for box in prediction.boxes]
    return (best + max((score for score in scores if score < best), default=SCORE_FLOOR)) / 2


def train(
    model: DetectionModel,
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
    make_plain = build_sampler(examples, framing, replace(settings, augment=False))
    make_varied = build_sampler(examples, framing, settings)
    views = Views(images, make_plain, make_varied, VIEWS, settings.seed, monitor)
    size = crop_size(examples, framing)
    is_ready = probe_first(model, views, partial(fit_probe, model, size=size))
    look = partial(measure, images=dev_images, task=TASK, classes=classes, monitor=monitor)
    fit(
        model,
        images,
        make_varied,
        compute_loss,
        Choice(look, len(dev_images), slack=1.0),
        settings,
        monitor,
        is_ready,
    )
