"""The photo as a browser gets it: the bytes that came in where it can show them, else a PNG."""

import io

import numpy as np
from PIL import Image as Picture
from PIL import ImageOps

from ...image_set import Image

PREVIEW_SIDE = 1600  # pixels
PREVIEW_FROM = 3_000_000  # pixels: below, the full image is as quick as a preview of it
ORIENTATION = 0x0112  # the EXIF tag


def encode_photo(image: Image) -> bytes:
    """Return the whole image as a file that a browser shows with exactly our pixels.

    JPEG and PNG files of 8 bits go out as they came in; others (16 bits, TIFF, CMYK, transparency)
    as a PNG of what `image.read()` gives. Raises UnreadableImage.
    """
    data = image.read_bytes()
    return data if is_shown_alike(data) else encode_png(image.read())


def is_shown_alike(data: bytes) -> bool:
    """Tell whether a browser decodes these bytes to the pixels that we read from them."""
    try:
        with Picture.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            if picture.mode not in ("L", "RGB") or "transparency" in picture.info:
                return False
            return picture.format == "JPEG" or _is_plain_png(picture)
    except (OSError, ValueError):
        return False


def _is_plain_png(picture: Picture.Image) -> bool:
    """Tell whether a PNG asks for no correction of gamma, colors or orientation."""
    asks = {"gamma", "chromaticity", "icc_profile", "srgb"} & set(picture.info)
    return not asks and picture.getexif().get(ORIENTATION, 1) == 1


def encode_png(image: np.ndarray) -> bytes:
    """Return uint8 (H, W, 3), RGB, as a PNG."""
    buffer = io.BytesIO()
    Picture.fromarray(image).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def encode_preview(image: Image) -> bytes:
    """Return the image as a JPEG of at most 1600 pixels a side, to show while the rest comes."""
    data = image.read_bytes()
    picture = _open_small(data) if is_shown_alike(data) else Picture.fromarray(image.read())
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Picture.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=85)
    return buffer.getvalue()


def _open_small(data: bytes) -> Picture.Image:
    """Return the picture upright; a JPEG decoded at the nearest fraction of its size."""
    picture = Picture.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    picture.draft("RGB", (PREVIEW_SIDE, PREVIEW_SIDE))
    return ImageOps.exif_transpose(picture).convert("RGB")
