"""Hands, screens and networks that are not a mouse on a desk: touch, pen, sharp screens, a cut."""

from typing import Any

import pytest
from bench import MASK, ODD_NAME, SHOWN, SIZE, Bench, read_boxes
from lab import (
    DelayProxy,
    Lab,
    drag,
    find_surface,
    locate,
    read_shown_mask,
    wait_until_saved,
)
from playwright.sync_api import CDPSession, Locator, Page, expect

from workbench.tasks import TASKS

pytestmark = pytest.mark.slow

UNNAMED = """() => [...document.querySelectorAll(
  ".workbench-labeler button, .workbench-labeler input, .workbench-labeler select")]
  .filter((part) => !(part.ariaLabel || part.textContent.trim() || part.labels?.length))
  .map((part) => part.outerHTML)"""


def view_of(surface: Locator) -> tuple[float, float, float]:
    """Return the scale and the origin of the image on a surface."""
    scale, left, top = (surface.get_attribute(f"data-{name}") for name in ("scale", "left", "top"))
    return float(scale or 0), float(left or 0), float(top or 0)


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    """Send one touch event."""
    fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_one_finger_paints_and_two_zoom(sharp_page: Page, lab: Lab) -> None:
    bench = Bench(sharp_page, lab, "segmentation")
    surface = find_surface(sharp_page)
    session = sharp_page.context.new_cdp_session(sharp_page)
    touch(session, "touchStart", locate(surface, 20, 20))
    for x in range(22, 61, 2):
        touch(session, "touchMove", locate(surface, x, 20))
    touch(session, "touchEnd")
    wait_until_saved(sharp_page)
    mask = bench.kernel.read(MASK)
    row = mask[20 * SIZE[1] : 21 * SIZE[1]]
    assert row[20:61] == "1" * 41
    assert mask == read_shown_mask(sharp_page, SIZE[1], SIZE[0])

    before, middle = view_of(surface), locate(surface, 48, 32)
    touch(session, "touchStart", (middle[0] - 40, middle[1]), (middle[0] + 40, middle[1]))
    for spread in range(44, 121, 4):
        left, right = middle[0] - spread, middle[0] + spread
        touch(session, "touchMove", (left, middle[1]), (right, middle[1]))
    touch(session, "touchEnd")
    assert view_of(surface)[0] == pytest.approx(3 * before[0], rel=0.05)
    assert locate(surface, 48, 32) == pytest.approx(middle, abs=2)
    assert bench.kernel.read(MASK) == mask  # two fingers paint nothing
    bench.kernel.close()


def test_a_sharp_screen_gets_sharp_pixels(sharp_page: Page, lab: Lab) -> None:
    bench = Bench(sharp_page, lab, "segmentation")
    surface = find_surface(sharp_page)
    ratio = "(canvas) => canvas.width / parseFloat(canvas.style.width)"
    for canvas in surface.locator("canvas").all():
        assert canvas.evaluate(ratio) == pytest.approx(2, rel=0.01)
    surface.focus()
    for _ in range(20):
        sharp_page.keyboard.press("[")
    for x, y in ((0.1, 0.1), (95.9, 63.9), (50.5, 30.5)):
        sharp_page.mouse.click(*locate(surface, x, y))
    wait_until_saved(sharp_page)
    painted = "[tuple(map(int, p)) for p in np.argwhere(project.images[0].label.mask)]"
    assert bench.kernel.read(painted) == [(0, 0), (30, 50), (63, 95)]
    assert bench.kernel.read(MASK) == read_shown_mask(sharp_page, SIZE[1], SIZE[0])
    bench.kernel.close()


