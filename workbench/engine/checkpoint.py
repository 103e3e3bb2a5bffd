"""Where training stands, in one safetensors file that is replaced at once: no pickle is read."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import RunFailed
from ..store.files import replace_file

NAME = "checkpoint.safetensors"


@dataclass
class Standing:
    """Where a run stands: steps done, seconds used, its history, and the best model so far."""

    step: int = 0
    elapsed_seconds: float = 0.0
    best_figure: float | None = None
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    folder: Path, standing: Standing, model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write all that `load_checkpoint` needs; the one before stays until this is complete."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in standing.best_state.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    record = {
        "step": standing.step,
        "elapsed_seconds": standing.elapsed_seconds,
        "best_figure": standing.best_figure,
        "history": standing.history,
    }
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    replace_file(
        folder / NAME,
        lambda path: save_file(contiguous, path, metadata={"standing": json.dumps(record)}),
    )


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a run was interrupted there, and can go on."""
    return (folder / NAME).exists()


def load_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Standing:
    """Put model and optimizer where the folder's checkpoint left them; without one, start anew.

    Raises RunFailed where the checkpoint is of another network, as an older version left it.
    """
    if not has_checkpoint(folder):
        return Standing()
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    with safe_open(folder / NAME, framework="pt") as file:
        record = json.loads(file.metadata()["standing"])
        names = list(file.keys())
        for part, _, name in (key.partition(".") for key in names):
            parts[part][name] = file.get_tensor(f"{part}.{name}")
    shapes = [
        {name: value.shape for name, value in state.items()}
        for state in (parts["model"], model.state_dict())
    ]
    if shapes[0] != shapes[1]:
        raise RunFailed(
            "This run was interrupted in another version of the workbench, whose network differs: "
            "it cannot go on. Start a new one with the same settings."
        )
    model.load_state_dict(parts["model"])
    load_optimizer(optimizer, parts["optimizer"])
    return Standing(best_state=parts["best"], **record)


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put the optimizer's state, by names such as "12.exp_avg", where a checkpoint left it."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
