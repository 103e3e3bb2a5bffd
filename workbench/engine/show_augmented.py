"""What training sees: python -m workbench.engine.show_augmented PROJECT REQUEST OUT.

REQUEST is a JSON file: preset, changes, count, seed. OUT becomes an .npz with the varied images,
the masks that their labels have, and a JSON text of names and label records. They are of the images
to train on; before the images are split, of all that are labeled.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..settings import apply_changes
from ..store.database import open_store
from ..store.run_folder import read_json
from ..store.snapshots import Snapshot, read_current
from ..tasks import find_task
from .data import Example, ScaledImages
from .worker import find_room

LOOKED_AT = 200  # images that the framing is chosen by, and whether they are few


def main(project: Path, request_path: Path, out: Path) -> None:
    """Write the varied samples of a project that a request asks for."""
    request = read_json(request_path)
    snapshot, items = read_current(open_store(project), max(LOOKED_AT, request["count"]))
    learned = [item for item in items if item.split == "train"]
    examples = [Example(snapshot, item) for item in learned or items]
    arrays: dict[str, np.ndarray] = {}
    records = []
    for index, (name, image, label) in enumerate(draw_samples(snapshot, examples, request)):
        record, mask = find_task(snapshot.task).room.pack_label(label, class_ids(snapshot))
        arrays[f"image{index}"] = image
        if mask is not None:
            arrays[f"mask{index}"] = mask
        records.append({"name": name, "label": record})
    arrays["records"] = np.frombuffer(json.dumps(records).encode(), np.uint8)
    np.savez_compressed(out, allow_pickle=False, **arrays)


def draw_samples(
    snapshot: Snapshot, examples: list[Example], request: dict[str, Any]
) -> list[tuple[str, np.ndarray, Any]]:
    """Return (name, uint8 (h, w, 3), label) of `count` samples, as training would take them."""
    room = find_room(snapshot.task)
    settings = apply_changes(room.PRESETS[request["preset"]], request["changes"])
    framing = room.choose_framing(examples, settings)
    images = ScaledImages(examples, framing, partial(room.make_target, classes=snapshot.classes))
    make_sample = room.build_sampler(examples, framing, settings)
    torch.manual_seed(request["seed"])
    order = torch.randperm(len(examples))[: request["count"]].tolist()
    samples = []
    for index in (order * request["count"])[: request["count"]]:
        tensor, target = make_sample(*images[index])
        image = tensor.permute(1, 2, 0).numpy()
        samples.append((examples[index].name, image, room.make_label(target, snapshot.classes)))
    return samples


def class_ids(snapshot: Snapshot) -> dict[str, int]:
    """Return {name: place from 1} of the classes: all that both sides need to agree on."""
    return {name: place for place, name in enumerate(snapshot.classes, start=1)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