def test_a_pen_paints_too(bench_of: Any, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    session = page.context.new_cdp_session(page)

    def send(kind: str, x: float, y: float) -> None:
        at = dict(zip("xy", locate(surface, x, y)))
        held = {"button": "left", "buttons": 1, "pointerType": "pen", "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, **at, **held})

    send("mousePressed", 10, 50)
    for x in range(12, 41, 2):
        send("mouseMoved", x, 50)
    send("mouseReleased", 40, 50)
    wait_until_saved(page)
    row = bench.kernel.read(MASK)[50 * SIZE[1] :]
    assert row[10:41] == "1" * 31


def test_a_cut_network_keeps_the_ink_and_saves_it_later(
    bench_of: Any, page: Page, lab: Lab
) -> None:
    proxy = DelayProxy(lab.port)
    bench = bench_of("segmentation", port=proxy.port)
    surface = find_surface(page)
    drag(page, surface, [(10, 10), (40, 10)])
    wait_until_saved(page)
    proxy.is_cut = True
    page.wait_for_timeout(500)
    drag(page, surface, [(10, 30), (40, 30)])
    drag(page, surface, [(10, 50), (40, 50)])
    ink = read_shown_mask(page, SIZE[1], SIZE[0])
    page.wait_for_timeout(1500)
    assert surface.get_attribute("data-waiting") == "2"
    assert bench.kernel.read(MASK) != ink
    proxy.is_cut = False
    wait_until_saved(page)
    assert bench.kernel.read(MASK) == ink == read_shown_mask(page, SIZE[1], SIZE[0])


def test_zoom_goes_to_the_pointer_and_the_wheel_asks_first(bench_of: Any, page: Page) -> None:
    bench_of("detection", (SHOWN, *["1"] * 12))
    surface = find_surface(page)
    scale = view_of(surface)[0]
    x, y = locate(surface, 30, 20)
    there = (round(x), round(y))  # a wheel's event has no fractions of a pixel
    under = 30 + (there[0] - x) / scale, 20 + (there[1] - y) / scale
    page.mouse.move(*there)
    page.keyboard.down("Control")
    for _ in range(5):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_function(
        f"() => document.querySelector('.workbench-surface').dataset.scale > {1.5 * scale}"
    )
    assert locate(surface, *under) == pytest.approx(there, abs=1)
    zoomed = view_of(surface)[0]
    page.get_by_label("Wheel zooms").check()
    where = page.locator(".workbench-labeler").bounding_box()
    page.mouse.move(*locate(surface, 30, 20))
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(300)
    assert view_of(surface)[0] < zoomed
    assert page.locator(".workbench-labeler").bounding_box() == where


def test_a_stroke_ends_where_the_hand_lifts_outside(bench_of: Any, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    box = surface.bounding_box()
    assert box is not None
    page.mouse.move(*locate(surface, 20, 20))
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 60, box["y"] + 10)
    page.mouse.up()
    page.mouse.move(*locate(surface, 20, 60))  # no button is held: this paints nothing
    wait_until_saved(page)
    mask = bench.kernel.read(MASK)
    assert mask[20 * SIZE[1] + 20] == "1"
    assert mask[60 * SIZE[1] + 20] == "0"


def test_two_labelers_of_one_project_follow_each_other(bench_of: Any, page: Page) -> None:
    bench = bench_of("detection", (SHOWN, "other = wb.Labeler(project)\nother"))
    drag(page, find_surface(page, 0), [(10, 10), (40, 30)])
    wait_until_saved(page)
    lists = page.locator(".workbench-box-list")
    expect(lists.nth(1).locator("li")).to_have_count(1)
    drag(page, find_surface(page, 1), [(60, 40), (80, 60)])
    expect(lists.nth(0).locator("li")).to_have_count(2)
    wait_until_saved(page, 1)
    assert len(read_boxes(bench)) == 2


def test_names_are_text_wherever_they_stand(bench_of: Any, page: Page) -> None:
    bench_of("detection")
    find_surface(page)
    page.get_by_role("button", name="Next image").click()
    expect(page.locator(".workbench-image-name")).to_have_attribute("title", ODD_NAME)
    expect(page.locator(".workbench-strip .workbench-tile-name").nth(1)).to_contain_text("<img")
    names = page.locator(".workbench-class-name")
    expect(names.nth(1)).to_have_text("chip <b>")
    drag(page, find_surface(page), [(10, 10), (40, 30)])
    wait_until_saved(page)
    page.keyboard.press("2")
    expect(page.locator(".workbench-box-list li")).to_contain_text("chip <b>")
    page.get_by_role("button", name="Show code").click()
    expect(page.get_by_label("Code", exact=True).last).to_contain_text("onerror")
    assert page.title() != "owned"


OTHERS = """
others = {}
for task in ("classification", "detection", "segmentation", "anomaly"):
    made = wb.samples.create(task, f"{project.path}-others", count=14, progress=False)
    others[task] = wb.Labeler(made)
"""


def test_every_control_has_a_name_and_escape_lets_go(bench_of: Any, page: Page) -> None:
    shown = [f"others[{task!r}]" for task in TASKS]
    bench_of("detection", (OTHERS, *shown))
    expect(page.locator(".workbench-labeler")).to_have_count(4, timeout=30_000)
    page.get_by_role("button", name="Single image").first.click()
    assert page.evaluate(UNNAMED) == []
    for number in range(4):
        surface = find_surface(page, number)
        surface.focus()
        page.keyboard.press("Escape")
        expect(surface).not_to_be_focused()


def test_unlabel_takes_the_label_away(bench_of: Any, page: Page) -> None:
    bench = bench_of("segmentation")
    surface = find_surface(page)
    drag(page, surface, [(10, 10), (40, 30)])
    page.keyboard.press("Control+Delete")
    wait_until_saved(page)
    assert bench.kernel.read("project.images[0].label") is None
    assert "1" not in read_shown_mask(page, SIZE[1], SIZE[0])
    page.keyboard.press("Control+z")
    wait_until_saved(page)
    assert "1" in bench.kernel.read(MASK)


def test_keys_work_after_a_click_on_a_tool(bench_of: Any, page: Page) -> None:
    bench_of("segmentation")
    surface = find_surface(page)
    page.get_by_role("button", name="Eraser").click()
    expect(surface).to_be_focused()
    page.keyboard.press("2")
    chosen = page.locator(".workbench-class-name[aria-pressed=true]")
    expect(chosen).to_have_text("chip <b>")
    page.get_by_role("button", name="Lasso").focus()
    page.keyboard.press("Enter")  # who came by keyboard stays where they are
    expect(page.get_by_role("button", name="Lasso")).to_be_focused()
    expect(page.get_by_role("button", name="Lasso")).to_have_attribute("aria-pressed", "true")
