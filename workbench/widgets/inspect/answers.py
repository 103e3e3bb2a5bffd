"""What the tiles' browser side asks for, and the acts that are the same in Python."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import UnreadableImage
from ...model import read_source
from ...store.images import encode_small, find_image
from ...tasks.drawing import make_heat_table
from ..asked import Answer, Answers
from ..surface.masks import pack_mask
from ..surface.photo import encode_photo
from .describe import (
    TILE_SIDE,
    describe_layers,
    describe_row,
    describe_tile,
    describe_value,
    find_layers,
    read_pair,
    scale_heat,
)
from .look import Look

if TYPE_CHECKING:
    from .tiles import Tiles

Params = Mapping[str, Any]
MOST_TILES = 60  # in one answer


def describe_look(look: Look) -> dict[str, Any]:
    """Return what is shown, and how."""
    wanted = look.filter
    return {
        "scope": look.scope,
        "threshold": look.threshold,
        "counts": dict(look.count()),
        "order": wanted.order,
        "outcomes": wanted.outcomes,
        "class_name": wanted.class_name,
        "low": wanted.low,
        "high": wanted.high,
        "text": wanted.text,
        "cell": wanted.cell,
        "stale": look.is_stale,
        "missing": look.missing,
        "job": None if look.job is None else look.job.describe(),
    }


def answer_start(tiles: "Tiles", params: Params) -> Answer:
    """Return what does not change while a run is looked at, and send the images."""
    look = tiles.look
    tiles.send_list()
    return {
        "task": tiles.project.task,
        "run": look.run.name,
        "colors": tiles.project.colors,
        "classes": tiles.project.classes,
        "model_classes": list(look.run.snapshot.classes),
        "heat": make_heat_table().tolist(),
        "project": tiles.project.name,
    }, []


def answer_tiles(tiles: "Tiles", params: Params) -> Answer:
    """Return some tiles; their buffers follow one another, as many as each says."""
    described, buffers = [], []
    for image_id in list(params["ids"])[:MOST_TILES]:
        tile, parts = describe_tile(tiles.look, int(image_id))
        described.append({**tile, "buffers": len(parts)})
        buffers += parts
    return {"tiles": described}, buffers


def answer_image(tiles: "Tiles", params: Params) -> Answer:
    """Return one image as a whole: photo, masks of label and prediction, map of heat.

    photo: False leaves the photo out.
    """
    image = tiles.find(int(params["image"]))
    tiles.image = image
    row = find_image(tiles.look.run.store, image.id)
    label, prediction = read_pair(tiles.look, row)
    layers = find_layers(label, prediction)
    masks = {"label": layers.get("label"), "prediction": getattr(prediction, "mask", None)}
    kept = {name: mask for name, mask in masks.items() if mask is not None}
    if "heat" in layers:
        kept["heat"] = layers["heat"]
    described, buffers = describe_layers(kept)
    error, photo = None, b""
    if params.get("photo", True):
        try:
            photo = encode_photo(image)
        except UnreadableImage as unreadable:
            error = str(unreadable)
    told = {**describe_row(tiles.look, row, label, prediction), **described, "error": error}
    return {"image": told, "outcome": tiles.look.name_outcome(image.id)}, [photo, *buffers]


def answer_explain(tiles: "Tiles", params: Params) -> Answer:
    """Return which places of an image speak for a class: a map in 255ths."""
    image = tiles.find(int(params["image"]))
    grid = scale_heat(tiles.look.run.model().explain(image, params.get("class_name")))
    return {"height": grid.shape[0], "width": grid.shape[1]}, [pack_mask(grid)]


def answer_choose(tiles: "Tiles", params: Params) -> Answer:
    """Change filter and order."""
    wanted = dict(params)
    for name in ("outcomes", "cell"):
        if wanted.get(name) is not None:
            wanted[name] = tuple(map(str, wanted[name]))
    tiles.look.choose(**wanted)
    return {}, []


def answer_scope(tiles: "Tiles", params: Params) -> Answer:
    """Look at other images."""
    tiles.look.show(str(params["scope"]))
    return {"code": f"gallery.show({str(params['scope'])!r})"}, []


def answer_predict_missing(tiles: "Tiles", params: Params) -> Answer:
    """Predict what is not predicted yet."""
    tiles.look.predict_missing()
    return {"code": "run.predict()"}, []


def answer_sort(tiles: "Tiles", params: Params) -> Answer:
    """Sort by the labels of now."""
    tiles.look.sort()
    return {}, []


def answer_act(tiles: "Tiles", params: Params) -> Answer:
    """Accept, reject, undo or correct one image."""
    act, image_id = str(params["act"]), int(params["image"])
    acts: dict[str, Callable[[int], None]] = {
        "accept": tiles.accept,
        "reject": tiles.reject,
        "undo": tiles.undo,
        "correct": tiles.correct,
        "draft": lambda image: tiles.correct(image, from_prediction=True),
    }
    acts[act](image_id)
    name = tiles.find(image_id).name
    call = "correct" if act == "draft" else act
    return {"code": f"gallery.{call}({name!r})"}, []


def answer_try(tiles: "Tiles", params: Params) -> Answer:
    """Predict a photo that is dropped, without adding it to the project."""
    photo = read_source(bytes(params["data"]))
    look = tiles.look
    prediction = look.run.model().predict(photo, look.threshold)
    layers = find_layers(None, prediction)
    described, buffers = describe_layers(layers)
    height, width = photo.shape[:2]
    told = {"name": str(params.get("name", "photo")), "width": width, "height": height}
    told |= {"label": None, "prediction": describe_value(prediction), "split": "", "id": 0}
    return {"tile": {**told, **described}}, [encode_small(photo, 2 * TILE_SIDE), *buffers]


def answer_batch(tiles: "Tiles", params: Params) -> Answer:
    """Start to predict a folder into a CSV or JSON file, or stop it."""
    if params.get("stop"):
        tiles.stop_batch()
        return {}, []
    source, target = str(params["source"]), str(params["target"])
    tiles.start_batch(source, target)
    return {"code": f"run.predict_files({source!r}, {target!r})"}, []


ANSWERS: Answers = {
    "start": answer_start,
    "tiles": answer_tiles,
    "image": answer_image,
    "explain": answer_explain,
    "choose": answer_choose,
    "scope": answer_scope,
    "predict_missing": answer_predict_missing,
    "sort": answer_sort,
    "act": answer_act,
    "try": answer_try,
    "batch": answer_batch,
}
