from collections import Counter

import numpy as np
import pytest

from workbench import samples
from workbench.errors import ProjectExists, WorkbenchError
from workbench.samples import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_create_gives_a_labeled_and_split_project(name, tmp_path):
    sample = SAMPLES[name]
    project = samples.create(name, tmp_path, count=28)
    drawn = {image.name: image for image in sample.draw_samples(0, 28)}
    assert (project.task, tuple(project.classes)) == (sample.task, sample.classes)
    assert sorted(image.name for image in project.images) == sorted(drawn)
    for image in project.images:
        assert image.label == drawn[image.name].label
        assert image.split in {"train", "dev", "test"}
        assert drawn[image.name].split in {None, image.split}
    first = project.images[0]
    np.testing.assert_array_equal(first.read(), drawn[first.name].image)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_whole_project_has_enough_to_measure(name, tmp_path):
    project = samples.create(name, tmp_path)
    counts = Counter(image.split for image in project.images)
    assert sum(counts.values()) == SAMPLES[name].count
    assert counts["train"] >= 36 and counts["dev"] >= 8 and counts["test"] >= 12


def test_create_leaves_what_is_there_alone(tmp_path):
    (tmp_path / "bolts").mkdir()
    (tmp_path / "bolts" / "notes.txt").write_text("mine")
    with pytest.raises(ProjectExists):
        samples.create("bolts", tmp_path, count=14)
    assert (tmp_path / "bolts" / "notes.txt").read_text() == "mine"


def test_create_refuses_an_unknown_name(tmp_path):
    with pytest.raises(WorkbenchError, match="tiles"):
        samples.create("../tiles", tmp_path)
    assert list(tmp_path.iterdir()) == []
