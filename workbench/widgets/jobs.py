"""Work that takes longer than a click: in a thread, with progress that can be asked for."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from ..errors import WorkbenchError

Work = Callable[["Job"], Any]


class Stopped(Exception):
    """The person asked the work to stop."""


class Job:
    """One piece of work. state: "running", "done", "failed" or "stopped".

    work(job) calls job.tell(done, total) as it goes on, which ends it where it is to stop; what it
    returns is `result`. error: why it failed, in a sentence.
    """

    def __init__(self, title: str, work: Work) -> None:
        self.id, self.title, self._work = uuid.uuid4().hex, title, work
        self.done = 0
        self.total: int | None = None
        self.state, self.error = "running", ""
        self.result: Any = None
        self._is_to_stop = threading.Event()

    def start(self) -> None:
        """Work in a thread of its own, which does not keep the process alive."""
        threading.Thread(target=self.run, name=self.title, daemon=True).start()

    def run(self) -> None:
        """Work, to the end."""
        try:
            self.result = self._work(self)
            self.state = "done"
        except Stopped:
            self.state = "stopped"
        except WorkbenchError as error:
            self.error, self.state = str(error), "failed"
        except Exception as error:  # shown to the person, who else would wait for ever
            self.error, self.state = f"{type(error).__name__}: {error}", "failed"

    def tell(self, done: int, total: int | None) -> None:
        """Note how far the work is. Raises Stopped after `stop`."""
        self.done, self.total = done, total
        if self._is_to_stop.is_set():
            raise Stopped

    def stop(self) -> None:
        """Ask the work to end at its next step."""
        self._is_to_stop.set()

    def describe(self) -> dict[str, Any]:
        """Return what a progress bar shows."""
        return {
            "id": self.id,
            "title": self.title,
            "done": self.done,
            "total": self.total,
            "state": self.state,
            "error": self.error,
        }
