"""Train each sample project with a preset, and print time, figures on test and memory.

python benchmarks/samples.py [--preset fast] [--seed 0] [--only bolts parts tiles fabric]
"""

import argparse
import tempfile
import time

from real_sets import FIGURES, MemoryWatch, own_peak, time_predictions

import workbench as wb


def measure(name: str, preset: str, seed: int) -> str:
    """Return the row of one sample."""
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        project = wb.samples.create(name, home)
        made = time.monotonic()
        with MemoryWatch() as watch:
            run = project.train(preset=preset, seed=seed, progress=False)
        trained = time.monotonic()
        report = run.report(split="test")
        figures = ", ".join(f"{figure} {report[figure]:.3f}" for figure in FIGURES[project.task])
        milliseconds = time_predictions(run.model(), project)
        project.close()
    return (
        f"| {name} | {project.task} | {made - began:.1f} | {trained - made:.1f} | {figures} "
        f"| {milliseconds:.1f} | {watch.peak:.0f} | {own_peak():.0f} |"
    )


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=("fast", "accurate"), default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=wb.samples.names(), default=wb.samples.names())
    asked = parser.parse_args()
    print(
        "| sample | task | create s | training s | figures on test | ms / image | worker MB "
        "| this process MB |\n|" + " --- |" * 8,
        flush=True,
    )
    for name in asked.only:
        print(measure(name, asked.preset, asked.seed), flush=True)


if __name__ == "__main__":
    main()
