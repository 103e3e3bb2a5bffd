"""How classification learns: few images, rare classes, whole images in one input."""

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

import workbench as wb
from workbench import samples
from workbench.engine.classification import (
    PRESETS,
    build_model,
    choose_framing,
    make_label,
    make_sample,
    make_target,
)
from workbench.engine.classification.model import AXES, LEAST_VARIANCE, describe
from workbench.engine.classification.probe import COLOR_WEIGHT, VIEWS, choose_axes, fit_probe
from workbench.engine.classification.train import (
    build_augmentation,
    build_mover,
    class_weights,
    compute_loss,
)
from workbench.engine.data import ScaledImages, labeled_examples, normalise
from workbench.engine.device import mixed_precision
from workbench.engine.monitor import Monitor
from workbench.engine.probe import LEAST_SPREAD, Views
from workbench.tasks.framing import Framing, make_frames


def test_a_sample_is_the_whole_image_and_keeps_its_class():
    image = np.full((20, 40, 3), 9, np.uint8)
    tensor, target = make_sample(image, 1, Framing((32, 64), is_mirrored=True), v2.Identity())
    assert tensor.shape == (3, 32, 64) and (tensor == 9).all()  # no grey beyond it
    assert make_label(target, ["bolt", "washer"]) == wb.ClassLabel("washer")


def test_images_of_any_aspect_are_inputs_of_their_own_size_and_of_one_area():
    sizes = ((90, 180), (100, 200), (200, 400), (300, 300), (400, 100))
    framing = choose_framing([SimpleNamespace(image_size=size) for size in sizes], PRESETS["fast"])
    assert framing == Framing((128, 224), is_whole=True)
    inputs = [make_frames(size, framing)[0].input_size for size in sizes]
    assert inputs == [(128, 224), (128, 224), (128, 224), (160, 160), (352, 96)]
    image = np.full((160, 160, 3), 9, np.uint8)
    tensor, _ = make_sample(image, 0, framing, v2.Identity())
    assert tensor.shape == (3, 160, 160)


def test_for_random_weights_images_of_any_aspect_keep_it_in_an_input_of_the_usual_one():
    examples = [SimpleNamespace(image_size=size) for size in ((90, 180), (100, 200), (300, 300))]
    framing = choose_framing(examples, replace(PRESETS["fast"], backbone="random"))
    assert framing == Framing((128, 224), is_mirrored=True)
    for example in examples:
        (frame,) = make_frames(example.image_size, framing)
        height, width = frame.content_size
        aspect = example.image_size[1] / example.image_size[0]
        assert width / height == pytest.approx(aspect, rel=0.02)
        assert height == 128 or width == 224


def test_a_varied_sample_has_no_edge_of_its_own():
    torch.manual_seed(0)
    augment = build_augmentation(PRESETS["fast"])
    row = np.linspace(20, 220, 96).astype(np.uint8)
    image = np.broadcast_to(row[None, :, None], (64, 96, 3))
    varied = [make_sample(image, 0, Framing((64, 96)), augment)[0].int() for _ in range(40)]
    assert all(tensor.shape == (3, 64, 96) for tensor in varied)
    assert any((tensor[0, 0] != tensor[0, -1]).any() for tensor in varied)  # turned
    steps = [max(int(t.diff(dim=d).abs().max()) for d in (1, 2)) for t in varied]
    assert max(steps) < 25  # filled with gray beyond the edge: more than 90


