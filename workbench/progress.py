"""One progress bar for everything that may take more than a second."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tqdm.std import tqdm

Value = TypeVar("Value")

DELAY_SECONDS = 1.0

# True for a bar, False for none, or what is told after each step: how many are done, of how many
# (None where that is not known).
Progress = bool | Callable[[int, int | None], None]


def show_progress(
    values: Iterable[Value],
    total: int | None = None,
    description: str = "",
    unit: str = "images",
    progress: Progress = True,
) -> Iterable[Value]:
    """Return the same values, with a bar that appears once going through them takes over a second.

    The bar is drawn with ipywidgets in a notebook that has them, and with text anywhere else;
    it leaves when the work is done. progress=False draws none; nor does the environment variable
    TQDM_DISABLE=1. A function as progress is told instead; an error in it ends the work.
    """
    if callable(progress):
        return _tell(values, total, progress)
    if not progress:
        return values
    bar: Iterable[Value] = _find_bar()(
        values,
        total=total,
        desc=description or None,
        unit=f" {unit}",
        delay=DELAY_SECONDS,
        leave=False,
        dynamic_ncols=True,
    )
    return bar


def _tell(
    values: Iterable[Value], total: int | None, progress: Callable[[int, int | None], None]
) -> Iterator[Value]:
    """Yield the values, and tell how many are done."""
    progress(0, total)
    for done, value in enumerate(values, 1):
        yield value
        progress(done, total)


def _find_bar() -> type[Any]:
    """Return tqdm's notebook bar in a notebook that has ipywidgets, and its text bar elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or "IPKernelApp" not in shell.config:
        return tqdm
    # Imported here, because it loads ipywidgets; tqdm.auto would warn where they are missing.
    from tqdm import notebook

    return notebook.tqdm_notebook if getattr(notebook, "IProgress", None) else tqdm
