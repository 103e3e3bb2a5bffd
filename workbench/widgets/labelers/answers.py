"""What the browser asks of Python, and what it is told: each answer is a dict and some buffers.

Answers change nothing but the classes; all else that changes comes as a gesture.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Picture

from ...errors import InvalidSetting, UnreadableImage
from ...image_set import Image, ImageSet
from ...project import Project
from ...store.classes import read_classes_with_counts
from ...store.held_classes import count_states, read_held_classes
from ...store.search import find_next, find_position
from ...store.undo import can_undo
from ..surface.masks import pack_mask
from ..surface.photo import encode_photo, encode_preview
from .examples import find_examples
from .truths import Outcome, Truth, Truths

PAGE = 200  # rows at most in one answer
FILTERS = ("split", "class_name", "state", "text", "labeled")
NO_SPLIT = "none"

Buffers = list[bytes]
Answer = tuple[dict[str, Any], Buffers]


@dataclass(frozen=True)
class Desk:
    """What an answer is made from: the project, the images that were asked for, the labels."""

    project: Project
    images: ImageSet
    truths: Truths
    read_code: Callable[[], str]


def choose_images(images: ImageSet, wanted: Mapping[str, Any] | None) -> ImageSet:
    """Return those images that fit the browser's filter; what is empty is not asked."""
    given = {
        name: value
        for name, value in (wanted or {}).items()
        if name in FILTERS and value not in ("", None)
    }
    if given.get("split") == NO_SPLIT:
        given["split"] = None
    return images.where(**given) if given else images


def describe_project(desk: Desk) -> dict[str, Any]:
    """Return classes, counts and what else the panels show."""
    states = count_states(desk.project.store)
    classes = [
        {
            "name": row.name,
            "color": row.color,
            "key": str(number) if number < 10 else "",
            "images": row.images,
            "items": row.items,
            "instructions": row.instructions,
        }
        for number, row in enumerate(read_classes_with_counts(desk.project.store), 1)
    ]
    return {
        "name": desk.project.name,
        "classes": classes,
        "counts": make_counts(states),
        "shown": len(desk.images),
    }


def make_counts(states: Mapping[str, int]) -> dict[str, int]:
    """Return {images, labeled, nothing, unlabeled}; labeled counts those with nothing there too."""
    labeled = states["labeled"] + states["nothing there"]
    return {
        "images": sum(states.values()),
        "labeled": labeled,
        "nothing": states["nothing there"],
        "unlabeled": states["unlabeled"],
    }


def describe_rows(desk: Desk, images: Sequence[Image]) -> list[dict[str, Any]]:
    """Return one row of the strip for each image."""
    held = read_held_classes(desk.project.store, [image.id for image in images])
    return [
        {
            "id": image.id,
            "name": image.name,
            "width": image.width,
            "height": image.height,
            "state": image.state,
            "split": image.split or "",
            "classes": held[image.id],
        }
        for image in images
    ]


def describe_truth(desk: Desk, image_id: int, truth: Truth) -> dict[str, Any]:
    """Return what the browser shows of a label, its mask left out, and what can be undone."""
    undoes, redoes = can_undo(desk.project.store, image_id)
    return {
        **desk.truths.room.describe_label(truth.label),
        "labeled": truth.label is not None,
        "revision": truth.revision,
        "can_undo": undoes,
        "can_redo": redoes,
    }


def describe_outcome(desk: Desk, outcome: Outcome) -> Answer:
    """Return one image of an acknowledgement; its patch holds the pixels that may have changed."""
    image = desk.images.find(outcome.image_id)
    described: dict[str, Any] = {
        **describe_rows(desk, [image])[0],
        **describe_truth(desk, outcome.image_id, outcome.truth),
        "previous": outcome.previous,
        "patch": None,
    }
    mask = desk.truths.read_mask(outcome.truth.label)
    if outcome.previous < 0 or (outcome.rect is None and mask is None):
        return described, []  # the browser asks for the whole where it needs it
    x, y, width, height = outcome.rect or (0, 0, 0, 0)
    described["patch"] = {"x": x, "y": y, "width": width, "height": height}
    if mask is None:
        return described, [pack_mask(np.zeros((height, width), np.uint8))]
    return described, [pack_mask(mask[y : y + height, x : x + width])]