def test_the_first_fit_sees_images_moved_but_neither_flipped_nor_in_other_light(monkeypatch):
    row = np.linspace(20, 220, 96).astype(np.uint8)
    image = np.broadcast_to(row[None, :, None], (64, 96, 3))  # darker at the left
    framing, seen = Framing((64, 96)), []
    make = build_mover(framing, PRESETS["fast"])
    torch.manual_seed(0)
    moved = [make(image, 0)[0].float() for _ in range(40)]
    assert all(view[..., :32].mean() < view[..., -32:].mean() for view in moved)
    assert all(view.mean() == pytest.approx(image.mean(), abs=12) for view in moved)
    assert any((view[0, 0] != view[0, -1]).any() for view in moved)  # turned
    make = build_mover(framing, replace(PRESETS["fast"], augment=False))
    assert all(np.array_equal(make(image, 0)[0].permute(1, 2, 0), image) for _ in range(10))

    def take(model, views, fit_probe):
        seen.extend(views)
        return False

    room = sys.modules[build_mover.__module__]  # its name is that of a function of the package
    monkeypatch.setattr(room, "probe_first", take)
    monkeypatch.setattr(room, "fit", lambda *args: None)
    label = wb.ClassLabel("good")
    example = {"read_image": lambda: image, "read_label": lambda: label, "image_size": (64, 96)}
    examples = [SimpleNamespace(**example) for _ in range(4)]
    model = build_model(["good"], PRESETS["fast"])
    monitor = SimpleNamespace(training_seconds=None, is_cancelled=False, on_step=lambda *args: None)
    room.train(model, examples, [], ["good"], framing, PRESETS["fast"], monitor)
    views = [view.float() for images, _ in seen for view in images]
    assert len(views) == 4 * VIEWS
    assert all(view[..., :32].mean() < view[..., -32:].mean() for view in views)


def test_rare_classes_weigh_more(tmp_path):
    project = samples.create("bolts", tmp_path, count=20)
    for image in project.images.where(split="train", class_name="washer")[1:]:
        image.label = None
    examples = labeled_examples(project.snapshot("uneven"), "train")
    weights = class_weights(examples, project.classes)
    assert weights[1] > 2 * weights[0]
    counts = [project.images.where(split="train", class_name=n) for n in project.classes]
    labeled = torch.tensor([float(len(found)) for found in counts])
    assert float((weights * labeled).sum() / labeled.sum()) == pytest.approx(1)
    project.close()


def model_that_says(*logits):
    """Return what stands for a network of two classes that gives these logits for any images."""
    return SimpleNamespace(
        classify=lambda inputs: torch.tensor(logits), head=nn.Linear(3, 2).requires_grad_(False)
    )


def test_the_right_class_costs_less():
    fixed = model_that_says([5.0, 0.0], [0.0, 5.0])
    inputs, weights = torch.zeros(2, 3, 32, 32), torch.ones(2)
    right, wrong = (compute_loss(fixed, inputs, k, weights, 0.0) for k in ([0, 1], [1, 0]))
    assert right < wrong


def test_a_rare_class_weighs_more_in_a_batch_of_its_own_too():
    fixed = model_that_says([0.0, 0.0])
    inputs, weights = torch.zeros(1, 3, 32, 32), torch.tensor([0.5, 2.0])
    common, rare = (float(compute_loss(fixed, inputs, [k], weights, 0.0)) for k in (0, 1))
    assert rare > 3 * common


def test_large_weights_of_the_head_cost():
    fixed = model_that_says([0.0, 0.0])
    inputs, weights = torch.zeros(1, 3, 32, 32), torch.ones(2)
    without, beside = (compute_loss(fixed, inputs, [0], weights, p) for p in (0.0, 0.5))
    squares = float(fixed.head.weight.square().sum())
    assert float(beside - without) == pytest.approx(0.25 * squares)


def test_the_network_answers_for_every_class():
    model = build_model(["a", "b", "c"], PRESETS["fast"]).eval()
    logits, evidence = model(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, 3) and evidence.shape == (2, 3, 4, 6)
    assert torch.equal(model.classify(torch.zeros(2, 3, 64, 96)), logits)


