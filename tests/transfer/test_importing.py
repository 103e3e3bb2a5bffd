import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from checks import SIZE, encode, make_store, read_all, write_gray, write_picture

from workbench.errors import (
    InvalidSetting,
    SourceNotFound,
    StorageFailed,
    UnsupportedFormat,
)
from workbench.store.database import open_store
from workbench.store.labels import read_label, write_label
from workbench.store.search import read_after
from workbench.tasks.anomaly import AnomalyLabel
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel
from workbench.transfer.batches import read_class_names
from workbench.transfer.exporting import ExportReport
from workbench.transfer.importing import export_labels, import_images, import_labels
from workbench.transfer.matching import ImageIndex


def write_pictures(root, names):
    for number, name in enumerate(names):
        write_picture(root / name, number)
    return root


def list_rows(store):
    return {row.name: row for row in read_after(store, [], 0, 10_000)}


def labels_by_name(store):
    return {name: read_label(store, row.id) for name, row in list_rows(store).items()}


def test_a_mixed_folder_comes_in_and_the_report_tells_the_rest(tmp_path):
    root = write_pictures(tmp_path / "photos", ["a.png", "b/c.png", "d.png"])
    (root / "copy of a.png").write_bytes((root / "a.png").read_bytes())
    (root / "disguised.jpg").write_text("<script>alert(1)</script>")
    (root / "empty.png").touch()
    (root / "cut.png").write_bytes((root / "a.png").read_bytes()[:90])
    (root / "labels.xml").write_text("<annotation/>")
    store = make_store(tmp_path / "project", "detection")
    report = import_images(store, root)
    assert report.added == ["a.png", "b/c.png", "d.png"]
    assert report.duplicates == ["copy of a.png"]
    assert [name for name, _ in report.rejected] == ["cut.png", "disguised.jpg", "empty.png"]
    assert report.skipped == ["labels.xml"]
    assert report.labeled == report.unlabeled == []
    assert list(list_rows(store)) == report.added
    again = import_images(store, root)
    assert (again.added, len(again.duplicates)) == ([], 4)


def test_the_report_is_short_and_safe_to_show(tmp_path):
    pictures = {f"<img src=x onerror=alert({i})>.png": b"no" for i in range(30)}
    report = import_images(make_store(tmp_path / "project", "detection"), pictures)
    shown = report._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown
    assert "20 more" in shown
    assert repr(report).startswith("Import: 0 added, 30 rejected")
    assert repr(report).count("\n") < 13


