"""How anomaly detection learns: one pass over normal images fills a memory; no gradients.

What counts as abnormal is calibrated on normal images that the memory does not hold.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from ...errors import NotEnoughLabels
from ...settings import Settings
from ...tasks.anomaly import FEWEST_NORMALS, AnomalyLabel, AnomalyPrediction, decode
from ...tasks.framing import Frame, Framing, cut_input, make_frames
from ..data import (
    Example,
    MakeSample,
    ScaledImages,
    are_cut_out,
    normalise,
    to_tensor,
    usual_area,
    usual_input,
)
from ..device import place
from ..monitor import Cancelled, Monitor
from .memory import (
    Cover,
    Moments,
    Pool,
    build_peak_projection,
    build_projection,
    choose_coreset,
    sample_patches,
    shuffle,
)
from .model import COLORS, PLACES, STRIDE, AnomalyModel, Comparison, measure_distances

LIGHT = 0.05  # how much brightness and contrast vary, as a fraction
QUANTILE = 0.95  # of held-out normal images should stay below the line
ENOUGH_NORMALS = 20  # dev images that are enough to calibrate on; below, train images help
MOST_NORMALS = 200  # images that are calibrated on
MARGIN = 1.001  # the line lies this much above the distance it is found by: that one is normal
LOWEST_LINE = 1e-3  # identical normal images have no distance at all
COLLECTED, CHOSEN = 0.4, 0.8  # how far the run is when patches are collected, the memory is chosen
FEWEST_CALIBRATED = 5  # images, however short the time


def choose_framing(examples: Sequence[Example], settings: Settings) -> Framing:
    """Return how images are shown to the network: each as a whole, without padding.

    What lies beyond an image would look abnormal, and so would its rim inside of an input. Photos
    of a camera have few sizes, and are brought to one area. Where most images have a size of their
    own they are cut out of photos, and are scaled alike: a surface then looks the same in all.
    """
    usual = usual_input(examples, settings.input_size)
    if not are_cut_out(examples):
        return Framing(usual, is_whole=True)
    return Framing(usual, math.sqrt(math.prod(usual) / usual_area(examples)), is_whole=True)


def make_target(label: AnomalyLabel, frame: Frame, classes: Sequence[str]) -> bool:
    """Return whether the image is abnormal; only normal ones are learned from."""
    return label.verdict == "abnormal"


def build_augmentation(settings: Settings) -> v2.Transform:
    """Return what varies a normal image: a little brightness and contrast, as days differ.

    No turns or flips: a part that lies the wrong way round may be abnormal.
    """
    return v2.ColorJitter(brightness=LIGHT, contrast=LIGHT)


def make_sample(
    image: np.ndarray, target: bool, augment: v2.Transform
) -> tuple[torch.Tensor, bool]:
    """Return one training input, uint8 (3, H, W), and if it is abnormal."""
    return augment(tv_tensors.Image(to_tensor(image))), target


def build_sampler(examples: Sequence[Example], framing: Framing, settings: Settings) -> MakeSample:
    """Return what varies a training image, as `train` does."""
    augment = build_augmentation(settings) if settings.augment else v2.Identity()
    return partial(make_sample, augment=augment)


def make_label(target: bool, classes: Sequence[str]) -> AnomalyLabel:
    """Return the label that a target stands for, to show what is trained on."""
    return AnomalyLabel("abnormal" if target else "normal")


def train(
    model: AnomalyModel,
    examples: Sequence[Example],
    dev: Sequence[Example],
    classes: Sequence[str],
    framing: Framing,
    settings: Settings,
    monitor: Monitor,
) -> None:
    """Fill the model's memory from the normal examples, and calibrate it on dev's normal images.

    With fewer than ENOUGH_NORMALS of those, every training image is measured as well, against the
    memory as it would be without it. Abnormal images are left out. A time limit makes each part
    look at fewer images. Raises NotEnoughLabels for fewer than two normal images, and Cancelled
    when asked to stop.
    """
    normal, held_out = keep_normal(examples), keep_normal(dev)
    if len(normal) < FEWEST_NORMALS:
        raise NotEnoughLabels(
            f"The train split holds {len(normal)} normal images; anomaly detection needs at least "
            f"{FEWEST_NORMALS}. Label more images as normal, or move some to the train split."
        )
    place(model)
    model.eval()
    schedule = Schedule(monitor)
    images, dev_images = ScaledImages(normal, framing), ScaledImages(held_out, framing)
    dev_order = shuffle(len(held_out), settings.seed)[:MOST_NORMALS]
    with torch.inference_mode():
        leave_out = fill_memory(model, images, settings, schedule)
        maps = [
            measure_image(model, dev_images, index, model.compared)
            for index in schedule.take(dev_order, CHOSEN, 0.9)
        ]
        if len(held_out) < ENOUGH_NORMALS:
            order = shuffle(len(normal), settings.seed)[:MOST_NORMALS]
            maps += [
                measure_image(model, images, index, leave_out(index))
                for index in schedule.take(order, 0.9, 1.0)
            ]
    calibrate(model, maps)
    monitor.on_epoch({"epoch": 1, "memory": len(model.compared.memory), "line": float(model.line)})


def keep_normal(examples: Sequence[Example]) -> list[Example]:
    """Return the examples whose label says normal."""
    return [example for example in examples if example.item.counts.get("normal")]


class Schedule:
    """How a run's time is shared out between its parts; it tells how far the run is."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor, self.seconds = monitor, monitor.training_seconds
        self.started = time.monotonic()

    def take(self, indices: Sequence[int], start: float, end: float) -> Iterator[int]:
        """Yield the indices, as many as fit into the part of the run from start to end (0..1).

        FEWEST_CALIBRATED always do. Raises Cancelled when somebody asks for that.
        """
        for done, index in enumerate(indices):
            if not self.go_on(start + (end - start) * done / len(indices), end) and (
                done >= FEWEST_CALIBRATED
            ):
                return
            yield index

    def go_on(self, fraction: float, end: float) -> bool:
        """Tell how far the run is, and return whether there is time left until `end` (0..1)."""
        if self.monitor.is_cancelled:
            raise Cancelled
        self.monitor.on_step(fraction)
        return self.seconds is None or time.monotonic() - self.started < end * self.seconds


