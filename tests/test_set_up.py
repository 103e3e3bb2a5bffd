"""What `make lab` and `make test` say when the machine lacks something, and what they install."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the set-up script is POSIX sh")


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """A fresh clone, as far as the set-up script reads it."""
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    for name in ("tools/set_up.sh", "pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(repository / name, folder / name)
    return folder


def write_command(path: Path, script: str) -> str:
    """Write an executable shell script and return its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def set_up(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up script as a person with an almost empty environment would."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(clone), "PYTHON": sys.executable}
    return subprocess.run(
        ["sh", str(clone / "tools/set_up.sh"), "lab"],
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )


def test_an_old_python_is_named(clone: Path, tmp_path: Path) -> None:
    old = write_command(tmp_path / "bin/python3", "echo 3.9")
    done = set_up(clone, PYTHON=old)
    assert done.returncode == 1
    assert f"Python 3.11 or newer is needed, but {old} is Python 3.9." in done.stderr
    assert re.search(r"PYTHON=python3\S* make lab", done.stderr)
    assert not (clone / ".venv").exists()


def test_a_missing_python_is_named(clone: Path) -> None:
    done = set_up(clone, PYTHON="python-of-nobody")
    assert done.returncode == 1
    assert "there is no python-of-nobody here" in done.stderr


def test_a_missing_venv_module_is_named(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError('taken out, as Debian does')")
    done = set_up(clone, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "has no venv module" in done.stderr
    assert f"python3.{sys.version_info.minor}-venv" in done.stderr


def test_a_full_disk_is_named_before_anything_is_made(clone: Path, tmp_path: Path) -> None:
    write_command(tmp_path / "bin/df", "echo Filesystem; echo /dev/disk 9 9 204800 9% /")
    done = set_up(clone, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "about 10000 MB, and 200 MB are free" in done.stderr or sys.platform != "linux"
    assert "Not enough disk space" in done.stderr
    assert not (clone / ".venv").exists()


def test_two_installs_at_once_are_refused(clone: Path) -> None:
    (clone / ".venv").mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        (clone / ".venv/installing").write_text(str(other.pid))
        done = set_up(clone)
        other.kill()
    assert done.returncode == 1
    assert f"process {other.pid}" in done.stderr


@pytest.mark.slow
def test_without_an_index_the_reason_is_plain_and_nothing_counts_as_installed(clone: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    done = set_up(clone, PIP_CONFIG_FILE="/dev/null", NEED_MB="1", **nowhere)
    assert done.returncode == 1
    assert "pip could not fetch the packages" in done.stderr
    assert not list((clone / ".venv").glob("ready-*"))
    assert not (clone / ".venv/installing").exists()


def test_every_dependency_is_pinned_at_a_version_it_allows(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    lines = (repository / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    for requirement in map(Requirement, named):
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_every_dependency_has_its_reason_in_the_changelog(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (repository / "CHANGELOG.md").read_text("utf-8")
    named = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    missing = [
        name for name in (Requirement(text).name for text in named) if f"`{name}`" not in changelog
    ]
    assert missing == []


def test_help_names_the_commands(repository: Path) -> None:
    done = subprocess.run(["make", "help"], cwd=repository, capture_output=True, text=True)
    assert {"make lab", "make test", "make check"} <= set(
        re.findall(r"^make \w+", done.stdout, re.M)
    )
