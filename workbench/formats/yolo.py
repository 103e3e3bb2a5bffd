"""YOLO: one text file an image, in labels/ beside images/ or next to the picture; and data.yaml.

A line is `class x y width height` (the centre, as fractions of the image), or for an outline
`class x y x y x y ...`. An empty file says: nothing there; a missing one: unlabeled.
Source: docs.ultralytics.com, "Object detection datasets" and "Instance segmentation datasets".
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidLabel
from ..tasks.segmentation import MaskLabel
from .boxes import Row, make_box_label
from .class_names import FILES, find_class_file, read_class_names
from .items import Example, ImageSize, Item, LabelSet, merge_classes, tell_split
from .outlines import fill_polygon, trace_polygons
from .pictures import Pictures, copy_picture, list_files, relative_name, write_text

TASKS = ("detection", "segmentation")
SPLIT_FOLDERS = {"train": "train", "dev": "val", "test": "test", None: "unassigned"}


def recognizes(path: Path) -> bool:
    """Tell whether there are text files of numbers that start with a class."""
    for file in _list_label_files(path)[:20]:
        lines = [line for line in _read_lines(file) if line]
        if lines and all(_looks_like_a_row(line) for line in lines):
            return True
    class_file = find_class_file(path)
    return class_file is not None and class_file.suffix.lower() in (".yaml", ".yml")


def _list_label_files(path: Path) -> list[Path]:
    """Return the text files that may hold labels: those in labels/ folders if there are any."""
    if not path.is_dir():
        return []
    files = list_files(path, [".txt"])
    inside = [f for f in files if "labels" in relative_name(f, path).lower().split("/")[:-1]]
    if inside:
        return inside
    others = [f for f in files if f.name.lower() not in FILES]
    return [f for f in others if all(map(_looks_like_a_row, filter(None, _read_lines(f))))]


def _read_lines(file: Path) -> list[list[str]]:
    """Return the words of each line of a text file."""
    return [line.split() for line in file.read_text("utf-8-sig", errors="replace").splitlines()]


def _looks_like_a_row(words: list[str]) -> bool:
    """Tell whether words are a class number and at least four numbers."""
    return len(words) >= 5 and words[0].isdigit() and all(_is_number(word) for word in words[1:])


def _is_number(word: str) -> bool:
    """Tell whether a word is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return what the text files say of every picture; classes as data.yaml numbers them."""
    problems: list[tuple[str, str]] = []
    numbers = dict(enumerate(classes))
    class_file = find_class_file(path)
    if class_file is not None:
        try:
            numbers = read_class_names(class_file)
        except InvalidLabel as error:
            problems.append((class_file.name, str(error)))
    names = [numbers[number] for number in sorted(numbers)]
    found = LabelSet(merge_classes(classes, names), [], problems)
    pictures = Pictures(path)
    texts = {_make_key(relative_name(f, path)): f for f in _list_label_files(path)}
    for picture in pictures.files:
        name = pictures.names[picture]
        text = texts.pop(_make_key(name), None)
        found.items.append(_make_item(name, text, task, numbers, picture, found))
    for key, text in texts.items():
        found.items.append(_make_item(key, text, task, numbers, None, found))
    return found


def _make_key(name: str) -> str:
    """Return what a picture and its labels share: the path without images/, labels/ and suffix."""
    parts = name.rpartition(".")[0].split("/")
    for i, folder in enumerate(parts[:-1]):
        if folder.lower() in ("images", "labels"):
            return "/".join([*parts[:i], *parts[i + 1 :]])
    return "/".join(parts)


def _make_item(
    name: str,
    text: Path | None,
    task: str,
    numbers: Mapping[int, str],
    picture: Path | None,
    found: LabelSet,
) -> Item:
    """Return the item of one picture, of one text file, or of both."""
    read_rows: Callable[..., Any] = _read_boxes if task == "detection" else _read_mask

    def read_label(image_size: ImageSize) -> Any:
        return None if text is None else read_rows(name, text, numbers, image_size, found)

    return Item(name, read_label, tell_split(name), picture)


def _parse_rows(
    name: str, text: Path, numbers: Mapping[int, str], image_size: ImageSize, found: LabelSet
) -> list[tuple[str, np.ndarray]]:
    """Return (class, values in pixels) of each line; lines that cannot be read become problems."""
    height, width = image_size
    rows = []
    for number, words in enumerate(_read_lines(text), 1):
        if not words:
            continue
        if not _looks_like_a_row(words):
            found.problems.append((name, f"line {number} is no class and numbers."))
        elif int(words[0]) not in numbers:
            found.problems.append((name, f"line {number} has the unknown class {words[0]:.20}."))
        else:
            values = np.array(words[1:] if len(words) != 6 else words[1:5], float)
            rows.append((numbers[int(words[0])], values * np.resize([width, height], len(values))))
    return rows


def _read_boxes(
    name: str, text: Path, numbers: Mapping[int, str], image_size: ImageSize, found: LabelSet
) -> Any:
    """Return the boxes of a text file; an outline gives the box around it."""
    before = len(found.problems)
    rows = [
        _make_box_row(class_name, values)
        for class_name, values in _parse_rows(name, text, numbers, image_size, found)
    ]
    if not rows and len(found.problems) > before:
        return None
    return make_box_label(name, rows, image_size, found)


def _make_box_row(class_name: str, values: np.ndarray) -> Row:
    """Return the row of x, y, width, height around a centre, or of an outline's points."""
    if len(values) == 4:
        (x, y), (width, height) = values[:2].tolist(), values[2:].tolist()
        return class_name, x - width / 2, y - height / 2, x + width / 2, y + height / 2
    xs, ys = values[0::2].tolist(), values[1::2].tolist()
    return class_name, min(xs), min(ys), max(xs), max(ys)


