"""Measure the store on a project of many images: opening, paging, searching, saving labels.

    python benchmarks/store.py [--images 100000] [--folder FOLDER]

The rows are made straight in the database, without picture files, since none of these calls reads
them. The project is kept in --folder, or made in a temporary folder and removed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from workbench.store import schema
from workbench.store.database import Store, create_store, open_store, writing
from workbench.store.labels import read_label, write_label
from workbench.store.search import Filter, count_images, read_after, read_page
from workbench.store.snapshots import create_snapshot, read_snapshot
from workbench.store.splits import split_images
from workbench.tasks.detection import Box, BoxLabel
from workbench.tasks.segmentation import MaskLabel

CLASSES = ["crack", "chip", "stain"]
CHUNK = 10_000
SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}


def make_project(folder: Path, images: int, task: str) -> Store:
    """Create a project in which half of the images are labeled, and one in 500 holds a stain."""
    store = create_store(folder, task, CLASSES)
    for start in range(0, images, CHUNK):
        numbers = range(start + 1, min(start + CHUNK, images) + 1)
        with writing(store) as connection:
            connection.execute(sa.insert(schema.images), [image_row(n) for n in numbers])
            labeled = [n for n in numbers if n % 2]
            connection.execute(
                sa.insert(schema.label_revisions), [revision_row(n) for n in labeled]
            )
            items = [item for n in labeled for item in item_rows(n)]
            connection.execute(sa.insert(schema.label_items), items)
    return store


def image_row(n: int) -> dict[str, object]:
    """Return the row of image n."""
    name = f"line {n % 7}/shift {n % 3}/cam{n % 11}_{n:06d}.png"
    state = "labeled" if n % 2 else "unlabeled"
    return {
        "id": n,
        "name": name,
        "sha256": f"{n:064x}",
        "suffix": ".png",
        "width": 640,
        "height": 480,
        "split": (None, "train", "train", "train", "train", "dev", "test")[n % 7],
        "is_labeled": bool(n % 2),
        "label_state": state,
        "mark": "needs review" if n % 1000 == 0 else None,
        "state": "needs review" if n % 1000 == 0 else state,
        "revision_id": n if n % 2 else None,
        "added": schema.now(),
        "search_text": f"{name}\nline {n % 7}\n{n}",
        "metadata": {"line": f"line {n % 7}", "part": n},
    }


def revision_row(n: int) -> dict[str, object]:
    """Return the row of the label of image n."""
    boxes = [[class_id, 10.0, 10.0, 50.0, 40.0] for class_id in class_ids(n)]
    return {
        "id": n,
        "image_id": n,
        "record": {"boxes": boxes},
        "counts": {str(class_id): 1 for class_id in class_ids(n)},
        "created": schema.now(),
    }


def item_rows(n: int) -> list[dict[str, int]]:
    """Return what the label of image n holds."""
    return [{"image_id": n, "class_id": class_id, "count": 1} for class_id in class_ids(n)]


def class_ids(n: int) -> list[int]:
    """Return the classes of image n."""
    return [1, *([2] if n % 5 == 0 else []), *([3] if n % 501 == 0 else [])]


def measure(title: str, call: Callable[[], object], repeats: int = 20) -> None:
    """Print the median and the longest time of a call, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    print(f"| {title} | {statistics.median(times):.1f} | {max(times):.1f} |", flush=True)


def measure_pages(store: Store, images: int) -> None:
    """Print how long pages of 50 take, near the start and deep inside, with each filter."""
    filters = {
        "no filter": (),
        "split": (Filter(split="test"),),
        "without a split": (Filter(split=None),),
        "labeled": (Filter(labeled=True),),
        "unlabeled": (Filter(labeled=False),),
        "common class": (Filter(class_name="crack"),),
        "rare class": (Filter(class_name="stain"),),
        "common text": (Filter(text="CAM3"),),
        "rare text": (Filter(text="099998.png"),),
        "no such text": (Filter(text="nowhere"),),
        "state": (Filter(state="needs review"),),
        "split and class": (Filter(split="test", class_name="chip"),),
        "split, labeled, text": (Filter(split="dev", labeled=True, text="cam3_"),),
    }
    for title, wanted in filters.items():
        found = count_images(store, wanted)
        start = max(0, found - 50)
        measure(f"count, {title} ({found})", lambda w=wanted: count_images(store, w))
        measure(f"first page, {title}", lambda w=wanted: read_page(store, w))
        measure(f"last page, {title}", lambda w=wanted, s=start: read_page(store, w, s))
    measure("page after an id, labeled", lambda: read_after(store, filters["labeled"], images // 2))


def measure_labels(store: Store, images: int, task: str) -> None:
    """Print how long it takes to save and to read one label, durably."""
    generator = np.random.default_rng(0)

    def make_label() -> object:
        """Return a label that is not there yet."""
        x, y = (float(value) for value in generator.integers(0, 400, 2))
        if task == "detection":
            return BoxLabel([Box("crack", x, y, x + 20, y + 30), Box("chip", 1, 2, 30, 40)])
        mask = np.zeros((480, 640), np.uint8)
        mask[int(y) : int(y) + 40, int(x) : int(x) + 40] = 1
        return MaskLabel(mask)

    def save() -> None:
        """Label an image anywhere in the project."""
        write_label(store, int(generator.integers(1, images + 1)), make_label())

    measure(f"save a label, {task}", save, 300)
    if task == "detection":
        measure("read a label", lambda: read_label(store, int(generator.integers(1, images))), 300)


def main() -> None:
    """Make the project, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for task in ("detection", "segmentation"):
            print(f"\n{task}, {arguments.images} images\n")
            print("| what | median ms | longest ms |\n|---|---|---|")
            store = make_project(folder / task, arguments.images, task)
            store.close()
            measure("open and count", lambda t=task: count_images(open_store(folder / t)), 5)
            if task == "detection":
                measure_pages(store, arguments.images)
            measure_labels(store, arguments.images, task)
            if task == "detection":
                measure("snapshot", lambda s=store: create_snapshot(s, "now"), 3)
                measure("read the snapshot", lambda s=store: read_snapshot(s, 1), 3)
                measure("split", lambda s=store: split_images(s, SHARES, reassign=True), 3)
            store.close()


if __name__ == "__main__":
    main()
