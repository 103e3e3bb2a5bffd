"""Arrays that belong to values: read-only, compared by what they hold."""

from collections.abc import Iterator

import numpy as np

PIXELS_AT_ONCE = 1 << 20  # a photo's worth of wide numbers at once would fill a small machine


def freeze(array: np.ndarray, dtype: type | str) -> np.ndarray:
    """Return a read-only, contiguous copy of the array in that dtype."""
    frozen = np.array(array, dtype=dtype, order="C", copy=True)
    frozen.setflags(write=False)
    return frozen


def same_array(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    """Tell whether two arrays, or two absences of one, hold the same."""
    if first is None or second is None:
        return first is second
    return first.shape == second.shape and bool(np.array_equal(first, second))


def row_strips(image_size: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows of an image of (height, width) in strips of about PIXELS_AT_ONCE pixels."""
    step = max(1, PIXELS_AT_ONCE // max(1, image_size[1]))
    for start in range(0, image_size[0], step):
        yield slice(start, start + step)
