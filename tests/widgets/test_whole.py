"""The workbench as a whole, the images and the export, without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished import NAMES, make_project

import workbench as wb
from workbench.widgets import asked
from workbench.widgets.whole.export import ExportPanel
from workbench.widgets.whole.images import ImagesPanel
from workbench.widgets.whole.workbench import TABS, Workbench

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in this thread alone."""
    monkeypatch.setattr(asked, "find_loop", lambda: None)
    monkeypatch.setattr("workbench.widgets.inspect.gallery.find_loop", lambda: None)


def drive(widget: Any) -> tuple[Ask, list[Any]]:
    """Return what asks a widget a question, and the list of what it says."""
    sent: list[Any] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))

    def ask(question: str, **params: Any) -> Any:
        content = {"kind": "request", "request": "q", "name": question, "params": params}
        widget._handle_custom_msg(content, [])
        return [found for found, _ in sent if found["kind"] == "answer"][-1]

    return ask, sent


def test_tabs_are_made_for_the_chosen_project(tmp_path: Path) -> None:
    make_project(tmp_path / "one", "detection")
    whole = Workbench(tmp_path)
    assert whole.project is None and whole.tabs.titles == TABS
    assert "Choose a project" in whole.tabs.children[1].children[0].value
    whole.picker.choose(tmp_path / "one")
    assert whole.project.path.name == "one"
    assert isinstance(whole.go("Images"), ImagesPanel)
    assert isinstance(whole.go("Label"), wb.Labeler)
    assert isinstance(whole.go("Train"), wb.TrainingPanel)
    assert isinstance(whole.go("Inspect"), wb.Gallery)
    assert isinstance(whole.go("Export"), ExportPanel)
    assert whole.go("Label") is whole.go("Label")
    with pytest.raises(wb.InvalidSetting, match="The tabs are"):
        whole.go("Settings")


def test_links_lead_from_tab_to_tab(tmp_path: Path) -> None:
    project, run = make_project(tmp_path / "one", "detection")
    whole = Workbench(tmp_path)
    whole.picker.choose(tmp_path / "one")
    ask, _ = drive(whole.go("Images"))
    ask("label", image=project.images["missed.png"].id)
    assert whole.tabs.selected_index == TABS.index("Label")
    assert whole.go("Label").image.name == "missed.png"
    ask, _ = drive(whole.go("Train"))
    assert ask("start")["links"]
    assert ask("inspect", run=run.id)["ok"]
    assert whole.tabs.selected_index == TABS.index("Inspect") and whole.runs.value == run.id


def test_another_project_has_tabs_of_its_own(tmp_path: Path) -> None:
    make_project(tmp_path / "one", "detection")
    wb.Project.create(tmp_path / "two", "classification", ["a"])
    whole = Workbench(tmp_path)
    whole.picker.choose(tmp_path / "one")
    first = whole.go("Inspect")
    whole.picker.choose(tmp_path / "two")
    assert whole.go("Inspect") is None and first.comm is None
    assert "No run" in whole.tabs.children[4].children[0].value
    assert whole.go("Label").task == "classification"


def test_runs_are_compared_in_the_training_panel(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path / "one", "detection")
    panel = wb.TrainingPanel(project)
    ask, sent = drive(panel)
    assert not ask("start")["links"]
    answer = ask("compare", runs=["r1"])
    assert not answer["ok"] and "two or more" in answer["error"]
    from finished import finish_run, make_prediction

    said = {n: make_prediction("detection", p) for n, p in zip(NAMES, (0.9, 0.9, 0.1, 0.1, 0, 0))}
    finish_run(project, said, run_id="r2")
    told = ask("compare", runs=["r1", "r2"])["comparison"]
    assert "run r2" in told["headline"] and told["table"][1][0] == "run r1"
    assert [group["names"] for group in told["only"]] == [["missed.png", "made up.png"], []]
    assert len(sent[-1][1]) == 2  # their pictures


def test_images_are_listed_split_and_removed(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path / "one", "detection")
    ask, sent = drive(ImagesPanel(project))
    assert ask("start")["states"] == {"unlabeled": 2, "labeled": 2, "nothing there": 2}
    rows = ask("rows", filter={"state": "labeled"})
    assert rows["total"] == 2 and rows["rows"][0]["classes"] == ["nut"]
    ids = [row["id"] for row in rows["rows"]]
    assert ask("set_split", ids=ids, split="dev")["splits"]["dev"] == 2
    assert ask("set_split", ids=ids, split="none")["splits"]["none"] == 2
    assert ask("split")["splits"]["none"] == 0
    assert not ask("set_split", ids=ids, split="val")["ok"]
    ask("thumbnails", ids=ids)
    assert all(picture[:2] == b"\xff\xd8" for picture in sent[-1][1])
    assert ask("remove", ids=ids)["ok"] and len(project.images) == 4
    assert not ask("remove", ids=ids)["ok"]


def test_labels_and_models_are_exported(tmp_path: Path) -> None:
    project, run = make_project(tmp_path / "one", "detection")
    ask, sent = drive(ExportPanel(project))
    start = ask("start")
    assert "coco" in start["formats"] and start["runs"][0]["id"] == run.id
    assert "project.export(" in ask("labels", folder=str(tmp_path / "out"), format="coco")["code"]
    told = [content for content, _ in sent if content["kind"] == "job"][-1]["job"]
    assert told["state"] == "done" and "4 images" in told["words"]
    ask("labels", folder=str(tmp_path / "out"), format="coco")
    told = [content for content, _ in sent if content["kind"] == "job"][-1]["job"]
    assert told["state"] == "failed" and "out" in told["words"]  # it is there already
    ask("model", folder=str(tmp_path / "model"), run=run.id)
    assert wb.load_model(tmp_path / "model").classes == ["nut", "bolt"]
