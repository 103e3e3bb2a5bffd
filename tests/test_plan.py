"""The plan of a training run: images, warnings, time and memory, before anything starts."""

import json
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.plan import describe_seconds, estimate_seconds
from workbench.store.runs import add_run
from workbench.store.snapshots import create_snapshot

SIZE = (24, 32)


@pytest.fixture
def project(tmp_path: Path) -> wb.Project:
    """A classification project of 30 images: 24 nuts, 4 bolts and two without a label."""
    project = wb.Project.create(tmp_path / "parts", "classification", ["nut", "bolt <b>"])
    pictures = {f"{n}.png": np.full((*SIZE, 3), n, np.uint8) for n in range(30)}
    project.add_images(pictures, progress=False)
    for n, image in enumerate(project.images.page(0, 28)):
        image.label = wb.ClassLabel("bolt <b>" if n % 7 == 0 else "nut")
    return project


def test_before_the_split_it_says_so(project: wb.Project) -> None:
    plan = project.plan_training()
    assert plan.problem is None
    assert plan.warnings[0].startswith("No image has a split yet")
    assert plan.images[None] == 30


def test_counts_and_warnings(project: wb.Project) -> None:
    project.split(train=0.7, dev=0.3, test=0.0)
    project.images[29].split = None
    plan = project.plan_training("accurate", batch_size=4, input_size=128)
    assert sum(plan.images.values()) == 30 and sum(plan.labeled.values()) == 28
    assert sum(plan.per_class["bolt <b>"].values()) == 4
    told = " ".join(plan.warnings)
    for words in (
        "without a split",
        "without a label",
        "No image of test is labeled",
        "'bolt <b>' has",
        "below 10",
        "cannot be measured",
    ):
        assert words in told
    assert (plan.settings.batch_size, plan.settings.input_size) == (4, 128)
    assert plan.steps == plan.settings.steps(plan.labeled["train"], has_dev=True)
    assert plan.free_bytes > 0 and plan.cores >= 1


def test_without_labels_there_is_no_word_of_a_first_fit(tmp_path: Path) -> None:
    project = wb.Project.create(tmp_path / "empty", "classification", ["nut", "bolt"])
    project.add_images({"0.png": np.zeros((*SIZE, 3), np.uint8)}, split="train", progress=False)
    plan = project.plan_training()
    assert plan.problem is not None and "first fit" not in repr(plan)


def test_without_dev_it_says_that_a_first_fit_is_kept(project: wb.Project) -> None:
    for image in project.images:
        image.split = "train"
    plan = project.plan_training()
    assert plan.steps == 0 and plan.work == "a first fit to images at 224 pixels"
    assert any("first fit is kept" in text for text in plan.warnings)
    assert plan.seconds[1] > 0
    trained = project.plan_training(epochs=2)
    assert trained.steps > 0 and not any("first fit" in text for text in trained.warnings)
    assert "first fit" not in repr(project.plan_training(backbone="random"))


def test_what_cannot_start_is_named(project: wb.Project) -> None:
    project.split(train=0.7, dev=0.15, test=0.15)
    for image in project.images.where(class_name="bolt <b>"):
        image.split = "test"
    plan = project.plan_training()
    assert plan.problem is not None and "'bolt <b>'" in plan.problem
    with pytest.raises(wb.NotEnoughLabels, match="bolt"):
        project.start_training()
    assert "cannot start" in repr(plan)


def test_it_is_shown_as_text(project: wb.Project) -> None:
    project.split()
    plan = project.plan_training()
    assert "bolt &lt;b&gt;" in plan._repr_html_() and "<b>" not in plan._repr_html_()
    assert "preset fast" in repr(plan) and "GB of memory" in repr(plan)


def test_more_work_takes_longer_and_a_limit_is_kept(project: wb.Project) -> None:
    project.split()
    fast, accurate = project.plan_training("fast"), project.plan_training("accurate")
    assert fast.seconds[0] < fast.seconds[1] < accurate.seconds[1]
    assert fast.memory_bytes < accurate.memory_bytes
    assert project.plan_training("accurate", time_limit=30.0).seconds[1] == 30
    with pytest.raises(wb.InvalidSetting):
        project.plan_training("quick")


def test_a_finished_run_says_how_fast_the_machine_is(project: wb.Project) -> None:
    project.split()
    plan = project.plan_training()
    add_run(project.store, "r", "r", create_snapshot(project.store, "s"), {"preset": "fast"})
    folder = project.path / "runs" / "r"
    folder.mkdir(parents=True)
    events = [{"event": "started", "time": 1000.0}, {"event": "finished", "time": 1310.0}]
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    low, high = estimate_seconds(project.store, plan.settings, plan.steps)
    assert low < 310 < high


def test_spans_of_time_in_words() -> None:
    assert describe_seconds(20, 50) == "20 to 50 seconds"
    assert describe_seconds(50, 170) == "1 to 3 minutes"
    assert describe_seconds(0.2, 0.4) == "1 second"
    assert describe_seconds(4000, 20000) == "1 to 6 hours"


@pytest.mark.parametrize("task", ["detection", "segmentation", "anomaly"])
def test_the_other_types_have_plans_too(tmp_path: Path, task: str) -> None:
    project = wb.samples.create(task, tmp_path, count=14)
    plan = project.plan_training()
    assert plan.problem is None
    assert plan.labeled["train"] > 0 and plan.steps > 0
    assert not any("abnormal' has" in text and "below" in text for text in plan.warnings)
