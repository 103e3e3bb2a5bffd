"""The projects below one folder: copied, deleted, restored, turned into another type."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.store.database import DATABASE, UNFINISHED
from workbench.store.run_folder import CONFIG, PROCESS, write_json, write_process
from workbench.store.runs import add_run
from workbench.store.snapshots import create_snapshot

SIZE = (24, 32)  # height, width
BOXES = wb.BoxLabel(
    [wb.Box("nut", x0=4, y0=4, x1=8, y1=8), wb.Box("screw", x0=2, y0=3, x1=20, y1=15)]
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for projects."""
    return tmp_path / "projects"


@pytest.fixture
def project(home: Path) -> Iterator[wb.Project]:
    """A detection project: two labeled images, one of them empty, and an unlabeled one."""
    with wb.Project.create(home / "parts", "detection", ["screw", "nut"]) as project:
        for value, name in enumerate(["a.png", "b.png", "c.png"]):
            picture = np.full((*SIZE, 3), 60 + value, np.uint8)
            picture[3:15, 2:20] = 220
            project.add_images({name: picture}, progress=False)
        project.images["a.png"].label = BOXES
        project.images["b.png"].label = wb.BoxLabel([])
        project.images["a.png"].split = "test"
        project.images["c.png"].state = "needs review"
        project.set_instructions("nut", "the hole too")
        yield project


def add_finished_run(project: wb.Project, run_id: str) -> Path:
    """Add the row and the folder of a run that no process works on."""
    add_run(project.store, run_id, run_id, create_snapshot(project.store, "then"), {})
    folder = project.path / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"event": "finished", "metrics": {"map_50": 0.5}}\n')
    return folder


def test_copy_is_whole_and_stands_alone(project: wb.Project, home: Path) -> None:
    add_finished_run(project, "done")
    with project.copy(home / "copy") as copy:
        assert (copy.name, copy.task, len(copy.images)) == ("copy", "detection", 3)
        assert copy.images["a.png"].label == BOXES
        assert np.array_equal(copy.images[1].read(), project.images[1].read())
        assert copy.runs["done"].metrics == {"map_50": 0.5}
        assert len(copy.images["a.png"].history()) == 1
        copy.images["a.png"].label = None
        copy.add_class("bolt")
        copy.add_images({"d.png": np.zeros((*SIZE, 3), np.uint8)}, progress=False)
    assert project.images["a.png"].label == BOXES
    assert (project.classes, len(project.images)) == (["screw", "nut"], 3)


def test_copy_leaves_out_a_run_that_trains(project: wb.Project, home: Path) -> None:
    folder = add_finished_run(project, "training")
    write_process(folder, os.getpid())
    with project.copy(home / "copy", name="Copy of parts") as copy:
        assert copy.name == "Copy of parts"
        assert list(copy.runs) == []
    assert not (home / "copy" / "runs" / "training").exists()


def test_copy_into_itself_or_over_another_is_refused(project: wb.Project, home: Path) -> None:
    with pytest.raises(wb.InvalidSetting, match="inside the project"):
        project.copy(project.path / "copy")
    wb.Project.create(home / "other", "anomaly").close()
    with pytest.raises(wb.ProjectExists):
        project.copy(home / "other")


def test_copy_does_not_follow_links_out_of_the_project(project: wb.Project, home: Path) -> None:
    (home / "secret.txt").write_text("secret")
    (project.path / "images" / "link").symlink_to(home / "secret.txt")
    project.copy(home / "copy").close()
    assert not os.path.lexists(home / "copy" / "images" / "link")


def test_deleted_projects_come_back(project: wb.Project, home: Path) -> None:
    project.close()
    trashed = wb.delete_project(project.path)
    assert trashed is not None and (trashed / DATABASE).exists()
    assert wb.list_projects(home) == []
    (found,) = wb.list_deleted(home)
    assert (found.path, found.name, found.labeled) == (trashed, "parts", 2)
    with wb.restore_project(found.path) as restored:
        assert restored.path == home / "parts"
        assert restored.images["a.png"].label == BOXES
    assert wb.list_deleted(home) == []
    assert list((home / ".trash").iterdir()) == []


def test_a_restored_project_takes_another_name_where_its_own_is_taken(
    project: wb.Project, home: Path
) -> None:
    project.close()
    trashed = wb.delete_project(project.path)
    assert trashed is not None
    wb.Project.create(home / "parts", "anomaly").close()
    with wb.restore_project(trashed) as restored:
        assert restored.path == home / "parts (2)"


