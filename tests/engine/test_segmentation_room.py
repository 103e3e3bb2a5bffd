"""How segmentation learns: thin things survive the chosen scale, crops hold something, losses."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from workbench.engine.augment import IGNORED
from workbench.engine.data import ScaledImages, crop_size, normalise, to_tensor
from workbench.engine.monitor import Monitor
from workbench.engine.probe import Views
from workbench.engine.segmentation import (
    PRESETS,
    build_model,
    build_sampler,
    choose_framing,
    make_label,
    make_sample,
    make_target,
)
from workbench.engine.segmentation.paste import MOST_PASTED, PASTED, paste, paste_again
from workbench.engine.segmentation.probe import choose_pixels, fit_probe
from workbench.engine.segmentation.train import (
    build_augmentation,
    build_viewer,
    compute_loss,
    dice_loss,
    scale_mask,
)
from workbench.tasks.framing import Framing
from workbench.tasks.segmentation import MaskLabel

FAST = replace(PRESETS["fast"], input_size=384)


@dataclass(frozen=True)
class Item:
    counts: dict


@dataclass(frozen=True)
class Drawn:
    """A labeled image that was never stored."""

    mask: np.ndarray

    @property
    def item(self):
        return Item({"crack": int(self.mask.sum())} if self.mask.any() else {})

    @property
    def image_size(self):
        return self.mask.shape

    def read_label(self):
        return MaskLabel(self.mask)

    def read_image(self):
        """Return gray with bright, red and dark, green pixels for the classes 1 and 2."""
        colors = np.array([[120, 120, 120], [230, 60, 60], [30, 90, 30]], np.uint8)
        return colors[self.mask]


def draw(size, width):
    """Return an image with a crack of that width from corner to corner."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    slope = size[0] / size[1]
    distance = np.abs(rows - slope * columns) / np.hypot(1, slope)
    return Drawn((distance <= width / 2).astype(np.uint8))


def test_small_images_keep_their_size():
    assert choose_framing([draw((256, 256), 5)], FAST).scale == 1.0
    assert choose_framing([draw((384, 300), 5)], FAST).scale == 1.0


def test_tiny_images_are_enlarged():
    assert choose_framing([draw((96, 96), 5)], FAST).scale == 2.0


def test_thin_cracks_in_large_images_are_tiled_at_a_scale_that_keeps_them():
    thin = choose_framing([draw((1500, 2000), 3)], FAST)
    thick = choose_framing([draw((1500, 2000), 120)], FAST)
    assert thin.scale is not None and thick.scale is not None
    assert thin.scale >= 0.7 and thick.scale < 0.25
    assert thin.input_size == (384, 384)


def test_large_images_without_labels_fit_into_one_input():
    framing = choose_framing([Drawn(np.zeros((1500, 2000), np.uint8))], FAST)
    assert framing.scale == pytest.approx(384 / 2000)


def test_images_cut_out_of_photos_are_shown_whole_at_one_scale():
    sizes = ((400, 300), (520, 260), (300, 420), (260, 480))
    framing = choose_framing([draw(size, 40) for size in sizes], FAST)
    assert framing.is_whole and framing.scale == pytest.approx(
        np.sqrt(np.prod(framing.input_size) / np.median([h * w for h, w in sizes]))
    )
    small = choose_framing([draw((60, 50), 5), draw((50, 70), 5)], FAST)
    assert small.is_whole and small.scale == 2.0


def test_cut_out_images_whose_labels_would_be_lost_are_tiled():
    framing = choose_framing([draw((1500, 2000), 3), draw((1600, 1900), 3)], FAST)
    assert not framing.is_whole and framing.scale is not None and framing.scale >= 0.7


def test_a_few_photos_of_one_size_are_not_cut_out():
    assert not choose_framing([draw((500, 300), 40)], FAST).is_whole
    assert not choose_framing(
        [draw((500, 300), 40)] * 2 + [draw((300, 500), 40)] * 2, FAST
    ).is_whole


@pytest.mark.parametrize("width", [2, 3, 5])
def test_a_thin_line_stays_in_one_piece_at_half_the_size(width):
    mask = np.zeros((100, 200), np.uint8)
    mask[51 : 51 + width] = 2
    small = scale_mask(mask, (50, 100))
    assert (small == 2).any(axis=0).all() and set(np.unique(small)) == {0, 2}


def test_a_mask_at_its_own_size_is_itself():
    mask = np.random.default_rng(0).integers(0, 3, (40, 50), dtype=np.uint8)
    assert np.array_equal(scale_mask(mask, (40, 50)), mask)


def test_crops_hold_a_rare_thing_more_often_than_chance():
    target = np.zeros((800, 800), np.uint8)
    target[700:705, 30:35] = 1
    image = np.zeros((800, 800, 3), np.uint8)
    torch.manual_seed(0)
    hits = [
        bool((make_sample(image, target, (128, 128), v2.Identity())[1] == 1).any())
        for _ in range(60)
    ]
    assert 0.4 < np.mean(hits) < 0.9