def test_evidence_is_what_the_scores_gain_where_a_place_counts_more():
    model = build_model(["a", "b"], PRESETS["fast"]).eval()
    generator = torch.Generator().manual_seed(0)
    model.spread = torch.rand(len(model.spread), generator=generator) + 1
    along = torch.randn(1, 48, 4, 6, generator=generator)
    colors = torch.randn(1, 4, 4, 6, generator=generator)
    colors[:, 3] = 0  # what is highest and lowest does not depend on how much a place counts
    features = torch.zeros(1, 448, 2, 3)
    share = torch.full((24,), 1 / 24, requires_grad=True)
    rows = along[0].flatten(1)
    rows = rows - rows @ share[:, None]
    together = (rows * share) @ rows.T
    variance = together.diagonal() + LEAST_VARIANCE
    correlations = together / (variance[:, None] * variance).sqrt()
    described = [torch.zeros(448), variance.log(), correlations[model.first, model.second]]
    means = colors[0].flatten(1) @ share
    spreads = (((colors[0, :3].flatten(1) - means[:3, None]) ** 2) @ share).sqrt()
    described += [means, spreads, torch.zeros(3)]
    scores = model.head((torch.cat(described) - model.center) / model.spread)
    torch.testing.assert_close(scores[None], model.score(features, along, colors))
    gains = torch.stack([torch.autograd.grad(s, share, retain_graph=True)[0] for s in scores])
    gains = nn.functional.avg_pool2d(gains.view(2, 4, 6), 2)
    gains = gains - gains.mean((1, 2), keepdim=True)
    evidence = model.locate(features, along, colors)[0]
    evidence = evidence - evidence.mean((1, 2), keepdim=True)
    torch.testing.assert_close(evidence, gains, rtol=1e-3, atol=1e-4)


def test_evidence_is_high_where_what_is_highest_is():
    model = build_model(["a", "b"], PRESETS["fast"]).eval()
    features = torch.zeros(1, 448, 4, 6)
    features[0, 5, 1, 2] = 1
    along, colors = torch.zeros(1, 48, 8, 12), torch.zeros(1, 4, 8, 12)
    evidence = model.locate(features, along, colors)[0]
    expected = torch.zeros(2, 4, 6)
    expected[:, 1, 2] = model.head.weight[:, 5]
    torch.testing.assert_close(evidence, expected)


def test_evidence_is_high_where_it_is_dark_if_that_tells_the_class():
    model = build_model(["sound", "pit"], PRESETS["fast"]).eval()
    nn.init.zeros_(model.head.weight)
    model.head.weight.data[1, -1] = -1.0  # the lower the lowest brightness, the more a pit
    image = torch.ones(1, 3, 64, 96)
    image[:, :, 16:32, 48:64] = -2
    assert int(model(image)[1][0, 1].argmax()) == 6 + 3  # of 4 x 6 places


def test_images_are_described_by_what_is_highest_and_by_what_goes_together():
    model = build_model(["a", "b"], PRESETS["fast"])
    generator = torch.Generator().manual_seed(0)
    features, texture, colors = (
        torch.rand(3, count, 4, 5, generator=generator) for count in (448, 192, 4)
    )
    along = model.turn(texture)
    described = describe(features, along, colors, model.first, model.second)
    assert torch.equal(described[:, :448], features.amax((2, 3)))
    spreads, correlations = [], []
    for part, count in zip(texture.split([64, 128], dim=1), AXES):
        rows = part[:, :count].flatten(2)  # without a probe the axes are the first channels
        variances = rows.var(2, correction=0) + LEAST_VARIANCE
        spreads.append(variances.log())
        together = torch.stack([torch.cov(image, correction=0) for image in rows])
        together = together / (variances[:, :, None] * variances[:, None]).sqrt()
        correlations.append(together[:, *torch.triu_indices(count, count, 1)])
    of_colors = [colors.mean((2, 3)), colors.std((2, 3), correction=0)]
    of_colors += [colors[:, 3:].flatten(1).max(1).values[:, None]]
    of_colors += [colors[:, 3:].flatten(1).min(1).values[:, None]]
    expected = torch.cat([*spreads, *correlations, *of_colors], 1)
    torch.testing.assert_close(described[:, 448:], expected, atol=1e-5, rtol=1e-4)


