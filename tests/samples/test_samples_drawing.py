import hashlib

import numpy as np
import pytest

from workbench import samples
from workbench.errors import InvalidSetting, WorkbenchError
from workbench.samples import SAMPLES
from workbench.samples.sample_image import SampleImage
from workbench.tasks import TASKS

COUNT = 16


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[SampleImage]]:
    return {name: list(sample.draw_samples(0, COUNT)) for name, sample in SAMPLES.items()}


def digest(images: list[SampleImage]) -> str:
    return hashlib.sha256(b"".join(sample.image.tobytes() for sample in images)).hexdigest()


def test_there_is_one_sample_for_each_task():
    assert sorted(sample.task for sample in SAMPLES.values()) == sorted(TASKS)
    assert samples.names() == list(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_labels_fit_their_task_and_image(name, drawn):
    sample = SAMPLES[name]
    room = TASKS[sample.task].room
    assert len({image.name for image in drawn[name]}) == len(drawn[name]) == COUNT
    for image in drawn[name]:
        assert image.image.dtype == np.uint8
        assert image.image.shape[2:] == (3,)
        room.check_label(image.label, image.image.shape[:2], sample.classes)


@pytest.mark.parametrize("name", SAMPLES)
def test_same_seed_gives_same_bytes_and_labels(name, drawn):
    again = list(SAMPLES[name].draw_samples(0, 4))
    if name != "fabric":  # the fabric's order depends on the count
        assert digest(again) == digest(drawn[name][:4])
        assert [image.label for image in again] == [image.label for image in drawn[name][:4]]
    assert digest(again) == digest(list(SAMPLES[name].draw_samples(0, 4)))
    assert digest(again) != digest(list(SAMPLES[name].draw_samples(1, 4)))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_class_is_there_and_no_photo_repeats(name, drawn):
    sample = SAMPLES[name]
    room = TASKS[sample.task].room
    counts = [room.count_items(image.label, sample.classes) for image in drawn[name]]
    assert {class_name for count in counts for class_name in count} == set(sample.classes)
    assert len({image.image.tobytes() for image in drawn[name]}) == COUNT


def test_some_trays_are_confirmed_empty(drawn):
    counts = [len(image.label.boxes) for image in drawn["parts"]]
    assert counts.count(0) == 1
    assert all(2 <= count <= 8 for count in counts if count)


def test_boxes_are_tight_and_of_a_size_that_can_be_found(drawn):
    for image in drawn["parts"]:
        for box in image.label.boxes:
            assert min(box.x1 - box.x0, box.y1 - box.y0) >= 10
            assert max(box.x1 - box.x0, box.y1 - box.y0) <= 62


def test_an_empty_tray_differs_from_a_full_one_only_in_the_boxes():
    from workbench.samples.parts import draw_photo

    full, label = draw_photo(np.random.default_rng(7), 5)
    covered = np.zeros(full.shape[:2], bool)
    for box in label.boxes:
        covered[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
    blue = full[..., 2].astype(int) - full[..., 0]  # the tray is blue, no part is
    bright = (blue < 0) & ~covered
    assert bright.mean() < 0.002


def test_cracks_are_darker_than_what_is_beside_them(drawn):
    for image in drawn["tiles"]:
        grey = image.image.mean(axis=2)
        crack = image.label.mask == 1
        if crack.any():
            assert np.median(grey[crack]) < 0.55 * np.median(grey[image.label.mask == 0])


def test_some_tiles_are_sound(drawn):
    empty = [not image.label.mask.any() for image in drawn["tiles"]]
    assert sum(empty) == COUNT // 4
    assert all(image.name.startswith("sound/") == e for image, e in zip(drawn["tiles"], empty))


def test_fabric_trains_on_normal_photos_alone_and_measures_on_both(drawn):
    by_split: dict[str | None, set[str]] = {}
    for image in SAMPLES["fabric"].draw_samples(0, 21):
        by_split.setdefault(image.split, set()).add(image.label.verdict)
        assert image.label.verdict == "normal" or image.label.mask.mean() > 0.003
    both = {"normal", "abnormal"}
    assert by_split == {"train": {"normal"}, "dev": both, "test": both}


def test_a_task_is_another_name_for_its_sample():
    assert samples.find_sample("segmentation") is SAMPLES["tiles"]


def test_unknown_sample_names_the_choices():
    with pytest.raises(WorkbenchError, match=r"'cats'.*bolts.*parts.*tiles.*fabric"):
        samples.find_sample("cats")


@pytest.mark.parametrize("wrong", [{"count": 3}, {"count": 10**9}, {"seed": -1}])
def test_wrong_settings_are_refused_before_anything_is_made(tmp_path, wrong):
    with pytest.raises(InvalidSetting):
        samples.create("bolts", tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []
