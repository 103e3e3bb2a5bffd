"""One progress bar for everything that may take more than a second."""

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm.std import tqdm

Value = TypeVar("Value")

DELAY_SECONDS = 1.0


def show_progress(
    values: Iterable[Value],
    total: int | None = None,
    description: str = "",
    unit: str = "images",
    progress: bool = True,
) -> Iterable[Value]:
    """Return the same values, with a bar that appears once going through them takes over a second.

    The bar is drawn with ipywidgets in a notebook that has them, and with text anywhere else;
    it leaves when the work is done. progress=False draws none; nor does the environment variable
    TQDM_DISABLE=1.
    """
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


def _find_bar() -> type[Any]:
    """Return tqdm's notebook bar in a notebook that has ipywidgets, and its text bar elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or "IPKernelApp" not in shell.config:
        return tqdm
    # Imported here, because it loads ipywidgets; tqdm.auto would warn where they are missing.
    from tqdm import notebook

    return notebook.tqdm_notebook if getattr(notebook, "IProgress", None) else tqdm
