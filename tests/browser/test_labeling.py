"""Labeling with a real mouse in a real JupyterLab."""

import pytest
from bench import MASK, ODD_NAME, SHOWN, SIZE, read_boxes
from lab import (
    drag,
    find_surface,
    locate,
    read_shown_mask,
    run_all,
    run_in_kernel,
    wait_for_kernel,
    wait_until_saved,
)
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


def test_a_box_is_drawn_moved_undone_and_redone(bench_of, page: Page) -> None:
    bench = bench_of("detection")
    surface = find_surface(page)
    drag(page, surface, [(10, 10), (30, 25), (40, 30)])
    wait_until_saved(page)
    assert read_boxes(bench) == [("crack", 10, 10, 40, 30)]
    drag(page, surface, [(25, 20), (30, 22), (35, 25)])  # inside the selected box: it moves
    page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    wait_until_saved(page)
    assert read_boxes(bench) == [("chip <b>", 21, 15, 51, 35)]
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Undo").click()
    wait_until_saved(page)
    assert read_boxes(bench) == [("crack", 20, 15, 50, 35)]
    page.get_by_role("button", name="Redo").click()
    wait_until_saved(page)
    assert read_boxes(bench) == [("crack", 21, 15, 51, 35)]
    drag(page, surface, [(80, 50), (90, 60), (140, 90)])  # released outside: clamped
    wait_until_saved(page)
    assert read_boxes(bench)[1] == ("chip <b>", 80, 50, 96, 64)


