"""JupyterLab and a browser for the tests of this folder."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import SHOWN, Bench
from chromium import FLAGS, find_chromium, install_chromium
from lab import Lab
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless; installed if that is possible. Without one: skip, in CI fail."""
    said = "" if find_chromium() else install_chromium()
    path = find_chromium()
    if path is None:
        reason = f"No Chromium for the browser tests: {said}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"{reason}. Install one, or name it in WORKBENCH_CHROMIUM.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server of its own."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1400 x 1100; an error that the page throws fails the test."""
    page = browser.new_page(viewport={"width": 1400, "height": 1100})
    yield from watch(page)


@pytest.fixture
def sharp_page(browser: Browser) -> Iterator[Page]:
    """The same on a screen with two pixels for each CSS pixel, which can be touched."""
    viewport = {"width": 1400, "height": 1100}
    page = browser.new_page(viewport=viewport, device_scale_factor=2, has_touch=True)
    yield from watch(page)


def watch(page: Page) -> Iterator[Page]:
    """Give a page, close it, and assert that nothing was thrown in it."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not [error for error in errors if "ResizeObserver" not in error]


@pytest.fixture
def bench_of(page: Page, lab: Lab) -> Iterator[Callable[..., Bench]]:
    """Make a bench of a task."""
    made: list[Bench] = []

    def make(task: str, cells: tuple[str, ...] = (SHOWN,), port: int | None = None) -> Bench:
        made.append(Bench(page, lab, task, cells, port))
        return made[-1]

    yield make
    for bench in made:
        bench.kernel.close()
