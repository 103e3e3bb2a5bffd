"""The parts that the rooms share: backbone, data, checkpoints, the loop's schedule, errors."""

import copy
import ctypes
import errno
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
import torchvision
from torch import nn

from workbench.engine import anomaly, classification, detection, segmentation
from workbench.engine import backbone as backbones
from workbench.engine.backbone import Backbone, Network, build_backbone, load_resnet
from workbench.engine.checkpoint import Standing, load_checkpoint, save_checkpoint
from workbench.engine.choice import Choice
from workbench.engine.data import (
    ScaledImages,
    batch_indices,
    normalise,
    pick_evenly,
    stack_alike,
    to_tensor,
    usual_input,
)
from workbench.engine.device import return_memory
from workbench.engine.loop import (
    Clock,
    fit,
    parameter_groups,
    release,
    schedule,
    train_step,
)
from workbench.engine.monitor import Monitor, finite
from workbench.engine.predict import show_some
from workbench.engine.segmentation.train import compute_loss as segmentation_loss
from workbench.engine.worker import FEWEST, explain, fit_into_time
from workbench.errors import InvalidSetting, NotEnoughLabels, RunFailed, StorageFailed
from workbench.model import Model
from workbench.settings import Settings
from workbench.store.run_folder import EventReader
from workbench.tasks.framing import Framing


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc"
)
def test_memory_that_is_free_goes_back_to_the_system():
    process = psutil.Process()
    kept = [torch.ones(4096) for _ in range(12_000)]  # of 16 KB: the C library's own heap
    del kept[:-1]  # what is last keeps the heap from shrinking by itself
    before = process.memory_info().rss
    return_memory()
    assert before - process.memory_info().rss > 100e6


