"""The training panel without a browser: its questions and calls, as a browser would send them."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.store.run_folder import write_process
from workbench.store.runs import add_run
from workbench.store.snapshots import create_snapshot
from workbench.widgets import asked
from workbench.widgets.training.panel import TrainingPanel

SIZE = (24, 32)


@pytest.fixture
def project(tmp_path: Path) -> wb.Project:
    """A classification project of twelve labeled images."""
    project = wb.Project.create(tmp_path / "parts", "classification", ["nut", "bolt <b>"])
    pictures = {f"{n}.png": np.full((*SIZE, 3), n, np.uint8) for n in range(12)}
    project.add_images(pictures, progress=False)
    for n, image in enumerate(project.images):
        image.label = wb.ClassLabel("bolt <b>" if n % 2 else "nut")
    project.split()
    return project


class Driven:
    """A panel whose messages are kept."""

    def __init__(self, project: wb.Project) -> None:
        self.panel = TrainingPanel(project)
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.panel.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    def ask(self, question: str, **params: Any) -> dict[str, Any]:
        """Ask a question and return its answer."""
        content = {"kind": "request", "request": "q", "name": question, "params": params}
        self.panel._handle_custom_msg(content, [])
        return [found for found, _ in self.sent if found["kind"] == "answer"][-1]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind."""
        return [content for content, _ in self.sent if content["kind"] == kind]


@pytest.fixture
def driven(project: wb.Project, monkeypatch: pytest.MonkeyPatch) -> Driven:
    """A panel outside of a kernel."""
    monkeypatch.setattr(asked, "find_loop", lambda: None)
    return Driven(project)


def write_run(project: wb.Project, run_id: str, *events: dict[str, Any]) -> Path:
    """Make a run that has told these events."""
    add_run(project.store, run_id, f"run {run_id}", create_snapshot(project.store, "s"), {})
    folder = project.path / "runs" / run_id
    folder.mkdir(parents=True)
    lines = [json.dumps({"time": 1000.0 + n, **event}) for n, event in enumerate(events)]
    (folder / "events.jsonl").write_text("\n".join([*lines, ""]))
    return folder


def append(folder: Path, **event: Any) -> None:
    """Let a run tell one more event."""
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": 2000.0, **event}) + "\n")


STARTED = {"event": "started"}
EPOCH = {"event": "epoch", "figures": {"epoch": 1, "loss": 0.7, "accuracy": 0.5}}


def test_it_starts_with_the_plan_and_no_run(driven: Driven) -> None:
    answer = driven.ask("start")
    assert answer["ok"], answer
    assert answer["plan"]["rows"][-1][0] == "all labeled images"
    assert answer["plan"]["problem"] is None and " steps of 8 images at " in answer["plan"]["work"]
    assert (answer["runs"], answer["run"]) == ([], None)


def test_the_plan_follows_the_settings(driven: Driven) -> None:
    fast = driven.ask("plan", preset="fast", settings={})["plan"]
    small = driven.ask("plan", preset="fast", settings={"input_size": 64, "epochs": 1})["plan"]
    assert small["settings"]["input_size"] == 64
    assert small["work"].endswith(" at 64 pixels") and small["work"] != fast["work"]
    for wrong in ({"input_size": 65}, {"epochs": "abc"}, {"nothing": 1}):
        assert not driven.ask("plan", preset="fast", settings=wrong)["ok"]


def test_a_run_is_followed_while_it_goes_on(project: wb.Project, driven: Driven) -> None:
    folder = write_run(project, "a", STARTED, {"event": "progress", "fraction": 0.25})
    write_process(folder, os.getpid())
    driven.panel.select("a")
    told = driven.told("runs")[-1]
    assert (told["run"]["status"], told["run"]["progress"]) == ("running", 0.25)
    assert told["run"]["remaining"] == pytest.approx(3 * told["run"]["seconds"], rel=0.1)
    append(folder, **EPOCH)
    append(folder, event="progress", fraction=0.5)
    driven.panel.tick()
    assert driven.told("runs")[-1]["run"]["history"] == [EPOCH["figures"]]
    append(folder, event="finished", metrics={"accuracy": 0.75, "macro_f1": float("nan")})
    driven.panel.tick()
    run = driven.told("runs")[-1]["run"]
    assert (run["status"], run["figure"], run["metrics"]) == ("finished", 0.75, {"accuracy": 0.75})
    assert run["seconds"] == 1000
    count = len(driven.sent)
    driven.panel.tick()
    assert len(driven.sent) == count  # nothing new, nothing sent


