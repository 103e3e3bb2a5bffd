"""COCO: one JSON file for many images: boxes, polygons and run lengths (RLE).

Boxes are x, y, width, height in pixels from 0. Source: cocodataset.org, "Data format".
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidLabel
from ..tasks.detection import BoxLabel
from ..tasks.segmentation import MaskLabel
from .boxes import Row, make_box_label
from .items import SPLIT_WORDS, Example, ImageSize, Item, LabelSet, merge_classes, tell_split
from .outlines import fill_polygon
from .pictures import Pictures, copy_picture, list_files, relative_name, write_text
from .run_lengths import decode_run_lengths
from .voc import explain_sizes

TASKS = ("detection", "segmentation")
SPLIT_FILES = {"train": "train", "dev": "val", "test": "test", None: "unassigned"}


def recognizes(path: Path) -> bool:
    """Tell whether there is a JSON file that speaks of images and annotations."""
    for file in list_files(path, [".json"])[:20]:
        if file.suffix.lower() == ".json":
            data = file.read_bytes()
            if b'"images"' in data and b'"annotations"' in data:
                return True
    return False


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return what every COCO file below a folder, or one file, says; classes by category."""
    pictures = Pictures(path)
    problems: list[tuple[str, str]] = []
    documents = []
    for file in list_files(path, [".json"]):
        name = relative_name(file, path)
        try:
            documents.append((name, _read_document(file)))
        except InvalidLabel as error:
            problems.append((name, str(error)))
    documents = [(name, document) for name, document in documents if "images" in document]
    met = [class_name for _, doc in documents for class_name in _list_categories(doc).values()]
    found = LabelSet(merge_classes(classes, met), [], problems)
    for name, document in documents:
        _read_images(name, document, task, pictures, found)
    return found