def test_backbone_features_have_the_strides_they_promise():
    network = build_backbone("random").eval()
    features = network(torch.zeros(1, 3, 64, 96))
    sizes = [(64 // stride, 96 // stride) for stride in Backbone.strides]
    assert [tuple(f.shape) for f in features] == [
        (1, channels, *size) for channels, size in zip(Backbone.channels, sizes)
    ]


def test_random_weights_are_always_the_same():
    torch.manual_seed(1)
    first = build_backbone("random").state_dict()
    torch.manual_seed(2)
    second = build_backbone("random").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_torchvision_weights_fit(monkeypatch):
    state = torchvision.models.resnet18().state_dict()
    network = Backbone()
    load_resnet(network, state)
    assert torch.equal(network.stem[0].weight, state["conv1.weight"])
    assert torch.equal(network.stages[2][1].bn2.bias, state["layer3.1.bn2.bias"])


def test_imagenet_weights_come_from_torchvision(monkeypatch, tmp_path):
    """torchvision finds the file where it would have put what it fetched."""
    state = torchvision.models.resnet18().state_dict()
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / url.rsplit("/", 1)[1])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    backbone = build_backbone("imagenet")
    assert backbone.origin == "imagenet" and backbone.is_pretrained
    assert torch.equal(backbone.stem[0].weight, state["conv1.weight"])


def test_without_a_network_the_shipped_weights_are_taken(monkeypatch):
    monkeypatch.setattr(backbones, "fetch_imagenet", lambda: None)
    assert build_backbone("imagenet").origin == "shipped"


def test_shipped_weights_are_small_finite_and_in_half_precision():
    from safetensors.torch import load_file

    files = (backbones.SHIPPED, backbones.SHIPPED_PLACES)
    assert sum(file.stat().st_size for file in files) < 12e6
    seen = [build_backbone("random").stem[0].weight]
    for file in files:
        for value in load_file(file).values():
            assert value.dtype in (torch.float16, torch.int64) and value.isfinite().all()
        backbone = build_backbone("shipped", file)
        assert backbone.origin == "shipped" and backbone.is_pretrained
        assert not any(torch.equal(backbone.stem[0].weight, other) for other in seen)
        seen.append(backbone.stem[0].weight)


@pytest.mark.parametrize("room", [anomaly, classification, detection, segmentation])
def test_rooms_that_find_places_start_from_the_weights_for_them(room):
    from safetensors.torch import load_file

    finds_places = room in (detection, segmentation)
    file = backbones.SHIPPED_PLACES if finds_places else backbones.SHIPPED
    model = room.build_model(["a"], room.PRESETS["fast"])
    assert torch.equal(model.backbone.stem[0].weight, load_file(file)["conv1.weight"].float())


@pytest.mark.parametrize("room", [classification, detection, segmentation])
def test_random_weights_all_learn_and_shipped_ones_late_but_for_the_first_layers(room):
    def learning_stages(backbone, later_layers):
        model = room.build_model(["a"], replace(room.PRESETS["fast"], backbone=backbone))
        release(model, later_layers)
        fitted = ("backbone.",) if backbone == "random" else ("backbone.", "reader.")
        learned = {n: p for n, p in model.named_parameters() if not n.startswith(fitted)}
        assert learned and all(p.requires_grad for p in learned.values())
        parts = [model.backbone.stem, *model.backbone.stages]
        return [all(p.requires_grad for p in part.parameters()) for part in parts]

    assert learning_stages("random", later_layers=False) == [True] * 4
    assert learning_stages("shipped", later_layers=False) == [False] * 4
    assert learning_stages("shipped", later_layers=True) == [False, False, True, True]


def test_features_are_held_for_some_steps_or_to_the_end():
    fast = detection.PRESETS["fast"]
    assert [fast.learns_on(step) for step in (0, fast.held_steps - 1, fast.held_steps)] == [
        False,
        False,
        True,
    ]
    assert classification.PRESETS["fast"].learns_on(0)
    assert not segmentation.PRESETS["fast"].learns_on(10**6)


def test_what_is_held_does_not_change_in_a_step():
    torch.manual_seed(0)
    model = segmentation.build_model(["a"], segmentation.PRESETS["fast"])
    optimizer = torch.optim.AdamW(parameter_groups(model, Settings(64)), weight_decay=0.1)

    def step(later_layers):
        before = copy.deepcopy(model.state_dict())
        release(model, later_layers)
        images = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
        masks = [torch.randint(2, (64, 64)) for _ in images]
        train_step(model, optimizer, [(images, masks)], segmentation_loss)
        after = model.state_dict()
        return {name for name in after if not torch.equal(before[name], after[name])}

    changed = step(later_layers=False)
    assert changed and not any(name.startswith("backbone.") for name in changed)
    changed = {name for name in step(later_layers=True) if name.startswith("backbone.")}
    assert changed and all(
        name.startswith(("backbone.stages.1.", "backbone.stages.2.")) for name in changed
    )
    assert not any("running" in name for name in changed)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([(4, 6)] * 3, [[0, 1, 2]]), ([(4, 6), (6, 4), (4, 6)], [[0], [1], [2]])],
)
def test_images_of_one_size_come_together_and_others_alone(sizes, expected):
    samples = [(torch.full((3, *size), k, dtype=torch.uint8), k) for k, size in enumerate(sizes)]
    groups = stack_alike(samples)
    assert [targets for _, targets in groups] == expected
    for images, targets in groups:
        assert images.shape[2:] == sizes[targets[0]]
        assert images[:, 0, 0, 0].tolist() == targets