def test_what_is_not_image_is_ignored():
    image = np.full((30, 40, 3), 7, np.uint8)
    target = np.ones((30, 40), np.uint8)
    cut, mask = make_sample(image, target, (64, 64), v2.Identity())
    assert cut.shape == (3, 64, 64) and (mask[:30, :40] == 1).all()
    assert (mask[30:] == IGNORED).all() and (mask[:, 40:] == IGNORED).all()
    assert make_label(mask, ["crack"]) == MaskLabel(np.pad(target, ((0, 34), (0, 24))))


def test_beyond_a_whole_image_its_mirror_image_is_trained_on():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    target = (image[..., 0] > 128).astype(np.uint8)
    cut, mask = make_sample(image, target, (64, 64), v2.Identity(), is_mirrored=True)
    assert torch.equal(cut[:, 30:60, :40], cut[:, :30, :40].flip(1))
    assert torch.equal(mask[30:60, :40], mask[:30, :40].flip(0)) and (mask != IGNORED).all()


def test_crops_of_whole_images_have_one_size_and_the_reader_sees_all_of_them():
    drawn = [draw((400, 300), 40), draw((520, 260), 40), draw((300, 420), 40)]
    framing = choose_framing(drawn, FAST)
    images = ScaledImages(drawn, framing, lambda label, frame: make_target(label, frame, ["crack"]))
    crops, views = (
        [make(*images[index])[0].shape[1:] for index in range(3)]
        for make in (build(drawn, framing, FAST) for build in (build_sampler, build_viewer))
    )
    assert len(set(crops)) == 1 and views == [images[index][1].shape for index in range(3)]


def test_image_and_mask_are_varied_alike():
    target = np.zeros((96, 96), np.uint8)
    target[20:60, 30:50] = 1
    image = np.repeat(target[..., None] * np.uint8(200), 3, axis=2)
    torch.manual_seed(3)
    for _ in range(8):
        cut, mask = make_sample(image, target, (96, 96), build_augmentation(FAST))
        bright = cut.float().mean(0) > 70
        known = mask != IGNORED
        inside = mask == 1
        agreement = (
            bright[known & (cut.float().mean(0) != 114)]
            == inside[known & (cut.float().mean(0) != 114)]
        )
        assert agreement.float().mean() > 0.9


def test_a_perfect_answer_costs_nothing_and_the_border_does_not_count():
    masks = torch.zeros(1, 8, 8, dtype=torch.long)
    masks[0, 2:5, 2:5] = 1
    right = torch.nn.functional.one_hot(masks, 3).permute(0, 3, 1, 2).float() * 40 - 20
    assert dice_loss(right, masks) < 1e-3
    assert dice_loss(-right, masks) > 0.8
    masks[0, 6:] = IGNORED
    right[0, :, 6:] = torch.randn(3, 2, 8)
    assert dice_loss(right, masks) < 1e-3


def test_a_batch_without_anything_to_find_has_a_finite_loss():
    class Flat(torch.nn.Module):
        def forward(self, inputs):
            return (torch.zeros(len(inputs), 2, *inputs.shape[2:], requires_grad=True),)

    loss = compute_loss(
        Flat(), torch.zeros(2, 3, 32, 32), [torch.zeros(32, 32, dtype=torch.uint8)] * 2
    )
    assert torch.isfinite(loss)


def test_crops_are_no_larger_than_the_images():
    framing = choose_framing([draw((100, 180), 5)], replace(FAST, input_size=192))
    assert crop_size([draw((100, 180), 5)], framing) == (128, 192)


def test_the_network_begins_with_what_its_reader_says():
    model = build_model(["a", "b"], FAST).eval()
    with torch.no_grad():
        model.reader.weight.normal_()
        model.reader.bias.normal_()
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        (logits,) = model(images)
        read = model.reader.read(model.backbone(images)[1:])
    assert logits.shape == (2, 3, 64, 96) and read.shape == (2, 3, 16, 24)
    whole = torch.nn.functional.interpolate(read, scale_factor=4, mode="bilinear")
    assert torch.allclose(logits, whole, atol=1e-4)


def test_pixels_are_taken_evenly_of_the_classes_and_where_they_are():
    mask = torch.zeros(40, 60, dtype=torch.uint8)
    mask[5:30, 10:50] = 1
    mask[32:36, 3:8] = 2
    mask[38:] = IGNORED
    torch.manual_seed(0)
    places, classes = choose_pixels(mask, 50)
    assert classes.bincount().tolist() == [20, 15, 15]
    columns, rows = ((places + 1) / 2 * torch.tensor([60, 40]) - 0.5).round().long().T
    assert torch.equal(mask[rows, columns].long(), classes)
    assert len(choose_pixels(torch.full((9, 9), IGNORED), 50)[0]) == 0


@pytest.fixture
def patches():
    """Return eight images with a patch each of class 1 or 2, somewhere."""
    rng = np.random.default_rng(0)
    drawn = []
    for k in (1, 2) * 4:
        mask = np.zeros((96, 96), np.uint8)
        top, left = rng.integers(0, 56, 2)
        mask[top : top + 40, left : left + 40] = k
        drawn.append(Drawn(mask))
    return drawn


