"""Finding, making and filling projects with a real mouse in a real JupyterLab."""

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from lab import Kernel, Lab, open_notebook, restart_kernel, run_all
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow

ODD_NAME = '<img src=x onerror="document.title=1"> \'" 🙂 שלום'
ROOT = ".workbench-project-picker"
DROP = """([css, files]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const zone = document.querySelector(css);
  for (const kind of ["dragover", "drop"]) {
    zone.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true }));
  }
}"""


def png(value: int) -> bytes:
    """The bytes of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


class Desk:
    """A notebook that shows the picker of an empty home, and its kernel."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.home = f"home{len(list(lab.root.iterdir()))}"
        code = f"import workbench as wb\npicker = wb.ProjectPicker({self.home!r})\npicker"
        open_notebook(page, lab.port, lab.write_notebook(f"{self.home}.ipynb", [code]))
        self.root: Locator = page.locator(ROOT)
        self.root.wait_for()
        self.kernel = Kernel(lab)

    def click(self, name: str) -> None:
        """Click a button of the picker by its name."""
        self.root.get_by_role("button", name=name, exact=True).first.click()

    def wait_for_project(self, name: str) -> None:
        """Wait until the page of a project is shown."""
        chosen = self.root.get_by_role("region", name="Chosen project")
        expect(chosen.get_by_role("heading")).to_have_text(name, timeout=60_000)


@pytest.fixture
def desk(page: Page, lab: Lab) -> Iterator[Desk]:
    """A picker in JupyterLab."""
    desk = Desk(page, lab)
    yield desk
    desk.kernel.close()


def test_the_guide_leads_to_a_type_and_its_sample(desk: Desk) -> None:
    desk.click("Make the first project")
    desk.click("Help me choose")
    desk.click("No: mostly good parts, few or no defects")
    tile = desk.root.get_by_role("radio", name="Anomaly detection")
    expect(tile).to_have_attribute("aria-checked", "true")
    expect(desk.root.get_by_label("Classes")).to_be_hidden()
    desk.click("Start from the sample")
    expect(desk.root.get_by_role("progressbar")).to_be_visible()
    desk.wait_for_project("fabric")
    assert desk.kernel.read("(picker.project.task, len(picker.project.images))") == ("anomaly", 84)


def test_a_project_is_made_filled_renamed_and_brought_back(desk: Desk) -> None:
    desk.click("New project")
    desk.root.get_by_role("radio", name="Classification").click()
    desk.root.get_by_label("Name", exact=True).fill(ODD_NAME)
    desk.root.get_by_label("Classes").fill("<b>good</b>, bad")
    desk.click("Create project")
    desk.wait_for_project(ODD_NAME)
    expect(desk.root.locator(".workbench-chip").first).to_have_text("<b>good</b>")

    files = [("a.png", png(1)), ("b.png", b"broken"), ("c'\" <i>.png", png(3))]
    sent = [[name, base64.b64encode(data).decode()] for name, data in files]
    desk.page.evaluate(DROP, [f"{ROOT} .workbench-drop", sent])
    expect(desk.root.get_by_role("status")).to_contain_text("2 added, 1 rejected", timeout=20_000)
    expect(desk.root.get_by_role("status")).to_contain_text("b.png")
    assert desk.kernel.read("[image.name for image in picker.project.images]") == [
        "a.png",
        "c'\" <i>.png",
    ]

    desk.click("All projects")
    card = desk.root.get_by_role("article")
    card.get_by_role("button", name="Rename").click()
    card.get_by_label("New name").fill("Lids")
    card.get_by_role("button", name="OK").first.click()
    expect(card.get_by_role("heading")).to_have_text("Lids")
    card.get_by_role("button", name="Delete Lids").click()
    card.get_by_role("button", name="Move to the trash").click()
    expect(card).to_have_count(0)
    assert desk.kernel.read("picker.project") is None
    desk.click("Deleted projects")
    desk.root.get_by_role("button", name="Restore Lids").click()
    desk.click("All projects")
    card.get_by_role("button", name="Open Lids").click()
    desk.wait_for_project("Lids")
    assert desk.kernel.read("len(picker.project.images)") == 2
    assert desk.page.title() != "1"


def test_a_restarted_kernel_shows_the_projects_again_and_keys_stay_in_the_fields(
    desk: Desk,
) -> None:
    desk.click("New project")
    desk.root.get_by_role("radio", name="Object detection").click()
    desk.root.get_by_label("Name", exact=True).press_sequentially("abd dd")
    desk.root.get_by_label("Name", exact=True).press("Enter")
    desk.wait_for_project("abd dd")
    assert desk.page.locator(".jp-Notebook .jp-CodeCell").count() == 1
    desk.click("All projects")
    desk.root.get_by_role("button", name="Rename abd dd").focus()
    desk.page.keyboard.press("b")  # JupyterLab would insert a cell
    assert desk.page.locator(".jp-Notebook .jp-CodeCell").count() == 1
    restart_kernel(desk.page)
    run_all(desk.page)
    expect(desk.root.get_by_role("article", name="abd dd")).to_be_visible(timeout=30_000)
