"""The notebook about labeling, run in a real JupyterLab."""

import shutil
from pathlib import Path

import pytest
from lab import Lab, open_notebook
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

# Parts of a labeler that are filled by what Python answers, maybe while the cell is out of sight.
FILLED = (".workbench-image-name", ".workbench-zoom", ".workbench-class-name")


def test_the_notebook_shows_its_widgets(page: Page, lab: Lab, repository: Path) -> None:
    shutil.copy(repository / "notebooks" / "01_label.ipynb", lab.root)
    open_notebook(page, lab.port, "01_label.ipynb")
    count = page.locator(".jp-CodeCell").count()
    last = page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    expect(last).to_have_text(f"[{count}]:", timeout=120_000)
    assert page.locator(".jp-OutputArea-output[data-mime-type*=stderr]").count() == 0
    expect(page.locator(".workbench-project-picker")).to_have_count(1)
    labelers = page.locator(".workbench-labeler")
    expect(labelers).to_have_count(5)
    for labeler in labelers.all():
        labeler.scroll_into_view_if_needed()
        expect(labeler.locator(".workbench-tile").first).to_be_visible()
        page.wait_for_timeout(500)
        if labeler.locator(".workbench-surface").is_visible():
            widths = [
                labeler.locator(css).first.evaluate("(part) => part.offsetWidth") for css in FILLED
            ]
            assert min(widths) > 20, dict(zip(FILLED, widths))
