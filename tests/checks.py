"""What every format must do; each format's test inherits it and adds what is special."""

import io
import shutil
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from workbench.errors import WorkbenchError
from workbench.formats import FORMATS, detect_format
from workbench.store.database import create_store
from workbench.store.images import NewImage, add_images
from workbench.store.labels import read_label, write_label
from workbench.store.search import read_after
from workbench.tasks.anomaly import AnomalyLabel
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel
from workbench.tasks.segmentation import MaskLabel
from workbench.transfer.batches import read_class_names
from workbench.transfer.importing import export_labels, import_labels

CLASSES = ["crack", "chip & <b>", "train", "größe 3"]
# Names that formats stumble over: spaces, folders, equal stems, words that mean something.
NAMES = [
    "plain.png",
    "with space.png",
    "deep/er/photo.png",
    "plain.bmp",
    "test/good.png",
    "ü & <x>.png",
    "no suffix",
    "images/x_mask.png",
    "x.png",
    "classes.png",
]
SPLITS = ["train", "dev", "test", None, "train", "dev", None, "test", None, "train"]
SIZE = (12, 17)


def encode(number, size=SIZE, kind="PNG"):
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write_picture(path, number=0, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(number, size))


def write_gray(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def make_mask(number):
    rng = np.random.default_rng(number)
    mask = np.where(rng.random(SIZE) < 0.5, rng.integers(0, 5, SIZE), 0)
    return mask.astype(np.uint8)


def make_labels(task):
    """Return one label for each of NAMES, with the awkward ones: empty, one pixel, the border."""
    if task == "classification":
        return [ClassLabel(CLASSES[i % 4]) for i in range(10)]
    if task == "detection":
        corners = [Box("crack", 0, 0, 17, 12), Box("train", 16, 11, 17, 12)]
        boxes = [[], corners, [Box("größe 3", 0.25, 1.5, 3.75, 9)], [Box("chip & <b>", 2, 3, 4, 5)]]
        return [BoxLabel(boxes[i % 4]) for i in range(10)]
    one = np.zeros(SIZE, np.uint8)
    one[-1, -1] = 4
    masks = [make_mask(i) for i in range(7)] + [one, np.zeros(SIZE, np.uint8), np.full(SIZE, 2)]
    if task == "segmentation":
        return [MaskLabel(mask) for mask in masks]
    labels = [AnomalyLabel("abnormal", mask > 0) for mask in masks[:5]]
    return labels + [AnomalyLabel("normal")] * 3 + [AnomalyLabel("abnormal", one)] * 2


def make_store(folder, task, classes=()):
    return create_store(folder, task, classes if task != "anomaly" else ())


def fill_store(folder, task, labels=None):
    """Return a store with ten images, their labels and splits, and one that is unlabeled."""
    store = make_store(folder, task, CLASSES)
    images = [
        NewImage(name, encode(i), ".png", SIZE, split)
        for i, (name, split) in enumerate(zip(NAMES, SPLITS))
    ]
    added = add_images(store, [*images, NewImage("unlabeled.png", encode(99), ".png", SIZE)])
    for result, label in zip(added, labels or make_labels(task)):
        write_label(store, result.image_id, label)
    return store


def read_all(store):
    """Return {content: (label, split)}."""
    rows = read_after(store, [], 0, 1000)
    return {row.path.stem: (read_label(store, row.id), row.split) for row in rows}


def is_close(first, second, tolerance):
    """Tell whether two labels are the same, boxes to within a tolerance in pixels."""
    if not isinstance(first, BoxLabel) or not isinstance(second, BoxLabel):
        return first == second
    pairs = list(zip(first.boxes, second.boxes))
    return len(first.boxes) == len(second.boxes) and all(
        a.class_name == b.class_name and np.allclose(a.xyxy, b.xyxy, atol=tolerance)
        for a, b in pairs
    )


class FormatChecks:
    """The checks; a format's test names its format. Every one runs for each task it serves."""

    format = ""
    tolerance = 1e-9

    def pytest_generate_tests(self, metafunc):
        if "task" in metafunc.fixturenames:
            metafunc.parametrize("task", FORMATS[self.format].TASKS, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def exported(cls, tmp_path_factory, task):
        """Return a filled store, and the folder of its export."""
        root = tmp_path_factory.mktemp("exported")
        store = fill_store(root / "project", task)
        export_labels(store, root / "out", cls.format)
        return store, root / "out"

    def test_export_comes_back_equal(self, exported, tmp_path, task):
        store, folder = exported
        again = make_store(tmp_path / "again", task)
        report = import_labels(again, folder)  # the format is found out
        assert report.rejected == []
        assert len(report.added) == len(report.labeled) == 10
        expected = {k: v for k, v in read_all(store).items() if v[0] is not None}
        result = read_all(again)
        assert result.keys() == expected.keys()
        for key, (label, split) in expected.items():
            assert is_close(result[key][0], label, self.tolerance), (result[key][0], label)
            assert result[key][1] == split
        order = read_class_names(store)
        assert sorted(read_class_names(again)) == sorted(order)
        if self.format not in ("voc", "csv"):  # these two have no list of classes
            assert read_class_names(again) == order

    def test_the_format_is_detected(self, exported, task):
        assert detect_format(exported[1], task) == self.format

    def test_export_into_the_same_project_changes_nothing(self, exported):
        store, folder = exported
        before = read_all(store)
        report = import_labels(store, folder, self.format)
        assert report.added == report.rejected == []
        after = read_all(store)
        assert after.keys() == before.keys()
        for key, (label, split) in before.items():
            assert is_close(after[key][0], label, self.tolerance)
            assert after[key][1] == split

    def test_everything_lies_inside_of_the_folder(self, exported):
        assert {path.name for path in exported[1].parent.iterdir()} == {"out", "project"}
        pictures = [p for p in exported[1].rglob("*") if p.suffix in (".png", ".bmp")]
        assert len(pictures) >= 10

    def test_damage_of_any_file_is_told_and_nothing_breaks(self, exported, tmp_path, task):
        folder = tmp_path / "copy"
        shutil.copytree(exported[1], folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        kinds = {(path.relative_to(folder).parts[0], path.suffix): path for path in files}
        for path in kinds.values():
            data = path.read_bytes()
            for damaged in (data[: len(data) // 2], b"", b"\xff\xfe\x00" * 9, data[1:] + b"]}<"):
                path.write_bytes(damaged)
                found = FORMATS[self.format].read(folder, task, CLASSES)
                for item in found.items:
                    with suppress(WorkbenchError):
                        item.read_label(SIZE)
            path.write_bytes(data)
