"""Nearly the same photo in train and in test: it would make the figures look too good."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from .errors import UnreadableImage
from .store.database import Store
from .store.images import find_images, read_thumbnail
from .store.search import Filter, list_ids

SIDE = 32  # pixels that are compared
ALIKE = 0.995  # correlation of two pictures from which they are called the same
MOST = 600  # images up to which all pairs are compared

_known: dict[str, np.ndarray] = {}  # by the hash of the content


def find_near_duplicates(store: Store) -> list[tuple[str, str]]:
    """Return (train name, other name) of images that look the same in train and in dev or test.

    Files of exactly the same content are one image of a project already; these were saved again or
    scaled. [] for more than MOST images, which would take too long.
    """
    train = list_ids(store, [Filter(split="train")])
    others = [i for split in ("dev", "test") for i in list_ids(store, [Filter(split=split)])]
    if not train or not others or len(train) + len(others) > MOST:
        return []
    names, pictures = describe(store, train)
    other_names, other_pictures = describe(store, others)
    alike = pictures @ other_pictures.T  # (N, M)
    pairs = np.argwhere(alike >= ALIKE).tolist()
    return [(names[row], other_names[column]) for row, column in pairs]


def describe(store: Store, image_ids: Sequence[int]) -> tuple[list[str], np.ndarray]:
    """Return names, and pictures of mean 0 and length 1: float32 (N, SIDE * SIDE)."""
    names, pictures = [], []
    for row in find_images(store, image_ids):
        key = row.path.name
        if key not in _known:
            _known[key] = describe_picture(store, row.id)
        names.append(row.name)
        pictures.append(_known[key])
    return names, np.array(pictures, np.float32).reshape(len(names), SIDE * SIDE)


def describe_picture(store: Store, image_id: int) -> np.ndarray:
    """Return one picture of mean 0 and length 1, all 0 where it cannot be read or is plain."""
    try:
        with Image.open(io.BytesIO(read_thumbnail(store, image_id))) as picture:
            gray = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (UnreadableImage, OSError):
        return np.zeros(SIDE * SIDE, np.float32)
    values = np.asarray(gray, np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    result: np.ndarray = values / length if length > SIDE else np.zeros_like(values)
    return result
