"""Inspecting a run in a real JupyterLab: the report, its charts, the tiles, and back to a label."""

from collections.abc import Callable, Iterator

import pytest
from lab import Kernel, Lab, open_notebook, restart_kernel, run_all
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow

SETUP = """
import pathlib, sys
sys.path.insert(0, {tests!r})
import workbench as wb
from finished import make_project
folder = pathlib.Path({folder!r})
if not folder.exists():
    make_project(folder, {task!r})
project = wb.Project.open(folder)
run = project.runs["r1"]
"""
SHOWN = "gallery = wb.Gallery(run)\ngallery"


class Desk:
    """A notebook that shows the gallery of a small project, and its kernel."""

    def __init__(self, page: Page, lab: Lab, task: str, shown: str = SHOWN) -> None:
        self.page, self.lab = page, lab
        number = len(list(lab.root.iterdir()))
        tests = str(pytest.importorskip("finished").__file__).rsplit("/", 1)[0]
        code = SETUP.format(tests=tests, folder=f"inspected{number}", task=task)
        open_notebook(page, lab.port, lab.write_notebook(f"inspect{number}.ipynb", [code, shown]))
        self.root: Locator = page.locator(".workbench-gallery")
        self.kernel = Kernel(lab)

    def tile(self, name: str) -> Locator:
        """Return the tile of an image."""
        return self.root.locator(f'.workbench-prediction[data-image="{name}"]')

    def outcomes(self) -> list[tuple[str | None, str | None]]:
        """Return name and outcome of the tiles, in their order in the page."""
        tiles = self.root.locator(".workbench-prediction[data-image]").all()
        return [(t.get_attribute("data-image"), t.get_attribute("data-outcome")) for t in tiles]


@pytest.fixture
def desk_of(page: Page, lab: Lab) -> Iterator[Callable[..., Desk]]:
    """Make a desk of a task."""
    made: list[Desk] = []

    def make(task: str, shown: str = SHOWN) -> Desk:
        made.append(Desk(page, lab, task, shown))
        return made[-1]

    yield make
    for desk in made:
        desk.kernel.close()


