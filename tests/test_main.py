"""The command line, driven as a person does: in a process of its own, from another folder."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import workbench as wb
from workbench.__main__ import find_free, main

COMMAND = [sys.executable, "-m", "workbench"]


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m workbench` in a folder."""
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, text=True)


def test_version_is_the_package_version(tmp_path: Path) -> None:
    done = run_command(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"workbench {wb.__version__}\n")


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_names_the_demo(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run_command(tmp_path, *arguments)
    assert done.returncode == 0
    assert "demo" in done.stdout and wb.__doc__.splitlines()[0].partition(":")[0] in done.stdout


def test_help_of_the_demo_names_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--help"])
    shown = capsys.readouterr().out
    assert stopped.value.code == 0
    for name in ("classification", "detection", "segmentation", "anomaly", "all", "--seed"):
        assert name in shown


def test_an_unknown_task_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--task", "detecting"])
    assert stopped.value.code == 2
    assert "detecting" in capsys.readouterr().err


def test_an_earlier_demo_is_kept_and_a_free_folder_named(tmp_path: Path) -> None:
    (tmp_path / "demo" / "anomaly").mkdir(parents=True)
    (tmp_path / "demo-2").mkdir()
    done = run_command(tmp_path, "demo")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(r"demo.anomaly is there already.*--out demo-3\b", done.stderr)
    assert list((tmp_path / "demo").iterdir()) == [tmp_path / "demo" / "anomaly"]


def test_a_project_of_an_earlier_demo_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wb.Project.create(tmp_path / "projects" / "bolts", task="classification")
    assert main(["demo", "--out", str(tmp_path), "--task", "classification"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert len(wb.Project.open(tmp_path / "projects" / "bolts").images) == 0


@pytest.mark.parametrize("seed", ["-1", str(2**31)])
def test_a_seed_out_of_bounds_is_refused_before_anything_is_made(
    seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo"), "--seed", seed]) == 2
    assert f"--seed {seed}" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_a_file_in_the_place_of_the_folder_is_named(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    assert main(["demo", "--out", str(tmp_path / out)]) == 2
    error = capsys.readouterr().err
    assert "taken" in error and "--out" in error and error.count("\n") == 1
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_free_folder_lies_beside_the_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my demo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert find_free(folder) == find_free(Path()) == tmp_path / "my demo-2"


@pytest.mark.slow
def test_demo_takes_a_sample_to_a_model_that_runs(tmp_path: Path) -> None:
    done = run_command(tmp_path, "demo", "--task", "anomaly", "--out", "here", "--seed", "3")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = tmp_path / "here" / "anomaly"
    assert "Anomaly detection report" in done.stdout
    assert (folder / "report.txt").read_text(encoding="utf-8").strip() in done.stdout
    assert "Traceback" not in done.stderr
    for name in ("labels", "augmented", "history", "predictions", "report"):
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 200, name
    project = wb.Project.open(tmp_path / "here" / "projects" / "fabric")
    assert [run.status for run in project.runs] == ["finished"]
    assert project.runs[0].settings["seed"] == 3
    lines = done.stdout[done.stdout.rindex("import workbench") :]
    use = "\n".join(line.strip() for line in lines.splitlines())
    printed = subprocess.run(
        [sys.executable, "-c", use], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "AnomalyPrediction" in printed.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to one process")
def test_ctrl_c_cancels_the_run(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo", "--task", "detection"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A suite that a shell started in the background would pass on that it ignores SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        run = wait_for_run(tmp_path / "demo" / "projects" / "parts")
        os.kill(demo.pid, signal.SIGINT)
        _, error = demo.communicate(timeout=120)
    assert demo.returncode == 130
    assert "Traceback" not in error
    assert "Stopped." in error
    assert run.status == "cancelled"


def wait_for_run(path: Path, seconds: float = 120) -> wb.Run:
    """Return the project's run once it trains."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (path / "project.db").exists():
            runs = list(wb.Project.open(path).runs)
            if runs and runs[0].status == "running":
                return runs[0]
        time.sleep(0.5)
    raise AssertionError("no run has started")
