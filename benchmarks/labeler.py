"""Measure the labeler in a real JupyterLab: from hand to screen, from hand to disk, bytes, images.

    python benchmarks/labeler.py [--subshells disabled] [--kernel-path FOLDER] [--images 0]

--kernel-path: a folder with another ipykernel, made with `pip install --no-deps --target`. Prints
Markdown tables. Times of single events are given as median, 95th percentile and longest.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from workbench.store.files import image_path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "browser"))
sys.path.insert(0, str(Path(__file__).parent))
from chromium import FLAGS, find_chromium
from lab import (
    SURFACE,
    DelayProxy,
    Kernel,
    Lab,
    find_surface,
    locate,
    open_notebook,
    run_in_kernel,
    wait_until_saved,
)
from store import make_project as make_store

MOVES = 120
PAUSE_SECONDS = 0.016
LINKS = 50_000
BUSY = {
    "a cell sleeps 5 s": "import time; time.sleep(5)",
    "a cell computes 5 s": "import time\nend = time.time() + 5\nwhile time.time() < end: pass",
}
# Notes for each pointer move how long it took until the pixel under it was painted in a frame.
PROBE = """(css) => {
  const surface = document.querySelector(css);
  const canvas = surface.querySelector(".workbench-surface-mask");
  const context = canvas.getContext("2d");
  const probe = (window.probe = { done: [], waiting: [], isOn: true });
  const isPainted = ([, x, y]) => {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const at = [(x - box.left) * ratio, (y - box.top) * ratio].map(Math.floor);
    return context.getImageData(...at, 1, 1).data[3] > 127;
  };
  const onMove = (event) => {
    if (event.buttons) probe.waiting.push([event.timeStamp, event.clientX, event.clientY]);
  };
  surface.addEventListener("pointermove", onMove, true);
  const look = () => {
    while (probe.waiting.length && isPainted(probe.waiting[0])) {
      probe.done.push(performance.now() - probe.waiting.shift()[0]);
    }
    if (probe.isOn || probe.waiting.length) requestAnimationFrame(look);
    else surface.removeEventListener("pointermove", onMove, true);
  };
  requestAnimationFrame(look);
}"""
SETUP = """
import workbench as wb
project = wb.Project.open("large")
labeler = wb.Labeler(project)
"""


def make_project(folder: Path) -> None:
    """Make a project of eight JPEGs of 12 megapixels, inside a labeling project of one class."""
    import workbench as wb

    generator = np.random.default_rng(0)
    small = generator.integers(0, 255, (375, 500, 3), dtype=np.uint8)
    (folder / "photos").mkdir()
    for number in range(8):
        photo = Image.fromarray(np.roll(small, 40 * number, 1)).resize((4000, 3000))
        photo.save(folder / "photos" / f"{number}.jpg", quality=92)
    project = wb.Project.create(folder / "large", task="segmentation", classes=["crack"])
    project.add_images(folder / "photos", progress=False)


def draw(page: Page, row: float, count: int = MOVES) -> None:
    """Draw a line across the image, a move each 16 ms."""
    surface = page.locator(SURFACE)
    start, end = locate(surface, 300, row), locate(surface, 3700, row)
    page.mouse.move(*start)
    page.mouse.down()
    for i in range(1, count + 1):
        page.mouse.move(start[0] + (end[0] - start[0]) * i / count, start[1])
        time.sleep(PAUSE_SECONDS)
    page.mouse.up()


def measure_stroke(page: Page, row: float, busy: str = "") -> dict[str, Any]:
    """Return times in milliseconds from move to pixel, and from the lifted hand to the disk."""
    page.evaluate(PROBE, SURFACE)
    if busy:
        run_in_kernel(page, busy)
        time.sleep(0.3)
    draw(page, row)
    lifted = time.perf_counter()
    page.wait_for_function("() => !window.probe.waiting.length", timeout=20_000)
    wait_until_saved(page)
    saved = time.perf_counter() - lifted
    times = sorted(page.evaluate("() => { window.probe.isOn = false; return window.probe.done; }"))
    return {"times": times, "saved_ms": 1000 * saved}


def print_strokes(page: Page, proxy: DelayProxy) -> None:
    """Print the table of strokes."""
    print(f"\n{MOVES} moves of a 12 px brush on 4000 x 3000 pixels, one each 16 ms:\n")
    print("| scene | move to pixel, median ms | p95 | longest | lifted to saved ms |")
    print("|---|---|---|---|---|")
    scenes = [("local", 0.0, ""), ("100 ms each way", 0.1, "")]
    scenes += [(name, 0.0, code) for name, code in BUSY.items()]
    for number, (name, delay, busy) in enumerate(scenes):
        proxy.delay = delay
        found = measure_stroke(page, 400 + 500 * number, busy)
        proxy.delay = 0.0
        times = found["times"]
        p95 = times[int(0.95 * (len(times) - 1))]
        print(
            f"| {name} | {statistics.median(times):.1f} | {p95:.1f} | {times[-1]:.1f} "
            f"| {found['saved_ms']:.0f} |"
        )


def print_bytes(page: Page, sent: list[bytes]) -> None:
    """Print how much one stroke of 300 points sends to the kernel, message headers and all."""
    sent.clear()
    draw(page, 2600, 300)
    wait_until_saved(page)
    strokes = [len(frame) for frame in sent if b'"kind":"gesture"' in frame]
    total = sum(map(len, sent))
    print(f"\nA stroke of 300 moves sends {strokes} bytes; all websockets then sent {total}.")


def keep_frames(page: Page) -> list[bytes]:
    """Return a list that every frame is added to which the page sends on a websocket."""
    sent: list[bytes] = []

    def keep(frame: str | bytes) -> None:
        sent.append(frame.encode() if isinstance(frame, str) else frame)

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    return sent


def print_images(page: Page) -> None:
    """Print how long images of 12 megapixels take to show: others, and the next, prefetched one."""
    times = []
    tiles = page.locator(".workbench-strip .workbench-tile")
    for place in (3, 6):
        name = tiles.nth(place).get_attribute("data-image")
        times.append(measure_show(page, lambda place=place: tiles.nth(place).click(), name))
    print(f"\nAnother image of 12 megapixels: {', '.join(f'{t:.0f} ms' for t in times)}.")
    times = []
    page.get_by_role("button", name="Previous image").click()
    for _ in range(2):
        page.wait_for_timeout(2500)  # until the next one is prefetched
        button = page.get_by_role("button", name="Previous image")
        times.append(measure_show(page, button.click, None))
    print(f"The next one, prefetched: {', '.join(f'{t:.0f} ms' for t in times)}.")


def measure_show(page: Page, choose: Callable[[], None], name: str | None) -> float:
    """Return milliseconds from choosing an image (None: any other) until it is on the screen."""
    before = page.locator(SURFACE).get_attribute("data-image")
    start = time.perf_counter()
    choose()
    page.wait_for_function(
        "([css, name, before]) => { const { image, state } = document.querySelector(css).dataset;"
        " return state === 'ready' && (name ? image === name : image !== before); }",
        arg=[SURFACE, name, before],
    )
    return 1000 * (time.perf_counter() - start)


def make_many(folder: Path, images: int, name: str = "many") -> None:
    """Make a project of many images: rows as in benchmarks/store.py, each with a file of its own.

    The files are hard links to a few pictures: a file system allows some 65,000 to each.
    """
    store = make_store(folder / name, images, "detection")
    picture = Image.fromarray(np.full((480, 640, 3), 120, np.uint8))
    for number in range(1, images + 1):
        path = image_path(store.folder, f"{number:064x}", ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        one = folder / f"{name}{number // LINKS}.png"
        if not one.exists():
            picture.save(one)
        path.hardlink_to(one)
    store.close()


def print_many(page: Page, lab: Lab, images: int) -> None:
    """Print how long a project of many images takes to open in the labeler, and to scroll."""
    opened = "import workbench as wb\nproject = wb.Project.open('many')"
    open_notebook(page, lab.port, lab.write_notebook("many.ipynb", [opened]))
    page.wait_for_timeout(3000)
    run_in_kernel(page, "import workbench.widgets.labelers.labeler")  # the first labeler's imports
    page.wait_for_timeout(1500)
    page.evaluate(
        "() => { const [cell] = jupyterapp.shell.currentWidget.content.widgets;"
        " cell.model.sharedModel.setSource('labeler = wb.Labeler(project)\\nlabeler');"
        " jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    start = time.perf_counter()
    find_surface(page)
    shown = time.perf_counter() - start
    strip = page.locator(".workbench-strip")
    wait_for_tiles(page)
    print(f"\n{images} images: shown after {shown:.2f} s, the strip after", end=" ")
    print(f"{time.perf_counter() - start:.2f} s.")
    for share in (0.5, 0.99, 0.1):
        start = time.perf_counter()
        strip.evaluate("(strip, share) => { strip.scrollLeft = share * strip.scrollWidth; }", share)
        page.wait_for_timeout(30)
        wait_for_tiles(page)
        print(f"Scrolled to {share:.0%}: {1000 * (time.perf_counter() - start):.0f} ms.")
    start = time.perf_counter()
    page.get_by_role("searchbox").fill("cam3_099")
    page.wait_for_function(
        "() => /^[0-9]{2,3} of|^[0-9]{1,3} images/.test("
        "document.querySelector('.workbench-filters').innerText.split('\\n').pop())",
    )
    print(f"Searched: {1000 * (time.perf_counter() - start):.0f} ms.")


def wait_for_tiles(page: Page) -> None:
    """Wait until every tile in sight has its name."""
    page.wait_for_function(
        "() => { const tiles = [...document.querySelectorAll('.workbench-strip .workbench-tile')];"
        " return tiles.length > 3 && tiles.every((tile) => tile.dataset.image); }"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subshells", default="perCommTarget", help="or perComm, disabled")
    parser.add_argument("--kernel-path", default="", help="a folder with another ipykernel")
    parser.add_argument("--images", type=int, default=100_000, help="0: no large project")
    options = parser.parse_args()
    environment = {"PYTHONPATH": options.kernel_path} if options.kernel_path else None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder), options.subshells, environment)
        make_project(lab.root)
        proxy = DelayProxy(lab.port)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        sent = keep_frames(page)
        open_notebook(page, proxy.port, lab.write_notebook("bench.ipynb", [SETUP, "labeler"]))
        find_surface(page)
        kernel = Kernel(lab)
        version = kernel.read("__import__('ipykernel').__version__")
        print(f"ipykernel {version}, commsOverSubshells={options.subshells}")
        print_strokes(page, proxy)
        print_bytes(page, sent)
        print_images(page)
        if options.images:
            make_many(lab.root, options.images)
            print_many(page, lab, options.images)
        kernel.close()
        browser.close()
        lab.stop()


if __name__ == "__main__":
    main()
