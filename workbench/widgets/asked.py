"""AskedWidget: what the panels share: they answer questions, and look again and again.

The browser asks, Python answers from the disk. What others change, and what goes on in threads and
processes, a panel finds out by looking at it from the kernel's event loop.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anywidget

from ..errors import WorkbenchError
from .still import Still

Answer = tuple[dict[str, Any], list[bytes]]
Answers = Mapping[str, Callable[[Any, Mapping[str, Any]], Answer]]


class AskedWidget(Still, anywidget.AnyWidget):
    """A widget whose browser side asks questions by name, each answered by a function.

    answers: {name: function of the widget and the params}; an error in one is an answer too.
    without: what a front end that cannot show widgets says instead. seconds: between two ticks.
    lock: of those that share what they show; None for one of its own.
    """

    def __init__(
        self, answers: Answers, without: str, seconds: float, lock: Any | None = None
    ) -> None:
        self._answers, self._without = answers, without
        self.on_tick: Callable[[], None] | None = None  # called after each tick
        # Messages may come on another thread than cells run on. Linked widgets share one lock.
        self._lock = threading.RLock() if lock is None else lock
        self._loop = find_loop()
        super().__init__()
        self.on_msg(self._on_message)
        if self._loop is not None:
            self._follower = self._loop.create_task(_keep_ticking(weakref.ref(self), seconds))

    def tick(self) -> None:
        """Look at what may have changed, and tell the browser; short."""

    def _on_message(self, widget: Any, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Answer a question; a buffer that came with it is its "data"."""
        if content.get("kind") != "request":
            return
        answer: dict[str, Any] = {"kind": "answer", "request": content.get("request")}
        params = dict(content.get("params") or {})
        if buffers:
            params["data"] = buffers[0]
        with self._lock:
            try:
                found, out = self._answers[str(content["name"])](self, params)
                self.send({**answer, "ok": True, **found}, out)
            except (WorkbenchError, TypeError, ValueError, KeyError) as error:
                self.send({**answer, "ok": False, "error": str(error)})

    def close(self) -> None:
        """Close the widget in all its views."""
        loop = getattr(self, "_loop", None)
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._follower.cancel)
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and a plain sentence for a front end that cannot show it."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = self._without
        return bundle


def find_loop() -> asyncio.AbstractEventLoop | None:
    """Return the kernel's event loop; None outside of a kernel, as in a script."""
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


async def _keep_ticking(reference: "weakref.ref[AskedWidget]", seconds: float) -> None:
    """Tick until the widget is gone."""
    while True:
        await asyncio.sleep(seconds)
        widget = reference()
        if widget is None:
            return
        with suppress(WorkbenchError):
            widget.tick()
            widget.update_still()
            if widget.on_tick is not None:
                widget.on_tick()
        del widget
