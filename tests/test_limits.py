"""The container's limits, from copies of what the kernel writes."""

import os

import psutil
import pytest

from workbench.limits import cpu_limit, cpu_quota, memory_free_bytes, memory_limit_bytes


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_without_a_container_the_machine_counts(tmp_path):
    assert 1 <= cpu_limit(tmp_path) <= (os.cpu_count() or 1)
    assert memory_limit_bytes(tmp_path) == psutil.virtual_memory().total
    assert 0 < memory_free_bytes(tmp_path) <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000\n", 0.5)]
)
def test_quota_of_version_2(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    assert cpu_quota(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", None), ("200000", 2.0)])
def test_quota_of_version_1(tmp_path, quota, cores):
    write(tmp_path, **{"cpu__cpu.cfs_quota_us": quota, "cpu__cpu.cfs_period_us": "100000"})
    assert cpu_quota(tmp_path) == cores


def test_half_a_core_is_one_core(tmp_path):
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cpu_limit(tmp_path) == 1


def test_memory_limits(tmp_path):
    (tmp_path / "memory.max").write_text("2000000000\n")
    assert memory_limit_bytes(tmp_path) == min(2_000_000_000, psutil.virtual_memory().total)
    (tmp_path / "memory.current").write_text("1500000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 400000000\nslab 2\n")
    assert memory_free_bytes(tmp_path) <= 900_000_000
    (tmp_path / "memory.current").write_text("2100000000\n")
    (tmp_path / "memory.stat").write_text("inactive_file 0\n")
    assert memory_free_bytes(tmp_path) == 0


def test_memory_without_a_limit_in_version_1(tmp_path):
    write(tmp_path, **{"memory__memory.limit_in_bytes": "9223372036854771712"})
    assert memory_limit_bytes(tmp_path) == psutil.virtual_memory().total