def test_the_probe_finds_what_colors_tell_apart(patches, tmp_path):
    classes, framing = ["red", "green"], Framing((96, 96))
    model = build_model(classes, replace(FAST, input_size=96))
    images = ScaledImages(patches, framing, lambda label, frame: make_target(label, frame, classes))
    make_plain = build_sampler(patches, framing, replace(FAST, input_size=96, augment=False))
    fit_probe(model, Views(images, make_plain, make_plain, 2, 0, Monitor(tmp_path)))
    inputs = torch.stack([to_tensor(example.read_image()) for example in patches])
    with torch.inference_mode():
        (logits,) = model.eval()(normalise(inputs))
    wanted = torch.from_numpy(np.stack([example.mask for example in patches]))
    assert (logits.argmax(1) == wanted).float().mean() > 0.95


def test_without_anything_to_find_the_reader_stays_as_it_is(tmp_path):
    nothing = [Drawn(np.zeros((64, 64), np.uint8))]
    framing, settings = Framing((64, 64)), replace(FAST, input_size=64)
    model = build_model(["a"], settings)
    images = ScaledImages(nothing, framing, lambda label, frame: make_target(label, frame, ["a"]))
    sampler = build_sampler(nothing, framing, settings)
    fit_probe(model, Views(images, sampler, sampler, 1, 0, Monitor(tmp_path)))
    assert not model.reader.weight.any() and not model.reader.bias.any()


def test_a_reader_on_random_features_learns_with_the_rest():
    assert all(
        p.requires_grad
        for p in build_model(["a"], replace(FAST, backbone="random")).reader.parameters()
    )
    assert not any(p.requires_grad for p in build_model(["a"], FAST).reader.parameters())


def spot(height=64, width=80, value=90):
    """Return a gray image and its mask: a bright spot, of class 2, in its upper left."""
    image = torch.full((3, height, width), value, dtype=torch.uint8)
    mask = torch.zeros(height, width, dtype=torch.uint8)
    image[:, 10:16, 10:18] += 60
    mask[10:16, 10:18] = 2
    return image, mask


def test_what_is_pasted_keeps_its_shape_and_takes_the_light_of_its_place():
    image, mask = spot()
    dark = torch.full((3, 64, 80), 40, dtype=torch.uint8)
    torch.manual_seed(3)
    mixed, marked = paste(dark, torch.zeros_like(mask), image, mask)
    pixels = (marked == 2).nonzero()
    (top, left), (bottom, right) = pixels.amin(0).tolist(), pixels.amax(0).tolist()
    assert (bottom + 1 - top, right + 1 - left) == (6, 8) and len(pixels) == 48
    assert (mixed[:, marked == 2] == 100).all()  # 60 above what lies around it
    assert (mixed[:, marked != 2] == 40).all()


def test_a_soft_edge_is_not_taken_for_the_light_of_the_surface():
    image, mask = spot()
    image[:, 8:18, 8:20] -= 40  # the spot, and two pixels around it
    dark = torch.full((3, 64, 80), 60, dtype=torch.uint8)
    torch.manual_seed(3)
    mixed, marked = paste(dark, torch.zeros_like(mask), image, mask)
    assert (mixed[:, marked == 2] == 80).all()  # 20 above the surface, as it was
    assert mixed.max() == 80


def test_images_often_hold_what_they_show_twice():
    image, mask = spot()
    torch.manual_seed(0)
    pairs = [paste_again(image, mask) for _ in range(80)]
    moved = [marked for _, marked in pairs if not marked.equal(mask)]
    assert PASTED - 0.2 < len(moved) / len(pairs) < PASTED + 0.2
    assert all((marked[mask == 2] == 2).all() for marked in moved)
    assert any(int((marked == 2).sum()) == 2 * int((mask == 2).sum()) for marked in moved)


def test_what_lies_around_a_copy_hides_nothing_that_is_marked():
    image, mask = spot()
    image[:, :, ::2] += 20  # so that what lies around the spot shows where it is pasted
    other = torch.full((3, 64, 80), 150, dtype=torch.uint8)
    stripes = torch.zeros_like(mask)
    stripes[::4] = 1  # wherever the copy lies, some of them are beside it
    torch.manual_seed(4)
    for _ in range(20):
        mixed, marked = paste(other, stripes, image, mask)
        assert (mixed[:, marked == 1] == 150).all() and (marked == 2).any()


def test_nothing_is_pasted_where_no_image_is():
    image, mask = spot()
    mask[:, 40:] = IGNORED
    torch.manual_seed(1)
    for _ in range(40):
        mixed, marked = paste_again(image, mask)
        assert (marked[:, 40:] == IGNORED).all() and (marked[:, :40] != IGNORED).all()
        assert mixed[:, :, 40:].equal(image[:, :, 40:])


def test_what_fills_an_image_or_is_not_there_stays_alone():
    image, mask = spot()
    wide = torch.zeros_like(mask)
    wide[: int(MOST_PASTED * len(wide)) + 1] = 1
    torch.manual_seed(2)
    for alone in (torch.zeros_like(mask), torch.ones_like(mask), wide):
        for _ in range(10):
            assert paste_again(image, alone)[1].equal(alone)
