"""Measure training and inspecting in a real JupyterLab: progress, labeling beside it, gallery.

    python benchmarks/inspect_runs.py [--images 100000]

Prints Markdown. Times of single events are given as median, 95th percentile and longest.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import workbench as wb
from workbench.store.predictions import write_predictions

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "browser"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from chromium import FLAGS, find_chromium
from finished import finish_run
from lab import Kernel, Lab, find_surface, open_notebook
from labeler import make_many, measure_stroke

STROKES = 12
MOVES = 20  # of the threshold
PART = 2000  # predictions in one transaction
TRAIN = """
import workbench as wb
project = wb.samples.create("tiles", "trained", progress=False)
panel = wb.TrainingPanel(project)
panel
"""
PAINT = """
large = wb.Project.create("painted", task="segmentation", classes=["crack"])
import numpy as np
large.add_images({"one.png": np.full((3000, 4000, 3), 90, np.uint8)}, progress=False)
labeler = wb.Labeler(large)
labeler
"""
MOVE = """async ([value]) => {
  const slider = document.querySelector('.workbench-report input[type="range"]');
  const origin = document.querySelector(".workbench-report > .workbench-quiet");
  const start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input"));
  const text = `Threshold: ${Number(value).toFixed(2)}.`;
  while (!origin.textContent.includes(text)) await new Promise((go) => setTimeout(go, 1));
  await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  return performance.now() - start;
}"""


def tell(times: Sequence[float]) -> str:
    """Return median, 95th percentile and longest of some milliseconds."""
    ordered = sorted(times)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return f"median {statistics.median(ordered):.0f}, p95 {p95:.0f}, longest {ordered[-1]:.0f} ms"


def print_training(page: Page, lab: Lab) -> None:
    """Print the time to the first progress, and how a labeler does while the run goes on."""
    open_notebook(page, lab.port, lab.write_notebook("train.ipynb", [TRAIN, PAINT]))
    root = page.locator(".workbench-training-panel")
    root.get_by_role("table").first.wait_for()
    find_surface(page)
    idle = [measure_stroke(page, 300 + 180 * n) for n in range(STROKES)]
    root.get_by_text("Advanced", exact=True).click()
    root.get_by_label("Epochs").fill("400")
    page.wait_for_timeout(1000)
    start = time.perf_counter()
    root.get_by_role("button", name="Train", exact=True).click()
    root.get_by_role("progressbar").first.wait_for()
    print(f"Click on Train to the bar: {time.perf_counter() - start:.2f} s;", end=" ")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.workbench-run-state')]"
        ".some((text) => /running/.test(text.textContent))"
    )
    print(f"to 'running': {time.perf_counter() - start:.2f} s;", end=" ")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.workbench-training-panel [role=progressbar]')]"
        ".some((bar) => parseFloat(bar.firstChild.style.width) > 0)",
        timeout=60_000,
    )
    print(f"to the first progress: {time.perf_counter() - start:.2f} s.")
    busy = [measure_stroke(page, 300 + 180 * n) for n in range(STROKES)]
    for name, found in (("idle", idle), ("while a run trains", busy)):
        ink = [value for stroke in found for value in stroke["times"]]
        print(f"Labeler, {name}: lifted to saved {tell([s['saved_ms'] for s in found])};", end=" ")
        print(f"move to pixel {tell(ink)}.")
    print_kernel(lab)


def print_kernel(lab: Lab) -> None:
    """Print how much of a core the kernel takes while its panel shows a run that trains."""
    kernel = Kernel(lab)
    seconds = kernel.read("__import__('psutil').Process().cpu_times().user")
    time.sleep(20)
    used = kernel.read("__import__('psutil').Process().cpu_times().user") - seconds
    print(f"Kernel while the panel shows the run: {100 * used / 20:.1f} % of a core.")
    kernel.read("[run.cancel() for run in project.runs]", timeout=90)
    kernel.close()


def predict_many(folder: Path) -> None:
    """Give all images of the project of many images a prediction, without a network."""
    with wb.Project.open(folder) as project:
        name = project.classes[0]
        run = finish_run(project, {})
        ids = project.images.ids()
        for start in range(0, len(ids), PART):
            said = [
                (i, wb.BoxPrediction((wb.ScoredBox(name, 5, 5, 60, 60, (i * 7919 % 997) / 997),)))
                for i in ids[start : start + PART]
            ]
            write_predictions(project.store, run.id, said)


def print_gallery(page: Page, lab: Lab, name: str, images: int) -> None:
    """Print how long a gallery takes to open, to be sorted, and to follow the threshold."""
    make_many(lab.root, images, name)
    predict_many(lab.root / name)
    opened = (
        f"import workbench as wb\nproject = wb.Project.open({name!r})\nrun = project.runs[0]\n"
        "import workbench.widgets.inspect.gallery"
    )
    open_notebook(page, lab.port, lab.write_notebook(f"{name}.ipynb", [opened]))
    page.wait_for_timeout(4000)
    page.evaluate(
        "() => { const [cell] = jupyterapp.shell.currentWidget.content.widgets;"
        " cell.model.sharedModel.setSource('gallery = wb.Gallery(run, split=\"all\")\\ngallery');"
        " jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    start = time.perf_counter()
    page.locator(".workbench-prediction[data-image]").first.wait_for(timeout=120_000)
    print(f"\n{images} images: the first tiles after {time.perf_counter() - start:.2f} s,", end=" ")
    page.locator(".workbench-report-headline", has_text="Of 100").wait_for(timeout=600_000)
    print(f"report and order after {time.perf_counter() - start:.1f} s.")
    page.evaluate(MOVE, ["0.5"])
    values = [f"{0.2 + 0.6 * n / MOVES:.2f}" for n in range(MOVES)]
    print(f"Threshold to report and tiles: {tell([page.evaluate(MOVE, [v]) for v in values])}.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000, help="0: no large project")
    parser.add_argument("--skip-training", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1800})
        if not options.skip_training:
            print_training(page, lab)
        print_gallery(page, lab, "thousand", 1000)
        if options.images:
            print_gallery(page, lab, "many", options.images)
        browser.close()
        lab.stop()


if __name__ == "__main__":
    main()
