"""Masks: a PNG for each image, in masks/ or beside the picture; class names in classes.txt.

A pixel holds 0 for background and k for the k-th class; a palette's colors do not matter. Where
there is one class, or a folder that is called like one, 255 (also grey above 127) is that class.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InvalidLabel
from ..photos.reading import read_values
from ..tasks.anomaly import AnomalyLabel
from ..tasks.segmentation import MaskLabel
from .class_names import find_class_file, read_class_names
from .items import (
    HOLDERS,
    SPLIT_WORDS,
    Example,
    ImageSize,
    Item,
    LabelSet,
    merge_classes,
    tell_split,
)
from .pictures import PHOTO_SUFFIXES, Pictures, copy_picture, list_files, relative_name, write_text
from .voc import explain_sizes

TASKS = ("segmentation", "anomaly")
UNNAMED = "defect"  # the class of masks when neither the project nor the files name one
SPLIT_FOLDERS = {"train": "train", "dev": "val", "test": "test", None: "unassigned"}
_MASK_FOLDERS = {"masks", "mask", "segmentationclass", "ground_truth", "groundtruth", "gt"}
_MASK_ENDINGS = ("_mask", "-mask", "_gt")


def recognizes(path: Path) -> bool:
    """Tell whether there are files that look like masks; MVTec's ground_truth/ is of `folders`."""
    masks = _sort_files(path)[1] if path.is_dir() else []
    return any("ground_truth" not in relative_name(mask, path).split("/") for mask in masks)


def _sort_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the photos below a folder, and the masks."""
    files = list_files(path, PHOTO_SUFFIXES)
    stems: dict[Path, list[Path]] = {}
    for file in files:
        stems.setdefault(file.with_suffix(""), []).append(file)
    masks = [f for f in files if _is_mask(f, relative_name(f, path), stems)]
    chosen = set(masks)
    return [file for file in files if file not in chosen], masks


def _is_mask(file: Path, name: str, stems: Mapping[Path, list[Path]]) -> bool:
    """Tell whether a picture is a mask: by its folder, or by a photo of the same stem beside it."""
    folders, suffix = name.lower().split("/")[:-1], file.suffix.lower()
    front = file.with_suffix("")
    if not _MASK_FOLDERS.isdisjoint(folders):
        return True
    beside_photo = suffix in (".png", ".bmp") and any(
        twin.suffix.lower() in (".jpg", ".jpeg", ".tif", ".tiff", ".webp") for twin in stems[front]
    )
    return beside_photo or any(
        front.name.lower().endswith(ending)
        and front.with_name(front.name[: -len(ending)]) in stems
        and HOLDERS.isdisjoint(folders)
        for ending in _MASK_ENDINGS
        if len(front.name) > len(ending)
    )


def _make_key(name: str) -> str:
    """Return what a picture and its mask share: the path without their folder and suffix."""
    parts = name.rpartition(".")[0].split("/")
    for i, folder in enumerate(parts[:-1]):
        if folder.lower() in _MASK_FOLDERS | HOLDERS:
            return "/".join([*parts[:i], *parts[i + 1 :]])
    return "/".join(parts)


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return the mask of every picture that has one; pictures without stay unlabeled."""
    problems: list[tuple[str, str]] = []
    numbers = dict(enumerate(classes, 1))
    if task == "segmentation":
        numbers = _read_numbers(path, problems) or numbers or {1: UNNAMED}
    found = LabelSet(merge_classes(classes, numbers.values()), [], problems)
    photos, masks = _sort_files(path)
    pictures = Pictures(path, photos)
    by_key = {_make_key(relative_name(mask, path)): mask for mask in masks}
    by_stem = _find_unique(by_key)
    for photo in photos:
        name = pictures.names[photo]
        key = _make_key(name)
        last = key.rpartition("/")[2]
        keys = [key, *(key + ending for ending in _MASK_ENDINGS)]
        keys += [by_stem.get(last + ending, "") for ending in ("", *_MASK_ENDINGS)]
        mask = next((by_key.pop(k) for k in keys if k in by_key), None)
        found.items.append(_make_item(name, mask, path, task, numbers, photo, found))
    for key, mask in by_key.items():
        found.items.append(_make_item(key, mask, path, task, numbers, None, found))
    return found


def _find_unique(keys: Iterable[str]) -> dict[str, str]:
    """Return {last part: key} of the keys whose last part no other shares."""
    seen: dict[str, str] = {}
    for key in keys:
        last = key.rpartition("/")[2]
        seen[last] = "" if last in seen else key
    return seen


