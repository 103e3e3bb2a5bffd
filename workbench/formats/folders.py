"""Folders: the parent folder's name says the class, or normal and abnormal; above it, the split.

Understood for anomaly detection: normal/ and abnormal/ (also good, ok, defect, ng...), and MVTec's
layout: train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..photos.entry_names import find_name_fault
from ..tasks.anomaly import AnomalyLabel
from ..tasks.classification import ClassLabel
from .items import (
    HOLDERS,
    SPLIT_WORDS,
    UNASSIGNED,
    Example,
    ImageSize,
    Item,
    LabelSet,
    merge_classes,
    tell_split,
)
from .masks import make_anomaly_mask, read_anomaly_mask, write_mask
from .pictures import PHOTO_SUFFIXES, copy_picture, list_files, relative_name, write_text

TASKS = ("classification", "anomaly")
IS_FLAT = True  # a folder says something, so that the files in it lie side by side
NORMAL_WORDS = frozenset(
    [
        "normal",
        "good",
        "ok",
        "okay",
        "pass",
        "passed",
        "free",
        "clean",
        "intact",
        "flawless",
        "undamaged",
        "no_defect",
        "nodefect",
        "defect_free",
        "non_defective",
    ]
)
ABNORMAL_WORDS = frozenset(
    [
        "abnormal",
        "anomaly",
        "anomalies",
        "anomalous",
        "bad",
        "defect",
        "defects",
        "defective",
        "ng",
        "nok",
        "not_ok",
        "not_good",
        "fail",
        "failed",
        "fault",
        "faulty",
        "reject",
        "rejected",
        "damaged",
        "broken",
        "impurity",
    ]
)
MASK_FOLDER = "ground_truth"
CLASS_FILE = "classes.json"
SPLIT_FOLDERS = {"train": "train", "dev": "dev", "test": "test", None: "unassigned"}


def tell_class(name: str) -> str | None:
    """Return the class that a path says: the folder nearest to the file that is not just a holder.

    Holders are images/, imgs/ and such, and the splits train/, dev/, val/ and test/.
    """
    for folder in reversed(name.split("/")[:-1]):
        if folder.lower() not in HOLDERS | SPLIT_WORDS.keys():
            return folder
    return None


def tell_verdict(name: str) -> str | None:
    """Return 'normal' or 'abnormal' as the folders in a path say, the nearest first; None if not.

    Any other folder inside of test/ is a kind of defect, as MVTec has it.
    """
    folders = [re.sub(r"[\s-]+", "_", f.lower()) for f in name.split("/")[:-1]]
    for folder in reversed(folders):
        if folder in NORMAL_WORDS:
            return "normal"
        if folder in ABNORMAL_WORDS:
            return "abnormal"
    is_below_test = any(SPLIT_WORDS.get(folder) == "test" for folder in folders[:-1])
    return "abnormal" if is_below_test and folders[-1] not in HOLDERS else None


def make_mask_key(name: str) -> str | None:
    """Return what an MVTec mask and its picture share, 'x/crack/003'; None for other paths."""
    *folders, last = name.split("/")
    stem = last.rpartition(".")[0]
    for i, folder in enumerate(folders):
        if folder.lower() == MASK_FOLDER:
            return "/".join([*folders[:i], *folders[i + 1 :], stem.removesuffix("_mask")])
        if folder.lower() in SPLIT_WORDS or folder == UNASSIGNED:
            return "/".join([*folders[:i], *folders[i + 1 :], stem])
    return None


def is_mask_name(name: str) -> bool:
    """Tell whether a path lies in MVTec's folder of masks."""
    return MASK_FOLDER in name.lower().split("/")[:-1]


def recognizes(path: Path) -> bool:
    """Tell whether there are pictures in folders that say something."""
    names = [relative_name(file, path) for file in list_files(path, PHOTO_SUFFIXES)]
    return path.is_dir() and any(tell_class(name) for name in names)


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return what the folders say of every picture below this one."""
    files = list_files(path, PHOTO_SUFFIXES)
    names = {file: relative_name(file, path) for file in files}
    if task == "anomaly":
        return _read_verdicts(names, classes)
    table = _read_class_table(path)
    told = {file: tell_class(name) for file, name in names.items()}
    met = [table.get(word, word) for word in told.values() if word is not None]
    found = LabelSet(merge_classes(classes, [*table.values(), *met]), [])
    for file, name in names.items():
        word = told[file]
        label = None if word is None else ClassLabel(table.get(word, word))
        found.items.append(Item(name, _give(label), tell_split(name), file))
    return found


def _read_verdicts(names: dict[Path, str], classes: Sequence[str]) -> LabelSet:
    """Return the verdicts that folders say, with MVTec's masks."""
    found = LabelSet(tuple(classes), [])
    masks = {make_mask_key(name): file for file, name in names.items() if is_mask_name(name)}
    for file, name in names.items():
        if not is_mask_name(name):
            mask = masks.get(make_mask_key(name))
            read_label = _give_verdict(tell_verdict(name), mask)
            found.items.append(Item(name, read_label, tell_split(name), file))
    return found


def _give(label: Any) -> Any:
    """Return a reader that gives this label, whatever the image's size."""
    return lambda image_size: label


def _give_verdict(verdict: str | None, mask: Path | None) -> Any:
    """Return a reader that gives the verdict, and its mask when it is abnormal and has one."""

    def read_label(image_size: ImageSize) -> AnomalyLabel | None:
        if verdict == "abnormal" and mask is not None:
            return AnomalyLabel(verdict, read_anomaly_mask(mask, image_size).mask)
        return None if verdict is None else AnomalyLabel(verdict)

    return read_label


def _read_class_table(path: Path) -> dict[str, str]:
    """Return {folder: class name} as `write` left it; {} where there is none."""
    try:
        table = json.loads((path / CLASS_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in table.items()} if isinstance(table, dict) else {}


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write <split>/<class>/; for anomalies <split>/good and bad/, and ground_truth/ for masks."""
    words = _make_folder_words(classes) if task == "classification" else {}
    for example in examples:
        split = SPLIT_FOLDERS[example.split]
        if task == "classification":
            target = f"{split}/{words[example.label.class_name]}/{example.file}"
        else:
            target = _place_verdict(example, split, folder)
        copy_picture(example.image, folder / target)
    if words:
        table = {word: name for name, word in words.items()}
        write_text(folder / CLASS_FILE, json.dumps(table, indent=1))


def _place_verdict(example: Example, split: str, folder: Path) -> str:
    """Return where an anomaly example's picture goes; its mask is written."""
    label = example.label
    if label.verdict == "normal":
        return f"{split}/good/{example.file}"
    if label.mask is not None:
        target = folder / MASK_FOLDER / "bad" / f"{example.stem}_mask.png"
        write_mask(make_anomaly_mask(example), target)
    return f"{split}/bad/{example.file}"


def _make_folder_words(classes: Sequence[str]) -> dict[str, str]:
    """Return {class name: folder name}: the name itself where it is a safe, unmistakable folder."""
    words: dict[str, str] = {}
    for number, name in enumerate(classes, 1):
        word = re.sub(r"[^\w\-+.,() ]", "_", name).strip(". ")
        taken = {other.lower() for other in words.values()} | HOLDERS | SPLIT_WORDS.keys()
        is_free = bool(word) and word.lower() not in taken and find_name_fault(word) is None
        words[name] = word if is_free and len(word) < 100 else f"class {number}"
    return words
