"""What every test may ask for: the repository's folder, and the photos that lie beside it."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test is timed: a busy machine is no fault of the code.
settings.register_profile("workbench", deadline=None)
settings.load_profile("workbench")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the repository that holds its contract and photos, none of them committed.

    Without it a test is skipped on a person's machine, and fails in CI.
    """
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        absent(f"{folder} is missing: it is handed out beside the repository, not in it.")
    return folder


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """The folder of real inspection photos, one folder for each set."""
    folder = shared / "data"
    if not folder.is_dir():
        absent(f"{folder} is missing: the real photos are handed out beside the repository.")
    return folder


def absent(reason: str) -> None:
    """Skip the test that needs what is absent; in CI, where nothing may be absent, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
