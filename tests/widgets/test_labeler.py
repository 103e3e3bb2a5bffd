"""The labeler without a browser: every gesture and question, as a browser would send them."""

import threading
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.tasks.painting import paint_polygon, paint_stroke, quantize
from workbench.widgets.labelers.labeler import Labeler

NAMES = ["a.png", "b <img src=x onerror=alert(1)>.png", "c '\"🙂 שלום.png"]
SIZE = (48, 64)  # height, width

LabelerOf = Callable[..., "Driven"]


class Driven:
    """A labeler whose messages are kept, and what a browser would do with it."""

    def __init__(self, labeler: Labeler) -> None:
        self.labeler = labeler
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        labeler.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    def receive(self, content: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> None:
        """Take a message as ipywidgets would hand it over."""
        self.labeler._handle_custom_msg(content, [memoryview(buffer) for buffer in buffers])

    def gesture(
        self, tool: str, points: Any = None, image: int | None = -1, id: str = "", **params: Any
    ) -> dict[str, Any]:
        """Send a gesture and return the answer to it."""
        number = id or uuid.uuid4().hex
        content = {"kind": "gesture", "id": number, "tool": tool, "params": params}
        content["image"] = self.labeler.image.id if image == -1 else image
        self.receive(content, () if points is None else (pack_points(points),))
        return self.sent[-1][0]

    def ask(self, question: str, **params: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Ask a question and return its answer."""
        self.receive({"kind": "request", "request": "q", "name": question, "params": params})
        return self.sent[-1]


def pack_points(points: list[tuple[float, float]]) -> bytes:
    """Return points as the browser packs them: the first whole, then steps."""
    found = quantize(points).astype("<i4")
    steps = np.diff(found, axis=0).astype("<i2")
    return found[0].tobytes() + steps.tobytes()


@pytest.fixture
def labeler_of(tmp_path: Path) -> LabelerOf:
    """Make a project of three images and its labeler."""

    def make(task: str, **options: Any) -> Driven:
        classes = {} if task == "anomaly" else {"classes": ["crack", "chip"]}
        project = wb.Project.create(tmp_path / task, task=task, **classes)
        pictures = {
            name: np.full((*SIZE, 3), 60 * (1 + number), np.uint8)
            for number, name in enumerate(NAMES)
        }
        project.add_images(pictures)
        return Driven(Labeler(project, **options))

    return make


BOX = {"class_name": "crack", "x0": 3.0, "y0": 4.0, "x1": 20.0, "y1": 30.0}


def test_box_is_drawn_clamped_changed_duplicated_and_deleted(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    image = driven.labeler.image
    ack = driven.gesture("box", **{**BOX, "x1": 90.0})
    assert ack["images"][0]["boxes"] == [{**BOX, "x1": 64.0}]
    assert image.label == wb.BoxLabel([wb.Box("crack", 3, 4, 64, 30)])
    old = {**BOX, "x1": 64.0}
    driven.gesture("change_box", index=0, old=old, new={**BOX, "class_name": "chip"})
    assert image.label.boxes == (wb.Box("chip", 3, 4, 20, 30),)
    driven.gesture("duplicate_box", index=0, old={**BOX, "class_name": "chip"})
    assert image.label.boxes[1] == wb.Box("chip", 13, 14, 30, 40)
    driven.gesture("delete_box", index=0, old={**BOX, "class_name": "chip"})
    assert image.label.boxes == (wb.Box("chip", 13, 14, 30, 40),)
    driven.gesture("nothing")
    assert image.label == wb.BoxLabel()


def test_box_that_somebody_moved_is_refused_and_named(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    ack = driven.gesture("delete_box", index=0, old=BOX)
    assert "changed or removed" in ack["error"] and "a.png" in ack["error"]
    assert driven.labeler.image.label is None


def test_boxes_of_another_image_are_copied(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    first = driven.labeler.image
    driven.gesture("box", **BOX)
    driven.labeler.next_image()
    driven.gesture("copy_previous", source=first.id)
    assert driven.labeler.label == first.label
    assert driven.labeler.image.name == NAMES[1]


STROKE = [(2.2, 3.3), (30.7, 20.1), (70.0, 47.9)]


@pytest.mark.parametrize("shape", ["round", "square"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_stroke_on_disk_is_the_rule_to_the_pixel(
    labeler_of: LabelerOf, size: int, shape: str
) -> None:
    driven = labeler_of("segmentation")
    ack = driven.gesture("brush", STROKE, class_index=2, size=size, shape=shape, protect=False)
    expected = np.zeros(SIZE, np.uint8)
    paint_stroke(expected, quantize(STROKE), size, shape, 2, False)
    assert np.array_equal(driven.labeler.image.label.mask, expected)
    patch = ack["images"][0]["patch"]
    raw = np.frombuffer(zlib.decompress(driven.sent[-1][1][0]), np.uint8)
    shown = np.zeros(SIZE, np.uint8)
    window = np.s_[
        patch["y"] : patch["y"] + patch["height"], patch["x"] : patch["x"] + patch["width"]
    ]
    shown[window] = raw.reshape(patch["height"], patch["width"])
    assert np.array_equal(shown, expected)


def test_eraser_polygon_lasso_fill_and_clear(labeler_of: LabelerOf) -> None:
    driven = labeler_of("segmentation")
    image = driven.labeler.image
    corners = [(10, 10), (40, 10), (40, 30), (10, 30)]
    driven.gesture("polygon", corners, class_index=1, protect=False)
    expected = np.zeros(SIZE, np.uint8)
    paint_polygon(expected, quantize(corners), 1, False)
    assert np.array_equal(image.label.mask, expected) and expected.sum() == 600
    driven.gesture("brush", [(20, 20)], class_index=0, size=4, shape="square", protect=False)
    assert int((image.label.mask == 1).sum()) == 600 - 16
    driven.gesture("fill", class_index=2, x=12.5, y=12.5, protect=False)
    assert int((image.label.mask == 2).sum()) == 600 - 16
    driven.gesture("lasso", corners, class_index=1, protect=True)
    assert int((image.label.mask == 1).sum()) == 16  # the other class is protected
    driven.gesture("clear")
    assert image.label == wb.MaskLabel(np.zeros(SIZE, np.uint8))


def test_wand_and_box_find_a_bright_square(tmp_path: Path) -> None:
    photo = np.full((80, 100, 3), 40, np.uint8)
    photo[20:50, 30:70] = 220
    project = wb.Project.create(tmp_path / "p", task="segmentation", classes=["crack"])
    project.add_images({"square.png": photo})
    driven = Driven(Labeler(project))
    driven.gesture("wand", class_index=1, x=40, y=30, tolerance=20, protect=False)
    found, wanted = driven.labeler.label.mask > 0, photo[..., 0] == 220
    assert not (found & ~wanted).any() and (wanted & ~found).sum() <= 4  # the blur rounds corners
    driven.gesture("clear")
    driven.gesture("box_mask", class_index=1, x0=24, y0=14, x1=76, y1=56, protect=False)
    found = driven.labeler.label.mask > 0
    assert (found & wanted).sum() / (found | wanted).sum() > 0.9


def test_classes_for_many_images_are_one_act(labeler_of: LabelerOf) -> None:
    driven = labeler_of("classification")
    project = driven.labeler.project
    ids = project.images.ids()
    ack = driven.gesture("class", image=None, images=ids[:2], class_name="chip")
    assert [row["class_name"] for row in ack["images"]] == ["chip", "chip"]
    driven.gesture("class", image=None, images=ids[1:], class_name="crack")
    assert [image.label.class_name for image in project.images] == ["chip", "crack", "crack"]
    driven.gesture("undo", image=None, scope="project")
    labels = [image.label for image in project.images]
    assert labels == [wb.ClassLabel("chip"), wb.ClassLabel("chip"), None]
    driven.gesture("redo", image=None, scope="project")
    assert project.images[2].label == wb.ClassLabel("crack")


def test_verdict_and_the_mask_of_the_abnormal(labeler_of: LabelerOf) -> None:
    driven = labeler_of("anomaly")
    image = driven.labeler.image
    driven.gesture("verdict", verdict="normal")
    assert image.label == wb.AnomalyLabel("normal")
    driven.gesture("brush", [(8, 8)], class_index=1, size=4, shape="square", protect=False)
    assert image.label.verdict == "abnormal" and image.label.mask.sum() == 16
    driven.gesture("brush", [(8, 8)], class_index=0, size=9, shape="square", protect=False)
    assert image.label == wb.AnomalyLabel("abnormal")
    driven.gesture("nothing")
    assert image.label == wb.AnomalyLabel("normal")
    driven.gesture("unlabel")
    assert image.label is None


def test_undo_covers_every_tool_and_a_new_labeler(labeler_of: LabelerOf) -> None:
    driven = labeler_of("segmentation")
    image, project = driven.labeler.image, driven.labeler.project
    seen = [image.label]
    driven.gesture("brush", STROKE, class_index=1, size=5, shape="round", protect=False)
    seen.append(image.label)
    driven.gesture("fill", class_index=2, x=60, y=2, protect=False)
    seen.append(image.label)
    driven.gesture("nothing")
    again = Driven(Labeler(wb.Project.open(project.path)))
    for label in reversed(seen):
        again.gesture("undo")
        assert image.label == label
    assert not again.sent[-1][0]["images"][0]["can_undo"]
    for label in seen[1:]:
        again.gesture("redo")
        assert image.label == label


def test_a_gesture_sent_again_is_applied_once(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    for _ in range(3):
        driven.gesture("box", id="same", **BOX)
    again = Driven(Labeler(wb.Project.open(driven.labeler.project.path)))
    again.gesture("box", id="same", **BOX)
    assert len(driven.labeler.image.label.boxes) == 1
    assert again.sent[-1][0]["gesture"] == "same"


def test_a_gesture_lands_on_its_own_image_whatever_is_shown(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    first = driven.labeler.image
    driven.labeler.next_image()
    driven.gesture("box", image=first.id, **BOX)
    assert first.label is not None and driven.labeler.image.label is None


def test_strokes_of_two_labelers_both_stay(labeler_of: LabelerOf) -> None:
    driven = labeler_of("segmentation")
    other = Driven(Labeler(wb.Project.open(driven.labeler.project.path)))
    driven.gesture("brush", [(5, 5)], class_index=1, size=3, shape="square", protect=False)
    other.gesture("brush", [(30, 30)], class_index=2, size=3, shape="square", protect=False)
    driven.gesture("brush", [(50, 40)], class_index=1, size=3, shape="square", protect=False)
    mask = driven.labeler.image.label.mask
    assert (int((mask == 1).sum()), int((mask == 2).sum())) == (18, 9)


def test_messages_on_other_threads_lose_nothing(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    image = driven.labeler.image

    def draw(number: int) -> None:
        content = {"kind": "gesture", "id": f"t{number}", "image": image.id, "tool": "box"}
        driven.receive({**content, "params": {**BOX, "x0": float(number)}})

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(box.x0 for box in image.label.boxes) == list(range(8))


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "gesture"},
        {"kind": "gesture", "id": "x", "image": 1, "tool": "rocket", "params": {}},
        {"kind": "gesture", "id": "x", "image": 99, "tool": "box", "params": BOX},
        {"kind": "gesture", "id": "x", "image": 1, "tool": "box", "params": {"x0": "?"}},
        {
            "kind": "gesture",
            "id": "x",
            "image": 1,
            "tool": "box",
            "params": {**BOX, "class_name": "?"},
        },
        {"kind": "request", "request": "q", "name": "rocket"},
        {"kind": "request", "request": "q", "name": "image", "params": {"image": 99}},
    ],
)
def test_what_cannot_be_is_refused_with_one_error(
    labeler_of: LabelerOf, content: dict[str, Any]
) -> None:
    driven = labeler_of("detection")
    driven.receive(content)
    assert len(driven.sent[-1][0]["error"]) > 5
    driven.gesture("box", **BOX)
    assert len(driven.labeler.image.label.boxes) == 1


def test_rows_and_filters(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    driven.gesture("box", **BOX)
    answer, _ = driven.ask("rows", filter={"state": "labeled"}, start=0, count=60)
    assert [row["classes"] for row in answer["rows"]] == [["crack"]] and answer["total"] == 1
    answer, _ = driven.ask("rows", filter={"text": "ONERROR", "split": ""}, start=0, count=60)
    assert [row["name"] for row in answer["rows"]] == [NAMES[1]]
    answer, _ = driven.ask("next_unlabeled", after=0, filter={})
    assert answer["index"] == 1
    answer, buffers = driven.ask("thumbnails", ids=driven.labeler.project.images.ids())
    assert [buffer[:2] for buffer in buffers] == [b"\xff\xd8"] * 3


def test_image_comes_with_its_photo_and_its_mask(labeler_of: LabelerOf) -> None:
    driven = labeler_of("segmentation")
    driven.gesture("brush", STROKE, class_index=1, size=5, shape="round", protect=False)
    answer, (photo, mask) = driven.ask("image", image=driven.labeler.image.id, photo="full")
    assert answer["image"]["can_undo"] and photo == driven.labeler.image.read_bytes()
    raw = np.frombuffer(zlib.decompress(mask), np.uint8).reshape(SIZE)
    assert np.array_equal(raw, driven.labeler.image.label.mask)


def test_labels_set_by_code_are_told_to_the_browser(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    image = driven.labeler.project.images[0]
    image.label = wb.BoxLabel([wb.Box("chip", 1, 2, 3, 4)])
    driven.labeler.refresh()
    kinds = [content["kind"] for content, _ in driven.sent]
    assert "changed" in kinds and driven.labeler.label == image.label
    driven.sent.clear()
    driven.gesture("nothing")
    driven.labeler.refresh()
    assert "changed" not in [content["kind"] for content, _ in driven.sent]


def test_calls_do_what_hands_do_and_are_shown_as_code(labeler_of: LabelerOf) -> None:
    driven = labeler_of("segmentation")
    labeler = driven.labeler
    labeler.act("brush", points=STROKE, size=5, class_name="chip")
    labeler.next_image()
    labeler.act("polygon", points=[(1, 1), (9, 1), (9, 9)], class_name="crack")
    labels = [image.label for image in labeler.project.images]
    code = labeler.code
    for image in labeler.project.images:
        image.label = None
    spoken: dict[str, Any] = {}
    exec(code, spoken)  # the test's own words, written by the labeler
    assert [image.label for image in labeler.project.images] == labels


def test_the_same_image_is_shown_again(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    driven.labeler.show(NAMES[2])
    project = wb.Project.open(driven.labeler.project.path)
    assert Labeler(project).image.name == NAMES[2]
    assert Labeler(project, images=project.images.where(text="a.png")).image.name == NAMES[0]


def test_classes_are_edited_by_hand(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    driven.gesture("box", **BOX)
    driven.ask("classes", act="rename", name="crack", new="<b>break</b>")
    driven.ask("classes", act="add", name="dent", color="#123456")
    answer, _ = driven.ask("classes", act="remove", name="<b>break</b>")
    assert "remove_labels" in answer["error"]
    answer, _ = driven.ask("classes", act="remove", name="<b>break</b>", remove_labels=True)
    assert [row["name"] for row in answer["classes"]] == ["chip", "dent"]
    assert driven.labeler.project.images[0].label == wb.BoxLabel()


def test_instructions_show_examples(labeler_of: LabelerOf) -> None:
    driven = labeler_of("detection")
    driven.gesture("box", **BOX)
    driven.ask("set_instructions", class_name="crack", text="Thin & dark")
    answer, crops = driven.ask("instructions", class_name="crack")
    assert answer["text"] == "Thin & dark" and crops[0][:2] == b"\xff\xd8"


def test_an_empty_project_can_be_shown(tmp_path: Path) -> None:
    project = wb.Project.create(tmp_path / "empty", task="detection", classes=["crack"])
    labeler = Labeler(project)
    assert labeler.image is None and labeler.label is None
    with pytest.raises(wb.InvalidSetting, match="add_images"):
        labeler.act("nothing")
