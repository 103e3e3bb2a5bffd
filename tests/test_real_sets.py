"""Real photos through the public API: what comes in, and that every task learns from it.

The projects are built as benchmarks/real_sets.py builds them. The figures asserted are far above
chance and far below what the benchmark measures: they show that learning works, not how well.
"""

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import workbench as wb

pytestmark = pytest.mark.real

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "real_sets.py"
Build = Callable[[str, str], wb.Project]


@pytest.fixture(scope="module")
def real_sets() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("real_sets", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_sets"] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def build(real_sets: ModuleType, shared_data: Path, tmp_path: Path) -> Build:
    """Return a project with a set's photos and labels, in a folder of its own."""
    return lambda name, task: real_sets.build_set(name, task, tmp_path / name, shared_data)


def count_splits(project: wb.Project) -> dict[str | None, int]:
    """Return how many images each split has."""
    return dict(Counter(image.split for image in project.images))


def test_hazelnuts_come_in_from_folders_with_their_masks(build: Build) -> None:
    project = build("hazelnut_toy", "anomaly")
    assert count_splits(project) == {"train": 22, "dev": 6, "test": 23}
    images = {image.name: image for image in project.images}
    assert Counter(image.label.verdict for image in images.values()) == {
        "normal": 34,
        "abnormal": 17,
    }
    odd = [image for image in images.values() if (image.height, image.width) != (512, 512)]
    assert [(image.width, image.height) for image in odd] == [(512, 522)]
    mask = images["test/colour/00.jpg"].label.mask
    assert mask.shape == (512, 512) and 0 < mask.mean() < 0.2
    assert all(image.label.mask is None for image in images.values() if "good" in image.name)


def test_screws_come_in_with_their_boxes_from_a_csv(build: Build) -> None:
    project = build("screws", "detection")
    labels = [image.label for image in project.images]
    boxes = [box for label in labels for box in label.boxes]
    assert len(labels) == 100 and all(len(label.boxes) == 4 for label in labels)
    assert Counter(box.class_name for box in boxes) == {"screw": 261, "hole": 139}
    assert project.images["train_val_set/1_1011.jpg"].label.boxes[0] == wb.Box(
        "screw", x0=5, y0=69, x1=261, y1=326
    )


def test_tomatoes_come_in_from_class_folders(build: Build) -> None:
    project = build("fgrade_tomato", "classification")
    assert project.classes == ["grade_0", "grade_5", "grade_9"]
    counts = Counter((image.split == "test", image.label.class_name) for image in project.images)
    assert counts == {(is_test, name): 40 if is_test else 90 for is_test, name in counts}
    assert len(counts) == 6


@pytest.mark.slow
def test_boards_come_in_with_every_box(build: Build) -> None:
    project = build("deeppcb", "detection")
    labels = [image.label for image in project.images]
    assert len(labels) == 501
    assert sum(len(label.boxes) for label in labels) == 3346
    pixels = project.images[0].read()
    assert (pixels.shape, pixels.dtype) == ((640, 640, 3), np.uint8)
    assert len(project.images.where(split="test")) == 167


@pytest.mark.slow
def test_the_same_paper_patch_twice_is_one_image_on_one_side(build: Build) -> None:
    project = build("piped_paper", "segmentation")
    images = list(project.images)
    assert len(images) < 576  # the set holds some patches twice
    painted = [image for image in images if image.label.mask.any()]
    assert len(painted) == 288 and all("_S_D_" in image.name for image in painted)


@pytest.mark.slow
def test_tiles_for_anomaly_have_one_exposure_and_empty_masks_are_none(build: Build) -> None:
    project = build("magnetic_tile", "anomaly")
    names = [image.name for image in project.images]
    assert all("exp1_" in name for name in names)
    assert Counter(image.label.verdict for image in project.images.where(split="test")) == {
        "abnormal": 64,
        "normal": 41,
    }
    assert all(image.label.verdict == "normal" for image in project.images.where(split="train"))


def train(project: wb.Project) -> wb.Report:
    """Train for 20 seconds at most, and return the figures on the test split."""
    run = project.train(preset="fast", seed=0, time_limit=20, progress=False)
    assert run.status == "finished", run.error
    return run.report(split="test")


@pytest.mark.slow
def test_classification_learns_impurities_in_paper(build: Build) -> None:
    report = train(build("piped_paper", "classification"))
    assert report["accuracy"] > 0.8  # by chance: 0.505


@pytest.mark.slow
def test_detection_learns_defects_of_boards(build: Build) -> None:
    report = train(build("deeppcb", "detection"))
    assert report["map_50"] > 0.03  # the boxes of another board: 0.00005


@pytest.mark.slow
def test_segmentation_learns_impurities_in_paper(build: Build) -> None:
    report = train(build("piped_paper", "segmentation"))
    assert report["mean_iou"] > 0.2  # every pixel impurity: 0.019


@pytest.mark.slow
def test_anomaly_learns_sound_hazelnuts(build: Build) -> None:
    report = train(build("hazelnut_toy", "anomaly"))
    assert report["auroc"] > 0.9  # by chance: 0.5
    assert report["pixel_auroc"] > 0.9  # where on the nut, too; by chance: 0.5


def test_a_blind_answer_is_told_as_chance(real_sets: ModuleType, build: Build) -> None:
    assert real_sets.describe_chance(build("screws", "detection")) == "map_50 0.500 (fixed places)"
    values, positive = np.array([1.0, 2, 3, 4]), np.array([True, True, False, False])
    assert real_sets.rank_auroc(values, positive) == 1.0
    assert real_sets.rank_auroc(np.zeros(4), positive) == 0.5
