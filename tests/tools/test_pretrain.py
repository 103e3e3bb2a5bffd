"""The generator of images and the training of the backbone: small, but the real thing."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from workbench.engine.backbone import Backbone, load_resnet

PRETRAIN = Path(__file__).resolve().parents[2] / "tools" / "pretrain"
CPU = torch.device("cpu")
PARTS = (
    "textures",
    "defects",
    "scenes",
    "networks",
    "lessons",
    "train",
    "refine",
    "evaluate",
)


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    """Make the tool's files importable as its commands import each other."""
    monkeypatch.syspath_prepend(str(PRETRAIN))
    yield
    for name in PARTS:
        sys.modules.pop(name, None)


def test_sheets_are_the_same_for_the_same_seed():
    from textures import draw_programs, render_sheets

    programs = draw_programs(40, seed=3)
    sheets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        sheets.append(render_sheets(programs, torch.arange(40), 64, CPU))
    assert torch.equal(sheets[0], sheets[1])
    assert (sheets[0] != sheets[2]).flatten(1).any(1).all()  # each sheet is a fresh sample
    assert sheets[0].shape == (40, 3, 64, 64)
    assert sheets[0].min() >= 0 and sheets[0].max() <= 1 and sheets[0].isfinite().all()


def test_sheets_of_a_program_are_more_alike_than_those_of_two():
    from textures import draw_programs, render_sheets

    programs = draw_programs(30, seed=0)
    first, second = (render_sheets(programs, torch.arange(30), 64, CPU) for _ in range(2))
    means = [sheets.mean((2, 3)) for sheets in (first, second)]
    distances = torch.cdist(*means)
    assert (distances.argmin(1) == torch.arange(30)).float().mean() > 0.6


def fill_scene(images):
    """Return a scene whose images are filled by the part: its rim is the border."""
    from defects import Scene
    from textures import coordinates

    y, x = coordinates(images.shape[2], CPU)
    beyond = (torch.maximum(y.abs(), x.abs()) - 1).expand(len(images), -1, -1)
    return Scene(images, beyond, torch.zeros(len(images), 3, 1, 1))


def test_a_defect_changes_its_area_alone():
    from defects import KINDS, damage

    torch.manual_seed(0)
    images = 0.3 + 0.4 * torch.rand(8 * (len(KINDS) + 1), 3, 64, 64)
    kinds = torch.arange(len(images)) % (len(KINDS) + 1) - 1
    damaged, areas = damage(fill_scene(images), kinds)
    assert torch.equal(damaged[kinds < 0], images[kinds < 0]) and not areas[kinds < 0].any()
    for kind in range(len(KINDS)):
        change = (damaged - images)[kinds == kind].abs().amax(1)
        area = areas[kinds == kind]
        assert (area > 0.5).any(), KINDS[kind].__name__
        assert change[area > 0.5].mean() > 4 * change[area < 0.01].mean(), KINDS[kind].__name__


def test_defects_of_the_rim_lie_on_it():
    from defects import KINDS, ON_RIM, damage

    torch.manual_seed(0)
    scene = fill_scene(0.3 + 0.4 * torch.rand(60, 3, 64, 64))
    for paint in ON_RIM:
        _, areas = damage(scene, torch.full((60,), KINDS.index(paint)))
        seen = (areas > 0.5).flatten(1).any(1)
        near = torch.where(areas > 0.5, scene.beyond.abs(), 1.0).flatten(1).amin(1)
        assert seen.sum() > 30 and (near[seen] < 0.1).float().mean() > 0.9, paint.__name__


def test_new_materials_take_the_place_of_the_oldest():
    from scenes import Pool

    torch.manual_seed(0)
    pool = Pool(12, 0, CPU)
    before, names = pool.sheets.clone(), pool.names.clone()
    pool.refresh(5)
    changed = (pool.sheets != before).flatten(1).any(1)
    assert changed.tolist() == [True] * 5 + [False] * 7
    assert (pool.names != names).tolist() == changed.tolist()
    assert len(pool.names.unique()) == 12
    shown = pool.show(6, 4, 64)
    assert shown.images.shape == (24, 3, 64, 64) and shown.areas.shape == (24, 64, 64)
    assert shown.materials.view(6, 4).unique(dim=1).shape == (6, 1)
    assert not shown.areas[shown.kinds < 0].any()