def test_deleting_for_good_removes_the_files(project: wb.Project, home: Path) -> None:
    project.close()
    trashed = wb.delete_project(project.path)
    assert trashed is not None
    with pytest.raises(wb.InvalidSetting, match="in the trash already"):
        wb.delete_project(trashed)
    assert wb.delete_project(trashed, for_good=True) is None
    assert wb.list_deleted(home) == []
    assert list((home / ".trash").iterdir()) == []


def test_a_project_that_trains_is_not_deleted(project: wb.Project) -> None:
    folder = add_finished_run(project, "training")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write_process(folder, process.pid)
        for for_good in (False, True):
            with pytest.raises(wb.InvalidSetting, match="training"):
                wb.delete_project(project.path, for_good)
    finally:
        process.communicate(b"\n")
    assert wb.delete_project(project.path) is not None


def test_a_run_that_is_about_to_start_counts_as_training(project: wb.Project) -> None:
    folder = add_finished_run(project, "queued")
    write_json(folder / CONFIG, {})
    assert not (folder / PROCESS).exists()
    with pytest.raises(wb.InvalidSetting, match="training"):
        wb.delete_project(project.path)


def test_only_projects_are_deleted_and_only_from_the_trash_restored(
    project: wb.Project, home: Path
) -> None:
    (home / "photos").mkdir()
    for call in (wb.delete_project, wb.restore_project):
        with pytest.raises(wb.ProjectNotFound):
            call(home / "photos")
    with pytest.raises(wb.ProjectNotFound, match="not in the trash"):
        wb.restore_project(project.path)
    assert (home / "photos").is_dir()


def test_what_does_not_open_is_left_out(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "bad").mkdir(parents=True)
    (home / "bad" / DATABASE).write_bytes(b"no database")
    with caplog.at_level(logging.WARNING):
        assert wb.list_projects(home) == []
    assert "bad" in caplog.text


def test_boxes_become_first_masks(project: wb.Project, home: Path) -> None:
    with project.make_segmentation(home / "shapes") as made:
        assert (made.task, made.name, made.classes) == ("segmentation", "shapes", project.classes)
        assert made.colors == project.colors
        assert made.instructions["nut"] == "the hole too"
        mask = np.zeros(SIZE, np.uint8)
        mask[3:15, 2:20] = 1
        mask[4:8, 4:8] = 2  # the smaller box lies on top
        assert made.images["a.png"].label == wb.MaskLabel(mask)
        assert made.images["b.png"].state == "nothing there"
        assert made.images["c.png"].label is None
        assert made.images["c.png"].state == "needs review"
        assert made.images["a.png"].split == "test"
        made.images["a.png"].label = wb.MaskLabel(np.zeros(SIZE, np.uint8))
        assert made.images["a.png"].undo()
    assert project.images["a.png"].label == BOXES


def test_outlines_stay_inside_their_boxes(project: wb.Project, home: Path) -> None:
    with project.make_segmentation(home / "shapes", outline=True) as made:
        mask = made.images["a.png"].label.mask
        assert set(np.unique(mask)) == {0, 1, 2}
        outside = np.ones(SIZE, np.bool_)
        outside[3:15, 2:20] = False
        assert not mask[outside].any()


def test_a_thin_box_paints_at_least_one_pixel(project: wb.Project, home: Path) -> None:
    box = wb.Box("nut", x0=5.6, y0=3.2, x1=5.8, y1=9.0)
    project.images["a.png"].label = wb.BoxLabel([box])
    with project.make_segmentation(home / "shapes") as made:
        ys, xs = np.nonzero(made.images["a.png"].label.mask)
        assert (set(xs), ys.min(), ys.max()) == ({5}, 3, 8)


def test_only_detection_projects_have_boxes(home: Path) -> None:
    cloth = wb.Project.create(home / "cloth", "anomaly")
    with cloth, pytest.raises(wb.InvalidSetting, match="anomaly"):
        cloth.make_segmentation(home / "shapes")
    assert not (home / "shapes").exists()


def test_a_conversion_that_is_stopped_leaves_a_folder_for_the_next(
    project: wb.Project, home: Path
) -> None:
    def stop(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.make_segmentation(home / "shapes", progress=stop)
    with pytest.raises(wb.ProjectNotFound):
        wb.Project.open(home / "shapes")
    assert [summary.name for summary in wb.list_projects(home)] == ["parts"]
    project.make_segmentation(home / "shapes").close()


def test_a_copy_that_was_killed_leaves_a_folder_for_the_next(
    project: wb.Project, home: Path
) -> None:
    (home / "copy" / "images" / "ab").mkdir(parents=True)
    (home / "copy" / f"{UNFINISHED}-0").write_bytes(b"half")
    with project.copy(home / "copy") as copy:
        assert len(copy.images) == 3
