"""What a saved notebook shows when the kernel is gone: a picture and the key figures."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished import make_project
from IPython import display as shown

import workbench as wb
from workbench.widgets import asked, still

Make = Callable[[wb.Project, wb.Run], Any]

WIDGETS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "labeler": (lambda project, run: wb.Labeler(project), ("4 of 6 images", "<img")),
    "picker": (lambda project, run: wb.ProjectPicker(project.path.parent), ("p&lt;b", "detection")),
    "training": (lambda project, run: wb.TrainingPanel(project), ("run r1", "finished")),
    "report": (lambda project, run: wb.ReportPanel(run), ("Of 100 things", "recall")),
    "gallery": (lambda project, run: wb.Gallery(run), ("Of 100 things", "<img")),
    "workbench": (lambda project, run: wb.Workbench(project.path.parent), ("p&lt;b",)),
}


class Handle:
    """Stands for a display that can be brought up to date."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, value: Any) -> None:
        """Keep what is shown."""
        self.texts.append(value.data)


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], tuple[str, Handle]]:
    """Show a widget as the last line of a cell would; return its still and its handle."""
    monkeypatch.setattr(asked, "find_loop", lambda: None)
    for module in ("gallery", "report_panel"):
        monkeypatch.setattr(f"workbench.widgets.inspect.{module}.find_loop", lambda: None)

    def show(widget: Any) -> tuple[str, Handle]:
        outputs: list[Any] = []
        handle = Handle()

        def display(value: Any, **options: Any) -> Any:
            outputs.append(value)
            return handle if options.get("display_id") else None

        monkeypatch.setattr(shown, "display", display)
        widget._ipython_display_()
        first, second = outputs
        assert "application/vnd.jupyter.widget-view+json" in first
        return str(second.data), handle

    return show


@pytest.mark.parametrize("name", WIDGETS)
def test_a_still_has_picture_and_figures(tmp_path: Path, show: Any, name: str) -> None:
    project, run = make_project(tmp_path / "p<b", "detection")
    make, words = WIDGETS[name]
    text, _ = show(make(project, run))
    for word in words:
        assert word in text
    assert "Run the cell again" in text and "<script" not in text
    assert len(text) < 200_000
    assert set(re.findall(r'src="(.{5})', text)) <= {"data:"}


def test_a_still_follows_what_changes(
    tmp_path: Path, show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, run = make_project(tmp_path / "p", "anomaly")
    gallery = wb.Gallery(run)
    _, handle = show(gallery)
    monkeypatch.setattr(still, "QUIET_SECONDS", 0.0)
    gallery.update_still()
    assert handle.texts == []  # nothing changed
    gallery.threshold = 0.85
    gallery.update_still()
    assert len(handle.texts) == 1 and "0.85" in handle.texts[0]
    labeler = wb.Labeler(project)
    _, handle = show(labeler)
    labeler.act("verdict", verdict="normal")
    labeler.update_still()
    assert len(handle.texts) == 1