def test_an_album_shows_each_view_in_other_photographs():
    from scenes import Album, Pool

    torch.manual_seed(0)
    album = Album(Pool(12, 0, CPU), 9, 4, 64)
    album.add(6)
    batch, twins = album.draw(5, with_twins=True)
    assert batch.images.shape == twins.shape == (20, 3, 64, 64)
    assert set(batch.materials.tolist()) <= set(album.materials[:6].tolist())
    assert batch.materials.view(5, 4).unique(dim=1).shape == (5, 1)
    assert not batch.areas[batch.kinds < 0].any()
    assert (batch.images != twins).flatten(1).any(1).all()
    small, other = (torch.nn.functional.avg_pool2d(x, 16) for x in (batch.images, twins))
    assert (small - other).abs().mean() < (small - other.roll(8, 0)).abs().mean()
    assert not len(album.draw(5, with_twins=False)[1])
    album.add(6)
    assert (album.filled, album.next) == (9, 0)  # what has no room is left out


def test_some_materials_are_parts_or_plates_and_all_their_views_are(monkeypatch):
    import scenes

    torch.manual_seed(0)
    images = torch.full((80, 3, 64, 64), 0.5) + 0.2 * torch.rand(80, 3, 1, 1)
    monkeypatch.setattr(scenes, "paint_ground", lambda draw: torch.zeros(80, 3, 1, 1))
    for parts, plates, covered in ((1.0, 0.0, (0.2, 0.75)), (0.0, 1.0, (0.7, 1.0))):
        monkeypatch.setattr(scenes, "OBJECTS", parts)
        monkeypatch.setattr(scenes, "PLATES", plates)
        shown = scenes.show_as_parts(images, 4)
        share = (shown.images.mean(1) > 0.1).float().mean((1, 2))
        assert covered[0] < share.mean() < covered[1]
        assert ((shown.beyond < 0).float().mean((1, 2)) - share).abs().mean() < 0.1
    monkeypatch.setattr(scenes, "PLATES", 0.5)
    shown = scenes.show_as_parts(images, 4)
    is_shown = (shown.images != images).flatten(1).any(1).view(20, 4)
    assert (is_shown.all(1) | ~is_shown.any(1)).all() and 2 < is_shown.all(1).sum() < 18


def test_light_is_uneven_but_never_puts_an_image_out():
    from scenes import light

    torch.manual_seed(0)
    brightness = light(200, 64, CPU)
    assert brightness.shape == (200, 64, 64) and 0.8 < brightness.mean() < 1.1
    assert brightness.min() > 0.2 and brightness.max() < 2.1
    assert (brightness.std((1, 2)) > 0.1).float().mean() > 0.5
    steps = (brightness[:, 1:] - brightness[:, :-1]).abs()
    assert steps.max() < 0.15  # soft everywhere: no edge that could be taken for a defect


def test_the_memory_lesson_wants_defects_far_and_sound_patches_near():
    from lessons import School
    from networks import Trunk
    from scenes import Batch

    school = School(Trunk("resnet10"))
    areas = torch.zeros(4, 64, 64)
    areas[:, :16, :16] = 1
    batch = Batch(torch.empty(0), torch.zeros(4), torch.zeros(4, dtype=torch.int64), areas, 4)
    torch.manual_seed(0)
    middle, last = torch.randn(1, 128, 8, 8).expand(4, -1, -1, -1), torch.zeros(4, 256, 4, 4)
    stands_out = middle.clone()
    stands_out[:, :, :2, :2] += 8 * torch.randn(4, 128, 1, 1)  # another in each image
    losses = [float(school.teach_memory(m, last, batch).detach()) for m in (stands_out, middle)]
    assert losses[0] < losses[1]


def make_training(folder, steps, lessons=("material", "instance", "kind", "place", "memory")):
    from train import Training

    asked = Namespace(
        out=folder / "tiny.safetensors",
        network="resnet18",
        steps=steps,
        sheets=8,
        larger=1,
        lessons=list(lessons),
        seed=0,
    )
    return Training(asked, CPU)


def test_training_goes_on_where_it_was_stopped_and_fits_the_backbone(tmp_path):
    from safetensors.torch import load_file

    training = make_training(tmp_path, 3)
    losses = training.learn()
    assert set(losses) == {"material", "instance", "kind", "place", "memory"}
    training.save()
    again = make_training(tmp_path, 3)
    assert again.step == 1
    assert torch.equal(again.school.scale, training.school.scale)
    again.run()
    state = load_file(tmp_path / "tiny.safetensors")
    assert again.step == 3 and all(torch.isfinite(value).all() for value in state.values())
    backbone = Backbone()
    load_resnet(backbone, state)
    assert torch.equal(backbone.stem[0].weight, state["conv1.weight"].float())
    assert max(p.stat().st_size for p in tmp_path.glob("*.safetensors")) < 12e6


def test_a_lesson_that_is_not_asked_for_is_not_taught_and_then_there_are_no_twins(tmp_path):
    training = make_training(tmp_path, 1, ["kind", "place"])
    seen = []
    training.school.trunk.register_forward_hook(lambda module, images, maps: seen.append(*images))
    assert set(training.learn()) == {"kind", "place"}
    asked = {"material": training.school.material, "instance": training.school.instance}
    assert all(value.grad is None for head in asked.values() for value in head.parameters())
    assert len(seen[0]) == 18 * 4  # materials of the first batch, views of each