def test_a_batch_in_parts_is_learned_from_as_a_whole():
    class Mean(nn.Module):
        """Scores that are the mean of each color, weighed."""

        def __init__(self):
            super().__init__()
            self.backbone = SimpleNamespace(is_pretrained=False)
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, images):
            return images.mean((2, 3)) @ self.weight

    def loss_of(model, images, targets):
        return (model(images) - torch.tensor(targets)).square().mean()

    def learn(batch):
        model = Mean()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        return train_step(model, optimizer, batch, loss_of), model.weight.detach()

    images = torch.randint(256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    targets = [0.5, 2.0, -1.0]
    parts = [(images[:1], targets[:1]), (images[1:], targets[1:])]
    (whole, weight), (total, other) = learn([(images, targets)]), learn(parts)
    assert total == pytest.approx(whole, rel=1e-4)
    assert not torch.allclose(weight, torch.ones(3))
    torch.testing.assert_close(weight, other, atol=1e-3, rtol=1e-3)  # bfloat16, at places


def test_a_limited_time_is_not_spent_on_looks_at_dev():
    clock = Clock(100, 50.0, Standing(step=10, elapsed_seconds=0))
    assert clock.has_time_to_look
    clock.looked_seconds = 30.0
    assert not clock.has_time_to_look
    clock.standing.step = 100  # the last look decides which model is kept
    assert clock.has_time_to_look
    clock.standing.step, clock.seconds = 10, None
    assert clock.has_time_to_look


def test_an_unknown_backbone_is_refused():
    with pytest.raises(InvalidSetting, match="vgg"):
        build_backbone("vgg")


def test_every_image_comes_once_an_epoch():
    seen = [i for step in range(7) for i in batch_indices(step, 14, 4, seed=5)]
    assert sorted(seen[:14]) == list(range(14)) and sorted(seen[14:28]) == list(range(14))
    assert seen[:14] != seen[14:28]
    assert batch_indices(3, 14, 4, seed=5) == seen[12:16]
    assert batch_indices(3, 14, 4, seed=6) != seen[12:16]


def test_a_batch_larger_than_the_set_repeats_it():
    assert sorted(batch_indices(0, 2, 8, seed=0)) == [0] * 4 + [1] * 4


def test_torch_and_onnx_see_the_same_numbers():
    image = np.random.default_rng(0).integers(0, 255, (32, 64, 3), dtype=np.uint8)
    tensor = normalise(torch.from_numpy(image).permute(2, 0, 1)[None])

    class Card:
        mean, std = backbones.MEAN, backbones.STD

    class Stub:
        card = Card

    np.testing.assert_allclose(Model.normalise(Stub, image), tensor.numpy(), atol=1e-6)


def test_the_input_has_the_aspect_that_images_usually_have():
    def sized(*sizes):
        return [SimpleNamespace(image_size=size) for size in sizes]

    assert usual_input(sized((480, 640), (960, 1280), (640, 480)), 224) == (160, 224)
    assert usual_input(sized((640, 480)), 256) == (256, 192)
    assert usual_input(sized((100, 100)), 256) == (256, 256)
    assert usual_input(sized((30, 3000)), 256) == (64, 256)


def test_a_checkpoint_puts_everything_back(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        model(torch.randn(5, 4)).square().sum().backward()
        optimizer.step()
    standing = Standing(
        3, 1.5, 0.25, copy.deepcopy(model.state_dict()), [{"epoch": 1, "loss": 2.0}]
    )
    save_checkpoint(tmp_path, standing, model, optimizer)
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    fresh = torch.optim.AdamW(other.parameters(), lr=0.1)
    again = load_checkpoint(tmp_path, other, fresh)
    assert (again.step, again.best_figure, again.history) == (3, 0.25, standing.history)
    for one, two in zip(model.state_dict().values(), other.state_dict().values()):
        assert torch.equal(one, two)
    for one, two in zip(optimizer.state.values(), fresh.state.values()):
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert load_checkpoint(tmp_path / "nowhere", other, fresh) == Standing()


@pytest.mark.parametrize("other", [nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 3))])
def test_a_checkpoint_of_another_network_says_so(tmp_path, other):
    model = nn.Linear(4, 3)
    save_checkpoint(tmp_path, Standing(), model, torch.optim.AdamW(model.parameters()))
    with pytest.raises(RunFailed, match=r"another version.*Start a new one"):
        load_checkpoint(tmp_path, other, torch.optim.AdamW(other.parameters()))


def test_pretrained_layers_learn_at_their_part_of_the_rate():
    settings = Settings(64, learning_rate=1e-3, pretrained_rate=0.5)
    for weights, expected in (("shipped", {1e-3, 5e-4}), ("random", {1e-3})):
        model = classification.build_model(["a", "b"], replace(settings, backbone=weights))
        groups = parameter_groups(model, settings)
        assert {group["lr"] for group in groups} == expected
        assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_the_learning_rate_climbs_and_then_falls():
    rates = [schedule(i / 100) for i in range(101)]
    peak = rates.index(max(rates))
    assert 5 <= peak <= 10 and max(rates) <= 1.01 and rates[-1] < 0.01
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_steps_follow_the_images_within_bounds():
    settings = Settings(64, batch_size=8, min_steps=50, max_steps=200, passes=20)
    assert [settings.steps(n, False) for n in (2, 40, 1000)] == [50, 100, 200]
    assert Settings(64, batch_size=8, epochs=3).steps(17, False) == 9


def test_few_images_without_dev_are_not_trained_on_beyond_the_first_fit():
    settings = Settings(64, judged_below=100)
    assert settings.steps(99, False) == 0
    wanted = (settings.steps(99, True), settings.steps(100, False))
    random = replace(settings, backbone="random")
    assert 0 not in (*wanted, random.steps(99, False), replace(settings, epochs=1).steps(99, False))
    assert Clock(0, None, Standing()).fraction == 1.0