def _read_mask(
    name: str, text: Path, numbers: Mapping[int, str], image_size: ImageSize, found: LabelSet
) -> MaskLabel | None:
    """Return the mask of a text file's outlines; a box is none, and becomes a problem."""
    before, painted = len(found.problems), 0
    mask = np.zeros(image_size, np.uint8)
    for class_name, values in _parse_rows(name, text, numbers, image_size, found):
        if len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
            reason = f"{class_name!r} has a box and no outline; import it into a detection project."
            found.problems.append((name, reason))
        else:
            fill_polygon(mask, values.reshape(-1, 2), found.classes.index(class_name) + 1)
            painted += 1
    return None if not painted and len(found.problems) > before else MaskLabel(mask)


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write images/<split>/, labels/<split>/ and data.yaml."""
    make = _make_box_lines if task == "detection" else _make_outline_lines
    for example in examples:
        word = SPLIT_FOLDERS[example.split]
        copy_picture(example.image, folder / "images" / word / example.file)
        write_text(folder / "labels" / word / f"{example.stem}.txt", make(example, classes))
    splits = {example.split for example in examples}
    lines = [f"{w}: images/{w}" for s, w in SPLIT_FOLDERS.items() if s is not None and s in splits]
    # A JSON string is a YAML string, whatever a class is called.
    names = [f"  {i}: {json.dumps(name)}" for i, name in enumerate(classes)]
    write_text(folder / "data.yaml", "\n".join(["path: .", *lines, "names:", *names]) + "\n")


def _make_box_lines(example: Example, classes: Sequence[str]) -> str:
    """Return the lines of a box label."""
    height, width = example.image_size
    lines = []
    for box in example.label.boxes:
        centre = ((box.x0 + box.x1) / 2 / width, (box.y0 + box.y1) / 2 / height)
        values = (*centre, (box.x1 - box.x0) / width, (box.y1 - box.y0) / height)
        lines.append(_make_line(classes.index(box.class_name), values))
    return "".join(lines)


def _make_outline_lines(example: Example, classes: Sequence[str]) -> str:
    """Return the lines of a mask label: one for each connected part of each class."""
    height, width = example.image_size
    mask, lines = example.label.mask, []
    for index in range(len(classes)):
        for polygon in trace_polygons(mask == index + 1):
            lines.append(_make_line(index, (polygon / (width, height)).ravel()))
    return "".join(lines)


def _make_line(index: int, values: Any) -> str:
    """Return one line: the class and its numbers."""
    return (
        " ".join([str(index), *(f"{value:.9f}".rstrip("0").rstrip(".") for value in values)]) + "\n"
    )
