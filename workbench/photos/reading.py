"""Image bytes to pixels: what a picture is, whether it is whole, and its upright RGB array.

The kind of a file is told by its content, never by its name. Pillow's own classes are called for
that one kind, so that no other decoder ever sees the bytes, and no global setting is touched.

How pictures that are not 8-bit RGB become so:
- EXIF orientation is applied; the first frame or page of several is taken.
- Transparent pixels are laid on white.
- CMYK is converted without its colour profile.
- Values of more than 8 bits are scaled by the smallest of 10, 12, 14 and 16 bits that holds the
  largest value in the image, floats up to 1 by that; values that are negative or above 65535 are
  stretched from their lowest to their highest. The result depends on that image alone.
"""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ..errors import InvalidSetting, SourceNotFound, UnreadableImage
from .signatures import tell_kind, tell_other_kind

MAX_PIXELS = 200_000_000
MAX_BYTES = 500_000_000
TRUNCATED = "the file is truncated: its end is missing."

_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    ".jpg": JpegImageFile,
    ".png": PngImageFile,
    ".bmp": BmpImageFile,
    ".tif": TiffImageFile,
    ".webp": WebPImageFile,
}
_TURNS = {
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_270],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_90],
}
_ORIENTATION_TAG = 274
_WARNINGS = threading.Lock()


@dataclass(frozen=True)
class ImageInfo:
    """What a picture's bytes are.

    suffix: '.jpg', '.png', '.bmp', '.tif' or '.webp', told by the content.
    image_size: (height, width) of the upright image.
    notes: what had to be chosen to read it, in words ('first of 12 frames'); mostly empty.
    """

    suffix: str
    image_size: tuple[int, int]
    notes: tuple[str, ...] = ()


def check_image(data: bytes) -> ImageInfo:
    """Return what the bytes are, after decoding them whole.

    Raises UnreadableImage, with the reason, for bytes that are empty, truncated, none of the five
    formats, or an image of more than MAX_PIXELS.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise InvalidSetting(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on, which hides damage; set it to False first."
        )
    suffix, picture, notes = _decode(data)
    return ImageInfo(suffix, (picture.height, picture.width), tuple(notes))


def read_image(source: bytes | Path) -> np.ndarray:
    """Return the picture as uint8 (H, W, 3), RGB, upright.

    Raises SourceNotFound where there is no such file, and UnreadableImage where it is no picture.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return np.asarray(_decode(bytes(source))[1])
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise SourceNotFound(f"{source} cannot be read: {error.strerror}.") from None
    try:
        return np.asarray(_decode(data)[1])
    except UnreadableImage as error:
        raise UnreadableImage(f"{Path(source).name}: {error}") from None


def read_values(source: bytes | Path) -> np.ndarray:
    """Return the numbers that a mask's file holds: (H, W) palette indices or grey levels.

    No scaling and no turning. Raises UnreadableImage for a damaged file or one in color.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    suffix = _check_kind(data)
    try:
        values = np.asarray(_load(data, suffix)[0])
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(_explain(error)) from None
    if values.ndim != 2:
        raise UnreadableImage("it is in color; a mask holds one number for each pixel.")
    return values


def make_image_array(image: Image.Image | np.ndarray) -> np.ndarray:
    """Return a picture in memory as uint8 (H, W, 3), RGB, upright.

    image: a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of bool, any
    integer or any float. Raises UnreadableImage for anything else.
    """
    if isinstance(image, Image.Image):
        return _read_picture(image)
    values = np.asarray(image)
    _check_array(values)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    if values.dtype != np.uint8:
        values = scale_to_8_bits(values)[0]
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]  # (H, W)
    return np.asarray(_make_rgb(Image.fromarray(np.ascontiguousarray(values)), []))


def _read_picture(image: Image.Image) -> np.ndarray:
    """Return a PIL image, which may not be decoded yet, as uint8 (H, W, 3), RGB, upright."""
    _check_pixels(image.size)
    try:
        image.load()
        is_turned = isinstance(image, TiffImageFile)
        orientation = 1 if is_turned else image.getexif().get(_ORIENTATION_TAG, 1)
        return np.asarray(_make_rgb(_turn(image, orientation), []))
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnreadableImage(_explain(error)) from None


def scale_to_8_bits(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return numbers of any type as uint8 of the same shape, and a note that says how.

    The rule is in this file's docstring. What is not finite (NaN) counts as the lowest value.
    """
    values, lowest, highest = _measure(values)
    is_float = values.dtype.kind == "f"
    if lowest >= 0 and is_float and highest <= 1:
        return _stretch(values, 0, 1), "float values 0..1 scaled to 8 bits"
    if lowest < 0 or highest > 65535:
        scaled = _stretch(values, lowest, highest)
        return scaled, f"values {lowest:g}..{highest:g} stretched to 8 bits"
    bits = next(bits for bits in (8, 10, 12, 14, 16) if highest < 2**bits)
    if is_float:
        return _stretch(values, 0, 2**bits - 1), f"{bits}-bit float values scaled to 8 bits"
    note = f"{bits}-bit values scaled to 8 bits" if bits > 8 else ""
    return (values >> (bits - 8)).astype(np.uint8), note


