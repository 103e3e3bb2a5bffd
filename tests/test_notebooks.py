"""Every notebook is valid, stored without output, and runs from top to bottom."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import workbench as wb
from workbench.tasks import TASKS

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
SECONDS_A_CELL = 600

# In a process of its own: what the kernel's client warns of is not ours to answer for.
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

source, folder, target, seconds = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
resources = {"metadata": {"path": folder}}
client = NotebookClient(notebook, timeout=int(seconds), kernel_name="python3", resources=resources)
client.execute()
nbformat.write(notebook, target)
"""


def read_notebook(path: Path) -> Any:
    """Return a notebook as it is stored."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def execute(path: Path, folder: Path) -> Any:
    """Run all cells in a folder, in a fresh kernel, and return the notebook with its outputs."""
    target = folder.parent / f"{path.stem} executed.ipynb"
    arguments = [path, folder, target, SECONDS_A_CELL]
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(folder.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return read_notebook(target)


def test_there_is_a_notebook_to_start_with() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["00_start_here.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_stored_without_output(path: Path) -> None:
    notebook = read_notebook(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    notebook = execute(path, folder)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    warned = [o.text for o in outputs if o.output_type == "stream" and "Warning" in o.text]
    assert warned == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert list(folder.iterdir()) == []  # it leaves nothing beside itself
    if path.stem == "00_start_here":
        check_figures(next(tmp_path.glob("workbench-*")) / "projects")


def check_figures(home: Path) -> None:
    """Assert that each of the four samples that a notebook trained on came out well."""
    summaries = wb.list_projects(home)
    assert {summary.task for summary in summaries} == set(TASKS)
    for summary in summaries:
        with wb.Project.open(summary.path) as project:
            report = project.runs[0].report(split="test")
            assert report[TASKS[summary.task].main_figure] > 0.9, str(report)