def test_a_new_panel_finds_the_newest_run(project: wb.Project, driven: Driven) -> None:
    write_run(project, "a", STARTED, {"event": "finished", "metrics": {}})
    write_run(project, "b", STARTED)  # its process is gone
    again = Driven(project)
    answer = again.ask("start")
    assert again.panel.run.id == "b"
    assert [row["id"] for row in answer["runs"]] == ["b", "a"]
    assert answer["run"]["status"] == "interrupted" and "resume" in answer["run"]["error"]


def test_runs_are_named_noted_and_deleted(project: wb.Project, driven: Driven) -> None:
    for run_id in ("a", "b"):
        write_run(project, run_id, STARTED, {"event": "failed", "error": "The disk is full."})
    driven.ask("select", run="a")
    answer = driven.ask("rename", run="a", name="<i>first</i>")
    assert answer["run"]["name"] == "<i>first</i>"
    assert driven.ask("note", run="a", note="too dark")["run"]["note"] == "too dark"
    assert driven.ask("start")["run"]["error"] == "The disk is full."
    assert project.runs["a"].note == "too dark"
    answer = driven.ask("delete", run="a")
    assert [row["id"] for row in answer["runs"]] == ["b"] and answer["run"]["id"] == "b"
    assert not driven.ask("select", run="a")["ok"]


def test_the_log_is_cut_to_its_end(project: wb.Project, driven: Driven) -> None:
    folder = write_run(project, "a", STARTED)
    assert "Nothing" in driven.ask("log", run="a")["log"]
    (folder / "log.txt").write_text("x" * 50_000 + "the end")
    log = driven.ask("log", run="a")["log"]
    assert len(log) == 20_000 and log.endswith("the end")


def test_what_cannot_start_is_refused_with_the_reason(project: wb.Project, driven: Driven) -> None:
    for image in project.images.where(class_name="nut"):
        image.label = None
    plan = driven.ask("start")["plan"]
    assert "'nut'" in plan["problem"]
    answer = driven.ask("train", preset="fast", settings={})
    assert not answer["ok"] and "'nut'" in answer["error"]
    assert list(project.runs) == []


def test_a_front_end_without_widgets_gets_a_sentence(driven: Driven) -> None:
    assert "project.train()" in driven.panel._repr_mimebundle_()[0]["text/plain"]


@pytest.mark.slow
def test_a_run_starts_and_can_be_cancelled_and_resumed(project: wb.Project, driven: Driven) -> None:
    settings = {"input_size": 64, "batch_size": 4, "epochs": 200}
    answer = driven.ask("train", preset="fast", name="mine", settings=settings)
    assert answer["ok"], answer
    assert "project.start_training(preset='fast', input_size=64" in answer["code"]
    run = driven.panel.run
    assert run.name == "mine"
    driven.ask("cancel", run=run.id)
    assert run.wait(60, progress=False) == "cancelled"
    driven.panel.tick()
    assert driven.told("runs")[-1]["run"]["status"] == "cancelled"
    assert driven.ask("resume", run=run.id)["ok"]
    assert run.status in ("queued", "running")
    run.cancel()


@pytest.mark.slow
def test_augmented_images_come_as_a_picture(driven: Driven) -> None:
    assert driven.ask("augmented", preset="fast", settings={"input_size": 64})["ok"]
    content, buffers = next(pair for pair in driven.sent if pair[0]["kind"] == "augmented")
    assert content["error"] == ""
    assert min(Image.open(io.BytesIO(buffers[0])).size) > 200
