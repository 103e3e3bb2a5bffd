"""What a file is, told by its first bytes and never by its name."""

import codecs

SIGNATURE_BYTES = 16  # as many as `tell_kind` needs

_IMAGES = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"BM", ".bmp"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"II+\x00", ".tif"),
    (b"MM\x00+", ".tif"),
)

_USE = "save it as JPEG, PNG, BMP, TIFF or WebP."
_OTHERS = (
    (b"GIF8", f"a GIF image; {_USE}"),
    (b"\x00\x00\x00\x0cjP", f"a JPEG 2000 image; {_USE}"),
    (b"\xff\x4f\xff\x51", f"a JPEG 2000 image; {_USE}"),
    (b"\x00\x00\x00\x0cJXL", f"a JPEG XL image; {_USE}"),
    (b"\xff\x0a", f"a JPEG XL image; {_USE}"),
    (b"8BPS", f"a Photoshop image; {_USE}"),
    (b"\x00\x00\x01\x00", f"an icon image; {_USE}"),
    (b"%PDF", "a PDF document; save its pages as PNG files."),
    (b"PK\x03\x04", "a zip archive or office document; give it with the suffix .zip."),
    (b"\x1f\x8b", "a gzip archive; give it with the suffix .tar.gz."),
    (b"\x7fELF", "a program."),
    (b"MZ", "a program."),
    (b"#!", "a script."),
    (b"RIFF", "a sound or film; save its frames as PNG files."),
)
_BRANDS = {
    b"avif": f"an AVIF image; {_USE}",
    b"avis": f"an AVIF image; {_USE}",
    b"qt  ": "a film; save its frames as PNG files.",
    b"isom": "a film; save its frames as PNG files.",
    b"mp42": "a film; save its frames as PNG files.",
}


def tell_kind(data: bytes) -> str | None:
    """Return '.jpg', '.png', '.bmp', '.tif' or '.webp', or None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in _IMAGES if data.startswith(start)), None)


def tell_other_kind(data: bytes) -> str:
    """Return what bytes are that are none of the five formats, and what to do, as a sentence."""
    for start, kind in _OTHERS:
        if data.startswith(start):
            return f"it is not an image, but {kind}" if "image" not in kind else f"it is {kind}"
    if data[4:8] == b"ftyp":
        return f"it is {_BRANDS.get(data[8:12], f'a HEIC image; {_USE}')}"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return f"it is an SVG drawing; {_USE}"
    if head.startswith((b"<!doctype", b"<html")):
        return "it is not an image, but a web page."
    return _tell_rest(data[:1024])


def _tell_rest(head: bytes) -> str:
    """Return what the first bytes of an unknown file look like: zeros, text, or nothing known."""
    if not head.strip(b"\0"):
        return "it holds nothing but zeros; copy it again."
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 or byte >= 128 for byte in head):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
        except UnicodeDecodeError:
            return "it is none of JPEG, PNG, BMP, TIFF and WebP."
        return "it is not an image, but text."
    return "it is none of JPEG, PNG, BMP, TIFF and WebP."
