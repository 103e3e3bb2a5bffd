"""Promise 1: whenever a process is killed, what was acknowledged is on disk, and it all opens."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import ProjectNotFound
from workbench.store.database import create_store, open_store
from workbench.store.images import add_images, find_image_by_name, read_bytes
from workbench.store.labels import read_label, revisions
from workbench.store.search import count_images
from workbench.tasks.segmentation import MaskLabel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

KILLS = 30

# Labels image after image with the mask of a number, and says the number once the call is back.
LABELER = """
import sys
import numpy as np
from workbench.store.database import open_store
from workbench.store.labels import write_label
from workbench.tasks.segmentation import MaskLabel

store = open_store(sys.argv[1])
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    bits = [number >> i & 1 for i in range(32)]
    write_label(store, number % 5 + 1, MaskLabel(np.tile(np.uint8(bits), (24, 1))), str(number))
    print(number, flush=True)
"""

# Adds picture after picture, and says its name once the call is back.
IMPORTER = """
import io, sys
import numpy as np
from PIL import Image
from workbench.store.database import open_store
from workbench.store.images import NewImage, add_images

store = open_store(sys.argv[1])
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    data = f"picture {number}".encode() * 500
    add_images(store, [NewImage(f"{number}.png", data, ".png", (24, 32))])
    print(number, flush=True)
"""

CREATOR = """
import sys
from workbench.store.database import create_store

print("ready", flush=True)
create_store(sys.argv[1], "segmentation", ["crack"]).close()
print(1, flush=True)
"""


def mask_of(number: int) -> MaskLabel:
    """The label that LABELER writes for a number."""
    return MaskLabel(np.tile(np.uint8([number >> i & 1 for i in range(32)]), (24, 1)))


def run_and_kill(code: str, arguments: list[str], seconds: float) -> list[int]:
    """Run code, kill it some time after it is ready, and return the numbers it acknowledged."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    return [int(line) for line in rest.split("\n")[:-1]]


@pytest.mark.slow
def test_acknowledged_labels_survive_kills(tmp_path: Path, pictures) -> None:
    folder = tmp_path / "project"
    store = create_store(folder, "segmentation", ["crack"])
    add_images(store, [pictures(n) for n in range(5)])
    store.close()
    chance, last, total = random.Random(0), 0, 0
    for _ in range(KILLS):
        said = run_and_kill(LABELER, [str(folder), str(last)], chance.uniform(0, 0.25))
        store = open_store(folder)
        try:
            written = {
                int(revision.author): revision.label
                for image_id in range(1, 6)
                for revision in revisions(store, image_id)
            }
            assert set(said) <= set(written)
            assert all(written[number] == mask_of(number) for number in written if number > last)
            newest = max(written, default=0)
            if newest:
                assert read_label(store, newest % 5 + 1) == mask_of(newest)
            assert newest - max(said, default=last) in (0, 1)  # at most one was under way
        finally:
            store.close()
        last, total = newest, total + len(said)
    assert total > KILLS  # or the kills came too early to say anything
    assert sorted(written) == list(range(1, last + 1))


@pytest.mark.slow
def test_acknowledged_images_survive_kills(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    create_store(folder, "segmentation", ["crack"]).close()
    chance, last = random.Random(1), 0
    for _ in range(KILLS // 3):
        said = run_and_kill(IMPORTER, [str(folder), str(last)], chance.uniform(0, 0.25))
        store = open_store(folder)
        try:
            for number in said:
                row = find_image_by_name(store, f"{number}.png")
                assert read_bytes(row) == f"picture {number}".encode() * 500
            last = count_images(store)
            assert last - max(said, default=last) in (0, 1)
        finally:
            store.close()


@pytest.mark.slow
def test_a_killed_creation_opens_or_can_be_repeated(tmp_path: Path) -> None:
    chance = random.Random(2)
    for attempt in range(KILLS // 3):
        folder = tmp_path / str(attempt)
        said = run_and_kill(CREATOR, [str(folder)], chance.uniform(0, 0.06))
        try:
            open_store(folder).close()
        except ProjectNotFound:
            assert not said
            create_store(folder, "segmentation", ["crack"]).close()
            open_store(folder).close()
