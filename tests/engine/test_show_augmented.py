"""What a person is shown of how training varies images: those that it would train on, so varied."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.engine.detection import build_sampler
from workbench.engine.show_augmented import main

SETTINGS = {"preset": "fast", "changes": {"input_size": 64}, "count": 12, "seed": 0}


@pytest.fixture
def project(tmp_path: Path) -> wb.Project:
    """Return a project of 12 labeled images that are not split, each with one box."""
    project = wb.Project.create(tmp_path / "boxes", "detection", ["nut"])
    draw = np.random.default_rng(0)
    images = {f"{i}.png": draw.integers(0, 255, (64, 64, 3), np.uint8) for i in range(12)}
    project.add_images(images, progress=False)
    for image in project.images:
        image.label = wb.BoxLabel([wb.Box("nut", 20, 20, 32, 30)])
    return project


def show(project: wb.Project, tmp_path: Path) -> list[dict]:
    """Return the records of what is shown: names and labels."""
    (tmp_path / "request.json").write_text(json.dumps(SETTINGS))
    main(project.path, tmp_path / "request.json", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as out:
        return json.loads(out["records"].tobytes())


def test_images_that_are_not_split_are_all_shown(project, tmp_path):
    for image in project.images:
        image.split = None
    assert {record["name"] for record in show(project, tmp_path)} == {
        image.name for image in project.images
    }


def test_of_split_images_only_those_to_train_on_are_shown(project, tmp_path):
    for image, split in zip(project.images, ["train"] * 5 + ["dev"] * 3 + ["test"] * 4):
        image.split = split
    shown = show(project, tmp_path)
    assert {record["name"] for record in shown} == {f"{i}.png" for i in range(5)}
    assert len(shown) == SETTINGS["count"]


def test_what_is_few_goes_by_the_images_to_train_on(project, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[build_sampler.__module__], "FEW", 5)
    for image, split in zip(project.images, ["train"] * 5 + ["dev"] * 7):
        image.split = split
    assert max(len(record["label"]["boxes"]) for record in show(project, tmp_path)) > 1
    project.images[5].split = "train"
    assert max(len(record["label"]["boxes"]) for record in show(project, tmp_path)) == 1