def answer_project(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return classes and counts."""
    return describe_project(desk), []


def answer_rows(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return one page of the images that fit a filter: {rows, total}."""
    images = choose_images(desk.images, params.get("filter"))
    start, count = int(params.get("start", 0)), min(int(params.get("count", 60)), PAGE)
    return {"rows": describe_rows(desk, images.page(start, count)), "total": len(images)}, []


def answer_thumbnails(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return a JPEG for each id, b"" where an image cannot be read."""
    ids = [int(image_id) for image_id in params["ids"]][:PAGE]
    return {"ids": ids}, [_read_thumbnail(desk, image_id) for image_id in ids]


def _read_thumbnail(desk: Desk, image_id: int) -> bytes:
    """Return the small JPEG of an image, or b""."""
    try:
        return desk.images.find(image_id).read_thumbnail()
    except (UnreadableImage, LookupError):
        return b""


def answer_image(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return an image with its label: buffers are the photo and the deflated mask.

    photo: "preview" for the small JPEG, "full" for the whole, "none" for the label alone. A file
    that is gone gives the reason as "error" and no photo; its label is still there.
    """
    image = desk.images.find(int(params["image"]))
    truth = desk.truths.read(image.id)
    described = {**describe_rows(desk, [image])[0], **describe_truth(desk, image.id, truth)}
    kind = params.get("photo", "full")
    photo, error = b"", None
    try:
        if kind != "none":
            photo = encode_preview(image) if kind == "preview" else encode_photo(image)
    except UnreadableImage as unreadable:
        error = str(unreadable)
    mask = pack_mask(desk.truths.read_mask(truth.label))
    return {"image": described, "photo": kind, "error": error}, [photo, mask]


def answer_position(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return where an image stands among those that fit the filter; None: it does not fit."""
    images = choose_images(desk.images, params.get("filter"))
    index = find_position(desk.project.store, images.filters, int(params["image"]))
    return {"index": index}, []


def answer_next_unlabeled(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return the next image without a label, the first one again after the last: {image, index}."""
    images = choose_images(desk.images, params.get("filter"))
    store = desk.project.store
    image_id = find_next(store, images.filters, int(params.get("after") or 0), "unlabeled")
    index = None if image_id is None else find_position(store, images.filters, image_id)
    return {"image": image_id, "index": index}, []


def answer_ids(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return the ids of the first images that fit the filter: {ids, total}."""
    images = choose_images(desk.images, params.get("filter"))
    ids = images.ids()
    return {"ids": ids[: int(params.get("count", 5000))], "total": len(ids)}, []


def answer_instructions(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return what is written about a class, and crops of labels that hold it as JPEGs."""
    name = str(params["class_name"])
    text = desk.project.instructions.get(name, "")
    examples = find_examples(desk.project, name)
    described = [{"image": image.id, "name": image.name} for image, _ in examples]
    return {"text": text, "examples": described}, [_encode_crop(crop) for _, crop in examples]


def _encode_crop(crop: np.ndarray) -> bytes:
    """Return uint8 (H, W, 3) as a JPEG."""
    buffer = io.BytesIO()
    Picture.fromarray(crop).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


def answer_set_instructions(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Write what is to be known about a class."""
    desk.project.set_instructions(str(params["class_name"]), str(params["text"]))
    return describe_project(desk), []


def answer_classes(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Add, rename, recolor or remove a class, and return the project as it is then."""
    act, name = params.get("act"), str(params.get("name", ""))
    if act == "add":
        desk.project.add_class(name, params.get("color"))
    elif act == "rename":
        desk.project.rename_class(name, str(params["new"]))
    elif act == "color":
        desk.project.set_color(name, str(params["color"]))
    elif act == "remove":
        desk.project.remove_class(name, remove_labels=bool(params.get("remove_labels")))
    else:
        raise InvalidSetting(f"Classes can be added, renamed, recolored, removed, not {act!r:.40}.")
    return describe_project(desk), []


def answer_code(desk: Desk, params: Mapping[str, Any]) -> Answer:
    """Return the calls that repeat what was done with this labeler."""
    return {"text": desk.read_code()}, []


ANSWERS: dict[str, Callable[[Desk, Mapping[str, Any]], Answer]] = {
    "project": answer_project,
    "rows": answer_rows,
    "thumbnails": answer_thumbnails,
    "image": answer_image,
    "position": answer_position,
    "next_unlabeled": answer_next_unlabeled,
    "ids": answer_ids,
    "instructions": answer_instructions,
    "set_instructions": answer_set_instructions,
    "classes": answer_classes,
    "code": answer_code,
}
