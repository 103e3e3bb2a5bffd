"""How much of the machine this process may use: the container's limits, not the host's."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60  # cgroup v1 writes a number near 2**63 where there is no limit


def cpu_limit(root: Path = CGROUP) -> int:
    """Return how many cores this process may keep busy, at least 1.

    The least of the machine's cores, the cores it is bound to, and the container's quota.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cpu_quota(root)
    return max(1, min(cores, math.ceil(quota))) if quota else max(1, cores)


def cpu_quota(root: Path = CGROUP) -> float | None:
    """Return the container's CPU quota in cores, or None where there is none.

    Source: Linux Documentation/admin-guide/cgroup-v2.rst (cpu.max), cgroup-v1 sched-bwc.rst.
    """
    words = read_words(root / "cpu.max")
    if not words:
        words = read_words(root / "cpu/cpu.cfs_quota_us") + read_words(
            root / "cpu/cpu.cfs_period_us"
        )
    if len(words) != 2 or words[0] == "max" or int(words[0]) <= 0:
        return None
    return int(words[0]) / int(words[1])


def memory_limit_bytes(root: Path = CGROUP) -> int:
    """Return how much memory this process may use in all: the machine's or the container's."""
    import psutil  # here, since a deployed model asks for cores alone, and has no psutil

    total = int(psutil.virtual_memory().total)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = read_words(root / name)
        if words and words[0] != "max" and int(words[0]) < UNLIMITED:
            return min(total, int(words[0]))
    return total


def memory_free_bytes(root: Path = CGROUP) -> int:
    """Return how much memory can still be taken, in the container and on the machine."""
    import psutil  # here for the same reason

    free = int(psutil.virtual_memory().available)
    for name in ("memory.current", "memory/memory.usage_in_bytes"):
        words = read_words(root / name)
        if words:
            return max(
                0, min(free, memory_limit_bytes(root) - int(words[0]) + file_cache_bytes(root))
            )
    return free


def file_cache_bytes(root: Path = CGROUP) -> int:
    """Return how much of the container's memory is file cache that the kernel can drop."""
    for name in ("memory.stat", "memory/memory.stat"):
        words = read_words(root / name)
        values = dict(zip(words[::2], words[1::2]))
        for key in ("inactive_file", "total_inactive_file"):
            if key in values:
                return int(values[key])
    return 0


def read_words(path: Path) -> list[str]:
    """Return the words of a small system file; none where it cannot be read."""
    try:
        return path.read_text().split()
    except OSError:
        return []