def test_ink_is_the_mask_on_disk_to_the_pixel(bench_of, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    run_in_kernel(page, "import time; time.sleep(4)")
    page.wait_for_timeout(300)
    drag(page, surface, [(2, 2), (40, 31), (95.8, 20), (95.8, 63.9), (50, 63.9)])
    page.get_by_role("button", name="Eraser").click()
    drag(page, surface, [(30, 20), (60, 40)])
    ink = read_shown_mask(page, SIZE[1], SIZE[0])
    assert "1" in ink
    wait_until_saved(page)
    assert bench.kernel.read(MASK) == ink == read_shown_mask(page, SIZE[1], SIZE[0])


def test_one_pixel_brush_paints_one_pixel_when_zoomed(bench_of, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    surface.focus()
    for _ in range(20):
        page.keyboard.press("[")
    page.mouse.move(*locate(surface, 50, 30))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -600)
    page.keyboard.up("Control")
    page.mouse.click(*locate(surface, 50.9, 30.1))
    wait_until_saved(page)
    painted = bench.kernel.read(
        "[tuple(map(int, p)) for p in np.argwhere(project.images[0].label.mask)]"
    )
    assert painted == [(30, 50)]


def test_a_busy_kernel_gets_every_stroke_later(bench_of, page: Page) -> None:
    bench = bench_of("detection")
    surface = find_surface(page)
    run_in_kernel(page, "import time\nend = time.time() + 4\nwhile time.time() < end: pass")
    page.wait_for_timeout(300)
    for top in (5, 25, 45):
        page.keyboard.press("Escape")
        drag(page, surface, [(5, top), (20, top + 5), (30, top + 10)])
    expect(page.get_by_role("listitem").filter(has_text="3. crack")).to_be_visible()
    wait_until_saved(page)
    assert [box[2] for box in read_boxes(bench)] == [5, 25, 45]


def test_a_restart_in_the_middle_loses_nothing(bench_of, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    drag(page, surface, [(10, 10), (20, 10)])
    wait_until_saved(page)
    page.mouse.move(*locate(surface, 30, 30))
    page.mouse.down()
    bench.restart()
    page.mouse.move(*locate(surface, 50, 30))
    page.mouse.up()
    drag(page, surface, [(60, 50), (70, 50)])
    expect(surface).to_have_attribute("data-state", "offline")
    ink = read_shown_mask(page, SIZE[1], SIZE[0])
    run_all(page)
    find_surface(page)
    wait_until_saved(page)
    assert bench.kernel.read(MASK) == ink == read_shown_mask(page, SIZE[1], SIZE[0])
    find_surface(page).focus()
    for _ in range(3):
        page.keyboard.press("Control+z")
    wait_until_saved(page)
    assert bench.kernel.read("project.images[0].label") is None


def test_a_reload_shows_the_same_image_and_label(bench_of, page: Page) -> None:
    bench = bench_of("segmentation")
    find_surface(page)
    page.get_by_role("button", name="Next image").click()
    expect(page.locator(".workbench-surface")).to_have_attribute("data-image", ODD_NAME)
    surface = find_surface(page)
    drag(page, surface, [(10, 10), (60, 40)])
    wait_until_saved(page)
    ink = read_shown_mask(page, SIZE[1], SIZE[0])
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    wait_for_kernel(page)
    surface = find_surface(page)
    expect(surface).to_have_attribute("data-image", ODD_NAME)
    page.wait_for_timeout(500)
    assert read_shown_mask(page, SIZE[1], SIZE[0]) == ink
    assert page.title() != "owned"
    del bench


def test_two_views_and_code_stay_in_step(bench_of, page: Page) -> None:
    bench = bench_of("detection", (SHOWN, "labeler"))
    drag(page, find_surface(page, 0), [(10, 10), (40, 30)])
    wait_until_saved(page)
    run_in_kernel(
        page,
        "project.images[0].label = wb.BoxLabel([*project.images[0].label.boxes, "
        "wb.Box('chip <b>', 50, 5, 60, 15)])",
    )
    for view in (0, 1):
        boxes = page.locator(".workbench-labeler").nth(view).locator(".workbench-box-list li")
        expect(boxes).to_have_count(2)
        expect(boxes.nth(1)).to_contain_text("chip <b>")
    drag(page, find_surface(page, 1), [(70, 40), (90, 60)])
    expect(
        page.locator(".workbench-labeler").nth(0).locator(".workbench-box-list li")
    ).to_have_count(3)
    wait_until_saved(page)
    assert len(read_boxes(bench)) == 3


def test_jupyter_keeps_its_keys_and_its_page(bench_of, page: Page) -> None:
    bench = bench_of("detection", (SHOWN, *["1"] * 12))
    surface = find_surface(page)
    surface.focus()
    count = "() => jupyterapp.shell.currentWidget.content.widgets.length"
    cells = page.evaluate(count)
    for key in ("a", "b", "d", "d", "x", "z", "m", "y"):
        page.keyboard.press(key)
    assert page.evaluate(count) == cells
    scale = surface.get_attribute("data-scale")
    where = page.locator(".workbench-labeler").bounding_box()
    page.mouse.move(*locate(surface, 20, 20))
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(300)
    moved = page.locator(".workbench-labeler").bounding_box()
    assert where is not None and moved is not None and moved["y"] < where["y"]
    assert surface.get_attribute("data-scale") == scale
    assert bench.kernel.read("project.images[0].label") is None


def test_classes_by_key_in_the_grid(bench_of, page: Page) -> None:
    bench = bench_of("classification")
    tiles = page.locator(".workbench-grid .workbench-tile")
    expect(tiles).to_have_count(3)
    tiles.nth(0).click()
    tiles.nth(1).click(modifiers=["Shift"])
    page.keyboard.press("2")
    expect(tiles.nth(1)).to_contain_text("chip <b>")
    page.keyboard.press("1")  # on to the next image without a label
    expect(page.locator(".workbench-saved")).to_have_text("Saved")
    names = "[image.label and image.label.class_name for image in project.images]"
    assert bench.kernel.read(names) == ["chip <b>", "chip <b>", "crack"]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(tiles.nth(0)).not_to_contain_text("chip <b>")
    assert bench.kernel.read(names) == [None, None, None]


def test_verdict_by_key(bench_of, page: Page) -> None:
    bench = bench_of("anomaly")
    surface = find_surface(page)
    surface.focus()
    page.keyboard.press("1")
    page.keyboard.press("d")
    expect(surface).to_have_attribute("data-image", ODD_NAME)
    page.keyboard.press("2")
    wait_until_saved(page)
    verdicts = "[image.label and image.label.verdict for image in project.images]"
    assert bench.kernel.read(verdicts) == ["normal", "abnormal", None]
