"""What the machine offers to training: threads, memory, precision."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..limits import cpu_limit, memory_free_bytes

NICENESS = 10  # the kernel, where a person labels, goes first
CACHE_SHARE = 0.25  # of the free memory, for images that are kept decoded


def prepare_process(seed: int) -> None:
    """Set up this process for training: threads, priority, random numbers, repeatable kernels.

    With more than two cores one is left for the kernel. With one or two all are used, at a priority
    below the kernel's: a whole core would be half of the training speed.
    """
    cores = cpu_limit()
    torch.set_num_threads(cores if cores <= 2 else cores - 1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    # What nothing here reads before writing need not be filled at each allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def choose_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def place(model: nn.Module) -> torch.device:
    """Move a network to the device there is, its weights laid out for it, and return the device."""
    device = choose_device()
    # torch's own annotations lack this call of to().
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Tell whether the processor computes in bfloat16 by itself, so that it saves time."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def mixed_precision(device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 inside of the block, where the processor gains by it."""
    with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device)):
        yield


def return_memory() -> None:
    """Give freed memory back to the system; the C library of Linux keeps much of it otherwise."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def cache_budget_bytes() -> int:
    """Return how much memory decoded images may take."""
    return int(memory_free_bytes() * CACHE_SHARE)
