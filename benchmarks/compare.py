"""Train Inspection Workbench and its peers side by side, on the same images and seconds.

    python benchmarks/compare.py OUT.jsonl [--only SET:TASK ...] [--methods ours peers ...]
                                 [--seconds 30 120] [--labels 10 all] [--seeds 0 1 2]

Each row of OUT.jsonl is one training: its figure on test (of classification the accuracy too, of
segmentation the F1), seconds, milliseconds an image and peak memory. Rows that are there already
are not measured again, so that a stopped comparison goes on. At the end the table of all rows is
printed. Peers that need packages of their own get a virtual environment each, in --environments.
README.md here says what is compared, and how; measured.jsonl holds the rows of its tables.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from real_sets import BUILDERS, DATA, MemoryWatch, build_set
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import workbench as wb
from workbench.tasks import detection

HERE = Path(__file__).resolve().parent / "peers"
PATIENCE = 900  # seconds beyond its own that a peer gets to predict
FIGURES = {
    "classification": "balanced accuracy",
    "detection": "mAP50",
    "segmentation": "mean IoU",
    "anomaly": "AUROC",
}


@dataclass(frozen=True)
class Method:
    """A way to solve a task: script.py --method name --weights weights.

    packages: what it needs beside ours, in an environment of its own.
    """

    task: str
    script: str
    name: str
    weights: str
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return its name in tables and on the command line."""
        return f"{self.script}:{self.name}:{self.weights}"


SMP = ("segmentation-models-pytorch==0.6.0",)
ANOMALIB = ("anomalib==2.7.0",)
METHODS = [
    *(Method(task, "ours", "fast", w) for task in FIGURES for w in ("shipped", "random")),
    *(
        Method(task, "ours", name, "shipped")
        for task in FIGURES
        for name in ("accurate", "fast_all")
    ),
    *(Method("classification", "classify", "mobilenet_v2", w) for w in ("random", "imagenet")),
    Method("classification", "classify", "resnet18", "random"),
    *(
        Method("classification", "classify", f"{name}", "imagenet")
        for name in ("squeezenet1_0_probe", "mobilenet_v2_probe")
    ),
    *(Method("detection", "detect", "fcos_mobilenet_v2", w) for w in ("random", "imagenet")),
    Method("detection", "detect", "ssdlite320_mobilenet_v3_large", "random"),
    Method("detection", "detect", "fasterrcnn_mobilenet_v3_large_320_fpn", "random"),
    *(
        Method("segmentation", "segment", "unet_mobilenet_v2", weights, SMP)
        for weights in ("random", "imagenet")
    ),
    Method("segmentation", "segment", "lraspp_mobilenet_v3_large", "random"),
    Method("segmentation", "segment", "deeplabv3_mobilenet_v3_large", "random"),
    *(
        Method("anomaly", "detect_anomalies", name, weights, ANOMALIB)
        for name in ("patchcore", "padim")
        for weights in ("random", "imagenet")
    ),
]


def find_python(packages: tuple[str, ...], folder: Path) -> str:
    """Return the Python of an environment with the packages, made where it is missing.

    It sees the packages of this environment too, so that torch is the same and there once.
    """
    if not packages:
        return sys.executable
    home = folder / packages[0].split("=")[0]
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        (site,) = home.glob("lib/python*/site-packages")
        (own,) = {path for path in sys.path if path.endswith("site-packages")}
        (site / "beside.pth").write_text(own)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (home / "complete").touch()
    return str(python)


def keep_labels(project: wb.Project, count: int | None, seed: int) -> None:
    """Keep that many images to learn from, of each class in classification; every fifth is dev."""
    known = [image for image in project.images if image.split in ("train", "dev")]
    if count is None:
        return
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Any]] = defaultdict(list)
    for image in known:
        label = image.label
        groups[label.class_name if isinstance(label, wb.ClassLabel) else ""].append(image)
    kept = [group[i] for group in groups.values() for i in rng.permutation(len(group))[:count]]
    names = {image.name for image in kept}
    project.remove_images([image for image in known if image.name not in names])
    for index, image in enumerate(sorted(names)):
        project.images[image].split = "dev" if index % 5 == 2 else "train"


