"""A gesture: what a hand did, with a number of its own, as it comes from a browser or a cell."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InvalidSetting
from ...tasks.painting import decode_points


@dataclass(frozen=True)
class Gesture:
    """One act on an image (image_id None: on those that params["images"] names).

    id: its own for good, so that it is applied once, however often it is sent.
    """

    id: str
    image_id: int | None
    tool: str
    params: Mapping[str, Any]

    @property
    def image_ids(self) -> list[int]:
        """The images that it changes."""
        images = self.params.get("images")
        if images is None:
            return [] if self.image_id is None else [self.image_id]
        if not isinstance(images, list) or not all(isinstance(i, int) for i in images):
            raise InvalidSetting("images is a list of image ids.")
        return list(dict.fromkeys(images))


def make_gesture(image_id: int | None, tool: str, params: Mapping[str, Any]) -> Gesture:
    """Return a new gesture, made by a line of Python."""
    return Gesture(uuid.uuid4().hex, image_id, tool, params)


def read_gesture(content: Mapping[str, Any], buffers: Sequence[Any]) -> Gesture:
    """Return the gesture of a browser's message. Raises InvalidSetting for one that is none."""
    gesture_id, tool = content.get("id"), content.get("tool")
    params, image_id = content.get("params"), content.get("image")
    if (
        not (isinstance(gesture_id, str) and 0 < len(gesture_id) <= 100)
        or not (isinstance(tool, str) and isinstance(params, dict))
        or not (image_id is None or isinstance(image_id, int))
    ):
        raise InvalidSetting(f"A gesture has an id, image, tool and params, not {content!r:.120}.")
    values = dict(params)
    if buffers:
        try:
            values["points"] = np.asarray(decode_points(bytes(buffers[0])))
        except ValueError as error:
            raise InvalidSetting(f"The points of the gesture {tool!r} are damaged.") from error
        values["are_quantized"] = True
    return Gesture(gesture_id, image_id, tool, values)


def write_code(gesture: Gesture) -> str:
    """Return the call that repeats the gesture on the image that the labeler shows."""
    values = {key: value for key, value in gesture.params.items() if key != "are_quantized"}
    if "points" in values:
        points = np.asarray(values["points"], float).reshape(-1, 2)
        scale = 16 if gesture.params.get("are_quantized") else 1
        values["points"] = [(x, y) for x, y in (points / scale).tolist()]
    listed = "".join(f", {name}={value!r}" for name, value in values.items())
    return f"labeler.act({gesture.tool!r}{listed})"
