"""ReportPanel: what a run is worth, in words and figures, at a threshold that can be moved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from ...report import Report
from ...runs import Run
from ...tasks import find_task
from ..asked import Answer, Answers, AskedWidget, find_loop
from ..scripts import join_scripts
from ..still import Still
from . import charts
from .look import Look
from .painting import Point, follow, make_canvas, paint, set_height

HERE = Path(__file__).parent
PARTS = ("parts", "asking", "panel", "shortcuts")
CSS = (HERE.parent / "parts.css", HERE.parent / "panel.css", HERE / "report.css")
TICK_SECONDS = 0.5

WITHOUT_WIDGETS = (
    "The report needs a front end that shows widgets; run.report() says the same in Python."
)

Params = Mapping[str, Any]


class ReportHead(AskedWidget):
    """The words, the threshold and the tables of a report; the charts are beside it."""

    _esm = join_scripts(*(HERE.parent / f"{name}.js" for name in PARTS), HERE / "report.js")
    _css = "\n".join(path.read_text("utf-8") for path in CSS)

    def __init__(self, look: Look) -> None:
        self.look = look
        super().__init__(ANSWERS, WITHOUT_WIDGETS, TICK_SECONDS, look.lock)

    def tick(self) -> None:
        """Take in what was read, and what others changed."""
        self.look.tick()

    def send_report(self, report: Report | None) -> None:
        """Send the figures at the threshold."""
        self.send({"kind": "report", **describe(self.look, report)})


def describe(look: Look, report: Report | None) -> dict[str, Any]:
    """Return what the browser shows."""
    return {
        "task": look.run.store.task,
        "name": f"{find_task(look.run.store.task).title}: {look.run.name}",
        "threshold": look.threshold,
        "saved": look.run.threshold,
        "report": None if report is None else describe_report(report),
    }


def describe_report(report: Report) -> dict[str, Any]:
    """Return a report as texts, and its confusion."""
    figures = report.figures
    return {
        "headline": report.headline,
        "origin": report.origin,
        "overall": [[name, text] for name, text in report.overall_texts().items()],
        "table": report.table_rows(),
        "confusion": figures.confusion.tolist(),
        "row_names": list(figures.row_names),
        "column_names": list(figures.column_names),
    }


def answer_start(head: ReportHead, params: Params) -> Answer:
    """Return what is known now."""
    return describe(head.look, head.look.report()), []


def answer_move(head: ReportHead, params: Params) -> Answer:
    """Move the threshold; the figures come as a message."""
    head.look.move(float(params["threshold"]))
    return {"code": f"gallery.threshold = {head.look.threshold:.4g}"}, []


def answer_save(head: ReportHead, params: Params) -> Answer:
    """Make the threshold the run's own."""
    head.look.save()
    return {"code": f"run.threshold = {head.look.threshold:.4g}"}, []


def answer_rate(head: ReportHead, params: Params) -> Answer:
    """Choose the threshold by a rate of overkill or escape."""
    rates = {name: float(params[name]) for name in ("overkill", "escape") if name in params}
    head.look.move_to_rate(**rates)
    given = ", ".join(f"{name}={rate:.4g}" for name, rate in rates.items())
    return {"code": f"gallery.threshold = run.review().find_threshold({given})"}, []


def answer_cell(head: ReportHead, params: Params) -> Answer:
    """Show the images of a cell of the confusion."""
    label, prediction = map(str, params["cell"])
    head.look.choose(cell=(label, prediction), outcomes=None)
    return {"code": f"run.review().find_in_cell({label!r}, {prediction!r})"}, []


ANSWERS: Answers = {
    "start": answer_start,
    "move": answer_move,
    "save": answer_save,
    "rate": answer_rate,
    "cell": answer_cell,
}


class ReportPanel(Still, ipywidgets.VBox):  # type: ignore[misc]
    """The report of a run, with charts to click and to drag.

    split: "test", "dev", "train", "all" or "unlabeled". Beside a gallery it shares what that looks
    at.
    """

    def __init__(self, run: Run, split: str = "test", look: Look | None = None) -> None:
        self.look = Look(run, split, find_loop() is not None) if look is None else look
        self.head = ReportHead(self.look)
        self._report: Report | None = None
        self._canvases = {
            "confusion": make_canvas(336, 262),
            "histogram": make_canvas(charts.FRAME.width, charts.FRAME.height),
            "precision": make_canvas(charts.FRAME.width, charts.FRAME.height),
        }
        follow(self._canvases["confusion"], self._press_cell, lambda point: None)
        follow(self._canvases["histogram"], self._drag_threshold, self._drag_threshold)
        follow(self._canvases["precision"], self._drag_recall, self._drag_recall)
        layout = ipywidgets.Layout(flex_flow="row wrap", overflow="hidden", display="none")
        self._charts = ipywidgets.Box(list(self._canvases.values()), layout=layout)
        super().__init__([self.head, self._charts])
        self.look.on_change(self._tell)
        self.head.on_tick = self.update_still
        self._tell("images")

    @property
    def threshold(self) -> float:
        """What counts as found or abnormal. Can be set; `look.save()` keeps it with the run."""
        return self.look.threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        self.look.move(threshold)

    def make_still(self) -> str:
        """Return the report as HTML."""
        return "" if self._report is None else self._report._repr_html_()

    def sign_still(self) -> Any:
        """Return what the report depends on."""
        if self._report is None:
            return None
        return self.look.threshold, self._report.headline, self._report.confusion.tolist()

    def close(self) -> None:
        """Close the report in all its views."""
        head = getattr(self, "head", None)
        if head is not None:
            head.close()
        super().close()

    def _tell(self, what: str) -> None:
        """Follow the look: compute first, draw after."""
        if what == "job":
            return
        self._report = self.look.report()
        self.head.send_report(self._report)
        self._charts.layout.display = "none" if self._report is None else ""
        if self._report is None:
            return
        figures = self._report.figures
        point = self.look.find_point(figures)
        histograms = self.look.find_histograms(figures)
        drawn = {
            "confusion": charts.draw_confusion(figures, self.look.filter.cell),
            "histogram": charts.draw_histogram(histograms, self.look.threshold),
            "precision": charts.draw_precision(figures, self.look.sweep[:, 1:], point),
        }
        set_height(self._canvases["confusion"], charts.Grid.of(figures).height)
        for name, strokes in drawn.items():
            paint(self._canvases[name], strokes)

    def _press_cell(self, point: Point) -> None:
        """Show the images of the cell at a point."""
        if self._report is None:
            return
        figures = self._report.figures
        place = charts.Grid.of(figures).find(point)
        if place is None or not figures.confusion[place]:
            return
        cell = figures.row_names[place[0]], figures.column_names[place[1]]
        self.look.choose(cell=None if self.look.filter.cell == cell else cell, outcomes=None)

    def _drag_threshold(self, point: Point) -> None:
        """Let the threshold follow the pointer."""
        self.look.move(round(charts.FRAME.find(point)[0], 3))

    def _drag_recall(self, point: Point) -> None:
        """Take the threshold whose recall is nearest to the pointer."""
        sweep = self.look.sweep
        known = sweep[~np.isnan(sweep).any(axis=1)]
        if len(known):
            wanted = np.array(charts.FRAME.find(point))
            nearest = np.abs(known[:, 1:] - wanted).sum(axis=1).argmin()
            self.look.move(float(known[nearest, 0]))
