"""model.json: all that is needed beside model.onnx to run a model."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import InvalidModel
from .tasks import TASKS
from .tasks.framing import Framing

NETWORK, CARD = "model.onnx", "model.json"
FORMAT = 4  # of model.json; a higher one was written by a newer version


@dataclass(frozen=True)
class ModelCard:
    """What a model is and how it wants its images.

    mean, std: of RGB in 0..1; inputs are (image / 255 - mean) / std. outputs: names of the
    network's outputs, in order. threshold: what counts, unless a person says otherwise. facts:
    where the model comes from (snapshot, backbone, versions, figures, calibration), as JSON values.
    """

    task: str
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    framing: Framing
    mean: tuple[float, ...]
    std: tuple[float, ...]
    outputs: tuple[str, ...]
    threshold: float
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of model.json."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)


def read_card(folder: Path) -> ModelCard:
    """Return the card in a folder. Raises InvalidModel, saying what is missing or wrong with it."""
    for name in (NETWORK, CARD):
        if not (folder / name).is_file():
            raise InvalidModel(f"There is no model in {folder}: {name} is missing.")
    try:
        record = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if record["format"] > FORMAT:
            raise InvalidModel(f"{folder / CARD} was written by a newer version; update workbench.")
        if record["framing"].get("is_stretched"):
            raise InvalidModel(
                f"The model in {folder} stretches images, which is no longer done; train it again."
            )
        return parse_card(record)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InvalidModel):
            raise
        raise InvalidModel(
            f"{folder / CARD} is damaged ({error!r}); export the run again."
        ) from error


def parse_card(record: dict[str, Any]) -> ModelCard:
    """Return the card of a record. Raises KeyError, TypeError or ValueError where it is damaged."""
    height, width = record["framing"]["input_size"]
    scale = record["framing"]["scale"]
    threshold = float(record["threshold"])
    if record["task"] not in TASKS or not math.isfinite(threshold):
        raise ValueError(f"task {record['task']!r}, threshold {threshold}")
    return ModelCard(
        record["task"],
        tuple(map(str, record["classes"])),
        tuple(map(str, record["colors"])),
        Framing(
            (int(height), int(width)),
            None if scale is None else float(scale),
            int(record["framing"]["overlap"]),
            bool(record["framing"].get("is_mirrored", False)),
            bool(record["framing"].get("is_whole", False)),
        ),
        tuple(map(float, record["mean"])),
        tuple(map(float, record["std"])),
        tuple(map(str, record["outputs"])),
        threshold,
        dict(record["facts"]),
    )
