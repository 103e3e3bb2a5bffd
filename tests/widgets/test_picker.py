"""The project picker without a browser: its questions and calls, as a browser would send them."""

import asyncio
import io
import os
import zipfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.store.database import DATABASE
from workbench.store.run_folder import write_process
from workbench.store.runs import add_run
from workbench.store.snapshots import create_snapshot
from workbench.tasks import TASKS
from workbench.widgets import asked
from workbench.widgets.jobs import Job
from workbench.widgets.picker import picker as picker_module
from workbench.widgets.picker.cards import Cards
from workbench.widgets.picker.picker import ProjectPicker
from workbench.widgets.picker.types import GUIDE
from workbench.widgets.picker.uploads import Uploads

SIZE = (24, 32)  # height, width
ODD_NAME = '<img src=x onerror="owned()"> \'" 🙂 שלום'


class Driven:
    """A picker whose messages are kept, and what a browser would do with it."""

    def __init__(self, home: Path) -> None:
        self.picker = ProjectPicker(home)
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.picker.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    def ask(self, question: str, data: bytes | None = None, **params: Any) -> dict[str, Any]:
        """Ask a question and return its answer."""
        content = {"kind": "request", "request": "q", "name": question, "params": params}
        self.picker._handle_custom_msg(content, [] if data is None else [memoryview(data)])
        answers = [(found, out) for found, out in self.sent if found["kind"] == "answer"]
        self.buffers = answers[-1][1]
        return answers[-1][0]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind."""
        return [content for content, _ in self.sent if content["kind"] == kind]


def png(value: int) -> bytes:
    """The bytes of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((*SIZE, 3), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driven:
    """A picker of an empty home, outside of a kernel: what takes long is done at once."""
    monkeypatch.setattr(asked, "find_loop", lambda: None)
    return Driven(tmp_path / "projects")


def run_in_loop(work: Coroutine[Any, Any, Driven]) -> Driven:
    """Run a coroutine as in a kernel, and return its result.

    In a thread, because the browser tests leave a running loop in this one.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(60)


def send_file(driven: Driven, key: str, number: int, name: str, data: bytes) -> list[bool]:
    """Send a file in two chunks, and return what was taken."""
    half = len(data) // 2
    taken = []
    for offset, chunk in ((0, data[:half]), (half, data[half:])):
        answer = driven.ask("upload", chunk, upload=key, number=number, file=name, offset=offset)
        taken.append(answer["taken"])
    return taken


def test_an_empty_home_has_no_cards_and_is_not_made(driven: Driven) -> None:
    answer = driven.ask("start")
    assert (answer["ok"], answer["cards"], answer["project"]) == (True, [], None)
    assert not driven.picker.home.exists()


def test_create_chooses_the_project_and_says_the_line(driven: Driven) -> None:
    seen: list[Any] = []
    driven.picker.observe(lambda change: seen.append(change["new"]), "project")
    answer = driven.ask("create", name="Lids 3", task="detection", classes=["dent", "stain"])
    assert answer["ok"], answer
    assert seen == [driven.picker.project]
    assert driven.picker.project.classes == ["dent", "stain"]
    assert driven.told("chosen")[-1]["project"]["title"] == "Object detection"
    namespace: dict[str, Any] = {"wb": wb}
    wb.delete_project(driven.picker.project.path)
    exec(answer["code"], namespace)
    assert namespace["project"].classes == ["dent", "stain"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a/../b", "a_.._b"),
        (ODD_NAME, "_img src=x onerror=_owned()_ '_ 🙂 שלום"),
        ("  spaced. ", "spaced"),
        ("x" * 300, "x" * 120),
    ],
)
def test_any_name_gives_a_folder_below_home(driven: Driven, name: str, folder: str) -> None:
    assert driven.ask("create", name=name, task="anomaly")["ok"]
    assert driven.picker.project.path == driven.picker.home / folder
    assert driven.picker.project.name == name.strip()
    assert driven.ask("start")["cards"][0]["name"] == name.strip()


@pytest.mark.parametrize("name", ["", "  ", "...", "///"])
def test_a_name_of_nothing_is_refused(driven: Driven, name: str) -> None:
    answer = driven.ask("create", name=name, task="anomaly")
    assert not answer["ok"] and "name" in answer["error"]
    assert not driven.picker.home.exists()


def test_a_name_that_is_taken_is_refused_and_a_free_one_offered(driven: Driven) -> None:
    driven.picker.create("lids", "anomaly")
    assert "already holds a project" in driven.ask("create", name="lids", task="anomaly")["error"]
    assert driven.ask("free_name", name="lids")["name"] == "lids (2)"


def test_cards_say_what_a_project_holds(driven: Driven) -> None:
    project = driven.picker.create("lids", "classification", ["a", "b"])
    project.add_images({"1.png": png(1), "2.png": png(2)}, progress=False)
    project.images[0].label = wb.ClassLabel("a")
    add_run(project.store, "r1", "first", create_snapshot(project.store, "s"), {})
    folder = project.path / "runs" / "r1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"event": "finished", "metrics": {"accuracy": 0.876}}\n')
    (card,) = driven.ask("start")["cards"]
    assert (card["images"], card["labeled"], card["run"]) == (2, 1, "first: accuracy 0.88")
    assert driven.ask("thumbnails", keys=["lids", "nothing"])["ok"]
    assert Image.open(io.BytesIO(driven.buffers[0])).size == (32, 24)
    assert driven.buffers[1] == b""


def test_a_run_in_progress_and_a_project_that_does_not_open_are_told(driven: Driven) -> None:
    project = driven.picker.create("lids", "anomaly")
    add_run(project.store, "r1", "first", create_snapshot(project.store, "s"), {})
    folder = project.path / "runs" / "r1"
    folder.mkdir(parents=True)
    events = '{"event": "started"}\n{"event": "progress", "fraction": 0.4}\n'
    (folder / "events.jsonl").write_text(events)
    write_process(folder, os.getpid())
    (driven.picker.home / "bad").mkdir()
    (driven.picker.home / "bad" / DATABASE).write_bytes(b"no database")
    cards = {card["key"]: card for card in driven.ask("start")["cards"]}
    assert cards["lids"]["run"] == "first: running, 40%"
    assert "project.db" in cards["bad"]["error"]


def test_cards_are_read_again_only_after_a_change(driven: Driven, tmp_path: Path) -> None:
    project = driven.picker.create("lids", "anomaly")
    cards = Cards(driven.picker.home)
    first = cards.read()[0]
    assert cards.read()[0] is first
    before = cards.find_signature()
    project.add_images({"1.png": png(1)}, progress=False)
    assert cards.find_signature() != before
    assert cards.read()[0]["images"] == 1


def test_open_takes_keys_of_cards_and_paths_of_people(driven: Driven, tmp_path: Path) -> None:
    driven.picker.create("lids", "anomaly")
    elsewhere = wb.Project.create(tmp_path / "elsewhere", "detection")
    assert driven.ask("open", path=str(elsewhere.path))["ok"]
    assert driven.picker.project.path == elsewhere.path
    assert driven.ask("open", key="lids")["ok"]
    assert driven.picker.project.name == "lids"
    for wrong in ({"key": "../elsewhere"}, {"path": str(tmp_path)}, {"key": "gone"}):
        answer = driven.ask("open", **wrong)
        assert not answer["ok"] and answer["error"]
    assert driven.picker.project.name == "lids"


def test_rename_copy_delete_restore(driven: Driven) -> None:
    project = driven.picker.create("lids", "detection", ["dent"])
    project.add_images({"1.png": png(1)}, progress=False)
    project.images[0].label = wb.BoxLabel([wb.Box("dent", x0=1, y0=2, x1=9, y1=9)])
    assert driven.ask("rename", key="lids", name=ODD_NAME)["cards"][0]["name"] == ODD_NAME
    assert driven.ask("copy", key="lids", name="again")["ok"]
    assert driven.ask("copy", key="lids", name="shapes", act="make_segmentation")["ok"]
    assert driven.picker.project.task == "segmentation"
    assert driven.picker.project.images[0].label.mask.sum() == 7 * 8
    assert {card["key"] for card in driven.ask("start")["cards"]} == {"lids", "again", "shapes"}
    answer = driven.ask("delete", key="shapes")
    assert (answer["deleted"], driven.picker.project) == (1, None)
    (row,) = driven.ask("deleted")["rows"]
    assert (row["name"], row["labeled"]) == ("shapes", 1)
    assert driven.ask("restore", key=row["key"])["deleted"] == 0
    driven.ask("delete", key="shapes")
    (row,) = driven.ask("deleted")["rows"]
    assert driven.ask("delete_for_good", key=row["key"])["deleted"] == 0
    assert not driven.ask("restore", key="../../lids")["ok"]
    assert {card["key"] for card in driven.ask("start")["cards"]} == {"lids", "again"}


def test_an_empty_name_does_not_rename(driven: Driven) -> None:
    driven.picker.create("lids", "anomaly")
    assert "name" in driven.ask("rename", key="lids", name="  ")["error"]
    assert driven.picker.project.name == "lids"


def test_types_come_with_pictures_and_a_guide_to_each(driven: Driven) -> None:
    answer = driven.ask("types")
    assert [tile["task"] for tile in answer["tiles"]] == list(TASKS)
    for picture in driven.buffers:
        assert min(Image.open(io.BytesIO(picture)).size) >= 150
    reached, open_questions = set(), {"examples"}
    while open_questions:
        for choice in GUIDE[open_questions.pop()]["answers"]:
            reached |= {choice["type"]} if "type" in choice else set()
            open_questions |= {choice["next"]} if "next" in choice else set()
    assert reached == set(TASKS)


def test_a_sample_is_drawn_and_chosen(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_few(name: str, **rest: Any) -> wb.Project:
        return wb.samples.create(name, count=14, **rest)

    monkeypatch.setattr(picker_module, "create_sample", create_few)
    assert driven.ask("sample", sample="anomaly")["ok"]
    assert (driven.picker.project.name, len(driven.picker.project.images)) == ("fabric", 14)
    assert driven.told("job")[-1]["job"]["state"] == "done"
    assert driven.told("job")[-1]["job"]["total"] == 14


def test_import_from_a_path_reports_what_came_and_what_did_not(
    driven: Driven, tmp_path: Path
) -> None:
    for number, name in enumerate(["bolt/1.png", "washer/2.png", "washer/3.png"]):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(png(number))
    (tmp_path / "photos" / "bad.png").write_bytes(b"broken")
    project = driven.picker.create("parts", "classification")
    answer = driven.ask("import", path=str(tmp_path / "photos"), labels="folders", split="train")
    assert answer["ok"] and "labels_from_folders=True" in answer["code"]
    report = driven.told("job")[-1]["report"]
    assert report["summary"].startswith("Import: 3 added")
    assert [name for name, _ in report["rejected"]] == ["bad.png"]
    assert project.images["washer/2.png"].label == wb.ClassLabel("washer")
    assert {image.split for image in project.images} == {"train"}
    assert driven.told("home")[-1]["project"]["images"] == 3
    assert driven.ask("newest")["images"][0] == "washer/3.png"


def test_label_files_come_with_the_images(driven: Driven, tmp_path: Path) -> None:
    source = wb.Project.create(tmp_path / "source", "detection", ["dent"])
    source.add_images({"1.png": png(1)}, progress=False)
    label = wb.BoxLabel([wb.Box("dent", x0=1, y0=2, x1=9, y1=9)])
    source.images[0].label = label
    source.export(tmp_path / "coco", "coco", progress=False)
    project = driven.picker.create("lids", "detection")
    assert driven.ask("import", path=str(tmp_path / "coco"), labels="files")["ok"]
    assert driven.told("job")[-1]["report"]["rejected"] == []
    assert [image.label for image in project.images] == [label]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"path": " "}, "which file"),
        ({"path": "x", "labels": "folders"}, "Folder names"),
        ({"path": "x", "labels": "magic"}, "magic"),
    ],
)
def test_a_wrong_import_is_refused_before_it_starts(
    driven: Driven, params: dict[str, str], words: str
) -> None:
    driven.picker.create("lids", "detection")
    answer = driven.ask("import", **params)
    assert not answer["ok"] and words in answer["error"]
    assert driven.told("job") == []


def test_a_path_that_is_not_there_and_no_project_are_told(driven: Driven, tmp_path: Path) -> None:
    assert "No project is chosen" in driven.ask("import", path="x")["error"]
    driven.picker.create("lids", "detection")
    driven.ask("import", path=str(tmp_path / "nowhere"))
    job = driven.told("job")[-1]["job"]
    assert job["state"] == "failed" and "nowhere" in job["error"]


def test_dropped_files_are_imported_and_then_deleted(driven: Driven, tmp_path: Path) -> None:
    project = driven.picker.create("parts", "classification")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("nut/9.png", png(9))
    for number, (name, data) in enumerate(
        [("bolt/1.png", png(1)), ("bolt/2.png", b"broken"), ("more.zip", packed.getvalue())]
    ):
        assert send_file(driven, "u1", number, name, data) == [True, True]
    assert send_file(driven, "u1", 7, "../../evil.png", png(7)) == [False, False]
    folder = driven.picker.find_uploads("u1").folder
    assert driven.ask("import_upload", upload="u1", labels="folders")["ok"]
    report = driven.told("job")[-1]["report"]
    assert {name for name, _ in report["rejected"]} == {"bolt/2.png", "../../evil.png"}
    assert {image.name: image.label.class_name for image in project.images} == {
        "bolt/1.png": "bolt",
        "nut/9.png": "nut",
    }
    assert project.images["bolt/1.png"].read_bytes() == png(1)
    assert not folder.exists()
    assert list(tmp_path.rglob("evil*")) == []


def test_chunks_out_of_order_are_refused() -> None:
    uploads = Uploads()
    uploads.write(0, "a.png", 0, b"12")
    with pytest.raises(wb.InvalidSetting, match="do not fit"):
        uploads.write(0, "a.png", 5, b"34")
    uploads.close()
    assert not uploads.folder.exists()


def test_two_files_of_one_name_both_come() -> None:
    uploads = Uploads()
    uploads.write(0, "a.png", 0, b"1")
    uploads.write(1, "a.png", 0, b"2")
    assert sorted(path.read_bytes() for path in uploads.folder.iterdir()) == [b"1", b"2"]
    uploads.close()


def test_work_can_be_stopped_and_says_so() -> None:
    job = Job("Counting", lambda job: [job.tell(i, 10) for i in range(10)])
    job.stop()
    job.run()
    assert job.describe()["state"] == "stopped"


def test_any_error_of_the_work_is_told() -> None:
    def fail(job: Job) -> None:
        raise MemoryError("no room")

    job = Job("Failing", fail)
    job.run()
    assert (job.state, job.error) == ("failed", "MemoryError: no room")


def test_in_a_kernel_work_goes_on_in_a_thread_and_a_second_waits(tmp_path: Path) -> None:
    async def run() -> Driven:
        driven = Driven(tmp_path / "projects")
        project = driven.picker.create("lids", "anomaly")
        pictures = {f"{n}.png": png(n) for n in range(60)}
        for name, data in pictures.items():
            (tmp_path / "photos").mkdir(exist_ok=True)
            (tmp_path / "photos" / name).write_bytes(data)
        assert driven.ask("import", path=str(tmp_path / "photos"))["ok"]
        second = driven.ask("import", path=str(tmp_path / "photos"))
        assert not second["ok"] and "still going on" in second["error"]
        while driven.picker.job is not None:
            await asyncio.sleep(0.05)
        assert len(project.images) == 60
        driven.picker.close()
        return driven

    driven = run_in_loop(run())
    assert driven.told("job")[-1]["job"]["state"] == "done"


def test_what_others_change_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picker_module, "TICK_SECONDS", 0.01)

    async def run() -> Driven:
        driven = Driven(tmp_path / "projects")
        wb.Project.create(tmp_path / "projects" / "other", "anomaly").close()
        while not driven.told("home"):
            await asyncio.sleep(0.02)
        driven.picker.close()
        return driven

    driven = run_in_loop(run())
    assert [card["key"] for card in driven.told("home")[-1]["cards"]] == ["other"]


def test_unknown_questions_and_broken_ones_are_answered(driven: Driven) -> None:
    assert not driven.ask("frobnicate")["ok"]
    assert not driven.ask("rename")["ok"]
    assert not driven.ask("upload", upload="u", number="x", file="a", offset=0)["ok"]


def test_a_front_end_without_widgets_gets_a_sentence(driven: Driven) -> None:
    text = driven.picker._repr_mimebundle_()[0]["text/plain"]
    assert "JupyterLab" in text and "list_projects" in text


def test_calls_do_what_a_hand_does(driven: Driven, tmp_path: Path) -> None:
    made = driven.picker.create("lids", "anomaly")
    report = driven.picker.add_images({"normal/1.png": png(3)}, labels="folders", split="train")
    assert report.added == ["normal/1.png"]
    assert made.images[0].label == wb.AnomalyLabel("normal")
    assert driven.picker.choose(made.path).path == made.path