def write_item(image: Any, project: wb.Project, folder: Path, index: int) -> dict[str, Any]:
    """Return an image and its label as the peers read them; files go to the folder."""
    path = folder / f"{index}.png"
    Image.fromarray(image.read()).save(path, compress_level=1)
    item: dict[str, Any] = {"image": str(path)}
    label, classes = image.label, project.classes
    if isinstance(label, wb.ClassLabel):
        item["label"] = classes.index(label.class_name)
    elif isinstance(label, wb.MaskLabel):
        item["mask"] = str(folder / f"{index}_mask.png")
        Image.fromarray(label.mask).save(item["mask"])
    elif isinstance(label, wb.BoxLabel):
        item["boxes"] = [[*box.xyxy, classes.index(box.class_name)] for box in label.boxes]
    else:
        item["abnormal"] = label.verdict == "abnormal"
    return item


def write_problem(name: str, task: str, labels: int | None, seed: int, folder: Path) -> None:
    """Write a set as a project, and as problem.json for the peers."""
    project = build_set(name, task, folder / "project", DATA)
    keep_labels(project, labels, seed)
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for index, image in enumerate(project.images.where(labeled=True)):
        part = "test" if image.split == "test" else "train"
        parts[part].append(write_item(image, project, folder, index))
    described = {"task": task, "classes": project.classes, **parts}
    (folder / "problem.json").write_text(json.dumps(described))
    project.close()


