"""Crops of labeled images that show what a class looks like."""

import numpy as np
from PIL import Image as Picture

from ...errors import UnreadableImage
from ...image_set import Image
from ...project import Project
from ...tasks.detection import BoxLabel

COUNT = 6
SIDE = 160  # pixels of a crop at most
MARGIN_FRACTION = 0.25  # of the thing's longer side, around it

Frame = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels


def find_examples(project: Project, class_name: str) -> list[tuple[Image, np.ndarray]]:
    """Return up to six images that hold the class, each with a crop: uint8 (h, w, 3).

    An image that cannot be read is left out. Raises UnknownClass.
    """
    examples = []
    for image in project.images.where(class_name=class_name).page(0, COUNT):
        try:
            examples.append((image, cut_example(image, find_frame(project, image, class_name))))
        except UnreadableImage:
            continue
    return examples


def find_frame(project: Project, image: Image, class_name: str) -> Frame:
    """Return the box around what the label says of the class; by default the whole image."""
    label, whole = image.label, (0.0, 0.0, float(image.width), float(image.height))
    if isinstance(label, BoxLabel):
        boxes = [box.xyxy for box in label.boxes if box.class_name == class_name]
        return max(boxes, key=_area, default=whole)
    mask = getattr(label, "mask", None)
    if mask is None:
        return whole
    index = 1 if project.task == "anomaly" else project.classes.index(class_name) + 1
    ys, xs = np.nonzero(np.asarray(mask) == index)
    if not len(xs):
        return whole
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def _area(frame: Frame) -> float:
    """Return the pixels of a frame."""
    return (frame[2] - frame[0]) * (frame[3] - frame[1])


def cut_example(image: Image, frame: Frame) -> np.ndarray:
    """Return the photo around a frame, at most 160 pixels a side: uint8 (h, w, 3)."""
    x0, y0, x1, y1 = frame
    margin = MARGIN_FRACTION * max(x1 - x0, y1 - y0)
    left, top = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    right, bottom = min(int(x1 + margin) + 1, image.width), min(int(y1 + margin) + 1, image.height)
    picture = Picture.fromarray(image.read()[top:bottom, left:right])
    picture.thumbnail((SIDE, SIDE))
    return np.asarray(picture)
