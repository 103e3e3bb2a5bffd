"""A trained model, run by ONNX Runtime: what was inspected is what ships.

It needs numpy, Pillow and onnxruntime, and nothing else of what this package depends on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np

from .errors import InvalidModel, InvalidSetting, SourceNotFound, UnknownClass
from .limits import cpu_limit
from .model_card import NETWORK, ModelCard, read_card
from .photos.reading import make_image_array, read_image
from .tasks import find_task
from .tasks.framing import Frame, cut_inputs, make_frames, merge_maps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from PIL.Image import Image as Picture

    Source: TypeAlias = "str | os.PathLike[str] | bytes | np.ndarray | Picture | Readable"


class Readable(Protocol):
    """Anything that gives its own pixels, such as an image of a project."""

    def read(self) -> np.ndarray:
        """Return the image: uint8 (H, W, 3)."""


class Model:
    """A model in a folder: model.onnx and model.json. The network is loaded on first use."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.card: ModelCard = read_card(self.folder)
        self._session: InferenceSession | None = None

    @property
    def task(self) -> str:
        """The project type: "classification", "detection", "segmentation" or "anomaly"."""
        return self.card.task

    @property
    def classes(self) -> list[str]:
        """The classes that the model knows, in its own order."""
        return list(self.card.classes)

    @property
    def threshold(self) -> float:
        """What counts as found or abnormal: a score >= threshold."""
        return self.card.threshold

    def __repr__(self) -> str:
        """Return what the model is, in a line."""
        return f"<Model {self.task}, {len(self.classes)} classes, {self.folder}>"

    def predict(self, source: Source | Sequence[Source], threshold: float | None = None) -> Any:
        """Return the prediction for one image, or a list of them for a list of images.

        source: a path, encoded bytes, a PIL image, an array (H, W, 3), (H, W) or (H, W, 4), or an
        image of a project. threshold: instead of the model's own. Raises SourceNotFound and
        UnreadableImage.
        """
        if isinstance(source, list | tuple):
            return list(self.predict_each(source, threshold))
        return self.predict_array(read_source(cast("Source", source)), threshold)

    def predict_each(
        self, sources: Sequence[Source], threshold: float | None = None
    ) -> Iterator[Any]:
        """Yield the prediction of each image in turn, so that only one is in memory."""
        for source in sources:
            yield self.predict_array(read_source(source), threshold)

    def predict_array(self, image: np.ndarray, threshold: float | None = None) -> Any:
        """Return the prediction for an upright RGB image: uint8 (H, W, 3)."""
        height, width = image.shape[:2]
        frames = make_frames((height, width), self.card.framing)
        outputs = self.run_network(image, frames)
        decided = self.card.threshold if threshold is None else float(threshold)
        return find_task(self.task).room.decode(outputs, frames, self.card.classes, decided)

    def explain(self, source: Source, class_name: str | None = None) -> np.ndarray:
        """Return how much each place of an image speaks for a class: float32 (h, w), 0..1.

        It covers the whole image, more coarsely. class_name: the predicted class unless given.
        What is shown is how much more a place adds to the class's score than places of this image
        do on average: 0 where it adds less, 1 where it adds most. It says where, not how sure.
        Raises InvalidSetting for other project types, UnknownClass, and InvalidModel for a model of
        an earlier version.
        """
        if self.task != "classification":
            raise InvalidSetting(f"Only classification is explained by a map, not {self.task}.")
        if "evidence" not in self.card.outputs:
            raise InvalidModel("This model came before maps were made; train it again to get one.")
        image = read_source(source)
        frames = make_frames(image.shape[:2], self.card.framing)
        outputs = self.run_network(image, frames)
        decided = class_name or self.predict_array(image).class_name
        if decided not in self.card.classes:
            known = ", ".join(self.card.classes)
            raise UnknownClass(f"The model has no class {decided!r}. It knows: {known}.")
        evidence = outputs[0]["evidence"].astype(np.float32)  # (K, h, w)
        stride = frames[0].input_size[0] / evidence.shape[1]
        merged = merge_maps([evidence], [frames[0].shrunk(stride)])  # (K, h, w), of the image alone
        places = merged[self.card.classes.index(decided)]
        added = np.maximum(places - places.mean(), 0)
        found: np.ndarray = added / max(float(added.max()), 1e-6)
        return found

    def run_network(
        self, image: np.ndarray, frames: Sequence[Frame]
    ) -> list[dict[str, np.ndarray]]:
        """Return the network's outputs for each frame of an image, uint8 (H, W, 3)."""
        results = []
        for cut in cut_inputs(image, list(frames)):
            values = self.session.run(list(self.card.outputs), {"image": self.normalise(cut)})
            results.append(dict(zip(self.card.outputs, (np.asarray(value)[0] for value in values))))
        return results

    def normalise(self, cut: np.ndarray) -> np.ndarray:
        """Return a uint8 (h, w, 3) input as the network wants it: float32 (1, 3, h, w)."""
        mean = np.array(self.card.mean, np.float32)
        std = np.array(self.card.std, np.float32)
        values = (cut.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    @property
    def session(self) -> InferenceSession:
        """The network in ONNX Runtime, on the cores that the container allows."""
        if self._session is None:
            # Here, since a kernel that only labels should not pay for it.
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = cpu_limit()
            options.log_severity_level = 3
            try:
                self._session = onnxruntime.InferenceSession(
                    self.folder / NETWORK, options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # its errors have no common parent of their own
                raise InvalidModel(f"{self.folder / NETWORK} cannot be run: {error}") from error
        return self._session


def read_source(source: Source) -> np.ndarray:
    """Return any image that a person may hand over, upright: uint8 (H, W, 3)."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if not path.is_file():
            raise SourceNotFound(f"There is no image file {path}.")
        return read_image(path)
    if isinstance(source, bytes):
        return read_image(source)
    if not isinstance(source, np.ndarray) and hasattr(source, "read"):
        return np.asarray(source.read())
    return make_image_array(source)


def load_model(folder: str | os.PathLike[str]) -> Model:
    """Return the model in a folder that `run.export` wrote. Raises InvalidModel, SourceNotFound."""
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise SourceNotFound(f"There is no folder {path} to load a model from.")
    return Model(path)