def test_a_label_is_mended_where_the_error_shows(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("detection")
    tile = desk.tile("missed.png")
    expect(tile).to_have_attribute("data-outcome", "false-negative", timeout=30_000)
    assert desk.outcomes()[0][1] != "correct"  # the worst come first
    expect(desk.root.locator(".workbench-report-headline")).to_contain_text("Of 100 things")

    tile.click()
    expect(desk.root.locator(".workbench-surface")).to_have_attribute("data-image", "missed.png")
    desk.page.keyboard.press("e")  # correct the label
    labeler = desk.root.locator(".workbench-labeler")
    surface = labeler.locator(".workbench-surface")
    expect(surface).to_have_attribute("data-state", "ready", timeout=20_000)
    expect(surface).to_have_attribute("data-image", "missed.png")
    labeler.get_by_role("button", name="Nothing here").click()
    expect(surface).to_have_attribute("data-waiting", "0")
    desk.root.get_by_role("button", name="Back to the gallery").click()
    expect(labeler).to_have_count(0)
    expect(desk.root.locator(".workbench-detail-words")).to_contain_text("✓ correct")
    desk.root.get_by_role("button", name="Back to the tiles").click()
    expect(tile).to_have_attribute("data-outcome", "correct", timeout=20_000)
    assert desk.kernel.read("len(project.images['missed.png'].label.boxes)") == 0


def test_drafts_are_accepted_and_rejected_by_one_key(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("anomaly")
    expect(desk.tile("right.png")).to_be_visible(timeout=30_000)
    desk.root.get_by_label("Images", exact=True).first.select_option("unlabeled")
    tiles = desk.root.locator(".workbench-prediction")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_have_attribute("data-image", "unsure.png", timeout=20_000)  # sorted
    desk.tile("unsure.png").click()
    expect(desk.root.locator(".workbench-surface")).to_have_attribute("data-image", "unsure.png")
    desk.page.keyboard.press("x")  # reject, and go on to the next
    expect(desk.root.locator(".workbench-surface")).to_have_attribute("data-image", "new <b>.png")
    desk.page.keyboard.press("a")  # accept
    desk.page.wait_for_timeout(500)
    assert desk.kernel.read("project.images['new <b>.png'].label.verdict") == "abnormal"
    assert desk.kernel.read("project.images['unsure.png'].state") == "draft rejected"
    assert desk.kernel.read("project.images['unsure.png'].label is None")
    desk.page.keyboard.press("z")
    desk.page.keyboard.press("Escape")
    desk.root.get_by_role("button", name="Sort again").click()
    expect(desk.root.locator(".workbench-prediction")).to_have_count(1)
    assert desk.kernel.read("project.images['new <b>.png'].label is None")


def test_a_key_is_for_the_image_that_is_shown_also_after_sorting(
    desk_of: Callable[..., Desk],
) -> None:
    desk = desk_of("anomaly")
    expect(desk.tile("right.png")).to_be_visible(timeout=30_000)
    desk.root.get_by_label("Images", exact=True).first.select_option("unlabeled")
    tiles = desk.root.locator(".workbench-prediction")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_have_attribute("data-image", "unsure.png", timeout=20_000)
    desk.tile("unsure.png").click()
    surface = desk.root.locator(".workbench-surface")
    expect(surface).to_have_attribute("data-image", "unsure.png")
    desk.kernel.read("gallery.choose(order='added')")  # now it is the second
    assert desk.kernel.read("gallery.names") == ["new <b>.png", "unsure.png"]
    expect(desk.root.get_by_label("Order", exact=True)).to_have_value("added")
    desk.page.keyboard.press("x")
    expect(desk.root.locator(".workbench-detail-words")).to_contain_text("draft rejected")
    assert desk.kernel.read("project.images['unsure.png'].state") == "draft rejected"
    assert desk.kernel.read("project.images['new <b>.png'].state") != "draft rejected"
    desk.page.keyboard.press("ArrowLeft")
    expect(surface).to_have_attribute("data-image", "new <b>.png")


def test_the_threshold_moves_by_slider_and_by_the_chart(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("segmentation")
    tile = desk.tile("missed.png")
    expect(tile).to_have_attribute("data-outcome", "false-negative", timeout=30_000)
    slider = desk.root.get_by_role("slider", name="Threshold")
    slider.fill("0.3")
    expect(tile).to_have_attribute("data-outcome", "correct")
    box = desk.root.locator("canvas").nth(1).bounding_box()
    assert box
    from workbench.widgets.inspect.charts import FRAME

    x, y = FRAME.place(0.3, 0.5)
    end, _ = FRAME.place(0.85, 0.5)
    desk.page.mouse.move(box["x"] + x, box["y"] + y)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + end, box["y"] + y, steps=8)
    desk.page.mouse.up()
    expect(desk.tile("made up.png")).to_have_attribute("data-outcome", "correct", timeout=10_000)
    assert abs(desk.kernel.read("gallery.threshold") - 0.85) < 0.03
    assert desk.kernel.read("run.threshold") == 0.5
    desk.root.get_by_role("button", name="Save threshold").click()
    desk.page.wait_for_timeout(500)
    assert abs(desk.kernel.read("run.threshold") - 0.85) < 0.03


def test_a_cell_of_the_confusion_shows_its_images(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("classification")
    expect(desk.tile("right.png")).to_have_attribute("data-outcome", "correct", timeout=30_000)
    from workbench.widgets.inspect.charts import Grid

    grid = Grid(2, 2)
    box = desk.root.locator("canvas").nth(0).bounding_box()
    assert box
    width, height = grid.size
    x, y = grid.left + 1.5 * width, grid.top + 0.5 * height  # labeled nut, predicted bolt
    desk.page.mouse.click(box["x"] + x, box["y"] + y)
    expect(desk.root.locator(".workbench-prediction")).to_have_count(1)
    expect(desk.tile("missed.png")).to_be_visible()
    desk.root.get_by_role("button", name="Show all").click()
    expect(desk.root.locator(".workbench-prediction")).to_have_count(6)
    desk.root.get_by_text("Confusion as a table").click()
    desk.root.get_by_role("button", name="Labeled bolt, predicted nut: 1").click()
    expect(desk.root.locator(".workbench-prediction")).to_have_count(1)

    desk.kernel.close()
    restart_kernel(desk.page)
    run_all(desk.page)
    desk.kernel = Kernel(desk.lab)
    expect(desk.tile("missed.png")).to_have_attribute("data-outcome", "wrong-class", timeout=30_000)


def test_the_workbench_leads_from_tab_to_tab(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("detection", "whole = wb.Workbench('.')\nwhole.picker.choose(folder)\nwhole")
    root = desk.page.locator(".workbench-workbench")
    root.get_by_role("tab", name="Images", exact=True).click()
    root.locator('.workbench-image[data-image="right.png"]').dblclick()
    expect(root.locator(".workbench-labeler .workbench-surface")).to_have_attribute(
        "data-image", "right.png", timeout=20_000
    )
    root.get_by_role("tab", name="Train", exact=True).click()
    root.get_by_role("button", name="Inspect this run").click()
    tile = root.locator('.workbench-gallery [data-image="missed.png"]')
    expect(tile).to_have_attribute("data-outcome", "false-negative", timeout=30_000)
    root.get_by_role("tab", name="Export", exact=True).click()
    root.get_by_label("Folder for the model").fill("exported-model")
    root.get_by_role("button", name="Export model").click()
    expect(root.locator(".workbench-export")).to_contain_text("The model is in", timeout=20_000)
