"""Pascal VOC: one XML file an image, in Annotations/, beside JPEGImages/ and ImageSets/Main/.

VOC counts pixels from 1 and includes both ends: xmin 1 and xmax 10 are the first ten columns, here
x0 0 and x1 10. Source: the VOC2012 development kit, section 4.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from ..errors import InvalidLabel
from ..tasks.detection import Box, BoxLabel
from .boxes import Row, make_box_label
from .items import SPLIT_WORDS, Example, ImageSize, Item, LabelSet, merge_classes, tell_split
from .pictures import Pictures, copy_picture, list_files, relative_name, write_text

TASKS = ("detection",)
SPLIT_FILES = {"train": "train", "dev": "val", "test": "test"}


def recognizes(path: Path) -> bool:
    """Tell whether there is an XML file whose first element is `annotation`."""
    for file in list_files(path, [".xml"])[:20]:
        with file.open("rb") as stream:
            if b"<annotation" in stream.read(1000):
                return True
    return False


def read(path: Path, task: str, classes: Sequence[str]) -> LabelSet:
    """Return the boxes of every XML file below a folder; classes in order of appearance."""
    pictures, splits = Pictures(path), _read_splits(path)
    parsed = []
    problems: list[tuple[str, str]] = []
    for file in list_files(path, [".xml"]):
        try:
            parsed.append((file, *_parse(file)))
        except InvalidLabel as error:
            problems.append((relative_name(file, path), str(error)))
    met = [row[0] for _, _, _, rows in parsed for row in rows]
    found = LabelSet(merge_classes(classes, met), [], problems)
    for file, name, size, rows in parsed:
        stem = relative_name(file, path).removesuffix(file.suffix).removeprefix("Annotations/")
        image = pictures.find_stem(stem) or pictures.find(name)
        split = splits.get(stem) or splits.get(file.stem)
        if split is None and not (path / "ImageSets" / "Main").is_dir():
            split = tell_split(relative_name(file, path))
        found.items.append(_make_item(name or f"{stem}", size, rows, split, image, found))
    return found


def _read_splits(path: Path) -> dict[str, str]:
    """Return {image id: split} from ImageSets/Main/train.txt and so on."""
    splits = {}
    for file in sorted(path.glob("ImageSets/Main/*.txt")) if path.is_dir() else []:
        if file.stem in SPLIT_WORDS:
            lines = file.read_text("utf-8", errors="replace").splitlines()
            splits.update({line.strip(): SPLIT_WORDS[file.stem] for line in lines if line.strip()})
    return splits


def _parse(file: Path) -> tuple[str, ImageSize | None, list[Row]]:
    """Return an XML file's image name, its (height, width) if it says so, and its rows."""
    # Imported here: only who reads VOC needs it. It refuses entities, which can grow without end.
    from defusedxml import DefusedXmlException, ElementTree

    try:
        root: Any = ElementTree.parse(file).getroot()
        size = (int(root.findtext("size/height", "0")), int(root.findtext("size/width", "0")))
        rows = [_parse_object(element) for element in root.iter("object")]
        return root.findtext("filename", "").strip(), size if all(size) else None, rows
    except DefusedXmlException:
        raise InvalidLabel("it defines XML entities, which are not allowed here.") from None
    except (ElementTree.ParseError, OSError) as error:
        raise InvalidLabel(f"it is not valid XML: {error}.") from None
    except (ValueError, TypeError, LookupError) as error:
        raise InvalidLabel(f"a number or a field in it cannot be read: {error}.") from None


def _parse_object(element: Any) -> Row:
    """Return the class of an <object> and its box in pixels, half-open."""
    name = element.findtext("name", "").strip()
    if not name:
        raise ValueError("an object has no name")
    xmin, ymin, xmax, ymax = (
        float(element.findtext(f"bndbox/{side}", "missing"))
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    return name, xmin - 1, ymin - 1, xmax, ymax


def _make_item(
    name: str,
    size: ImageSize | None,
    rows: list[Row],
    split: str | None,
    image: Path | None,
    found: LabelSet,
) -> Item:
    """Return the item of one XML file."""

    def read_label(image_size: ImageSize) -> BoxLabel | None:
        if size is not None and size != tuple(image_size):
            raise InvalidLabel(explain_sizes(size, image_size))
        return make_box_label(name, rows, image_size, found)

    return Item(name, read_label, split, image)


def explain_sizes(size: ImageSize, image_size: ImageSize) -> str:
    """Return one sentence on labels that were made for an image of another (height, width)."""
    return (
        f"its labels are for {size[1]} x {size[0]} pixels (width x height), "
        f"but the image has {image_size[1]} x {image_size[0]}."
    )


def write(examples: Sequence[Example], folder: Path, classes: Sequence[str], task: str) -> None:
    """Write JPEGImages/, Annotations/ and, for the splits, ImageSets/Main/."""
    for example in examples:
        copy_picture(example.image, folder / "JPEGImages" / example.file)
        write_text(folder / "Annotations" / f"{example.stem}.xml", _make_xml(example))
    for split, word in SPLIT_FILES.items():
        stems = [example.stem for example in examples if example.split == split]
        path = folder / "ImageSets" / "Main" / f"{word}.txt"
        write_text(path, "".join(f"{stem}\n" for stem in stems))


def _make_xml(example: Example) -> str:
    """Return the XML of one image."""
    height, width = example.image_size
    objects = "".join(_make_object(box) for box in example.label.boxes)
    return (
        f"<annotation>\n  <filename>{escape(example.file)}</filename>\n"
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        f"{objects}</annotation>\n"
    )


def _make_object(box: Box) -> str:
    """Return the XML of one box."""
    sides = {"xmin": box.x0 + 1, "ymin": box.y0 + 1, "xmax": box.x1, "ymax": box.y1}
    inner = "".join(f"<{name}>{value:.12g}</{name}>" for name, value in sides.items())
    return f"  <object><name>{escape(box.class_name)}</name><bndbox>{inner}</bndbox></object>\n"