def measure_answer(problem: dict[str, Any], answer: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the figure of an answer, see FIGURES, and what else others state of such answers."""
    items, task = problem["test"], problem["task"]
    if task == "classification":
        return measure_classes([item["label"] for item in items], answer["scores"].argmax(1))
    if task == "anomaly":
        wanted = [item["abnormal"] for item in items]
        return {"figure": float(roc_auc_score(wanted, answer["scores"]))}
    if task == "segmentation":
        return measure_masks(items, answer, len(problem["classes"]))
    return {"figure": measure_boxes(items, answer, problem["classes"])}


def measure_classes(wanted: list[int], found: np.ndarray) -> dict[str, float]:
    """Return the balanced accuracy, and the share of the images that is right."""
    return {
        "figure": float(balanced_accuracy_score(wanted, found)),
        "accuracy": float(np.mean(found == wanted)),
    }


def measure_masks(
    items: list[dict[str, Any]], answer: dict[str, np.ndarray], count: int
) -> dict[str, float]:
    """Return the IoU and the F1 of all pixels, the mean over the classes."""
    shared, total = np.zeros(count), np.zeros(count)
    for index, item in enumerate(items):
        with Image.open(item["mask"]) as picture:
            wanted = np.asarray(picture)
        found = answer[str(index)]
        for k in range(1, count + 1):
            shared[k - 1] += ((found == k) & (wanted == k)).sum()
            total[k - 1] += ((found == k) | (wanted == k)).sum()
    iou = shared / np.maximum(total, 1)
    return {"figure": float(np.mean(iou)), "f1": float(np.mean(2 * iou / (1 + iou)))}


def measure_boxes(
    items: list[dict[str, Any]], answer: dict[str, np.ndarray], classes: list[str]
) -> float:
    """Return the mean average precision at an IoU of 0.5."""
    predictions = [
        wb.BoxPrediction(
            tuple(
                wb.ScoredBox(classes[int(row[5])], *map(float, row[:4]), score=float(row[4]))
                for row in sorted(answer[str(index)].tolist(), key=lambda row: -row[4])
            )
        )
        for index in range(len(items))
    ]
    labels = [wb.BoxLabel([wb.Box(classes[int(r[4])], *r[:4]) for r in i["boxes"]]) for i in items]
    return float(detection.evaluate(predictions, labels, classes, None).overall["map_50"])


def run_method(
    method: Method, seconds: float, seed: int, folder: Path, environments: Path
) -> dict[str, Any]:
    """Return what one training gave and cost; "error" where it failed."""
    python = find_python(method.packages, environments)
    answer = folder / "answer"
    command = [python, HERE / f"{method.script}.py", folder, answer, "--method", method.name]
    command += ["--weights", method.weights, "--seconds", str(seconds), "--seed", str(seed)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    for path in answer.glob("*"):
        path.unlink()
    try:
        with MemoryWatch() as watch:
            subprocess.run(
                [str(part) for part in command],
                check=True,
                capture_output=True,
                text=True,
                timeout=seconds + PATIENCE,
                env={**os.environ, **threads},
            )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {seconds + PATIENCE:.0f} s"}
    except subprocess.CalledProcessError as error:
        return {"error": explain_end(error.returncode, error.stderr)}
    problem = json.loads((folder / "problem.json").read_text())
    with np.load(answer / "answer.npz") as file:
        figures = measure_answer(problem, dict(file))
    measured = json.loads((answer / "measured.json").read_text())
    return {**figures, "peak_mb": watch.peak, **measured}


def explain_end(status: int, said: str) -> str:
    """Return why a method ended without an answer: the signal that ended it, or its last line."""
    if status < 0:
        return f"ended by signal {signal.Signals(-status).name}"
    return (said.strip() or f"ended with status {status}").splitlines()[-1][:200]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows that were measured before."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def list_trainings(asked: argparse.Namespace) -> Iterator[tuple[str, Any, int]]:
    """Yield what problems there are: SET:TASK, number of labels or None, seed."""
    for key, labels, seed in product(asked.only, asked.labels, asked.seeds):
        yield key, None if labels == "all" else int(labels), seed


def describe_rows(rows: list[dict[str, Any]]) -> str:
    """Return the table: a line for each set, number of labels, seconds and method."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["problem"], row["labels"] or 9999, row["seconds"], row["method"]].append(row)
    lines = [
        "| set:task | labels | seconds | method | figure | spread | also | trained s | ms | MB |",
        "|" + " --- |" * 10,
    ]
    for key, group in sorted(groups.items()):
        good = [row for row in group if "figure" in row]
        head = f"| {key[0]} | {'all' if key[1] == 9999 else key[1]} | {key[2]:.0f} | {key[3]} |"
        if not good:
            lines.append(f"{head} {group[0]['error']} | | | | | |")
            continue
        figures = [row["figure"] for row in good]
        cells = [f"{statistics.mean(figures):.3f}", f"{max(figures) - min(figures):.3f}"]
        cells.append(describe_also(good))
        for name, form in (("trained_seconds", ".0f"), ("milliseconds", ".1f"), ("peak_mb", ".0f")):
            known = [row[name] for row in good if name in row]
            cells.append(format(statistics.median(known), form) if known else "")
        lines.append(f"{head} {' | '.join(cells)} |")
    return "\n".join(lines)


def describe_also(rows: list[dict[str, Any]]) -> str:
    """Return the means of the other figures that the rows have."""
    means = []
    for name in ("accuracy", "f1"):
        known = [row[name] for row in rows if name in row]
        means += [f"{name} {statistics.mean(known):.3f}"] if known else []
    return ", ".join(means)


def parse_arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    every = [f"{name}:{task}" for name, (_, tasks) in BUILDERS.items() for task in tasks]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the rows (.jsonl)")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="SET:TASK")
    parser.add_argument("--methods", nargs="+", default=[""], help="parts of the methods' names")
    parser.add_argument("--seconds", nargs="+", type=float, default=[30.0, 120.0, 600.0])
    parser.add_argument("--labels", nargs="+", default=["all"], help="5, 10, ... or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache/peers")
    return parser.parse_args()


def main() -> None:
    """Measure what is missing, and print the table."""
    asked = parse_arguments()
    rows = read_rows(asked.out)
    done = {(r["problem"], r["labels"], r["seed"], r["seconds"], r["method"]) for r in rows}
    for key, labels, seed in list_trainings(asked):
        name, task = key.split(":")
        chosen = [m for m in METHODS if m.task == task and any(p in str(m) for p in asked.methods)]
        missing = [
            (method, seconds)
            for seconds, method in product(asked.seconds, chosen)
            if (key, labels, seed, seconds, str(method)) not in done
        ]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as home:
            write_problem(name, task, labels, seed, Path(home))
            for method, seconds in missing:
                row = {"problem": key, "labels": labels, "seed": seed, "seconds": seconds}
                row["method"] = str(method)
                row |= run_method(method, seconds, seed, Path(home), asked.environments)
                print(json.dumps(row), flush=True)
                with asked.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    print(describe_rows(read_rows(asked.out)))


if __name__ == "__main__":
    main()