def fill_memory(
    model: AnomalyModel, images: ScaledImages, settings: Settings, schedule: Schedule
) -> Callable[[int], Comparison]:
    """Set what the model compares images with, from normal ones.

    Returns a function: leave_out(index) is the same as if without that image. With few images it is
    the projection that knows them too well: what varies little within them may vary more in others.
    """
    seen = look_at(model, images, settings, schedule)
    patches, peaks = (Moments.of(pool.features) for pool in seen)
    features, sources = seen[0].features, seen[0].sources
    projected = (features - patches.center) @ build_projection(patches, COLORS, PLACES)
    chosen = choose_coreset(
        projected,
        settings.max_memory,
        settings.seed,
        lambda part: schedule.go_on(COLLECTED + (CHOSEN - COLLECTED) * part, CHOSEN),
    )
    cover = Cover(Pool(projected, sources), chosen)
    model.compared = compare_with(features[chosen], patches, peaks)

    def leave_out(index: int) -> Comparison:
        of_image = (Moments.of(pool.features[pool.sources == index]) for pool in seen)
        others = (whole - part for whole, part in zip((patches, peaks), of_image))
        return compare_with(features[cover.without(index)], *others).to(model.line.device)

    return leave_out


def look_at(
    model: AnomalyModel, images: ScaledImages, settings: Settings, schedule: Schedule
) -> tuple[Pool, Pool]:
    """Return a sample of the patches of normal images, and the peaks of each view of them."""
    order = shuffle(len(images), settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)  # for the augmentation
    frames = [len(make_frames(example.image_size, images.framing)) for example in images.examples]
    count = sum(frames) * (2 if settings.augment else 1)
    peaks: list[torch.Tensor] = []
    owners: list[int] = []

    def views(index: int) -> Iterator[tuple[torch.Tensor, Frame]]:
        yield from frame_inputs(images, index)
        if settings.augment:
            yield from frame_inputs(images, index, build_augmentation(settings))

    def describe() -> Iterator[tuple[int, torch.Tensor]]:
        for index in schedule.take(order, 0.0, COLLECTED):
            for inputs, frame in views(index):
                height, width = frame.shrunk(STRIDE).content_size
                patches, highest = model.describe(inputs.to(model.line.device))
                peaks.append(highest.cpu())
                owners.append(index)
                yield index, patches[0, :, :height, :width].flatten(1).T  # (h w, C)

    pool = sample_patches(describe(), count, generator)
    return pool, Pool(torch.cat(peaks), torch.tensor(owners))