def test_axes_are_those_along_which_images_differ():
    model = build_model(["a", "b"], PRESETS["fast"])
    generator = torch.Generator().manual_seed(0)
    texture = torch.randn(40, 192, 6, 6, generator=generator)  # within an image all vary alike
    texture[:, 7] += 3 * torch.randn(40, 1, 1, generator=generator)
    texture[:, 100] += 3 * torch.randn(40, 1, 1, generator=generator) + 5
    model.axes = choose_axes(texture.split(25), model.compared)
    along = model.turn(texture)
    assert torch.allclose(along.var((0, 2, 3)), torch.ones(48), atol=1e-3)
    for axis, channel in ((15, 7), (47, 100)):  # the last of each stride says most
        assert int(model.axes[axis].abs().argmax()) == channel
    assert not model.axes[:16, 64:].any() and not model.axes[16:, :64].any()


def test_the_probe_tells_classes_apart_that_features_tell_apart(tmp_path):
    examples = [
        SimpleNamespace(
            image_size=(64, 64),
            read_image=lambda level=level: np.full((64, 64, 3), level, np.uint8),
            read_label=lambda level=level: wb.ClassLabel("dark" if level < 128 else "light"),
        )
        for level in (20, 40, 60, 80, 170, 190, 210, 230)
    ]
    classes, framing = ["dark", "light"], Framing((64, 64))
    model = build_model(classes, replace(PRESETS["fast"], backbone="random"))
    images = ScaledImages(examples, framing, partial(make_target, classes=classes))
    make_plain = partial(make_sample, framing=framing, augment=v2.Identity())
    views = Views(images, make_plain, make_plain, 1, 0, Monitor(tmp_path))
    fit_probe(model, views, torch.ones(2))
    found = [int(model(normalise(make_plain(*images[i])[0][None]))[0].argmax()) for i in range(8)]
    assert found == [0] * 4 + [1] * 4
    with torch.inference_mode(), mixed_precision(torch.device("cpu")):
        looked = model.look(normalise(torch.stack([images_of(e) for e in examples])))
    features, texture, colors = (maps.float() for maps in looked)
    described = describe(features, model.turn(texture), colors, model.first, model.second)
    assert torch.allclose(model.center, described.mean(0), atol=1e-4)
    spread = described.std(0, correction=0).clamp(min=LEAST_SPREAD)
    assert torch.allclose(model.spread[:-10], spread[:-10], rtol=1e-2)
    assert torch.allclose(model.spread[-10:], spread[-10:] / COLOR_WEIGHT, rtol=1e-2)


def images_of(example):
    """Return an example's image as a tensor."""
    return torch.from_numpy(example.read_image()).permute(2, 0, 1)


@pytest.fixture
def two_a_class(tmp_path):
    """A project of two dark and two light images, all of them to learn from."""
    project = wb.Project.create(tmp_path / "few", task="classification", classes=["dark", "light"])
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        pictures = {
            f"{name}/{i}.png": (level + rng.integers(-20, 20, (70, 90, 3))).astype(np.uint8)
            for i in range(2)
        }
        project.add_images(pictures, labels_from_folders=True, split="train")
    yield project
    project.close()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"epochs": 20}], ids=["first fit", "epochs"])
def test_two_images_a_class_are_enough(two_a_class, changes):
    plan = two_a_class.plan_training(input_size=64, **changes)
    run = two_a_class.train(input_size=64, progress=False, **changes)
    assert run.status == "finished"
    assert bool(run.history) == bool(plan.steps) == bool(changes)
    model = run.model()
    for image in two_a_class.images:
        assert model.predict(image).class_name == image.label.class_name
    run.plot_history()
