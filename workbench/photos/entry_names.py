"""Names of what is imported: made alike, and told apart from those that must not come in."""

import re
import unicodedata
from dataclasses import dataclass

MAX_NAME_LENGTH = 500
MAX_PART_BYTES = 255

_USABLE = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".apng",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".webp",
)
_OTHER = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".psd")
IMAGE_SUFFIXES = frozenset(_USABLE + _OTHER)
_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini"})
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Rejected:
    """Something that was meant to come in and cannot: its name, fit to be shown, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """Something beside the images that is none itself, such as a label file."""

    name: str


def make_name(raw: str) -> str:
    """Return a name with forward slashes only, without empty parts, in Unicode's composed form.

    Composed (NFC), because macOS writes decomposed letters, which look the same and are not equal.
    """
    parts = raw.replace("\\", "/").split("/")
    return unicodedata.normalize("NFC", "/".join(part for part in parts if part not in ("", ".")))


def find_name_fault(raw: str) -> str | None:
    """Return why a name must not come in, as a sentence without its subject; None where it may."""
    parts = re.split(r"[\\/]", raw)
    if any(unicodedata.category(letter) == "Cs" for letter in raw):
        return "its name is not valid text; rename the file."
    if any(_is_control(letter) for letter in raw):
        return "its name holds control characters; rename the file."
    if ".." in parts or raw.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", raw):
        return "its name leads out of what is imported."
    if not make_name(raw):
        return "it has no name."
    if len(raw) > MAX_NAME_LENGTH or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        return (
            f"its name is too long (more than {MAX_NAME_LENGTH} characters, or 255 bytes a part)."
        )
    return None


def _is_control(letter: str) -> bool:
    """Tell whether a letter is invisible and can make one name look like another."""
    return letter in _BIDI_CONTROLS or unicodedata.category(letter) in ("Cc", "Zl", "Zp")


def show_name(raw: str) -> str:
    """Return a name that can be printed: what is not valid or visible is escaped, the rest kept."""
    shown = "".join(
        letter.encode("unicode_escape").decode()
        if _is_control(letter) or unicodedata.category(letter) == "Cs"
        else letter
        for letter in raw
    )
    return shown if len(shown) <= 200 else f"{shown[:150]}…{shown[-40:]}"


def is_hidden(name: str) -> bool:
    """Tell whether a clean name, or a folder in it, is hidden or belongs to an operating system."""
    return any(part.startswith(".") or part in _SYSTEM_NAMES for part in name.split("/"))


def has_image_suffix(name: str) -> bool:
    """Tell whether a name ends like that of an image, one of the five formats or another."""
    _, dot, suffix = name.rpartition(".")
    return f"{dot}{suffix.lower()}" in IMAGE_SUFFIXES
