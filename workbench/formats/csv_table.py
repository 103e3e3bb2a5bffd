"""CSV: one table of labels, with a header; pictures and masks beside it.

Columns: image; class (classification); class, x0, y0, x1, y1 (detection: pixels, half-open; a row
with no class says: nothing there); mask (segmentation: the file of an index mask); verdict and
mask (anomaly); and split, where there are any. Separated by commas, semicolons or tabs.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidLabel, UnreadableImage
from ..photos.reading import read_values
from ..tasks.anomaly import AnomalyLabel
from ..tasks.classification import ClassLabel
from ..tasks.segmentation import MaskLabel
from .boxes import Row, make_box_label
from .class_names import find_class_file, read_class_names
from .folders import ABNORMAL_WORDS, NORMAL_WORDS
from .items import SPLIT_WORDS, Example, ImageSize, Item, LabelSet, merge_classes
from .masks import make_anomaly_mask, write_mask
from .pictures import Pictures, copy_picture, list_files, relative_name, write_text
from .voc import explain_sizes

TASKS = ("classification", "detection", "segmentation", "anomaly")
_COLUMNS = {
    "image": ("image", "name", "file", "filename", "file_name", "path", "image_name"),
    "class": ("class", "label", "class_name", "category"),
    "verdict": ("verdict",),
    "mask": ("mask", "mask_file"),
    "split": ("split", "subset", "set"),
    "x0": ("x0", "xmin", "x_min"),
    "y0": ("y0", "ymin", "y_min"),
    "x1": ("x1", "xmax", "x_max"),
    "y1": ("y1", "ymax", "y_max"),
}
_NEEDED = {
    "classification": ("class",),
    "detection": ("class", "x0", "y0", "x1", "y1"),
    "segmentation": ("mask",),
    "anomaly": ("verdict",),
}
_MEANING = {alias: column for column, aliases in _COLUMNS.items() for alias in aliases}

Record = Mapping[str, str]


def recognizes(path: Path) -> bool:
    """Tell whether there is a table with a column of images and one of labels."""
    for file in list_files(path, [".csv"])[:20]:
        if file.suffix.lower() == ".csv":
            with file.open("rb") as stream:
                head = stream.read(4000).decode("utf-8-sig", errors="replace").splitlines()
            columns = set(_read_header(head[0])[0]) if head else set()
            if "image" in columns and columns & {"class", "verdict", "mask"}:
                return True
    return False


def _read_header(line: str) -> tuple[list[str], str]:
    """Return what the columns of a header mean, in this file's words, and what separates them."""
    separator = max(",;\t", key=line.count)
    words = next(csv.reader([line], delimiter=separator), [])
    plain = [word.strip().lower() for word in words]
    return [_MEANING.get(word, word) for word in plain], separator


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return what the tables below a folder, or one table, say of their images."""
    problems: list[tuple[str, str]] = []
    records: dict[str, list[Record]] = {}
    for file in list_files(path, [".csv"]):
        try:
            _read_table(file, task, records)
        except (InvalidLabel, OSError, ValueError, csv.Error) as error:
            problems.append((relative_name(file, path), str(error)))
    numbers = _read_numbers(path, classes, problems) if task == "segmentation" else {}
    met = [r["class"] for rows in records.values() for r in rows if r.get("class")]
    names = numbers.values() if task == "segmentation" else met
    is_open = task != "anomaly"
    found = LabelSet(merge_classes(classes, names if is_open else ()), [], problems)
    pictures = Pictures(path)
    for name, rows in records.items():
        reader = _Reader(name, rows, pictures, numbers, found)
        read_label = getattr(reader, f"read_{task}")
        split = SPLIT_WORDS.get(rows[0].get("split", "").lower())
        found.items.append(Item(name, read_label, split, pictures.find(name)))
    return found


def _read_table(file: Path, task: str, records: dict[str, list[Record]]) -> None:
    """Add the rows of one table, by image. Raises InvalidLabel where a column is missing."""
    text = file.read_text("utf-8-sig")
    columns, separator = _read_header(text.partition("\n")[0].rstrip("\r"))
    if task == "anomaly" and "verdict" not in columns:
        columns = ["verdict" if column == "class" else column for column in columns]
    missing = [c for c in ("image", *_NEEDED[task]) if c not in columns]
    if missing:
        raise InvalidLabel(f"it has no column {', '.join(missing)}.")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(rows)
    for values in rows:
        record = dict(zip(columns, (value.strip() for value in values)))
        if record.get("image"):
            records.setdefault(record["image"], []).append(record)


def _read_numbers(
    path: Path, classes: Sequence[str], problems: list[tuple[str, str]]
) -> dict[int, str]:
    """Return {mask value: class name}, by classes.txt or else as the project numbers them."""
    file, names = find_class_file(path), list(classes)
    try:
        names = names if file is None else list(read_class_names(file).values())
    except InvalidLabel as error:
        problems.append(("classes", str(error)))
    return dict(enumerate(names[:255], 1))


class _Reader:
    """What the rows of one image say, read when its size is known; one method for each task."""

    def __init__(
        self,
        name: str,
        rows: list[Record],
        pictures: Pictures,
        numbers: dict[int, str],
        found: LabelSet,
    ) -> None:
        self.name, self.rows, self.pictures = name, rows, pictures
        self.numbers, self.found = numbers, found

    def read_classification(self, image_size: ImageSize) -> ClassLabel | None:
        """Return the class; None where the row has none."""
        names = {row.get("class", "") for row in self.rows}
        if len(names) > 1:
            raise InvalidLabel(f"it has several classes: {', '.join(sorted(names))}.")
        name = names.pop()
        return ClassLabel(name) if name else None

    def read_detection(self, image_size: ImageSize) -> Any:
        """Return the boxes; none where the rows have no class."""
        rows: list[Row] = []
        named = [row for row in self.rows if row.get("class")]
        for row in named:
            try:
                x0, y0, x1, y1 = (float(row[side]) for side in ("x0", "y0", "x1", "y1"))
                rows.append((row["class"], x0, y0, x1, y1))
            except (ValueError, KeyError):
                reason = f"a box of {row['class']!r:.60} has a side that is no number."
                self.found.problems.append((self.name, reason))
        if named and not rows:
            return None
        return make_box_label(self.name, rows, image_size, self.found)

    def read_segmentation(self, image_size: ImageSize) -> MaskLabel | None:
        """Return the mask that the row names; None where it names none."""
        values = self._read_mask(image_size)
        if values is None:
            return None
        table = np.zeros(256, np.uint8)
        for number, name in self.numbers.items():
            table[number] = self.found.classes.index(name) + 1
        highest = int(values.max(initial=0))
        if len(self.numbers) == 1 and highest > 1:
            return MaskLabel(np.where(values > 127, table[1], 0))
        if highest > len(self.numbers):
            raise InvalidLabel(
                f"its mask holds {highest}, but there are {len(self.numbers)} classes."
            )
        return MaskLabel(table[values.astype(np.uint8)])

    def read_anomaly(self, image_size: ImageSize) -> AnomalyLabel | None:
        """Return the verdict, and the mask where it is abnormal and the row names one."""
        word = self.rows[0].get("verdict", "").lower().replace(" ", "_")
        if not word:
            return None
        if word not in NORMAL_WORDS | ABNORMAL_WORDS:
            raise InvalidLabel(f"its verdict is {word!r:.60}; write normal or abnormal.")
        if word in NORMAL_WORDS:
            return AnomalyLabel("normal")
        values = self._read_mask(image_size)
        if values is None:
            return AnomalyLabel("abnormal")
        return AnomalyLabel("abnormal", values > (127 if values.max(initial=0) > 1 else 0))

    def _read_mask(self, image_size: ImageSize) -> np.ndarray | None:
        """Return the (H, W) values of the mask that the row names; None where it names none."""
        name = self.rows[0].get("mask", "")
        if not name:
            return None
        file = self.pictures.find(name)
        if file is None:
            raise InvalidLabel(f"its mask {name!r:.100} is not in the folder.")
        try:
            values = read_values(file)
        except UnreadableImage as error:
            raise InvalidLabel(f"its mask cannot be read: {error}") from None
        if values.shape != tuple(image_size):
            raise InvalidLabel(explain_sizes((values.shape[0], values.shape[1]), image_size))
        return values


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write labels.csv, images/, and for masks masks/ and classes.txt."""
    stream = io.StringIO(newline="")
    columns = ["image", *_NEEDED[task], *(["mask"] if task == "anomaly" else []), "split"]
    table = csv.DictWriter(stream, columns, lineterminator="\n")
    table.writeheader()
    for example in examples:
        copy_picture(example.image, folder / "images" / example.file)
        for row in _make_rows(example, folder, task):
            split = example.split or ""
            table.writerow({"image": f"images/{example.file}", "split": split, **row})
    write_text(folder / "labels.csv", stream.getvalue())
    if task != "anomaly":
        write_text(folder / "classes.txt", "".join(f"{name}\n" for name in classes))


def _make_rows(example: Example, folder: Path, task: str) -> list[dict[str, Any]]:
    """Return the rows of one image; its mask is written."""
    label = example.label
    if task == "classification":
        return [{"class": label.class_name}]
    if task == "detection":
        sides = ("x0", "y0", "x1", "y1")
        rows = [{"class": box.class_name, **dict(zip(sides, box.xyxy))} for box in label.boxes]
        return rows or [{"class": ""}]
    row = {"verdict": label.verdict} if task == "anomaly" else {}
    if label.mask is not None:
        row["mask"] = f"masks/{example.stem}.png"
        mask = label.mask if task == "segmentation" else make_anomaly_mask(example)
        write_mask(mask, folder / row["mask"])
    return [row]