def _measure(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return the values without NaN and infinity, their lowest and their highest."""
    if values.dtype.kind != "f":
        return values, float(values.min()), float(values.max())
    finite = np.isfinite(values)
    lowest = float(values[finite].min()) if finite.any() else 0.0
    values = np.where(finite, values, values.dtype.type(lowest))
    return values, lowest, float(values.max())


def _stretch(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Return uint8 values: lowest becomes 0, highest 255; all 0 where both are the same."""
    span = highest - lowest or 1.0
    return np.rint((values.astype(np.float64) - lowest) * (255 / span)).astype(np.uint8)


def _decode(data: bytes) -> tuple[str, Image.Image, list[str]]:
    """Return the suffix, the upright RGB picture, and notes. Raises UnreadableImage."""
    suffix = _check_kind(data)
    try:
        picture, orientation, notes = _load(data, suffix)
        picture = _turn(picture, orientation)
        return suffix, _make_rgb(picture, notes), notes
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage("it does not fit into memory; make it smaller.") from None
    except Exception as error:
        # Pillow's decoders raise errors of a dozen types for damaged bytes.
        raise UnreadableImage(_explain(error)) from None


def _check_kind(data: bytes) -> str:
    """Return the suffix of the five formats that the bytes are, or raise UnreadableImage."""
    if not data:
        raise UnreadableImage("the file is empty.")
    if len(data) > MAX_BYTES:
        raise UnreadableImage(
            f"the file has {len(data) / 1e6:,.0f} MB, more than {MAX_BYTES / 1e6:,.0f}; cut it up."
        )
    suffix = tell_kind(data)
    if suffix is None:
        raise UnreadableImage(tell_other_kind(data))
    if _is_cut_short(data, suffix):
        raise UnreadableImage(TRUNCATED)
    return suffix


def _is_cut_short(data: bytes, suffix: str) -> bool:
    """Tell whether the header of a WebP or classic TIFF points beyond the end of the bytes."""
    if suffix == ".webp":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    return suffix == ".tif" and 42 in data[2:4] and int.from_bytes(data[4:8], order) >= len(data)


def _load(data: bytes, suffix: str) -> tuple[Image.Image, int, list[str]]:
    """Return the first frame, decoded whole, its EXIF orientation, and notes."""
    notes: list[str] = []
    with _collect_warnings(notes):
        picture = _OPENERS[suffix](io.BytesIO(data))
        _check_pixels(picture.size)
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            notes.append(f"first of {frames} {'pages' if suffix == '.tif' else 'frames'}")
            picture.seek(0)
        if picture.mode in ("RGB", "RGBA") and ";16" in str(picture.tile):
            notes.append("16 bits a colour reduced to 8")
    picture.load()
    # Pillow turns TIFF pages by itself while it loads them.
    if suffix == ".tif":
        return picture, 1, notes
    with _collect_warnings(notes):
        return picture, picture.getexif().get(_ORIENTATION_TAG, 1), notes


@contextmanager
def _collect_warnings(notes: list[str]) -> Iterator[None]:
    """Add what Pillow warns of to the notes, in place of printing it.

    Python's warning filters belong to the whole process, so one thread at a time may change them;
    pixels are decoded outside of this, side by side.
    """
    with _WARNINGS, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes += [" ".join(str(w.message).split())[:100] for w in caught if "PIL" in w.filename]


def _turn(picture: Image.Image, orientation: int) -> Image.Image:
    """Return the picture upright, given its EXIF orientation; values beyond 1..8 change nothing."""
    for turn in _TURNS.get(orientation, []):
        picture = picture.transpose(turn)
    return picture


def _make_rgb(picture: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture in mode RGB; adds a note where something had to be chosen."""
    if picture.mode.startswith(("I", "F")):
        values, note = scale_to_8_bits(np.asarray(picture))
        notes += [note] if note else []
        return Image.fromarray(values).convert("RGB")
    if picture.mode == "CMYK":
        notes.append("CMYK converted to RGB without its colour profile")
    if picture.has_transparency_data:
        return _lay_on_white(picture.convert("RGBA"), notes)
    return picture.convert("RGB")


def _lay_on_white(picture: Image.Image, notes: list[str]) -> Image.Image:
    """Return an RGBA picture on a white ground, in RGB."""
    alpha = picture.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return picture.convert("RGB")
    notes.append("transparent pixels laid on white")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=alpha)
    return ground


def _check_pixels(size: tuple[int, int]) -> None:
    """Raise UnreadableImage where a (width, height) has no pixels, or more than MAX_PIXELS."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"it has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million; cut it up."
        )
    if width < 1 or height < 1:
        raise UnreadableImage(f"it has {width} x {height} pixels.")


def _check_array(values: np.ndarray) -> None:
    """Raise UnreadableImage unless the array can be a picture."""
    is_picture = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (1, 3, 4))
    if not is_picture or values.dtype.kind not in "buif":
        raise UnreadableImage(
            f"an array {values.shape} of {values.dtype} is no picture; "
            "give numbers of shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."
        )
    _check_pixels((values.shape[1], values.shape[0]))


def _explain(error: Exception) -> str:
    """Return why a decoder gave up, in words for a person."""
    text = " ".join(str(error).split()).rstrip(".")
    if "truncated" in text.lower() or "incomplete" in text.lower() or isinstance(error, EOFError):
        return TRUNCATED
    return f"the file is damaged ({text[:120] or type(error).__name__})."
