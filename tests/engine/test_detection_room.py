"""How object detection learns: targets of awkward boxes, round trips, and that it learns at all."""

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from workbench.engine.data import ScaledImages, choose_dev, crop_size
from workbench.engine.detection import (
    PRESETS,
    build_model,
    choose_framing,
    choose_threshold,
    make_label,
    make_sample,
    make_target,
    train,
)
from workbench.engine.detection.model import (
    FIRST_SCORE,
    LOWEST_SIDE,
    STRIDE,
    encode_sides,
)
from workbench.engine.detection.probe import WARM, choose_places, fit_probe, fit_ridge
from workbench.engine.detection.targets import Target, make_maps
from workbench.engine.detection.train import box_middles, build_augmentation, compute_loss
from workbench.engine.device import prepare_process
from workbench.engine.export import export_network
from workbench.engine.loop import train_step
from workbench.engine.monitor import Monitor
from workbench.engine.predict import measure, predict, predict_examples
from workbench.engine.probe import Views
from workbench.model_card import NETWORK
from workbench.samples import parts
from workbench.settings import Settings
from workbench.tasks import find_task
from workbench.tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox, decode, evaluate
from workbench.tasks.framing import Frame, Framing, make_frames

CLASSES = ("screw", "nut", "washer")
SIZE = (96, 128)
AWKWARD = {
    "nothing": [],
    "one pixel": [Box("nut", 50, 31, 51, 32)],
    "one pixel in the last corner": [Box("nut", 127, 95, 128, 96)],
    "at the border": [Box("screw", 0, 40, 12, 52), Box("screw", 100, 84, 128, 96)],
    "the whole image": [Box("washer", 0, 0, 128, 96)],
    "thin and long": [Box("screw", 3, 10, 123, 11), Box("screw", 61, 20, 62.5, 90)],
    "neighbours of one class": [Box("nut", 40, 40, 44, 44), Box("nut", 44, 40, 48, 44)],
    "touching corners": [Box("nut", 40, 40, 60, 60), Box("nut", 60, 60, 80, 80)],
    "one within another": [Box("screw", 10, 10, 110, 90), Box("nut", 20, 20, 36, 36)],
}


@dataclass(frozen=True)
class DrawnExample:
    """An image and its label, in memory."""

    image: np.ndarray
    label: BoxLabel
    colors: ClassVar[dict[str, str]] = {}

    @property
    def image_size(self) -> tuple[int, int]:
        return self.image.shape[:2]

    def read_image(self) -> np.ndarray:
        return self.image

    def read_label(self) -> BoxLabel:
        return self.label


def blank_example(size, *boxes):
    return DrawnExample(np.zeros((*size, 3), np.uint8), BoxLabel(boxes))


def plain_frame(size):
    return Frame(size, size, 0, 0, size)


def target_within(label, frame):
    """The label's target in one frame: the boxes whose middle it shows."""
    target = make_target(label, frame, CLASSES)
    height, width = frame.content_size
    x, y = box_middles(target.boxes).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return type(target)(target.boxes[inside], target.class_indices[inside])


def perfect_outputs(label, frame):
    """What a network that knows the label says of one frame."""
    heat, sides, _ = make_maps(target_within(label, frame), len(CLASSES), frame.input_size)
    scores = heat.clamp(1e-4, 1 - 1e-4)
    return {"heatmap": torch.logit(scores).numpy(), "sides": sides.numpy()}


def place_of(box):
    return box.class_name, round(box.x0), round(box.y0)


def assert_same_boxes(found, boxes, within=0.01):
    assert len(found) == len(boxes)
    for one, other in zip(sorted(found, key=place_of), sorted(boxes, key=place_of)):
        assert one.class_name == other.class_name
        assert one.xyxy == pytest.approx(other.xyxy, abs=within)