def _read_numbers(path: Path, problems: list[tuple[str, str]]) -> dict[int, str]:
    """Return {mask value: class name} of the file that names them; {} where there is none."""
    file = find_class_file(path)
    if file is None:
        return {}
    try:
        numbers = read_class_names(file)
    except InvalidLabel as error:
        problems.append((file.name, str(error)))
        return {}
    if "background" in numbers.get(0, "").lower():
        return {number: name for number, name in numbers.items() if number > 0}
    return numbers if 0 not in numbers else {i + 1: name for i, name in numbers.items()}


def _make_item(
    name: str,
    mask: Path | None,
    root: Path,
    task: str,
    numbers: dict[int, str],
    photo: Path | None,
    found: LabelSet,
) -> Item:
    """Return the item of one picture, of one mask, or of both."""

    def read_label(image_size: ImageSize) -> Any:
        if mask is None:
            return None
        if task == "anomaly":
            return read_anomaly_mask(mask, image_size)
        folders = relative_name(mask, root).split("/")[:-1]
        return _read_mask(mask, image_size, numbers, folders, found)

    return Item(name, read_label, tell_split(name), photo)


def read_anomaly_mask(file: bytes | Path, image_size: ImageSize) -> AnomalyLabel:
    """Return abnormal with the mask, or normal where the mask is empty; grey counts above 127."""
    values = _check_values(read_values(file), image_size)
    pixels = values > 127 if values.max(initial=0) > 1 else values > 0
    return AnomalyLabel("abnormal", pixels) if pixels.any() else AnomalyLabel("normal")


def _check_values(values: np.ndarray, image_size: ImageSize) -> np.ndarray:
    """Return the values. Raises InvalidLabel where they are of another size than the image."""
    if values.shape != tuple(image_size):
        raise InvalidLabel(explain_sizes((values.shape[0], values.shape[1]), image_size))
    return values


def _read_mask(
    file: Path, image_size: ImageSize, numbers: dict[int, str], folders: list[str], found: LabelSet
) -> MaskLabel:
    """Return the mask of a file, its numbers turned into places in the classes."""
    values = _check_values(read_values(file), image_size)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    places = {number: found.classes.index(name) + 1 for number, name in numbers.items()}
    held = set(np.unique(values).tolist()) - {0}
    named = [f for f in folders if f in found.classes and f.lower() not in SPLIT_WORDS]
    owner = found.classes.index(named[0]) + 1 if named else None
    if len(numbers) == 1:
        owner = next(iter(places.values()))
    if owner is not None and not held <= set(places):
        return MaskLabel(np.where(values > (127 if max(held, default=0) > 1 else 0), owner, 0))
    if 255 in held and 255 not in places:
        held.discard(255)
        found.notes.append(f"{file.name}: pixels of 255 (not to be judged) count as background")
    if not held <= set(places):
        unknown = min(held - set(places))
        raise InvalidLabel(
            f"its mask holds {unknown}, but the classes have the numbers "
            f"{', '.join(map(str, sorted(places)))}; name them in classes.txt."
        )
    table = np.zeros(int(values.max(initial=0)) + 1, np.uint8)
    for number in held:
        table[number] = places[number]
    return MaskLabel(table[values])


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write images/<split>/, masks/<split>/ and classes.txt."""
    for example in examples:
        word = SPLIT_FOLDERS[example.split]
        copy_picture(example.image, folder / "images" / word / example.file)
        mask = example.label.mask if task == "segmentation" else make_anomaly_mask(example)
        write_mask(mask, folder / "masks" / word / f"{example.stem}.png")
    if task == "segmentation":
        write_text(folder / "classes.txt", "".join(f"{name}\n" for name in classes))


def find_loss(example: Example, task: str) -> str | None:
    """Return why masks cannot hold a label: abnormal, and it is not said where; None otherwise."""
    if task == "anomaly" and example.label.verdict == "abnormal" and not _has_pixels(example.label):
        return "it is abnormal without a mask; use the format 'folders' or 'csv'."
    return None


def _has_pixels(label: AnomalyLabel) -> bool:
    """Tell whether a label says where the abnormality lies."""
    return label.mask is not None and bool(label.mask.any())


def make_anomaly_mask(example: Example) -> np.ndarray:
    """Return a uint8 (H, W) mask of 0 and 255."""
    if example.label.mask is None:
        return np.zeros(example.image_size, np.uint8)
    return np.where(example.label.mask, 255, 0).astype(np.uint8)


def write_mask(mask: np.ndarray, path: Path) -> None:
    """Write a uint8 (H, W) mask as a PNG, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path, "PNG")
