"""Comparing runs: intervals, who is better, and on which images they differ."""

from pathlib import Path

import pytest
from finished import NAMES, finish_run, make_prediction, make_project

import workbench as wb
from workbench.tasks import TASKS


def make_two(folder: Path, task: str) -> tuple[wb.Run, wb.Run]:
    """Return two runs of a project: one that is often wrong, and one that is right."""
    project, first = make_project(folder, task)
    said = dict(zip(NAMES, (0.9, 0.8, 0.1, 0.2, 0.7, 0.4)))
    predictions = {name: make_prediction(task, level) for name, level in said.items()}
    return first, finish_run(project, predictions, first.threshold, "r2")


@pytest.mark.parametrize("task", TASKS)
def test_the_better_run_is_named_with_an_interval(tmp_path: Path, task: str) -> None:
    first, second = make_two(tmp_path / "p", task)
    compared = wb.compare_runs(first, second)
    assert set(compared.images) == set(NAMES[:4])
    assert set(compared.find_only_right("run r2", "run r1")) == {"missed.png", "made up.png"}
    assert compared.find_only_right("run r1", "run r2") == []
    value, low, high = compared.differences["run r2"]
    assert low <= value <= high and value > 0
    for name, (low, high) in compared.intervals.items():
        assert low <= compared.figures[name][compared.main_figure] <= high
    assert "run r2" in repr(compared) and "<table>" in compared._repr_html_()
    assert list(compared.to_frame().index) == ["run r1", "run r2"]
    again = wb.compare_runs(first, second)
    assert again.intervals == compared.intervals  # the same seed


def test_names_are_escaped(tmp_path: Path) -> None:
    first, second = make_two(tmp_path / "p", "anomaly")
    second.name = "<script>alert(1)</script>"
    assert "<script>" not in wb.compare_runs(first, second)._repr_html_()
    first.name = second.name
    compared = wb.compare_runs(first, second)
    assert len(compared.figures) == 2  # told apart by their ids


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    first, _ = make_two(tmp_path / "p", "detection")
    _, other = make_project(tmp_path / "q", "detection")
    for runs, words in (
        ((first,), "two or more"),
        ((first, first), "two or more"),
        ((first, other), "one project"),
    ):
        with pytest.raises(wb.InvalidSetting, match=words):
            wb.compare_runs(*runs)
    second = wb.Project.open(tmp_path / "p").runs["r2"]
    with pytest.raises(wb.NotEnoughLabels, match="new to all"):
        wb.compare_runs(first, second, split="dev")
    with pytest.raises(wb.InvalidSetting, match="No run"):
        wb.compare_runs(first, second).find_only_right("run r1", "mine")