@pytest.mark.parametrize("boxes", AWKWARD.values(), ids=AWKWARD.keys())
def test_every_box_has_its_own_heat_and_can_be_said(boxes):
    target = make_target(BoxLabel(boxes), plain_frame(SIZE), CLASSES)
    heat, sides, weights = make_maps(target, len(CLASSES), SIZE)
    assert heat.shape == (3, 24, 32) and sides.shape == (4, 24, 32) and weights.shape == (24, 32)
    assert int((heat == 1).sum()) == len(boxes)
    assert float(heat.max()) <= 1
    assert bool((sides[:, weights > 0] >= LOWEST_SIDE).all())
    for box in boxes:
        row, column = (
            int((low + high) / 2 // STRIDE) for low, high in ((box.y0, box.y1), (box.x0, box.x1))
        )
        assert heat[CLASSES.index(box.class_name), row, column] == 1
        assert weights[row, column] > 0


@pytest.mark.parametrize("boxes", AWKWARD.values(), ids=AWKWARD.keys())
def test_perfect_outputs_give_the_label_back(boxes):
    frame = plain_frame(SIZE)
    prediction = decode([perfect_outputs(BoxLabel(boxes), frame)], [frame], CLASSES, 0.9)
    assert_same_boxes(prediction.found, boxes)


def test_two_classes_at_one_middle_both_have_heat():
    boxes = [Box("screw", 20, 20, 80, 60), Box("nut", 40, 30, 60, 50)]
    frame = plain_frame(SIZE)
    prediction = decode([perfect_outputs(BoxLabel(boxes), frame)], [frame], CLASSES, 0.9)
    assert {box.class_name for box in prediction.found} == {"screw", "nut"}
    (nut,) = [box for box in prediction.found if box.class_name == "nut"]
    assert nut.xyxy == pytest.approx(boxes[1].xyxy, abs=0.01)  # the smaller one has the cell


@pytest.mark.parametrize(
    "framing",
    [
        Framing((128, 128)),
        Framing((96, 96), 1.0, 48),
        Framing((128, 128), 2.0),
        Framing((64, 64), 0.5, 32),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(3))
def test_perfect_outputs_of_tiles_give_the_label_back(framing, seed):
    rng = np.random.default_rng(seed)
    boxes = []
    for row in range(
        5
    ):  # a thing in each field of 40 x 40 pixels, touching its neighbours at times
        for column in range(6):
            low = rng.integers(0, 12, 2) + np.array([column * 40, row * 40])
            high = low + rng.integers(16, 29, 2)
            boxes.append(Box(CLASSES[rng.integers(3)], *low.tolist(), *high.tolist()))
    frames = make_frames((200, 240), framing)
    outputs = [perfect_outputs(BoxLabel(boxes), frame) for frame in frames]
    assert_same_boxes(decode(outputs, frames, CLASSES, 0.9).found, boxes, within=0.05)


def test_a_target_says_its_label():
    label = BoxLabel([Box("nut", 3, 4, 20, 30), Box("screw", 0, 0, 128, 96)])
    assert make_label(make_target(label, plain_frame(SIZE), CLASSES), CLASSES) == label


@pytest.mark.slow
@pytest.mark.parametrize("size", [(160, 160), (96, 96)], ids=["whole", "crop"])
def test_a_varied_box_stays_around_its_thing(size):
    torch.manual_seed(0)
    box = Box("nut", 60, 50, 90, 70)
    image = np.zeros((160, 160, 3), np.uint8)
    image[50:70, 60:90] = 255
    target = make_target(BoxLabel([box]), plain_frame((160, 160)), CLASSES)
    augment, held = build_augmentation(Settings(160)), 0
    for _ in range(40):
        varied, moved = make_sample(image, target, size, augment)
        assert varied.shape == (3, *size) and varied.dtype == torch.uint8
        bright = (varied.float() - 114).mean(dim=0) > 35  # padding is grey
        if not len(moved.boxes):
            continue
        held += 1
        rows, columns = torch.nonzero(bright, as_tuple=True)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        if int(columns.min()) > 0 and int(columns.max()) + 1 < size[1]:
            assert moved.boxes[0].tolist() == pytest.approx([int(v) for v in around], abs=3)
    assert held > 25


def test_an_image_without_boxes_is_a_sample_of_background():
    target = make_target(BoxLabel([]), plain_frame((64, 64)), CLASSES)
    image, varied = make_sample(
        np.zeros((64, 64, 3), np.uint8), target, (64, 64), build_augmentation(Settings(64))
    )
    assert image.shape == (3, 64, 64) and varied.boxes.shape == (0, 4)
    assert make_label(varied, CLASSES) == BoxLabel([])


def test_crops_of_an_image_full_of_nothing_often_hold_the_one_thing():
    torch.manual_seed(0)
    label = BoxLabel([Box("nut", 700, 500, 712, 512)])
    target = make_target(label, plain_frame((800, 800)), CLASSES)
    image = np.zeros((800, 800, 3), np.uint8)
    held = [len(make_sample(image, target, (96, 96), v2.Identity())[1].boxes) for _ in range(50)]
    assert sum(held) > 25


def test_large_boxes_are_seen_in_whole_images():
    settings = Settings(320)
    usual = [blank_example((480, 640), Box("nut", 0, 0, 40, 60))] * 3
    assert choose_framing(usual, settings) == Framing((320, 320), 0.5)
    assert crop_size(usual, Framing((320, 320), 0.5)) == (256, 320)
    several = [*usual, blank_example((200, 200), Box("nut", 0, 0, 40, 60))]
    assert choose_framing(several, settings) == Framing((320, 320))
    assert choose_framing([blank_example((480, 640))], settings) == Framing((320, 320), 0.5)


def test_no_image_is_cut_where_it_fits_at_nearly_the_scale_that_is_wanted():
    def choose(side):
        boxes = Box("nut", 0, 0, 40, 8), Box("screw", 0, 0, side, side)
        return choose_framing([blank_example((side, side), *boxes)], Settings(320))

    assert choose(400) == Framing((320, 320), 0.8)  # between 1 for nuts and .8 for screws
    assert choose(600).scale == pytest.approx(math.sqrt(320 / 600))


def test_small_boxes_keep_their_size_in_tiles():
    small = [blank_example((1000, 2000), Box("nut", 0, 0, 300, 16), Box("screw", 0, 0, 300, 300))]
    framing = choose_framing(small, Settings(320))
    assert framing.scale == pytest.approx(0.5)
    assert framing.overlap == 150  # as long as the longest box at that scale
    tiny = [blank_example((400, 640), Box("nut", 5, 5, 6, 9))]
    assert choose_framing(tiny, Settings(320)).scale == 2


def test_where_small_boxes_ask_for_more_than_large_ones_allow_the_scale_lies_between():
    mixed = [blank_example((900, 900), Box("nut", 0, 0, 4, 9), Box("screw", 0, 0, 640, 30))]
    framing = choose_framing(mixed, Settings(320))
    assert framing.scale == pytest.approx(1.0)  # the small one needs 2, the large one fits at 0.5
    assert framing.overlap == 160
    alone = [blank_example((900, 900), Box("nut", 0, 0, 4, 9))]
    assert choose_framing(alone, Settings(320)).scale == 2


def test_dev_images_of_many_tiles_are_looked_at_in_part():
    large = [blank_example((2000, 2000)) for _ in range(20)]
    chosen = choose_dev(large, Framing((320, 320), 1.0))
    assert len(chosen) == 1
    assert choose_dev(large, Framing((320, 320))) == large
    assert choose_dev([], Framing((320, 320))) == []


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_the_loss_of_awkward_boxes_is_finite_and_so_are_its_gradients(precision):
    torch.manual_seed(0)
    model = build_model(CLASSES, PRESETS["fast"])
    targets = [
        make_target(BoxLabel(boxes), plain_frame(SIZE), CLASSES) for boxes in AWKWARD.values()
    ]
    inputs = torch.randn(len(targets), 3, *SIZE)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        loss = compute_loss(model, inputs, targets)
    loss.backward()
    assert loss.dtype == torch.float32 and bool(torch.isfinite(loss))
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())


def test_a_batch_of_empty_images_has_a_loss():
    model = build_model(CLASSES, PRESETS["fast"])
    empty = make_target(BoxLabel([]), plain_frame((64, 64)), CLASSES)
    loss = compute_loss(model, torch.randn(2, 3, 64, 64), [empty, empty])
    assert 0 < float(loss.detach()) < 1000


@pytest.mark.slow
def test_the_loss_of_one_image_goes_down():
    torch.manual_seed(0)
    (sample,) = parts.draw_samples(0, 1)
    frame = plain_frame(sample.image.shape[:2])
    target = make_target(sample.label, frame, parts.CLASSES)
    image, target = make_sample(sample.image, target, (256, 320), v2.Identity())
    model = build_model(parts.CLASSES, PRESETS["fast"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    batch = [(image[None], [target])]
    losses = [train_step(model, optimizer, batch, compute_loss) for _ in range(12)]
    assert losses[-1] < losses[0] / 3


def test_the_threshold_has_a_fallback_and_lies_between_hits_and_false_alarms():
    assert choose_threshold([], [], CLASSES) == 0.3
    assert choose_threshold([BoxPrediction(())], [BoxLabel([])], CLASSES) == 0.3
    label = BoxLabel([Box("nut", 0, 0, 10, 10)])
    found = BoxPrediction(
        (ScoredBox("nut", 0, 0, 10, 10, 0.8), ScoredBox("nut", 50, 50, 60, 60, 0.4))
    )
    assert choose_threshold([found], [label], CLASSES) == pytest.approx(0.6)


@pytest.mark.slow
def test_onnx_says_what_torch_says_at_any_size(tmp_path: Path):
    import onnxruntime  # here, as the other tests need none of it

    torch.manual_seed(0)
    model = build_model(CLASSES, PRESETS["fast"]).eval()
    export_network(model, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / NETWORK)
    for shape in ((1, 3, 256, 320), (3, 3, 64, 96), (1, 3, 512, 512)):
        images = torch.randn(shape)
        with torch.inference_mode():
            wanted = model(images)
        found = session.run(list(model.output_names), {"image": images.numpy()})
        for one, other in zip(found, wanted):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_it_learns_to_find_the_parts_on_the_tray(tmp_path: Path):
    settings = replace(PRESETS["fast"], min_steps=600)  # half of its steps are enough for these
    drawn = [DrawnExample(s.image, s.label) for s in parts.draw_samples(0, 60)]
    examples, dev, test = drawn[:40], drawn[40:46], drawn[46:]
    prepare_process(settings.seed)
    framing = choose_framing(examples, settings)
    model = build_model(parts.CLASSES, settings)
    train(model, examples, dev, parts.CLASSES, framing, settings, Monitor(tmp_path))
    model.eval()
    images = ScaledImages(test, framing)
    say = partial(predict_examples, model, images, find_task("detection"), parts.CLASSES)
    figures = evaluate(say(0.3), (one.label for one in test), parts.CLASSES, 0.3)
    assert figures.overall["map_50"] > 0.9
    assert figures.overall["f1"] > 0.85
    outputs = predict(model, torch.zeros(1, 3, 256, 320, dtype=torch.uint8))
    assert outputs["heatmap"].max() < 0  # nothing is found in a black image


def test_the_network_begins_with_what_its_reader_says():
    model = build_model(CLASSES, PRESETS["fast"]).eval()
    for head in (model.heatmap, model.sides):
        torch.nn.init.zeros_(head[-1].weight)
    near = torch.tensor([0.0, 5.0, 40.0, -1.0])
    with torch.inference_mode():
        model.reader.bias[len(CLASSES) :] = encode_sides(near)
        heatmap, sides = model(torch.rand(1, 3, 64, 96))
    assert heatmap.shape == (1, 3, 16, 24) and sides.shape == (1, 4, 16, 24)
    assert torch.allclose(heatmap.sigmoid(), torch.tensor(FIRST_SCORE), atol=1e-5)
    assert torch.allclose(sides, near[:, None, None].expand_as(sides), atol=1e-3)


def test_places_are_taken_of_things_and_of_nothing():
    target = Target(torch.tensor([[20.0, 10, 60, 50], [70, 60, 76, 66]]), torch.tensor([2, 0]))
    torch.manual_seed(0)
    places, wanted, sides = choose_places(target, 3, SIZE, 40)
    assert wanted.bincount(minlength=4).tolist()[0] == 20 and {1, 3} == set(wanted.tolist()) - {0}
    x, y = (places + 1).T / 2 * torch.tensor([128, 96])[:, None]
    boxes = torch.stack([x - sides[:, 0], y - sides[:, 1], x + sides[:, 2], y + sides[:, 3]], 1)
    for k, box in ((3, target.boxes[0]), (1, target.boxes[1])):
        assert torch.allclose(boxes[wanted == k], box.expand((wanted == k).sum(), 4), atol=1e-3)
    heat = make_maps(target, 3, SIZE)[0].amax(0)[(y // STRIDE).long(), (x // STRIDE).long()]
    assert (heat[wanted > 0] >= WARM).all() and (heat[wanted == 0] == 0).all()
    nothing = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert not choose_places(nothing, 3, SIZE, 40)[1].any()


def test_least_squares_find_what_is_linear():
    torch.manual_seed(0)
    described, kernel, bias = torch.randn(300, 6) + 3, torch.randn(2, 6), torch.randn(2)
    found = fit_ridge(described, described @ kernel.T + bias, 1e-6)
    assert torch.allclose(found[0], kernel, atol=1e-3)
    assert torch.allclose(found[1], bias, atol=1e-2)


def squares(count=8):
    """Return dark images with a red square each, of class screw, or a green one, a nut."""
    rng, drawn = np.random.default_rng(0), []
    for i in range(count):
        image = np.full((96, 128, 3), 40, np.uint8)
        x, y = (int(value) for value in rng.integers(8, 60, 2))
        image[y : y + 24, x : x + 24, i % 2] = 220
        drawn.append(DrawnExample(image, BoxLabel([Box(CLASSES[i % 2], x, y, x + 24, y + 24)])))
    return drawn


def look_first(model, drawn, tmp_path):
    """Fit the model's reader to the images, and return how they are seen."""
    framing = Framing((96, 128))
    images = ScaledImages(drawn, framing, partial(make_target, classes=CLASSES))
    sampler = partial(make_sample, size=SIZE, augment=v2.Identity())
    fit_probe(model, Views(images, sampler, sampler, 1, 0, Monitor(tmp_path)), SIZE)
    return framing


def test_the_probe_finds_things_before_anything_else_learns(tmp_path):
    model = build_model(CLASSES, PRESETS["fast"])
    drawn = squares()
    framing = look_first(model, drawn, tmp_path)
    figures = measure(model.eval(), ScaledImages(drawn, framing), find_task("detection"), CLASSES)
    assert figures["map_50"] > 0.9


def test_without_anything_to_find_the_reader_stays_as_it_is(tmp_path):
    model = build_model(CLASSES, PRESETS["fast"])
    before = [p.clone() for p in model.reader.parameters()]
    look_first(model, [blank_example(SIZE)], tmp_path)
    assert all(p.equal(was) for p, was in zip(model.reader.parameters(), before))
