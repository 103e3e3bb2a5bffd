"""The command line: python -m workbench demo takes sample projects from photos to a model."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import workbench as wb

from . import plots
from .errors import InvalidSetting, StorageFailed, WorkbenchError
from .samples import SAMPLES, Sample
from .settings import BOUNDS, PRESET_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .project import Image, ImageSet

FAILED, STOPPED = 2, 130  # exit statuses; 130 is what a shell gives for Ctrl-C
SHOWN = 8  # images in a picture
PHOTO = "photo.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit status.

    0: done. 2: an error, which one line on stderr explains. 130: stopped by Ctrl-C. arguments:
    those of the process unless given.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a letter still gets the rest
            stream.reconfigure(errors="replace")
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    try:
        return run_demo(chosen.task, chosen.preset, chosen.out, chosen.seed)
    except KeyboardInterrupt:
        say("Stopped. What was made so far is in", chosen.out, error=True)
        return STOPPED
    except (WorkbenchError, OSError) as error:
        say("workbench:", " ".join(str(error).split()), error=True)
        return FAILED


def build_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench", description=(wb.__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--version", action="version", version=f"workbench {wb.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="take sample projects from photos to a model, in the terminal",
        description="Makes sample projects, trains a model on each, prints its report, and writes "
        "pictures and the model to a folder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    tasks = [sample.task for sample in SAMPLES.values()]
    demo.add_argument("--task", choices=[*tasks, "all"], default="all", help="which project type")
    demo.add_argument(
        "--preset", choices=PRESET_NAMES, default="fast", help="accurate takes longer"
    )
    demo.add_argument("--out", type=Path, default=Path("demo"), help="the folder to write to")
    demo.add_argument("--seed", type=int, default=0, help="same seed, same photos and figures")
    return parser


def run_demo(task: str, preset: str, out: Path, seed: int) -> int:
    """Take the sample of a task, or of all, from photos to a model, and return the exit status.

    Raises InvalidSetting, before anything is made, for a seed out of bounds and for a folder that
    holds an earlier demo.
    """
    samples = [sample for sample in SAMPLES.values() if task in (sample.task, "all")]
    low, high = (int(bound) for bound in BOUNDS["seed"])
    if not low <= seed <= high:
        raise InvalidSetting(f"--seed {seed}: it lies between {low} and {high}.")
    check_free(samples, out)
    for sample in samples:
        say(f"\n== {sample.title}: {sample.task} ==\n{sample.summary}\n")
        show_sample(sample, preset, out, seed)
    say_what_lies_where(samples, out)
    return 0


def check_free(samples: Sequence[Sample], out: Path) -> None:
    """Raise InvalidSetting, naming a folder that is free, if a folder to write to is there."""
    if out.exists() and not out.is_dir():
        raise InvalidSetting(f"--out {out} is a file. Choose a folder, for example --out demo.")
    for sample in samples:
        for folder in (out / sample.task, out / "projects" / sample.name):
            if folder.exists():
                raise InvalidSetting(
                    f"{folder} is there already. Keep it and choose another folder, for example "
                    f"--out {find_free(out)}, or delete {out}."
                )


def find_free(out: Path) -> Path:
    """Return the folder's name with the first number from 2 on that is not taken."""
    named = out if out.name not in ("", "..") else out.resolve()
    number = 2
    while (free := named.parent / f"{named.name or 'demo'}-{number}").exists():
        number += 1
    return free


def show_sample(sample: Sample, preset: str, out: Path, seed: int) -> None:
    """Make a sample's project, train on it, print the report, and write pictures and model."""
    folder = out / sample.task
    make_folder(folder)
    project = wb.samples.create(sample.name, out / "projects", seed=seed)
    say(f"{project!r}")
    chosen = choose_spread(project.images)
    colors = project.colors
    save(plots.plot_images(chosen, classes=[*colors], colors=colors), folder / "labels.png")
    save(project.plot_augmentations(preset, seed=seed), folder / "augmented.png")
    began = time.monotonic()
    run = train(project, preset, seed)
    say(f"Trained in {time.monotonic() - began:.0f} seconds.")
    for note in run.notes:
        say("Note:", note)
    report = run.report(split="test")
    say(f"\n{report}")
    save(run.plot_history(), folder / "history.png")
    save(report.plot(), folder / "report.png")
    save(run.plot_predictions(limit=SHOWN), folder / "predictions.png")
    (folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    (folder / PHOTO).write_bytes(project.images.where(split="test")[-1].read_bytes())
    run.export(folder / "model")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises StorageFailed."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageFailed(
            f"The folder {folder} cannot be made ({error.strerror}); choose another with --out."
        ) from error


def train(project: "wb.Project", preset: str, seed: int) -> "wb.Run":
    """Train with a progress bar and return the run; Ctrl-C waits until the run has stopped."""
    try:
        return project.train(preset=preset, seed=seed, name=f"{project.name}, {preset}")
    except KeyboardInterrupt:
        say("\nStopping the training run ...", error=True)
        for run in project.runs:
            run.cancel()
        raise


def choose_spread(images: "ImageSet") -> "list[Image]":
    """Return SHOWN images at even distances: the first ones are often of one kind."""
    found = list(images)
    return found[:: max(1, len(found) // SHOWN)][:SHOWN]


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=110)


def say_what_lies_where(samples: Sequence[Sample], out: Path) -> None:
    """Tell what was written, and how to use it."""
    names = ", ".join(sample.task for sample in samples)
    model = out / samples[0].task / "model"
    photo = out / samples[0].task / PHOTO
    project = out / "projects" / samples[0].name
    say(
        f"""
Written to {out.resolve()}, in a folder for each of: {names}
  labels.png       photos of the project with their labels
  augmented.png    photos as training varies them
  history.png      how training went
  predictions.png  labels and predictions side by side, on photos not trained on
  report.png       the report's plots; report.txt holds its figures
  model/           model.onnx and model.json: needs ONNX Runtime, NumPy and Pillow alone
  {PHOTO:<15}  a photo to try the model on
and in projects/ the projects themselves: wb.Project.open({str(project)!r})

To use a model, in Python:
  import workbench as wb
  model = wb.load_model({str(model)!r})
  print(model.predict({str(photo)!r}))"""
    )


def say(*parts: object, error: bool = False) -> None:
    """Write a line to the terminal: to stderr if it is about an error."""
    print(*parts, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