def compare_with(rows: torch.Tensor, patches: Moments, peaks: Moments) -> Comparison:
    """Return a comparison with patches (M, C), by the moments of all patches and of peaks."""
    projection = build_projection(patches, COLORS, PLACES)
    return Comparison(
        patches.center,
        projection,
        (rows - patches.center) @ projection,
        peaks.center,
        build_peak_projection(peaks, patches),
    )


def frame_inputs(
    images: ScaledImages, index: int, augment: v2.Transform | None = None
) -> Iterator[tuple[torch.Tensor, Frame]]:
    """Yield each network input of an image, normalised float (1, 3, H, W), and its frame."""
    scaled, _ = images[index]
    for frame in make_frames(images.examples[index].image_size, images.framing):
        inputs = to_tensor(cut_input(scaled, frame))[None]
        yield normalise(inputs if augment is None else augment(inputs)), frame


@dataclass(frozen=True)
class DistanceMaps:
    """How far each patch of an image is from the memory: float32 (h, w) for each of its frames."""

    maps: list[np.ndarray]
    frames: list[Frame]

    def score(self, line: float) -> float:
        """Return the image's score, 0..1, if that distance were the line."""
        outputs = [{"heatmap": values / (values + np.float32(line))} for values in self.maps]
        return decode(outputs, self.frames, (), 0.5).score


def measure_image(
    model: AnomalyModel, images: ScaledImages, index: int, compared: Comparison
) -> DistanceMaps:
    """Return the distances of one image's patches from the memory."""
    maps, frames = [], []
    for inputs, frame in frame_inputs(images, index):
        seen = model.describe(inputs.to(compared.memory.device))
        maps.append(measure_distances(*seen, compared)[0].cpu().numpy())
        frames.append(frame)
    return DistanceMaps(maps, frames)


def calibrate(model: AnomalyModel, held_out: Sequence[DistanceMaps]) -> None:
    """Set the line so that QUANTILE of the held-out normal images score below 0.5, and say so.

    The rank is that of split conformal prediction (Vovk et al., 2005): ceil((n + 1) QUANTILE), so
    that a new normal image is flagged with a probability of expected_overkill; with few images it
    is the highest score of them all.
    """
    rank = min(len(held_out), math.ceil((len(held_out) + 1) * QUANTILE))
    line = find_line(lambda line: sorted(m.score(line) for m in held_out)[rank - 1])
    model.line.fill_(line * MARGIN)
    model.calibration = {
        "quantile": QUANTILE,
        "normals": len(held_out),
        "expected_overkill": 1 - rank / (len(held_out) + 1),
    }


def find_line(score: Callable[[float], float]) -> float:
    """Return the distance for which score(distance) is 0.5: it falls steadily as that rises."""
    line = 1.0
    for _ in range(20):  # exact at once for one patch, and close very soon for a mean of several
        value = score(line)
        line = max(LOWEST_LINE, line * value / max(1e-9, 1 - value))
    return line


def choose_threshold(
    predictions: Iterable[AnomalyPrediction], labels: Iterable[AnomalyLabel], classes: Sequence[str]
) -> float:
    """Return the threshold with the least overkill and escape together; 0.5 without both verdicts.

    It lies in the middle between two scores: of equally good gaps, in the widest. Source: Youden,
    1950.
    """
    pairs = sorted((p.score, label.verdict == "abnormal") for p, label in zip(predictions, labels))
    scores = np.array([score for score, _ in pairs])
    abnormal = np.array([is_abnormal for _, is_abnormal in pairs], np.bool_)
    if not abnormal.any() or abnormal.all():
        return 0.5
    # Threshold k lies below score k: abnormal ones below it escape, normal ones above are overkill.
    escape = np.concatenate([[0], abnormal.cumsum()]) / abnormal.sum()
    overkill = 1 - np.concatenate([[0], (~abnormal).cumsum()]) / (~abnormal).sum()
    edges = np.concatenate([[0.0], scores, [1.0]])
    gaps = np.diff(edges)
    cost = np.where(gaps > 0, escape + overkill, np.inf)
    best = int(np.lexsort((-gaps, cost.round(9)))[0])
    return float((edges[best] + edges[best + 1]) / 2)
