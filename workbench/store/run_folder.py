"""The folder of one run: the only thing that the kernel and the training process share.

The kernel writes config.json and cancel; the process writes everything else.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from .files import replace_file

CONFIG, EVENTS, PROCESS, CANCEL, LOG = (
    "config.json",
    "events.jsonl",
    "process.json",
    "cancel",
    "log.txt",
)
START_SECONDS = 30  # how long a new process may take to say that it is there


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Replace a JSON file at once."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; {} where there is none."""
    if not path.exists():
        return {}
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def append_event(folder: Path, kind: str, **values: Any) -> None:
    """Append one line to the run's events: what happened, when, and its values."""
    line = json.dumps({"event": kind, "time": time.time(), **values}, ensure_ascii=False) + "\n"
    with (folder / EVENTS).open("ab") as file:
        file.write(line.encode())


@dataclass
class EventReader:
    """Reads a run's events as they come: each call returns only what is new."""

    folder: Path
    position: int = 0

    def read_new(self) -> list[dict[str, Any]]:
        """Return the events since the last call; a line that is not whole yet waits."""
        path = self.folder / EVENTS
        if not path.exists() or path.stat().st_size <= self.position:
            return []
        with path.open("rb") as file:
            file.seek(self.position)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self.position += end
        return [event for line in data[:end].splitlines() if (event := parse_event(line))]


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Return the event on a line, or None for one that a crash left half written."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def end_broken_line(folder: Path) -> None:
    """End a line that a killed process left half written, so that the next event stands alone."""
    path = folder / EVENTS
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def write_process(folder: Path, pid: int) -> None:
    """Write down which process works on this run, so that nobody takes another for it later."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        created = 0.0
    write_json(folder / PROCESS, {"pid": pid, "created": created, "written": time.time()})


def find_process(folder: Path) -> psutil.Process | None:
    """Return the process that works on this run, or None where it is gone."""
    record = read_json(folder / PROCESS)
    if not record:
        return None
    try:
        process = psutil.Process(record["pid"])
        is_same = abs(process.create_time() - record["created"]) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def is_starting(folder: Path) -> bool:
    """Tell whether the run was made so recently that its process may not have shown up yet."""
    config = folder / CONFIG
    return (
        not (folder / PROCESS).exists()
        and config.exists()
        and time.time() - config.stat().st_mtime < START_SECONDS
    )


def ask_to_cancel(folder: Path) -> None:
    """Ask the run's process to stop at its next step."""
    (folder / CANCEL).touch()


def forget_cancel(folder: Path) -> None:
    """Take back the wish to cancel, before a run is resumed."""
    (folder / CANCEL).unlink(missing_ok=True)


def is_cancel_asked(folder: Path) -> bool:
    """Tell whether somebody asked the run to stop."""
    return (folder / CANCEL).exists()


@dataclass
class RunState:
    """What a run's events say, so far."""

    status: str = "queued"
    progress: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    step: dict[str, Any] = field(default_factory=dict)
    started: float | None = None  # both in seconds since 1970, of the last start
    ended: float | None = None

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in one more event."""
        kind = event["event"]
        if kind in ("queued", "started"):
            self.status, self.error = ("queued" if kind == "queued" else "running"), None
            self.started, self.ended = event.get("time"), None
        elif kind == "progress":
            self.progress, self.step = event["fraction"], dict(event)
        elif kind == "epoch":
            entry = event["figures"]
            # A resumed run repeats what came after its last checkpoint.
            self.history = [e for e in self.history if e["epoch"] < entry["epoch"]] + [entry]
        elif kind == "note":
            self.notes.append(event["text"])
        elif kind in ("finished", "cancelled", "failed"):
            self.status, self.error = kind, event.get("error")
            self.ended = event.get("time")
            self.metrics = event.get("metrics", {})
            self.progress = 1.0 if kind == "finished" else self.progress
