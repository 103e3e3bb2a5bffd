"""Training from a cell of a real JupyterLab: start, watch, cancel, and find the run again."""

from collections.abc import Iterator

import pytest
from lab import Kernel, Lab, open_notebook, restart_kernel, run_all
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow

SETUP = """
import pathlib
import workbench as wb
folder = pathlib.Path({home!r})
if not folder.exists():
    wb.samples.create("bolts", folder, count=24, progress=False)
project = wb.Project.open(folder / "bolts")
panel = wb.TrainingPanel(project)
panel
"""
ROUNDS = "600"  # more than a test waits for


class Desk:
    """A notebook that shows the training panel of a small sample, and its kernel."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        home = f"training{len(list(lab.root.iterdir()))}"
        open_notebook(
            page, lab.port, lab.write_notebook(f"{home}.ipynb", [SETUP.format(home=home)])
        )
        self.root: Locator = page.locator(".workbench-training-panel")
        self.state = self.root.locator(".workbench-run-state")
        self.root.get_by_role("table").wait_for()
        self.kernel = Kernel(lab)

    def click(self, name: str) -> None:
        """Click a button of the panel by its name."""
        self.root.get_by_role("button", name=name, exact=True).click()

    def start(self) -> None:
        """Start a run that goes on until it is cancelled."""
        self.root.get_by_text("Advanced", exact=True).click()
        for field, value in (("Epochs", ROUNDS), ("Input size, pixels", "64")):
            self.root.get_by_label(field).fill(value)
        self.root.get_by_label("Name of the run").fill("mine <b>")
        self.click("Train")


@pytest.fixture
def desk(page: Page, lab: Lab) -> Iterator[Desk]:
    """A training panel in JupyterLab; what it started is cancelled in the end."""
    desk = Desk(page, lab)
    yield desk
    desk.kernel.read("[run.cancel() for run in project.runs]", timeout=90)
    desk.kernel.close()


def test_a_run_is_started_found_again_after_a_restart_and_cancelled(desk: Desk) -> None:
    expect(desk.root).to_contain_text("No run yet.")
    assert desk.kernel.read("len(project.runs)") == 0  # nothing starts by itself
    desk.start()
    expect(desk.state).to_contain_text("%", timeout=20_000)
    expect(desk.root.locator("svg").first).to_be_visible(timeout=60_000)
    expect(desk.root.get_by_role("heading", name="mine <b>")).to_be_visible()

    desk.kernel.close()
    restart_kernel(desk.page)
    run_all(desk.page)
    desk.kernel = Kernel(desk.lab)
    expect(desk.state).to_contain_text("running", timeout=30_000)
    expect(desk.root.locator("svg").first).to_be_visible()
    assert desk.kernel.read("panel.run.status") == "running"

    desk.click("Cancel")
    expect(desk.state).to_contain_text("cancelled", timeout=60_000)
    expect(desk.root.get_by_role("button", name="Resume")).to_be_visible()
    assert desk.kernel.read("panel.run.model().classes") is not None