def test_views_grow_and_batches_shrink_so_that_a_step_costs_the_same():
    from train import choose_views

    stages = [choose_views(step, 1000) for step in (0, 344, 345, 714, 715, 999)]
    assert tuple(side for side, _ in stages) == (96, 96, 128, 128, 192, 192)
    pixels = [side**2 * count for side, count in stages]
    assert max(pixels) < 1.2 * min(pixels)


def test_twins_are_told_from_other_views():
    from lessons import School
    from networks import Trunk

    torch.manual_seed(0)
    school = School(Trunk("resnet10"))
    maps = [torch.randn(6, c, 96 // s, 96 // s) for c, s in zip((64, 128, 256), (4, 8, 16))]
    right = [torch.cat([part, part + 0.01 * torch.randn_like(part)]) for part in maps]
    wrong = [torch.cat([part, part.roll(1, 0)]) for part in maps]
    assert school.tell_twins(right) < school.tell_twins(wrong)


def test_a_relief_is_lit_from_one_side_and_other_programs_are_left_as_they_are():
    from textures import shade

    numbers = torch.full((2, 10), 0.5)
    numbers[:, 0] = torch.tensor([0.0, 0.9])  # a relief, and none
    ramp = torch.linspace(0, 1, 16).expand(2, 16, 16)
    colors = torch.full((2, 3, 16, 16), 0.5)
    rising, falling = (shade(colors, field, numbers, 0) for field in (ramp, ramp.flip(2)))
    assert torch.equal(rising[1], colors[1]) and torch.equal(falling[1], colors[1])
    assert (rising[0] - falling[0]).abs().min() > 0.05


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", ["squeezenet1_0"])
def test_real_imagenet_weights_see_more_than_random_ones(name, shared):
    """The README of the weights says how well they do; here they are loaded and compared."""
    from evaluate import load_network, measure_few

    with torch.inference_mode():
        known, random = (
            max(row[1] for row in measure_few("piped_paper", load_network(key), "dev"))
            for key in (name, f"random:{name}")
        )
    assert known > random + 0.03


def test_every_network_gives_maps_of_strides_4_8_and_16():
    from networks import NODES, Trunk

    for name in NODES:
        trunk = Trunk(name)
        maps = trunk(torch.zeros(2, 3, 96, 96))
        assert [part.shape[1] for part in maps] == trunk.channels
        near = 2 if name == "squeezenet1_0" else 0  # its pooling drops the border
        for part, stride in zip(maps, (4, 8, 16)):
            assert 96 // stride - near <= part.shape[2] <= 96 // stride, name


def test_variants_of_a_program_differ_but_not_in_what_they_are_made_of():
    from textures import CHOICES, NUMBERS, vary_programs

    torch.manual_seed(0)
    numbers = torch.rand(5, NUMBERS)
    varied = vary_programs(numbers, 4).numbers.view(5, 4, NUMBERS)
    assert torch.equal(varied[..., CHOICES], numbers[:, None].expand_as(varied)[..., CHOICES])
    assert varied.min() >= 0 and varied.max() <= 1
    apart = (varied - numbers[:, None]).abs().mean((1, 2))
    assert (apart > 0).all() and apart.max() > 2 * apart.min()  # some materials vary more
    assert apart.max() < 0.05
    assert (varied[:, 0] != varied[:, 1]).any(1).all()


def test_views_of_variants_are_of_sheets_of_their_own(monkeypatch):
    import scenes

    monkeypatch.setattr(scenes, "SHEET", 64)
    torch.manual_seed(0)
    batch = scenes.show_variants(3, 4, 32)
    assert batch.images.shape == (12, 3, 32, 32) and batch.areas.shape == (12, 32, 32)
    assert batch.materials.tolist() == [0] * 4 + [1] * 4 + [2] * 4 and batch.views == 4
    assert batch.images.min() >= 0 and batch.images.max() <= 1
    assert not batch.areas[batch.kinds < 0].any()


def test_views_show_the_share_of_a_sheet_that_a_cut_says_and_lie_as_it_says():
    from scenes import Cut, cut_views
    from textures import coordinates

    torch.manual_seed(0)
    y, x = coordinates(64, CPU)
    sheets = torch.stack([y, x, x])[None].expand(40 * 4, -1, -1, -1)

    def cut(shares, either_way):
        views = cut_views(sheets, 4, 32, Cut(shares, 0.0, 0.0, either_way))
        shown = (views.amax((2, 3)) - views.amin((2, 3)))[:, :2] / 2  # of the sheet, along y and x
        upright = views[:, 1, 0, 0] < views[:, 1, 0, -1]
        return shown, upright.view(40, 4)

    shown, upright = cut((0.5, 0.5), 0.0)
    assert torch.allclose(shown, torch.tensor(0.5), atol=0.03) and upright.all()
    shown, _ = cut((2.0, 2.0), 0.0)
    assert torch.allclose(shown, torch.tensor(1.0), atol=0.03)  # no more than there is
    shown, upright = cut((0.4, 0.8), 0.5)
    assert shown.min() > 0.37 and shown.max() < 0.83 and shown.std() > 0.05
    assert 0.3 < upright.all(1).float().mean() < 0.8  # of the others some are by chance
    assert not upright.all()


def test_the_lesson_normals_compares_patches_as_the_anomaly_room_does():
    from lessons import SHRINKAGE, decorrelate

    from workbench.engine.anomaly import memory, model

    torch.manual_seed(0)
    features = torch.randn(4, 8, 6, 5) * torch.rand(8, 1, 1) + torch.randn(4, 1, 6, 5)
    sound = torch.rand(2, 2 * 30) < 0.9
    patches = decorrelate(features, sound)
    assert patches.shape == (2, 60, 10)
    for k in range(2):
        seen = model.average(features[2 * k : 2 * k + 2])
        flat = seen.permute(0, 2, 3, 1).reshape(60, 8)
        matrix = memory.decorrelate(memory.Moments.of(flat[sound[k]]).covariance, SHRINKAGE)
        assert torch.allclose(
            torch.cdist(patches[k, :, :8], patches[k, :, :8]),
            torch.cdist(flat @ matrix, flat @ matrix),
            atol=1e-3,
        )
        places = model.locate(seen).permute(0, 2, 3, 1).reshape(60, 2)
        assert torch.allclose(patches[k, :, 8:], places)


def test_the_lesson_normals_wants_images_with_defects_farther_than_those_without():
    from lessons import Normals, rank_images
    from scenes import Batch

    covered = torch.zeros(2, 3 * 4)
    covered[0, :2] = covered[1, 4] = 1  # in image 0 of one material, in image 1 of the other
    far = torch.where(covered > 0, 4.0, 1.0)
    near = torch.where(covered.view(2, 3, 4).amax(2, keepdim=True) > 0, 0.25, 1.0)
    (loss, right), (other, wrong) = (
        rank_images(distances, covered, 3) for distances in (far, near.expand(2, 3, 4).flatten(1))
    )
    assert loss < 0.01 and float(right) == 1
    assert other > 1 and float(wrong) == 0
    level, _ = rank_images(torch.ones(2, 12), torch.zeros(2, 12), 3)
    assert float(level) == 0  # no pairs, nothing to learn

    torch.manual_seed(0)
    areas = torch.zeros(4, 64, 64)
    areas[0, :16, :16] = 1
    nothing = torch.zeros(4, dtype=torch.int64)
    batch = Batch(torch.empty(0), nothing, nothing, areas, 4)
    alike = torch.randn(1, 16, 8, 8).expand(4, -1, -1, -1) + 0.1 * torch.randn(4, 16, 8, 8)
    stands_out = alike.clone()
    stands_out[0, :, :2, :2] += 5
    lesson = Normals()
    (good, ahead), (bad, _) = (lesson(part.requires_grad_(), batch) for part in (stands_out, alike))
    assert good < bad and float(ahead) == 1
    bad.backward()
    assert alike.grad.isfinite().all() and alike.grad.any()


def test_refining_goes_on_where_it_was_stopped_and_leaves_the_last_stage(tmp_path, monkeypatch):
    import refine
    import scenes
    from networks import Trunk
    from safetensors.torch import load_file
    from train import save_weights

    monkeypatch.setattr(scenes, "SHEET", 64)
    monkeypatch.setattr(refine, "MATERIALS", 2)
    monkeypatch.setattr(refine, "VIEWS", 3)
    monkeypatch.setattr(refine, "SIDE", 64)
    torch.manual_seed(0)
    trained = tmp_path / "trained.safetensors"
    save_weights(Trunk("resnet18").network.state_dict(), trained)
    asked = Namespace(
        trained=trained, out=tmp_path / "out.safetensors", network="resnet18", steps=3, seed=0
    )
    refining = refine.Refining(asked, CPU)
    loss, right = refining.learn()
    assert loss.isfinite() and 0 <= right <= 1
    refining.save()
    again = refine.Refining(asked, CPU)
    assert again.step == 1
    again.run()
    before, after = load_file(trained), load_file(asked.out)
    assert before.keys() == after.keys() and again.step == 3
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.partition(".")[0] for name in changed} == {"conv1", "bn1", "layer1", "layer2"}
    assert all(value.isfinite().all() for value in after.values())
    load_resnet(Backbone(), after)
