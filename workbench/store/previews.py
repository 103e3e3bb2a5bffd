"""Pictures of a run as it goes on: what it predicts of a few dev images, round by round."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .files import replace_file

FOLDER = "previews"
SIDE = 220  # pixels of each image


def write_preview(folder: Path, epoch: int, images: Sequence[np.ndarray]) -> None:
    """Write the pictures of one round, uint8 (H, W, 3) each, side by side into a run's folder."""
    pictures = [Image.fromarray(image) for image in images]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE))
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(picture.width + 4 for picture in pictures), height), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + 4
    buffer = io.BytesIO()
    sheet.save(buffer, "jpeg", quality=85)
    path = folder / FOLDER / f"{epoch:04d}.jpg"
    path.parent.mkdir(exist_ok=True)
    replace_file(path, lambda part: part.write_bytes(buffer.getvalue()))


def list_previews(folder: Path) -> dict[int, Path]:
    """Return {round: picture} of a run's folder, the first round first."""
    paths = sorted((folder / FOLDER).glob("*.jpg"))
    return {int(path.stem): path for path in paths if path.stem.isdigit()}
