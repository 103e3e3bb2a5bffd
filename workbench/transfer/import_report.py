"""What an import did, in lists and in a few lines for a notebook."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN = 10  # rejected files that a notebook lists before it says how many more there are


@dataclass
class ImportReport:
    """What came in, what was there, and what could not come in and why.

    added: names of new images. duplicates: names of what the project held already, by content.
    rejected: (name, reason). skipped: names of files that are no images, such as label files.
    labeled: names of images that got a label. unlabeled: those that labels were looked for and not
    found. notes: (name, note) of images that were changed in reading, or labels to fit.
    """

    added: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    labeled: list[str] = field(default_factory=list)
    unlabeled: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        """Return the counts, and the first things rejected with their reasons."""
        lines = [self._summarize()]
        lines += [f"  rejected {name}: {reason}" for name, reason in self.rejected[:SHOWN]]
        if len(self.rejected) > SHOWN:
            lines.append(f"  ... and {len(self.rejected) - SHOWN} more in .rejected")
        lines += [f"  note: {count} x {note}" for note, count in self._count_notes().items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the same for a notebook; names and reasons are escaped."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(reason)}</td></tr>"
            for name, reason in self.rejected[:SHOWN]
        )
        table = f"<table><tr><th>rejected</th><th>why</th></tr>{rows}</table>" if rows else ""
        more = len(self.rejected) - SHOWN
        rest = f"<p>... and {more} more in <code>.rejected</code></p>" if more > 0 else ""
        notes = "".join(
            f"<li>{count} x {html.escape(note)}</li>" for note, count in self._count_notes().items()
        )
        listed = f"<ul>{notes}</ul>" if notes else ""
        return f"<div><p>{html.escape(self._summarize())}</p>{table}{rest}{listed}</div>"

    def _summarize(self) -> str:
        """Return the counts that are not zero, in one line."""
        counts: dict[str, Sequence[object]] = {
            "added": self.added,
            "already there": self.duplicates,
            "rejected": self.rejected,
            "no images": self.skipped,
            "labeled": self.labeled,
            "without a label": self.unlabeled,
        }
        told = [
            f"{len(names)} {word}" for word, names in counts.items() if names or word == "added"
        ]
        return "Import: " + ", ".join(told)

    def _count_notes(self) -> dict[str, int]:
        """Return {note: how many images it is about}, the first SHOWN of them."""
        counts: dict[str, int] = {}
        for _, note in self.notes:
            counts[note] = counts.get(note, 0) + 1
        return dict(list(counts.items())[:SHOWN])
