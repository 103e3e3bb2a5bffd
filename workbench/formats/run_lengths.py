"""COCO's run lengths (RLE) to pixels.

Written here rather than taken from pycocotools, whose C code trusts the numbers in a file.
Source of the format: cocoapi, common/maskApi.c, rleToString and rleDecode.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InvalidLabel


def decode_run_lengths(region: Mapping[str, Any], image_size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a region as bool (H, W).

    region: 'size' [height, width] and 'counts', a list of numbers or their compressed text: how
    many pixels are out, in, out..., down the columns. Raises InvalidLabel where they do not fit.
    """
    if list(region.get("size", image_size)) != list(image_size):
        raise InvalidLabel("its run lengths are for an image of another size")
    counts = region.get("counts")
    if isinstance(counts, str):
        counts = _unpack_text(counts)
    if not isinstance(counts, list) or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise InvalidLabel("its run lengths cannot be read")
    height, width = image_size
    if sum(counts) != height * width:
        raise InvalidLabel(f"its run lengths add up to {sum(counts)} pixels, not {height * width}")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T  # (H, W)


def _unpack_text(text: str) -> list[int]:
    """Return the numbers of compressed counts: 5 bits a letter, differences from the third on."""
    numbers: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise InvalidLabel("its run lengths cannot be read")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) and 1 << shift
            numbers.append(value + numbers[-2] if len(numbers) > 2 else value)
            value = shift = 0
    return numbers