def test_events_hold_only_what_json_can():
    assert finite({"a": float("nan"), "b": 1.5, "c": "x"}) == {"a": None, "b": 1.5, "c": "x"}


def test_a_time_limit_keeps_time_for_the_end(tmp_path):
    assert Monitor(tmp_path).training_seconds is None
    for loading, left in ((0.5, 57.5), (2.5, 55), (20, 34)):  # a slow machine needs more
        assert Monitor(tmp_path, 60, loading).training_seconds == pytest.approx(left, abs=0.2)
    assert Monitor(tmp_path, 5, 2.5).training_seconds == 1
    monitor = Monitor(tmp_path)
    for step in range(100):
        monitor.on_step(step / 100, loss=1.0)
    assert 1 <= len(EventReader(tmp_path).read_new()) < 100


def test_examples_are_picked_evenly_over_their_order():
    by_class = ["a"] * 300 + ["b"] * 100  # as folders are added, one after another
    picked = pick_evenly(by_class, 200)
    assert picked == ["a"] * 150 + ["b"] * 50
    assert pick_evenly(range(7), 3) == [0, 2, 4]
    assert pick_evenly(range(7), 9) == list(range(7))
    assert pick_evenly([], 5) == []


def test_previews_are_spread_over_the_dev_images():
    task = SimpleNamespace(room=SimpleNamespace(draw=lambda image, *rest: image))
    examples = [SimpleNamespace(read_image=lambda i=i: i, colors={}) for i in range(40)]
    drawn: list[int] = []
    monitor = SimpleNamespace(on_preview=drawn.extend)
    images = ScaledImages(examples, Framing((64, 64)))
    assert list(show_some(iter(range(40)), images, task, (), monitor)) == list(range(40))
    assert drawn == [0, 10, 20, 30]


def test_little_time_measures_on_fewer_images_and_says_so(tmp_path, monkeypatch):
    def look_slowly(model, images, *rest):
        for _ in images.examples:
            time.sleep(0.02)
            yield None

    monkeypatch.setattr("workbench.engine.worker.predict_examples", look_slowly)
    snapshot = SimpleNamespace(task="classification", classes=("a",))

    def count(limit, used=0.0):
        examples = list(range(100))
        monitor = Monitor(tmp_path, limit, used)
        return len(fit_into_time(nn.Identity(), snapshot, examples, Framing((64, 64)), monitor))

    assert count(None) == count(600) == 100
    assert not EventReader(tmp_path).read_new()
    assert FEWEST < count(600, 598) < 100
    assert count(5, 20) == FEWEST
    assert f"{FEWEST} of 100 images" in str(EventReader(tmp_path).read_new()[-1])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "batch_size"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (StorageFailed("x could not be written: the disk is full."), "disk is full"),
        (NotEnoughLabels("Label more."), "Label more."),
        (KeyError("odd"), "unexpected error: KeyError"),
    ],
)
def test_errors_say_what_to_do(error, words):
    assert words in explain(error)


@pytest.mark.parametrize(("figures", "kept"), [([0.5, 0.7, 0.6], 0), ([0.5, 0.6, 0.8], 2)])
def test_what_is_ready_is_kept_unless_training_on_is_clearly_better(tmp_path, figures, kept):
    class Learned(Network):
        output_names = ("value",)

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))
            self.backbone = Backbone()

        def forward(self, images):
            return (self.weight * images.mean(),)

    states = []

    def measure(model):
        states.append(model.weight.item())
        return {"figure": figures[min(len(states), len(figures)) - 1]}

    def compute_loss(model, inputs, targets):
        return (model(inputs)[0] - 1).square()

    examples = [
        SimpleNamespace(
            image_size=(32, 32),
            read_image=lambda: np.full((32, 32, 3), 255, np.uint8),
            read_label=lambda: None,
        )
    ]
    images = ScaledImages(examples, Framing((32, 32)), lambda *_: None)
    settings = Settings(32, batch_size=1, epochs=2)
    model = Learned()
    fit(
        model,
        images,
        lambda image, target: (to_tensor(image), target),
        compute_loss,
        Choice(measure, count=2, lead=1.0),  # 0.25 of two images is chance
        settings,
        Monitor(tmp_path),
        is_ready=True,
    )
    assert model.weight.item() == pytest.approx(states[kept]) and len(set(states)) == 3
