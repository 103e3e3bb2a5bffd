"""Arrays that belong to values: read-only, compared by what they hold."""

import numpy as np


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