def test_names_that_clash_get_a_suffix_and_content_decides_on_duplicates(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    import_images(store, {"a.png": encode(1)})
    report = import_images(store, {"a.png": encode(2), "other.png": encode(1)})
    assert report.added == ["a (2).png"]
    assert report.duplicates == ["other.png"]


def test_what_reading_had_to_choose_is_noted(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    deep = np.linspace(0, 4095, 48).astype(np.uint16).reshape(6, 8)
    stream = io.BytesIO()
    from PIL import Image

    Image.fromarray(deep).save(stream, "TIFF")
    report = import_images(store, {"deep.tif": stream.getvalue()})
    assert report.notes == [("deep.tif", "12-bit values scaled to 8 bits")]


def test_a_split_is_given_to_all_and_to_duplicates_without_one(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    import_images(store, {"a.png": encode(1)})
    import_images(store, {"b.png": encode(2)}, split="train")
    report = import_images(store, {n: encode(i) for i, n in enumerate("cab")}, split="test")
    splits = {name: row.split for name, row in list_rows(store).items()}
    assert splits == {"a.png": "test", "b.png": "train", "c": "test"}
    assert report.notes == [("b.png", "stays in train, where it was before")]
    with pytest.raises(InvalidSetting):
        import_images(store, {"d.png": encode(4)}, split="val")


def test_nothing_happens_where_there_is_no_source(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    with pytest.raises(SourceNotFound):
        import_images(store, tmp_path / "absent")
    with pytest.raises(SourceNotFound):
        import_labels(store, tmp_path / "absent")


def test_classes_come_from_folders_in_order_of_appearance(tmp_path):
    names = ["bolt/1.png", "washer/imgs/2.png", "train/nut/3.png", "val/bolt/4.png", "5.png"]
    root = write_pictures(tmp_path / "photos", names)
    store = make_store(tmp_path / "project", "classification", ["washer"])
    report = import_images(store, root, labels_from_folders=True)
    assert labels_by_name(store) == {
        "5.png": None,
        "bolt/1.png": ClassLabel("bolt"),
        "train/nut/3.png": ClassLabel("nut"),
        "val/bolt/4.png": ClassLabel("bolt"),
        "washer/imgs/2.png": ClassLabel("washer"),
    }
    assert read_class_names(store) == ["washer", "bolt", "nut"]
    assert report.unlabeled == ["5.png"]
    splits = {name: row.split for name, row in list_rows(store).items() if row.split}
    assert splits == {"train/nut/3.png": "train", "val/bolt/4.png": "dev"}


def test_folder_labels_reach_duplicates_that_have_none_and_spare_the_others(tmp_path):
    root = write_pictures(tmp_path / "photos", ["bolt/1.png", "bolt/2.png"])
    store = make_store(tmp_path / "project", "classification", ["nut"])
    import_images(store, root)
    rows = list_rows(store)
    write_label(store, rows["bolt/2.png"].id, ClassLabel("nut"))
    report = import_images(store, root, labels_from_folders=True)
    assert report.labeled == ["bolt/1.png"]
    assert labels_by_name(store)["bolt/1.png"] == ClassLabel("bolt")
    assert labels_by_name(store)["bolt/2.png"] == ClassLabel("nut")


@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_folders_cannot_label_boxes_or_pixels(tmp_path, task):
    store = make_store(tmp_path / "project", task)
    with pytest.raises(InvalidSetting, match="import_labels"):
        import_images(store, {"a/b.png": encode(1)}, labels_from_folders=True)
    assert list_rows(store) == {}


def test_verdicts_come_from_folders(tmp_path):
    names = ["good/1.png", "OK/2.png", "Defect Free/3.png", "NG/4.png", "abnormal/scratch/5.png"]
    root = write_pictures(tmp_path / "photos", [*names, "unclear/6.png"])
    store = make_store(tmp_path / "project", "anomaly")
    report = import_images(store, root, labels_from_folders=True)
    verdicts = {name: label and label.verdict for name, label in labels_by_name(store).items()}
    expected = ["normal"] * 3 + ["abnormal"] * 2
    assert [verdicts[name] for name in names] == expected
    assert report.unlabeled == ["unclear/6.png"]


MVTEC = ["train/good/0.png", "test/good/1.png", "test/crack/2.png", "test/hole/3.png"]


@pytest.mark.parametrize("order", [1, -1])
def test_mvtec_folders_give_verdicts_splits_and_masks_in_any_order(tmp_path, order):
    write_pictures(tmp_path / "nut", MVTEC)
    mask = np.zeros(SIZE, np.uint8)
    mask[3:5, 4:9] = 255
    write_gray(tmp_path / "nut" / "ground_truth" / "crack" / "2_mask.png", mask)
    write_gray(tmp_path / "nut" / "ground_truth" / "hole" / "9_mask.png", mask)
    files = sorted(path for path in (tmp_path / "nut").rglob("*") if path.is_file())[::order]
    with zipfile.ZipFile(tmp_path / "nut.zip", "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(tmp_path).as_posix())
    store = make_store(tmp_path / "project", "anomaly")
    report = import_images(store, tmp_path / "nut.zip", labels_from_folders=True)
    labels = labels_by_name(store)
    assert set(labels) == {f"nut/{name}" for name in MVTEC}
    assert labels["nut/train/good/0.png"] == AnomalyLabel("normal")
    assert labels["nut/test/good/1.png"] == AnomalyLabel("normal")
    assert labels["nut/test/crack/2.png"] == AnomalyLabel("abnormal", mask > 0)
    assert labels["nut/test/hole/3.png"] == AnomalyLabel("abnormal")
    assert [name for name, _ in report.rejected] == ["nut/ground_truth/hole/9_mask.png"]
    assert list_rows(store)["nut/train/good/0.png"].split == "train"


KILLED = """
import sys
from workbench.transfer.importing import import_images
from workbench.store.database import open_store
print("ready", flush=True)
import_images(open_store(sys.argv[1]), sys.argv[2], labels_from_folders=True, progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_stopped_keeps_what_went_in_and_goes_on(tmp_path, stop, repository):
    root = write_pictures(tmp_path / "photos", [f"{'ab'[i % 2]}/{i}.png" for i in range(300)])
    make_store(tmp_path / "project", "classification").close()
    for delay in (0.1, 0.3, 0.6):
        command = [sys.executable, "-c", KILLED, tmp_path / "project", root]
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(stop)
    store = open_store(tmp_path / "project")
    before = len(list_rows(store))
    report = import_images(store, root, labels_from_folders=True)
    assert (len(report.added), len(report.duplicates)) == (300 - before, before)
    labels = labels_by_name(store)
    assert len(labels) == 300
    assert all(label == ClassLabel(name[0]) for name, label in labels.items())


def write_voc(path, filename, boxes, size=SIZE):
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in boxes
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{filename}</filename><size><width>{size[1]}</width>"
        f"<height>{size[0]}</height></size>{objects}</annotation>"
    )


def test_labels_find_images_by_name_end_and_stem(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    names = ["cam1/a.png", "cam2/a.png", "deep/b.png", "c.png"]
    import_images(store, {name: encode(i) for i, name in enumerate(names)})
    for i, name in enumerate(["cam1/a.png", "b.png", "other/path/c.jpg", "a.png", "absent.png"]):
        write_voc(tmp_path / "voc" / f"{i}.xml", name, [("nut", 1, 1, 5, 5)])
    report = import_labels(store, tmp_path / "voc")
    assert report.labeled == ["cam1/a.png", "deep/b.png", "c.png"]
    assert [name for name, _ in report.rejected] == ["a.png", "absent.png"]
    assert labels_by_name(store)["cam1/a.png"] == BoxLabel([Box("nut", 0, 0, 5, 5)])
    assert labels_by_name(store)["cam2/a.png"] is None


def test_a_picture_beside_its_labels_is_known_by_its_content(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    import_images(store, {"mine.png": encode(0), "new.png": encode(5)})
    write_picture(tmp_path / "voc" / "theirs.png", 0)
    write_picture(tmp_path / "voc" / "new.png", 1, (30, 30))
    write_voc(tmp_path / "voc" / "theirs.xml", "theirs.png", [("nut", 1, 1, 5, 5)])
    write_voc(tmp_path / "voc" / "new.xml", "new.png", [], (30, 30))
    report = import_labels(store, tmp_path / "voc")
    assert report.added == ["new (2).png"]
    assert sorted(report.labeled) == ["mine.png", "new (2).png"]
    assert labels_by_name(store)["new (2).png"] == BoxLabel([])
    assert labels_by_name(store)["new.png"] is None


def test_imported_labels_replace_what_was_there_and_history_keeps_it(tmp_path):
    from workbench.store.labels import revisions

    store = make_store(tmp_path / "project", "detection", ["nut"])
    import_images(store, {"a.png": encode(0)})
    row = list_rows(store)["a.png"]
    write_label(store, row.id, BoxLabel([]))
    write_voc(tmp_path / "voc" / "a.xml", "a.png", [("nut", 1, 1, 5, 5)])
    import_labels(store, tmp_path / "voc")
    history = [revision.label for revision in revisions(store, row.id)]
    assert history == [BoxLabel([Box("nut", 0, 0, 5, 5)]), BoxLabel([])]


def test_an_index_of_names_tells_nothing_where_it_is_not_sure(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    names = ["train/1.png", "test/1.png", "only.png", "x/two.jpg", "x/two.png"]
    import_images(store, {name: encode(i) for i, name in enumerate(names)})
    index = ImageIndex(store)
    assert index.find("train/1.png").name == "train/1.png"
    assert index.find("1.png") is None
    assert index.find("val/1.png") is None
    assert index.find("only").name == "only.png"
    assert index.find("a\\b\\only.png").name == "only.png"
    assert index.find("two.png").name == "x/two.png"
    assert index.find("two") is None


def test_formats_that_do_not_fit_are_refused_with_those_that_do(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    write_picture(tmp_path / "labels" / "a.png")
    with pytest.raises(UnsupportedFormat, match="coco, voc, yolo, csv"):
        import_labels(store, tmp_path / "labels", format="masks")
    with pytest.raises(UnsupportedFormat, match="There is no format 'voc2'"):
        import_labels(store, tmp_path / "labels", format="voc2")
    with pytest.raises(UnsupportedFormat, match="no labels"):
        import_labels(store, tmp_path / "labels")
    with pytest.raises(UnsupportedFormat, match="holds no labels in the format"):
        import_labels(store, tmp_path / "labels", format="voc")
    (tmp_path / "labels.zip").write_bytes(b"PK")
    with pytest.raises(UnsupportedFormat, match="unpack"):
        import_labels(store, tmp_path / "labels.zip")


def test_an_export_goes_into_a_new_or_empty_folder_or_replaces_an_export(tmp_path):
    store = make_store(tmp_path / "project", "detection")
    import_images(store, {"a.png": encode(0), "b.png": encode(1)})
    write_label(store, list_rows(store)["a.png"].id, BoxLabel([]))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidSetting, match="other files"):
        export_labels(store, tmp_path / "mine", "voc", overwrite=True)
    with pytest.raises(InvalidSetting, match="is a file"):
        export_labels(store, tmp_path / "mine" / "thesis.txt", "voc")
    assert export_labels(store, tmp_path / "out", "voc").exported == ["a.png"]
    with pytest.raises(InvalidSetting, match="overwrite=True"):
        export_labels(store, tmp_path / "out", "voc")
    export_labels(store, tmp_path / "out", "coco", overwrite=True)
    assert not (tmp_path / "out" / "Annotations").exists()
    with pytest.raises(StorageFailed):
        export_labels(store, tmp_path / "mine" / "thesis.txt" / "deeper", "voc")


@pytest.mark.real
def test_real_mvtec_folders(tmp_path, shared_data):
    store = make_store(tmp_path / "project", "anomaly")
    report = import_images(store, shared_data / "hazelnut_toy", labels_from_folders=True)
    assert (len(report.added), report.rejected) == (51, [])
    labels = labels_by_name(store)
    assert sum(label.verdict == "normal" for label in labels.values()) == 34
    assert sum(label.mask is not None for label in labels.values()) == 17
    rows = list_rows(store)
    assert sum(row.split == "train" for row in rows.values()) == 28
    export_labels(store, tmp_path / "out", "folders")
    again = make_store(tmp_path / "again", "anomaly")
    import_labels(again, tmp_path / "out")
    assert read_all(again) == read_all(store)


@pytest.mark.real
def test_real_masks_beside_photos_are_no_photos(tmp_path, shared_data):
    store = make_store(tmp_path / "project", "segmentation", ["defect"])
    report = import_labels(store, shared_data / "magnetic_tile" / "MT_Crack", format="masks")
    assert (len(report.added), len(report.labeled), report.rejected) == (57, 57, [])
    assert all(label.mask.any() for label in labels_by_name(store).values())
    assert all(name.endswith(".jpg") for name in list_rows(store))


@pytest.mark.real
def test_real_class_folders(tmp_path, shared_data):
    store = make_store(tmp_path / "project", "classification")
    pattern = str(shared_data / "magnetic_tile" / "**" / "*.jpg")
    report = import_images(store, pattern, labels_from_folders=True)
    assert len(report.added) + len(report.duplicates) == 546
    assert report.rejected == report.unlabeled == []
    assert sorted(read_class_names(store))[:3] == ["MT_Blowhole", "MT_Break", "MT_Crack"]
    whole = import_images(store, shared_data / "fgrade_tomato", labels_from_folders=True)
    assert (len(whole.added), whole.rejected) == (390, [])


def test_an_export_is_told_in_a_few_lines() -> None:
    left_out = [(f"{n}.png", "too deep") for n in range(12)]
    text = repr(ExportReport(Path("out"), ["a.png", "b.png"], left_out))
    assert text.startswith("Export: 2 images to out\n  left out 0.png: too deep")
    assert text.endswith("... and 2 more in .left_out")
