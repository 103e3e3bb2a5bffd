import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from workbench.errors import InvalidSetting, SourceNotFound, UnreadableImage
from workbench.photos.reading import (
    check_image,
    make_image_array,
    read_image,
    scale_to_8_bits,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)


def encode(picture, kind, **settings):
    stream = io.BytesIO()
    picture.save(stream, kind, **settings)
    return stream.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("kind", "settings", "suffix"),
    [
        ("PNG", {}, ".png"),
        ("BMP", {}, ".bmp"),
        ("TIFF", {}, ".tif"),
        ("TIFF", {"compression": "tiff_lzw"}, ".tif"),
        ("WEBP", {"lossless": True}, ".webp"),
    ],
)
def test_lossless_formats_come_back_as_they_were(kind, settings, suffix):
    data = encode(PICTURE, kind, **settings)
    assert check_image(data).suffix == suffix
    assert check_image(data).image_size == (24, 30)
    assert check_image(data).notes == ()
    np.testing.assert_array_equal(read_image(data), PIXELS)


def test_jpeg_comes_back_nearly_as_it_was():
    smooth = np.repeat(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], 24, 0).repeat(3, 2)
    data = encode(Image.fromarray(smooth), "JPEG", quality=95)
    assert check_image(data).suffix == ".jpg"
    assert np.abs(read_image(data).astype(int) - smooth).max() < 12


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind, orientation):
    upright = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, -1),
        7: np.rot90(PIXELS, 2).transpose(1, 0, 2),
        8: np.rot90(PIXELS, 1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    settings = {"lossless": True} if kind == "WEBP" else {}
    data = encode(PICTURE, kind, exif=exif, **settings)
    assert check_image(data).image_size == upright.shape[:2]
    np.testing.assert_array_equal(read_image(data), upright)
    np.testing.assert_array_equal(make_image_array(Image.open(io.BytesIO(data))), upright)


def test_a_rotated_jpeg_is_upright():
    exif = Image.Exif()
    exif[274] = 6
    assert check_image(encode(PICTURE, "JPEG", exif=exif)).image_size == (30, 24)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_mode_of_tiff_becomes_rgb(mode):
    data = encode(PICTURE.convert(mode), "TIFF")
    array = read_image(data)
    assert (array.shape, array.dtype) == ((24, 30, 3), np.uint8)
    assert array.std() > 10
    assert check_image(data).image_size == (24, 30)


def test_gray_keeps_its_values():
    gray = PIXELS[:, :, 0]
    data = encode(Image.fromarray(gray), "PNG")
    np.testing.assert_array_equal(read_image(data), np.stack([gray] * 3, 2))


@pytest.mark.parametrize(("bits", "kind"), [(10, "PNG"), (12, "PNG"), (12, "TIFF"), (16, "TIFF")])
def test_deep_gray_is_scaled_by_the_bits_it_uses(bits, kind):
    values = np.linspace(0, 2**bits - 1, 24 * 30).astype(np.uint16).reshape(24, 30)
    data = encode(Image.fromarray(values), kind)
    np.testing.assert_array_equal(read_image(data)[:, :, 0], values >> (bits - 8))
    assert check_image(data).notes == (f"{bits}-bit values scaled to 8 bits",)


def test_float_values_are_scaled_and_nan_is_the_lowest():
    values = np.array([[0.0, 0.5], [1.0, np.nan]], np.float32)
    scaled, note = scale_to_8_bits(values)
    assert scaled.tolist() == [[0, 128], [255, 0]]
    assert note == "float values 0..1 scaled to 8 bits"
    assert scale_to_8_bits(np.array([[-1.0, 3.0]]))[0].tolist() == [[0, 255]]
    assert scale_to_8_bits(np.full((1, 2), np.nan))[0].tolist() == [[0, 0]]
    assert scale_to_8_bits(np.array([[0, 10**9]]))[0].tolist() == [[0, 255]]


def test_transparent_pixels_are_laid_on_white():
    alpha = np.zeros((24, 30), np.uint8)
    alpha[:, 15:] = 255
    data = encode(Image.fromarray(np.dstack([PIXELS, alpha])), "PNG")
    array = read_image(data)
    assert (array[:, :15] == 255).all()
    np.testing.assert_array_equal(array[:, 15:], PIXELS[:, 15:])
    assert check_image(data).notes == ("transparent pixels laid on white",)


def test_a_palette_with_transparency_is_laid_on_white():
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1, 0])
    data = encode(picture, "PNG", transparency=bytes([0, 255]))
    assert read_image(data).tolist() == [[[255] * 3, [40, 50, 60], [255] * 3]]


