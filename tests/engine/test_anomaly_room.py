"""How anomaly detection learns: a memory that covers, a line that holds, normal images alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from torchvision.transforms import v2

from workbench.engine import export
from workbench.engine.anomaly import (
    PRESETS,
    build_model,
    choose_framing,
    choose_threshold,
    make_label,
    make_sample,
    make_target,
    train,
)
from workbench.engine.anomaly.memory import (
    COLOR_WEIGHT,
    PEAK_PRIOR,
    POOL,
    Cover,
    Moments,
    Pool,
    build_peak_projection,
    build_projection,
    choose_coreset,
    decorrelate,
    sample_patches,
)
from workbench.engine.anomaly.model import (
    AnomalyModel,
    Comparison,
    measure_distances,
    nearest_squares,
)
from workbench.engine.anomaly.train import MARGIN, DistanceMaps, calibrate
from workbench.engine.data import ScaledImages, normalise, to_tensor
from workbench.engine.export import export_network
from workbench.engine.monitor import Cancelled, Monitor
from workbench.engine.predict import predict_examples
from workbench.errors import NotEnoughLabels
from workbench.model_card import NETWORK
from workbench.samples import fabric
from workbench.store.run_folder import ask_to_cancel
from workbench.tasks import find_task
from workbench.tasks.anomaly import VERDICTS, AnomalyLabel, AnomalyPrediction, evaluate
from workbench.tasks.framing import Framing, make_frames

TASK = find_task("anomaly")
TINY = replace(PRESETS["fast"], input_size=64, max_memory=40, backbone="random")


@dataclass
class DrawnExample:
    """An image in memory that training takes for one of a snapshot."""

    image: np.ndarray
    label: AnomalyLabel

    @property
    def item(self) -> SimpleNamespace:
        return SimpleNamespace(counts={self.label.verdict: 1})

    @property
    def image_size(self) -> tuple[int, int]:
        return self.image.shape[:2]

    def read_image(self) -> np.ndarray:
        return self.image

    def read_label(self) -> AnomalyLabel:
        return self.label


def draw_noise(seed: int, verdict: str = "normal", size=(64, 64)) -> DrawnExample:
    """An image of grey noise; an abnormal one has a red square."""
    image = np.random.default_rng(seed).normal(120, 12, (*size, 1)).clip(0, 255)
    image = np.repeat(image, 3, axis=2).astype(np.uint8)
    if verdict == "abnormal":
        image[20:36, 20:36] = (220, 20, 20)
    return DrawnExample(image, AnomalyLabel(verdict))


def train_tiny(
    folder: Path, examples: Sequence[DrawnExample], dev: Sequence[DrawnExample] = (), **changes
) -> tuple[AnomalyModel, Framing]:
    settings = replace(TINY, **changes)
    framing = choose_framing(examples, settings)
    model = build_model(VERDICTS, settings)
    monitor = Monitor(folder, settings.time_limit)
    train(model, examples, dev, VERDICTS, framing, settings, monitor)
    return model, framing


def predict_all(model, framing, examples, threshold=0.5) -> list[AnomalyPrediction]:
    images = ScaledImages(examples, framing)
    return list(predict_examples(model, images, TASK, VERDICTS, threshold))


def test_coreset_keeps_its_cap_and_covers():
    patches = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    chosen = choose_coreset(patches, 50, seed=0)
    assert len(chosen) == len(set(chosen.tolist())) == 50
    radius = torch.cdist(patches, patches[chosen]).amin(1).max()
    # What was chosen lies apart by at least the radius that is left (Gonzalez, 1985).
    apart = torch.cdist(patches[chosen], patches[chosen]).fill_diagonal_(torch.inf).min()
    assert radius <= apart + 1e-4
    at_random = torch.cdist(patches, patches[:50]).amin(1).max()
    assert radius < at_random


def test_coreset_is_the_same_for_the_same_seed_and_a_cover_at_every_length():
    patches = torch.randn(200, 4, generator=torch.Generator().manual_seed(2))
    chosen = choose_coreset(patches, 30, seed=5)
    assert chosen.equal(choose_coreset(patches, 30, seed=5))
    assert chosen[:10].equal(choose_coreset(patches, 10, seed=5))
    assert chosen[:12].equal(choose_coreset(patches, 30, 5, lambda part: part < 12 / 30))


def test_coreset_takes_equal_patches_once():
    patches = torch.tensor([[0.0, 1.0], [2.0, 0.0]]).repeat(20, 1)
    assert len(choose_coreset(patches, 10, seed=0)) == 2


def test_cover_without_an_image_is_what_its_patches_do_not_decide():
    generator = torch.Generator().manual_seed(6)
    features, sources = torch.randn(300, 3, generator=generator), torch.arange(300) % 4
    chosen = choose_coreset(features, 60, seed=0)
    cover = Cover(Pool(features, sources), chosen)
    for image in range(4):
        rows, others = cover.without(image), (sources != image).nonzero()[:, 0]
        assert len(set(rows.tolist())) == len(chosen)
        assert not (sources[rows] == image).any()
        assert set(chosen[sources[chosen] != image].tolist()) < set(rows.tolist())
        anew = others[choose_coreset(features[others], 60, seed=0)]
        radius, radius_anew = (
            torch.cdist(features[others], features[r]).amin(1).max() for r in (rows, anew)
        )
        assert radius < 1.2 * radius_anew


def test_cover_of_equal_images_holds_without_either():
    features = torch.tensor([[0.0, 1.0], [2.0, 0.0]]).repeat(2, 1)
    sources = torch.tensor([0, 0, 1, 1])
    cover = Cover(Pool(features, sources), choose_coreset(features, 10, seed=0))
    for image in (0, 1):
        assert sorted(features[cover.without(image)].tolist()) == [[0.0, 1.0], [2.0, 0.0]]


def test_moments_without_some_patches_are_those_of_the_others():
    features = torch.randn(90, 4, generator=torch.Generator().manual_seed(7)) * 3 + 50
    left = Moments.of(features) - Moments.of(features[:40])
    assert torch.allclose(left.center, features[40:].mean(0))
    expected = torch.cov(features[40:].double().T, correction=0)
    assert torch.allclose(left.covariance, expected)


def test_pool_is_bounded_and_shared_out_evenly():
    images = ((index, torch.full((5000, 2), float(index))) for index in range(100))
    pool = sample_patches(images, 100, torch.Generator().manual_seed(0))
    assert len(pool.features) == len(pool.sources) <= POOL
    assert pool.sources.bincount().tolist() == [POOL // 100] * 100
    assert pool.features[:, 0].equal(pool.sources.float())


def test_nearest_squares_equal_brute_force():
    generator = torch.Generator().manual_seed(3)
    patches = torch.randn(70, 9, generator=generator)
    memory = torch.randn(1100, 9, generator=generator)  # more than two chunks
    expected = torch.cdist(patches, memory, compute_mode="donot_use_mm_for_euclid_dist").amin(1)
    assert torch.allclose(nearest_squares(patches, memory).clamp(min=0).sqrt(), expected, atol=1e-3)


def test_decorrelated_channels_have_one_spread_whatever_they_had_before():
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(4000, 20, generator=generator) @ torch.randn(20, 20, generator=generator)
    features[:, 10:] *= 50
    features[:, 3] = 7.0  # a channel that says nothing
    projected = (features - features.mean(0)) @ decorrelate(Moments.of(features).covariance)
    assert projected.square().sum(1).mean() == pytest.approx(0.9, abs=0.1)
    spread = projected.std(0)
    assert spread.sort().values[2] > 0.8 * spread.max()  # all but the one and the weakest
    projected = projected[:, spread > 0.1 * spread.max()]
    alike = torch.corrcoef(projected.T) - torch.eye(projected.shape[1])
    assert alike.abs().max() < 0.05


def test_all_colors_have_one_weight_beside_all_features_and_places_stay():
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(4000, 15, generator=generator)
    features[:, 10:13] = (
        0.1 * features[:, :3] + 0.05 * features[:, 10:13]
    )  # 3 colors, then 2 places
    projection = build_projection(Moments.of(features), colors=3, places=2)
    squares = ((features - features.mean(0)) @ projection).square()
    assert squares[:, :10].sum(1).mean() == pytest.approx(1, abs=0.05)
    assert squares[:, 10:13].sum(1).mean() == pytest.approx(COLOR_WEIGHT**2, abs=0.02)
    assert projection[13:, 13:].equal(torch.eye(2))


def test_a_spot_of_the_same_brightness_and_another_color_is_found(tmp_path):
    def draw(seed, verdict="normal"):
        noise = np.random.default_rng(seed).normal(0, 12, (96, 96, 1))
        color = np.broadcast_to(np.array([120.0, 120.0, 120.0]), (96, 96, 3)).copy()
        if verdict == "abnormal":
            color[30:54, 40:64] += (16, 0, -16)
        return DrawnExample((color + noise).clip(0, 255).astype(np.uint8), AnomalyLabel(verdict))

    model, framing = train_tiny(
        tmp_path, [draw(s) for s in range(12)], input_size=96, max_memory=800, backbone="shipped"
    )
    normal, tinted = (
        [p.score for p in predict_all(model, framing, [draw(s, verdict) for s in range(50, 62)])]
        for verdict in VERDICTS
    )
    assert max(normal) < min(tinted)


def test_more_light_all_over_is_no_other_color():
    model = build_model(VERDICTS, TINY)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(8))
    colors, lit = (model.describe(part)[0][:, -5:-2] for part in (images, images + 0.3))
    assert colors.shape == (2, 3, 8, 12)
    torch.testing.assert_close(lit, colors)
    images[:, 0, :8, :8] += 1
    assert (model.describe(images)[0][:, -5, 0, 0] > colors[:, 0, 0, 0] + 0.2).all()


def compare_with_black(model: AnomalyModel) -> Comparison:
    """What a black image shows is normal; everything counts as it is, peaks do not."""
    patches, peaks = model.describe(torch.zeros(1, 3, 64, 64))
    channels = patches.shape[1]
    normal = patches[0].flatten(1).T[:1]
    return Comparison(
        torch.zeros(channels),
        torch.eye(channels),
        normal,
        torch.zeros(peaks.shape[1]),
        torch.zeros(peaks.shape[1], peaks.shape[1]),
    )


def test_heatmap_is_half_exactly_at_the_line():
    model = build_model(VERDICTS, TINY)
    model.compared = compare_with_black(model)
    image = torch.full((1, 3, 64, 64), 0.7)
    distances = measure_distances(*model.describe(image), model.compared)
    model.line.fill_(float(distances[0, 4, 4]))
    (heatmap,) = model.eval()(image)
    assert heatmap.shape == (1, 8, 8)
    assert float(heatmap[0, 4, 4]) == 0.5
    assert torch.allclose(heatmap, distances / (distances + model.line))


def test_all_of_an_image_counts_more_where_its_peaks_are_unusual():
    model = build_model(VERDICTS, TINY)
    plain = compare_with_black(model)
    seen = model.describe(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(9)))
    peaks = seen[1]
    around_first = replace(plain, peak_center=peaks[0], peak_projection=torch.eye(peaks.shape[1]))
    as_it_is, weighed = (measure_distances(*seen, part) for part in (plain, around_first))
    assert weighed[0].equal(as_it_is[0])
    expected = (1 + torch.linalg.vector_norm(peaks[1] - peaks[0])).sqrt()
    assert expected > 1.02
    torch.testing.assert_close(weighed[1], as_it_is[1] * expected)


def test_peaks_vary_as_patches_do_until_images_tell():
    generator = torch.Generator().manual_seed(10)
    patches = Moments.of(torch.randn(2000, 6, generator=generator) * torch.arange(1, 7))
    few, many = (torch.randn(count, 4, generator=generator) * 0.1 for count in (2, 50 * PEAK_PRIOR))
    of_few, of_many = (build_peak_projection(Moments.of(part), patches) for part in (few, many))
    assert of_few.shape == of_many.shape == (4, 4)
    moved = torch.eye(4)  # by one, in each feature
    by_few, by_many = (torch.linalg.vector_norm(moved @ part, dim=1) for part in (of_few, of_many))
    assert by_few.argsort(descending=True).tolist() == [0, 1, 2, 3]  # wide ones count less
    assert (by_many > 2 * by_few).all()


def test_what_is_normal_at_one_place_is_not_at_another(tmp_path):
    def draw(seed, is_turned=False):
        image = np.random.default_rng(seed).normal(60, 6, (64, 64, 1)).repeat(3, axis=2)
        image[:, 32:] += 120  # bright at the right, in every normal image
        image = (image[:, ::-1] if is_turned else image).clip(0, 255).astype(np.uint8)
        return DrawnExample(image, AnomalyLabel("normal"))

    model, framing = train_tiny(tmp_path, [draw(seed) for seed in range(20)], max_memory=1500)
    same, turned = (
        [p.score for p in predict_all(model, framing, [draw(s, is_turned) for s in range(20, 40)])]
        for is_turned in (False, True)
    )
    assert max(same) < min(turned)


def test_trained_heatmap_equals_brute_force(tmp_path):
    model, _ = train_tiny(tmp_path, [draw_noise(seed) for seed in range(4)])
    compared = model.compared
    assert compared.memory.shape == (40, 20)
    image = normalise(to_tensor(draw_noise(9, "abnormal").image)[None])
    with torch.inference_mode():
        features, peaks = model.describe(image)
        patches = (features[0] - compared.center[:, None, None]).numpy()
        patches = np.einsum("chw,cd->hwd", patches, compared.projection.numpy())
        (heatmap,) = model(image)
    gaps = patches[:, :, None] - compared.memory.numpy()
    nearest = np.sqrt(np.square(gaps).sum(-1)).min(-1)
    smooth = [
        [nearest[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean() for x in range(8)]
        for y in range(8)
    ]
    unusual = np.linalg.norm((peaks[0] - compared.peak_center) @ compared.peak_projection)
    smooth = np.sqrt(1 + unusual) * np.array(smooth)
    expected = smooth / (smooth + float(model.line))
    assert np.allclose(heatmap[0].numpy(), expected, atol=1e-4)


@pytest.mark.slow
def test_calibration_leaves_each_image_out(tmp_path):
    examples = [draw_noise(seed) for seed in range(6)]
    model, framing = train_tiny(tmp_path, examples, max_memory=5000)
    assert model.calibration["normals"] == 6
    assert model.calibration["expected_overkill"] == pytest.approx(1 / 7)
    seen = [p.score for p in predict_all(model, framing, examples)]
    new = [p.score for p in predict_all(model, framing, [draw_noise(s) for s in range(50, 90)])]
    # The memory holds every patch of these images: measured against all of it they are at 0.
    assert max(seen) < 0.05
    assert 0.3 < np.median(new) < 0.55
    assert np.mean(np.array(new) >= 0.5) < 0.5


def test_calibration_takes_the_conformal_rank():
    model = build_model(VERDICTS, TINY)
    frames = make_frames((64, 64), Framing((64, 64)))
    maps = [DistanceMaps([np.full((8, 8), float(k), np.float32)], frames) for k in range(1, 40)]
    calibrate(model, maps)
    assert float(model.line) == pytest.approx(38.0 * MARGIN)  # ceil(40 * 0.95) of 39
    assert model.calibration["expected_overkill"] == pytest.approx(0.05)


def test_enough_dev_images_calibrate_alone(tmp_path):
    dev = [draw_noise(seed) for seed in range(100, 122)] + [draw_noise(1, "abnormal")]
    model, framing = train_tiny(tmp_path, [draw_noise(seed) for seed in range(4)], dev)
    assert model.calibration["normals"] == 22
    scores = sorted(p.score for p in predict_all(model, framing, dev[:22]))
    assert scores[21] == pytest.approx(0.5, abs=1e-3)  # ceil(23 * 0.95) is the last of 22


def test_abnormal_training_images_teach_nothing(tmp_path):
    normal = [draw_noise(seed) for seed in range(4)]
    alone, framing = train_tiny(tmp_path, normal)
    abnormal = [draw_noise(seed, "abnormal") for seed in range(20, 23)]
    mixed, _ = train_tiny(tmp_path, [abnormal[0], *normal, *abnormal[1:]])
    assert alone.compared.memory.equal(mixed.compared.memory)
    assert alone.line.equal(mixed.line)
    scores = [p.score for p in predict_all(mixed, framing, abnormal)]
    assert min(scores) > 0.7


def test_same_seed_gives_the_same_network(tmp_path):
    examples = [draw_noise(seed) for seed in range(4)]
    first, _ = train_tiny(tmp_path, examples, seed=3)
    again, _ = train_tiny(tmp_path, examples, seed=3)
    other, _ = train_tiny(tmp_path, examples, seed=4)
    assert first.compared.memory.equal(again.compared.memory)
    assert first.line.equal(again.line)
    assert not first.compared.memory.equal(other.compared.memory)


@pytest.mark.parametrize("normals", [0, 1])
def test_too_few_normal_images_are_named(tmp_path, normals):
    examples = [draw_noise(0, "abnormal"), *(draw_noise(1) for _ in range(normals))]
    with pytest.raises(NotEnoughLabels, match=f"{normals} normal images"):
        train_tiny(tmp_path, examples)


def test_cancelled_training_stops(tmp_path):
    ask_to_cancel(tmp_path)
    with pytest.raises(Cancelled):
        train_tiny(tmp_path, [draw_noise(seed) for seed in range(3)])


def test_short_time_still_gives_a_model(tmp_path):
    model, framing = train_tiny(tmp_path, [draw_noise(s) for s in range(30)], time_limit=1.0)
    assert 1 <= len(model.compared.memory) <= 40
    (prediction,) = predict_all(model, framing, [draw_noise(1, "abnormal")])
    assert prediction.is_abnormal


def test_identical_normal_images_still_find_the_abnormal(tmp_path):
    model, framing = train_tiny(tmp_path, [draw_noise(0) for _ in range(3)])
    same, other = predict_all(model, framing, [draw_noise(0), draw_noise(0, "abnormal")])
    assert not same.is_abnormal
    assert other.is_abnormal


@pytest.mark.slow
@pytest.mark.parametrize("widening", [0, 1])
def test_few_normal_images_flag_about_as_many_new_ones_as_promised(tmp_path, widening):
    flagged, promised = [], []
    for start in range(0, 1200, 100):  # eight images calibrate roughly: one training says little
        examples = [draw_noise(start + s, size=(64, 44 + widening * s)) for s in range(8)]
        model, framing = train_tiny(tmp_path, examples, input_size=128, max_memory=500)
        new = [draw_noise(start + s, size=(64, 44)) for s in range(60, 70)]
        predictions = predict_all(model, framing, new)
        assert predictions[0].heatmap.shape == (64, 44)
        flagged += [p.is_abnormal for p in predictions]
        promised.append(model.calibration["expected_overkill"])
    assert np.mean(flagged) < np.mean(promised) + 0.06


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 100), (256, 256)), ((300, 600), (128, 256)), ((900, 9), (256, 64))],
)
def test_framing_follows_the_usual_aspect(size, expected):
    examples = [draw_noise(s, size=size) for s in range(3)] + [draw_noise(9, size=(64, 80))]
    assert choose_framing(examples, PRESETS["fast"]) == Framing(expected, is_whole=True)


def draw_stripes(size: tuple[int, int], step: int = 8) -> DrawnExample:
    """A sheet with a dark rim and stripes every so many pixels, under some noise."""
    image = np.full(size, 150.0)
    image[:, ::step] = image[:, 1::step] = 90
    image += np.random.default_rng(size[0] + size[1]).normal(0, 6, size)
    image[:4] = image[-4:] = 20
    image[:, :4] = image[:, -4:] = 20
    gray = image.clip(0, 255).astype(np.uint8)
    return DrawnExample(np.repeat(gray[..., None], 3, axis=2), AnomalyLabel("normal"))


def test_parts_cut_out_of_photos_are_compared_at_one_scale(tmp_path):
    sizes = [(64 + 8 * k, 170 - 7 * k) for k in range(12)]
    model, framing = train_tiny(
        tmp_path, [draw_stripes(size) for size in sizes], input_size=128, backbone="shipped"
    )
    area = np.median([height * width for height, width in sizes])
    assert framing.is_whole and framing.scale == pytest.approx(
        (math.prod(framing.input_size) / area) ** 0.5
    )
    new = [(70, 160), (100, 100), (140, 110), (150, 90)]
    fine, coarse = (
        [p.score for p in predict_all(model, framing, [draw_stripes(size, step) for size in new])]
        for step in (8, 12)
    )
    assert max(fine) < min(coarse)


def test_targets_and_samples_go_round():
    framing = Framing((64, 64))
    for verdict in VERDICTS:
        example = draw_noise(0, verdict)
        target = make_target(example.label, make_frames((64, 64), framing)[0], VERDICTS)
        inputs, target = make_sample(example.image, target, v2.Identity())
        assert inputs.shape == (3, 64, 64)
        assert make_label(target, VERDICTS) == example.label


def test_threshold_lies_between_the_verdicts():
    def choose(normal: list[float], abnormal: list[float]) -> float:
        scores = [*normal, *abnormal]
        labels = [AnomalyLabel("normal")] * len(normal) + [AnomalyLabel("abnormal")] * len(abnormal)
        values = [AnomalyPrediction(s, 0.5, np.zeros((1, 1), np.float32), (1, 1)) for s in scores]
        return choose_threshold(values, labels, VERDICTS)

    assert choose([0.2, 0.3], [0.7, 0.9]) == pytest.approx(0.5)
    assert choose([0.1, 0.6], [0.8]) == pytest.approx(0.7)
    assert choose([0.1, 0.2, 0.3, 0.9], [0.7, 0.8]) == pytest.approx(0.5)  # one overkill
    assert choose([0.4, 0.4], [0.4, 0.9]) == pytest.approx(0.65)
    assert choose([], []) == choose([0.1], []) == choose([], [0.9]) == 0.5


@pytest.mark.parametrize("traces", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_export_agrees_at_any_size(tmp_path, monkeypatch, traces):
    monkeypatch.setattr(export, "can_trace", lambda: traces)
    model, _ = train_tiny(tmp_path, [draw_noise(seed) for seed in range(3)])
    export_network(model, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / NETWORK)
    for shape in ((1, 3, 64, 64), (3, 3, 96, 160)):
        images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            (expected,) = model(images)
        (heatmap,) = session.run(None, {"image": images.numpy()})
        assert heatmap.shape == (shape[0], shape[2] // 8, shape[3] // 8)
        assert np.allclose(heatmap, expected.numpy(), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_sample_is_told_apart(tmp_path, seed):
    splits: dict[str, list[DrawnExample]] = {"train": [], "dev": [], "test": []}
    for sample in fabric.draw_samples(seed, 84):
        splits[sample.split].append(DrawnExample(sample.image, sample.label))
    settings = replace(PRESETS["fast"], seed=seed)
    model, framing = train_tiny(tmp_path, splits["train"], splits["dev"], **vars(settings))
    labels = {name: [e.label for e in examples] for name, examples in splits.items()}
    dev = predict_all(model, framing, splits["dev"])
    threshold = choose_threshold(dev, labels["dev"], VERDICTS)
    test = predict_all(model, framing, splits["test"], threshold)
    figures = evaluate(test, labels["test"]).overall
    assert figures["auroc"] > 0.97
    assert figures["pixel_auroc"] > 0.95
    assert figures["overkill"] <= 0.2
    assert figures["escape"] <= 0.1
