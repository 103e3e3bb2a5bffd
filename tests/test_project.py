"""Project, ImageSet and Image: what a person types in a notebook."""

import io
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.project import find_author
from workbench.store.images import NewImage, add_images
from workbench.store.runs import add_run

SIZE = (24, 32)  # height, width
BOX = wb.BoxLabel([wb.Box("screw", x0=1, y0=2, x1=3, y1=4)])


def png(number: int) -> bytes:
    """The bytes of a picture that differs from those of other numbers."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((*SIZE, 3), number, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def add(project: wb.Project, count: int, **fields: object) -> None:
    """Put pictures into a project."""
    start = len(project.images)
    values = {"suffix": ".png", "image_size": SIZE, **fields}
    numbers = range(start, start + count)
    add_images(project.store, [NewImage(f"{n}.png", png(n), **values) for n in numbers])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[wb.Project]:
    """A detection project with five images."""
    with wb.Project.create(tmp_path / "parts", "detection", ["screw", "nut"]) as project:
        add(project, 5)
        yield project


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, workbench; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"torch", "torchvision", "ipywidgets", "sqlalchemy", "numpy", "matplotlib", "PIL"}
    assert "workbench" in loaded
    assert loaded & heavy == set()


def test_every_public_name_completes_and_strangers_do_not() -> None:
    assert set(wb.__all__) <= set(dir(wb))
    assert wb.LabelConflict.__module__ == "workbench.errors"
    assert issubclass(wb.UnknownFigure, wb.WorkbenchError)
    with pytest.raises(AttributeError, match="no attribute 'Projects'"):
        _ = wb.Projects


def test_create_and_open(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tiles"
    created = wb.Project.create(str(path), task="segmentation", classes=["crack"], name="My tiles")
    created.close()
    with wb.Project.open(path) as project:
        assert (project.name, project.task, project.path) == ("My tiles", "segmentation", path)
        assert project.classes == ["crack"]
        assert project.colors == {"crack": "#d55e00"}
        project.name = "Tiles <of> 2"
        assert project.name == "Tiles <of> 2"
        with pytest.raises(wb.InvalidSetting):
            project.name = " "
    with pytest.raises(wb.ProjectExists):
        wb.Project.create(path, task="segmentation")
    with pytest.raises(FileNotFoundError):
        wb.Project.open(tmp_path / "nowhere")


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with wb.Project.create("tiles", "detection") as project:
        monkeypatch.chdir("/")
        add(project, 1)
        assert project.images[0].read().shape == (*SIZE, 3)
    assert (tmp_path / "tiles" / "project.db").is_file()


def test_classes(project: wb.Project) -> None:
    project.images[0].label = BOX
    project.add_class("chip", color="#D62728")
    project.rename_class("screw", "bolt")
    project.set_color("nut", "#000000")
    assert project.classes == ["bolt", "nut", "chip"]
    assert project.colors == {"bolt": "#d55e00", "nut": "#000000", "chip": "#d62728"}
    assert project.images[0].label == wb.BoxLabel([wb.Box("bolt", 1, 2, 3, 4)])
    with pytest.raises(wb.ClassInUse, match="1 labels"):
        project.remove_class("bolt")
    project.remove_class("chip")
    project.remove_class("bolt", remove_labels=True)
    assert project.classes == ["nut"]
    assert project.images[0].state == "nothing there"


def test_anomaly_has_its_two_classes(tmp_path: Path) -> None:
    with wb.Project.create(tmp_path / "cloth", "anomaly") as project:
        assert project.classes == ["normal", "abnormal"]
        for change in (
            lambda: project.add_class("scratch"),
            lambda: project.rename_class("normal", "good"),
        ):
            with pytest.raises(wb.InvalidSetting, match="'normal' and 'abnormal' only"):
                change()
        add(project, 2)
        project.images[0].label = wb.AnomalyLabel("abnormal", np.ones(SIZE, bool))
        assert [image.name for image in project.images.where(class_name="abnormal")] == ["0.png"]


def test_images_by_position_name_and_slice(project: wb.Project) -> None:
    images = project.images
    assert len(images) == 5
    assert [image.name for image in images] == [f"{n}.png" for n in range(5)]
    assert (images[0].name, images[-1].name, images[np.int64(2)].name) == (
        "0.png",
        "4.png",
        "2.png",
    )
    assert [image.name for image in images[1:3]] == ["1.png", "2.png"]
    assert [image.name for image in images[::-2]] == ["4.png", "2.png", "0.png"]
    assert images[7:] == []
    assert images["3.png"] == images[3]
    assert "3.png" in images
    assert images[3] in images
    assert images[3] not in images.where(labeled=True)
    assert "x" not in images
    assert 3 not in images
    assert images.ids() == [1, 2, 3, 4, 5]
    assert images.find(4) == images[3]
    for key in (5, -6, "5.png", "../0.png"):
        with pytest.raises(wb.ImageNotFound):
            images[key]


def test_an_image_shows_what_is_known_of_it(project: wb.Project) -> None:
    image = project.images[2]
    assert (image.id, image.name, image.width, image.height) == (3, "2.png", 32, 24)
    assert (image.size, image.split, image.state, image.label) == (SIZE, None, "unlabeled", None)
    assert image.read().dtype == np.uint8
    assert image.read()[0, 0].tolist() == [2, 2, 2]
    assert image.read_bytes() == png(2) == image.path.read_bytes()
    assert image.read_thumbnail()[:2] == b"\xff\xd8"
    assert image.added.tzinfo is not None


def test_where_chains_and_tells_none_from_not_given(project: wb.Project) -> None:
    project.images[0].split = "train"
    project.images[1].split = "test"
    project.images[1].label = BOX
    assert len(project.images.where()) == 5
    assert [image.id for image in project.images.where(split=None)] == [3, 4, 5]
    found = project.images.where(split="test").where(labeled=True, class_name="screw")
    assert [image.id for image in found] == [2]
    assert found["1.png"].id == 2
    with pytest.raises(wb.ImageNotFound, match="not in this selection"):
        found["0.png"]
    assert not project.images.where(split="dev")
    with pytest.raises(wb.InvalidSetting, match="'train', 'dev'"):
        project.images.where(split="val")
    with pytest.raises(wb.UnknownClass, match="'screw', 'nut'"):
        project.images.where(class_name="gear")


def test_a_loop_that_labels_leaves_no_image_out(project: wb.Project, monkeypatch) -> None:
    monkeypatch.setattr("workbench.image_set.PAGE", 2)
    seen = []
    for image in project.images.where(labeled=False):
        image.label = BOX
        seen.append(image.id)
    assert seen == [1, 2, 3, 4, 5]
    assert len(project.images.where(labeled=False)) == 0


def test_labels_are_on_disk_and_go_again(project: wb.Project) -> None:
    image = project.images[0]
    image.label = BOX
    with wb.Project.open(project.path) as other:
        assert other.images["0.png"].label == BOX
        assert other.images["0.png"].state == "labeled"
    image.label = wb.BoxLabel([])
    assert (image.state, image.label) == ("nothing there", wb.BoxLabel([]))
    image.label = None
    assert (image.state, image.label) == ("unlabeled", None)
    with pytest.raises(wb.InvalidLabel):
        image.label = wb.ClassLabel("screw")
    history = image.history()
    assert [revision.label for revision in history] == [None, wb.BoxLabel([]), BOX]
    assert {revision.author for revision in history} == {project.author}
    project.revert(image, history[-1])
    assert image.label == BOX
    project.revert("0.png", history[0].id)
    assert image.label is None


def test_an_outdated_image_is_told(project: wb.Project) -> None:
    mine = project.images[0]
    assert mine.label is None
    with wb.Project.open(project.path, author="Bob") as other:
        other.images[0].label = BOX
    with pytest.raises(wb.LabelConflict, match=r"changed by Bob.*reload"):
        mine.label = wb.BoxLabel([])
    assert mine.reload().label == BOX
    mine.label = wb.BoxLabel([])
    mine.label = BOX  # its own change does not make it outdated
    unread = project.images[1]
    project.images[1].label = BOX
    unread.label = wb.BoxLabel([])  # never read, so nothing can be lost unseen
    assert [r.label for r in unread.history()] == [wb.BoxLabel([]), BOX]


def test_fields_follow_other_writes_of_this_process(project: wb.Project) -> None:
    image, twin = project.images[0], project.images[0]
    image.split = "dev"
    image.metadata = {"camera": "left", "shift": 2}
    image.state = "needs review"
    assert (twin.split, twin.state) == ("dev", "needs review")
    assert twin.metadata == {"camera": "left", "shift": 2}
    twin.metadata["camera"] = "right"
    assert image.metadata["camera"] == "left"
    assert [found.id for found in project.images.where(text="LEFT", state="needs review")] == [1]
    image.state = None
    image.split = None
    assert (twin.state, twin.split) == ("unlabeled", None)
    for wrong in ("labeled", " ", 7):
        with pytest.raises(wb.InvalidSetting, match="state"):
            image.state = wrong
    with pytest.raises(wb.InvalidSetting, match="split"):
        image.split = "validation"
    with pytest.raises(wb.InvalidSetting, match="Metadata"):
        image.metadata = {"box": [1, 2]}


def test_split(project: wb.Project) -> None:
    image = project.images[0]
    assert project.split(train=0.6, dev=0.2, test=0.2, seed=1) == {"train": 3, "dev": 1, "test": 1}
    assert image.split in ("train", "dev", "test")
    with pytest.raises(wb.InvalidSetting, match="add up to 1"):
        project.split(train=0.9)


def test_snapshots(project: wb.Project) -> None:
    project.images[0].label = BOX
    snapshot = project.snapshot("before cleanup")
    project.images[0].label = None
    assert snapshot.read_label(snapshot.items[0]) == BOX
    assert snapshot.count_changes() == 1
    assert project.snapshots == [snapshot]


def test_remove_images(project: wb.Project) -> None:
    image = project.images[4]
    assert project.remove_images("0.png") == 1
    assert project.remove_images([project.images[0], "2.png"]) == 2
    assert project.remove_images(project.images.where(text="4")) == 1
    assert [left.name for left in project.images] == ["3.png"]
    with pytest.raises(wb.ImageNotFound):
        image.label = BOX
    with pytest.raises(wb.ImageNotFound, match="removed"):
        project.images.find(image.id)


def test_a_project_in_a_notebook_is_safe_and_short(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    with wb.Project.create(tmp_path / "p", "detection", [evil], name=evil) as project:
        data = [NewImage(f"{evil}.png", png(1), ".png", SIZE)]
        add_images(project.store, data)
        for text in (
            project._repr_html_(),
            project.images._repr_html_(),
            project.images[0]._repr_html_(),
            project.images.where(text=evil)._repr_html_(),
        ):
            assert "<script" not in text
            assert "&lt;script&gt;" in text
        assert "1 images, 0 labeled" in repr(project)
        assert "32 x 24" in repr(project.images[0])
        assert "class_name='" in repr(project.images.where(class_name=evil))


def test_plot_draws_the_first_images(project: wb.Project) -> None:
    project.images[0].label = BOX
    figure = project.images.plot(columns=2, limit=3)
    assert len([axes for axes in figure.axes if axes.images]) == 3


def test_list_projects(tmp_path: Path, caplog) -> None:
    assert wb.list_projects(tmp_path / "nowhere") == []
    for name in ("b", "a"):
        with wb.Project.create(
            tmp_path / name, "detection", ["screw"], name=f"Project {name}"
        ) as p:
            add(p, 3)
            p.images[1].label = wb.BoxLabel([])
            add_run(p.store, "run-1", "first", p.snapshot("now").id, {})
    os.utime(tmp_path / "b" / "project.db", (1_600_000_000, 1_600_000_000))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "project.db").write_bytes(b"no database" * 1000)
    (tmp_path / "photos").mkdir()
    with caplog.at_level(logging.WARNING, "workbench"):
        first, second = wb.list_projects(str(tmp_path))
    assert "broken is left out" in caplog.text
    assert (first.name, first.task, first.path) == ("Project a", "detection", tmp_path / "a")
    assert (first.images, first.labeled, first.runs) == (3, 1, 1)
    assert (second.name, second.modified.year) == ("Project b", 2020)
    assert [found.path.name for found in wb.list_projects(tmp_path)] == ["a", "b"]


def test_a_copied_folder_is_the_same_project(project: wb.Project, tmp_path: Path) -> None:
    project.images[0].label = BOX
    project.close()
    shutil.copytree(project.path, tmp_path / "copy")
    with wb.Project.open(tmp_path / "copy") as copy:
        assert copy.images[0].label == BOX
        assert copy.images[0].read().shape == (*SIZE, 3)


def test_the_author_is_who_is_logged_in(monkeypatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "Ann")
    assert find_author() == "Ann"


def test_images_come_in_from_a_folder(tmp_path: Path) -> None:
    for name in ("bolt", "nut"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").write_bytes(png(len(name)))
    with wb.Project.create(tmp_path / "p", "classification") as project:
        report = project.add_images(tmp_path / "photos", split="dev", labels_from_folders=True)
        assert len(report.added) == 2
        assert project.classes == ["bolt", "nut"]
        assert project.images["nut/1.png"].label == wb.ClassLabel("nut")
        assert len(project.images.where(split="dev")) == 2
