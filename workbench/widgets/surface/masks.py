"""Masks on their way to a browser."""

import zlib

import numpy as np


def pack_mask(mask: np.ndarray | None) -> bytes:
    """Return a uint8 (H, W) mask deflated, row by row; b"" for none."""
    return b"" if mask is None else zlib.compress(np.ascontiguousarray(mask).tobytes(), 1)


def shrink_mask(mask: np.ndarray, image_side: int) -> np.ndarray:
    """Return a uint8 (H, W) mask with at most image_side pixels a side, the highest value of each.

    What is thinner than one pixel of the result is still there.
    """
    factor = -(-max(mask.shape) // image_side)  # rounded up
    if factor <= 1:
        return mask
    height, width = (-(-side // factor) for side in mask.shape)
    padded = np.zeros((height * factor, width * factor), np.uint8)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    shrunk: np.ndarray = padded.reshape(height, factor, width, factor).max(axis=(1, 3))
    return shrunk