@pytest.mark.parametrize(
    ("kind", "note"),
    [("PNG", "first of 3 frames"), ("WEBP", "first of 3 frames"), ("TIFF", "first of 3 pages")],
)
def test_the_first_of_several_frames_is_taken_and_said(kind, note):
    others = [PICTURE.rotate(90, expand=False), PICTURE.rotate(180)]
    settings = {"lossless": True} if kind == "WEBP" else {}
    data = encode(PICTURE, kind, save_all=True, append_images=others, **settings)
    assert check_image(data).notes == (note,)
    np.testing.assert_array_equal(read_image(data), PIXELS)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_rejected(kind, settings, fraction):
    data = encode(PICTURE, kind, **settings)
    with pytest.raises(UnreadableImage, match=r"truncated|damaged"):
        check_image(data[: int(len(data) * fraction)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 500, "zeros"),
        (b"not a photo at all", "text"),
        ("kein Foto: Übergröße".encode(), "text"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "web page"),
        (b"<?xml version='1.0'?><svg onload='alert(1)'/>", "SVG"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"MZ\x90\x00\x03", "program"),
        (b"\x7fELF\x02\x01", "program"),
        (b"PK\x03\x04....", "zip"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (encode(PICTURE, "GIF"), "GIF"),
        (b"\xde\xad\xbe\xef" * 9, "none of JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 60, "truncated|damaged"),
        (b"BM" + b"plainly no bitmap" * 9, "truncated|damaged|pixels"),
    ],
)
def test_what_is_no_image_is_rejected_with_its_kind(data, reason):
    with pytest.raises(UnreadableImage, match=reason):
        check_image(data)


def test_too_many_pixels_are_rejected_before_they_are_decoded():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))
    )
    with pytest.raises(UnreadableImage, match="100000 x 100000 pixels"):
        check_image(data)


@given(st.data())
def test_damaged_bytes_are_an_image_or_rejected_and_nothing_else(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "WEBP"]))
    whole = bytearray(encode(PICTURE, kind))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        height, width = check_image(bytes(whole)).image_size
    except UnreadableImage as error:
        assert str(error)
    else:
        assert read_image(bytes(whole)).shape == (height, width, 3)


def test_damaged_exif_becomes_a_note_and_no_warning():
    data = encode(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        info = check_image(data)
    assert not caught
    assert info.image_size == (24, 30)
    assert info.notes


def test_hiding_truncation_is_refused(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(InvalidSetting, match="LOAD_TRUNCATED_IMAGES"):
        check_image(encode(PICTURE, "PNG"))


def test_a_path_is_read_and_named_in_errors(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encode(PICTURE, "PNG"))
    np.testing.assert_array_equal(read_image(tmp_path / "photo.jpg"), PIXELS)
    (tmp_path / "bad.jpg").write_bytes(b"oh")
    with pytest.raises(UnreadableImage, match=r"bad\.jpg"):
        read_image(tmp_path / "bad.jpg")
    with pytest.raises(SourceNotFound, match="absent"):
        read_image(tmp_path / "absent.png")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (PIXELS, PIXELS),
        (PIXELS[:, :, 0], np.stack([PIXELS[:, :, 0]] * 3, 2)),
        (PIXELS[:, :, :1], np.stack([PIXELS[:, :, 0]] * 3, 2)),
        (PIXELS[::-1, ::2], PIXELS[::-1, ::2]),
        (PIXELS / 255, PIXELS),
        (PIXELS.astype(np.int64), PIXELS),
        (np.eye(3, dtype=bool), np.stack([np.eye(3, dtype=np.uint8) * 255] * 3, 2)),
        (np.dstack([PIXELS, np.full((24, 30), 255, np.uint8)]), PIXELS),
    ],
)
def test_arrays_become_rgb(array, expected):
    result = make_image_array(array)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 8, 8)), np.zeros(5), np.zeros((0, 4)), np.zeros((2, 2), complex), np.array("x")],
)
def test_arrays_that_are_no_picture_are_refused(array):
    with pytest.raises(UnreadableImage):
        make_image_array(array)


def test_threads_decode_side_by_side():
    data = encode(PICTURE, "PNG")
    with ThreadPoolExecutor(8) as pool:
        for array in pool.map(read_image, [data] * 64):
            np.testing.assert_array_equal(array, PIXELS)