def _read_document(file: Path) -> dict[str, Any]:
    """Return a JSON file's object. Raises InvalidLabel with the place of an error."""
    try:
        document = json.loads(file.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise InvalidLabel(f"it is not valid JSON: {reason}.") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLabel(f"it cannot be read as JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidLabel("it holds no JSON object.")
    return document


def _list_categories(document: Mapping[str, Any]) -> dict[Any, str]:
    """Return {category id: class name}, without what is not well formed."""
    rows = [row for row in _list_rows(document, "categories") if "name" in row and "id" in row]
    return {row["id"]: str(row["name"]) for row in rows if isinstance(row["id"], int | str)}


def _list_rows(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects under a key of the document."""
    rows = document.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _read_images(
    file_name: str, document: Mapping[str, Any], task: str, pictures: Pictures, found: LabelSet
) -> None:
    """Add an item for each image of one file."""
    categories, split = _list_categories(document), _tell_file_split(file_name)
    by_image = defaultdict(list)
    for row in _list_rows(document, "annotations"):
        by_image[str(row.get("image_id"))].append(row)
    for image in _list_rows(document, "images"):
        name = image.get("file_name")
        annotations = by_image.pop(str(image.get("id")), [])
        if not isinstance(name, str) or not name:
            found.problems.append((file_name, f"image {image.get('id')!r:.50} has no file_name."))
            continue
        reader = _Reader(name, image, annotations, categories, found)
        read_label = reader.read_boxes if task == "detection" else reader.read_mask
        told = None if _is_unassigned(file_name) else split or tell_split(name)
        found.items.append(Item(name, read_label, told, pictures.find(name)))
    for image_id, rows in by_image.items():
        reason = f"{len(rows)} annotations are of image {image_id:.50}, which is not in the file."
        found.problems.append((file_name, reason))


def _tell_file_split(file_name: str) -> str | None:
    """Return the split that 'annotations/instances_val2017.json' or its folder says."""
    stem = file_name.rpartition("/")[2].partition(".")[0].rstrip("0123456789")
    words = stem.replace("-", "_").lower().split("_")
    return next((SPLIT_WORDS[w] for w in words if w in SPLIT_WORDS), None) or tell_split(file_name)


def _is_unassigned(file_name: str) -> bool:
    """Tell whether a file is the one that `write` makes for images without a split."""
    return file_name.rpartition("/")[2] == f"instances_{SPLIT_FILES[None]}.json"


class _Reader:
    """What one image's annotations say, read when its size is known."""

    def __init__(
        self,
        name: str,
        image: Mapping[str, Any],
        annotations: list[dict[str, Any]],
        categories: Mapping[Any, str],
        found: LabelSet,
    ) -> None:
        self.name, self.image, self.annotations = name, image, annotations
        self.categories, self.found = categories, found

    def read_boxes(self, image_size: ImageSize) -> BoxLabel | None:
        """Return the boxes; groups (iscrowd) are no single things and are left out, with a note."""
        self._check_size(image_size)
        rows: list[Row] = []
        for annotation in self.annotations:
            if annotation.get("iscrowd"):
                self.found.notes.append(f"{self.name}: a group (iscrowd) was left out")
                continue
            try:
                rows.append((self._find_class(annotation), *_read_box(annotation)))
            except (InvalidLabel, TypeError, ValueError, KeyError, IndexError) as error:
                self._reject(annotation, error)
        if self.annotations and not rows:
            return None
        return make_box_label(self.name, rows, image_size, self.found)

    def read_mask(self, image_size: ImageSize) -> MaskLabel | None:
        """Return the mask; where annotations overlap, the later one counts, and groups first."""
        self._check_size(image_size)
        mask, painted = np.zeros(image_size, np.uint8), 0
        for annotation in sorted(self.annotations, key=lambda row: not row.get("iscrowd")):
            try:
                index = self.found.classes.index(self._find_class(annotation)) + 1
                _paint(mask, annotation.get("segmentation"), index)
                painted += 1
            except (InvalidLabel, TypeError, ValueError, KeyError, IndexError) as error:
                self._reject(annotation, error)
        return None if self.annotations and not painted else MaskLabel(mask)

    def _find_class(self, annotation: Mapping[str, Any]) -> str:
        """Return the class name of an annotation."""
        key = annotation.get("category_id")
        if not isinstance(key, int | str) or key not in self.categories:
            raise InvalidLabel(f"the category {key!r:.50} is not in the file")
        return self.categories[key]

    def _reject(self, annotation: Mapping[str, Any], error: Exception) -> None:
        """Keep why an annotation cannot be used."""
        reason = f"annotation {annotation.get('id')!r:.50}: {str(error).rstrip('.')[:200]}."
        self.found.problems.append((self.name, reason))

    def _check_size(self, image_size: ImageSize) -> None:
        """Raise InvalidLabel where the file gives another size for the image."""
        height, width = self.image.get("height"), self.image.get("width")
        if not (isinstance(height, int) and isinstance(width, int) and height and width):
            return
        if (height, width) != tuple(image_size):
            raise InvalidLabel(explain_sizes((height, width), image_size))


def _read_box(annotation: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the box of an annotation as x0, y0, x1, y1; from its outline if it has no bbox."""
    if annotation.get("bbox"):
        x, y, width, height = (float(value) for value in annotation["bbox"])
        return x, y, x + width, y + height
    outlines = annotation.get("segmentation")
    if not isinstance(outlines, list) or not outlines:
        raise InvalidLabel("it has no bbox")
    points = np.concatenate([_read_outline(outline) for outline in outlines])
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _paint(mask: np.ndarray, segmentation: Any, index: int) -> None:
    """Paint an annotation's polygons or run lengths into a uint8 (H, W) mask."""
    if isinstance(segmentation, dict):
        mask[decode_run_lengths(segmentation, (mask.shape[0], mask.shape[1]))] = index
    elif isinstance(segmentation, list) and segmentation:
        for outline in [_read_outline(outline) for outline in segmentation]:
            fill_polygon(mask, outline, index)
    else:
        raise InvalidLabel("it has no segmentation")


def _read_outline(values: Any) -> np.ndarray:
    """Return x, y, x, y... as float (N, 2), N >= 3."""
    points = np.array(values, float).reshape(-1, 2)
    if len(points) < 3 or not np.isfinite(points).all():
        raise InvalidLabel("an outline needs three points or more, all of them numbers")
    return points


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write images/ and annotations/instances_<split>.json; masks as run lengths, one a class."""
    make = _make_boxes if task == "detection" else _make_regions
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, 1)]
    for split, word in SPLIT_FILES.items():
        chosen = [example for example in examples if example.split == split]
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image_id, example in enumerate(chosen, 1):
            copy_picture(example.image, folder / "images" / example.file)
            height, width = example.image_size
            size = {"width": width, "height": height}
            images.append({"id": image_id, "file_name": example.file, **size})
            for row in make(example, classes):
                key = {"id": len(annotations) + 1, "image_id": image_id, "iscrowd": 0}
                annotations.append({**key, **row})
        if chosen or (split is None and not examples):
            document = {"images": images, "annotations": annotations, "categories": categories}
            path = folder / "annotations" / f"instances_{word}.json"
            write_text(path, json.dumps(document, indent=1))


def _make_boxes(example: Example, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the annotations of a box label."""
    return [
        {
            "category_id": classes.index(box.class_name) + 1,
            "bbox": [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0],
            "area": (box.x1 - box.x0) * (box.y1 - box.y0),
        }
        for box in example.label.boxes
    ]


def _make_regions(example: Example, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the annotations of a mask label: the pixels of each class that it holds."""
    from pycocotools import mask as codec  # imported here: a tenth of a second

    mask, rows = example.label.mask, []
    for index in range(1, len(classes) + 1):
        pixels = mask == index
        if pixels.any():
            packed = codec.encode(np.asfortranarray(pixels, dtype=np.uint8))
            counts = {"size": packed["size"], "counts": packed["counts"].decode("ascii")}
            box = [float(value) for value in codec.toBbox(packed)]
            area = int(pixels.sum())
            rows.append({"category_id": index, "segmentation": counts, "bbox": box, "area": area})
    return rows
