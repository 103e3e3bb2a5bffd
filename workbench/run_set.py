"""RunSet: the training runs of a project."""

from __future__ import annotations

from collections.abc import Iterator

from .runs import Run
from .store.database import Store
from .store.runs import find_run, list_runs
from .tasks import find_task

LOWER_IS_BETTER = ("overkill", "escape", "loss")


class RunSet:
    """The runs of a project, oldest first: len(), iteration, [i], ["run-id"]."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(list_runs(self._store))

    def __iter__(self) -> Iterator[Run]:
        """Iterate over the runs, oldest first."""
        return (Run(self._store, row) for row in list_runs(self._store))

    def __getitem__(self, key: int | str) -> Run:
        """Return a run by its place or its id. Raises RunNotFound, or IndexError."""
        if isinstance(key, int):
            return Run(self._store, list_runs(self._store)[key])
        return Run(self._store, find_run(self._store, key))

    def best(self, metric: str | None = None) -> Run | None:
        """Return the finished run with the best figure on dev, or None where none has it.

        metric: None for the task's main figure. Of overkill and escape, the lowest is best.
        """
        name = metric or find_task(self._store.task).main_figure
        sign = -1 if name in LOWER_IS_BETTER else 1
        runs = [run for run in self if run.metrics.get(name) is not None]
        return max(runs, key=lambda run: sign * run.metrics[name], default=None)

    def __repr__(self) -> str:
        """Return one line for each run."""
        return "\n".join(map(repr, self)) or "<no runs yet: project.train() makes one>"
