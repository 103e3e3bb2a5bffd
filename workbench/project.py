"""Project: one folder with images, labels, splits, snapshots and runs."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import InvalidSetting, RunFailed
from .image_set import Image, ImageSet, find_ids
from .progress import Progress
from .store import class_removal
from .store.authors import find_author
from .store.classes import (
    ClassRow,
    add_row,
    list_classes,
    read_classes_with_counts,
    recolor_row,
    rename_row,
    write_instructions,
)
from .store.database import (
    Store,
    create_store,
    open_store,
    read_name,
    reading,
    write_name,
    writing,
)
from .store.images import remove_images
from .store.labels import LabelRevision, revert_label
from .store.project_folders import copy_store
from .store.snapshots import Snapshot, create_snapshot, list_snapshots, read_snapshot
from .store.splits import count_splits, split_images
from .store.summary import summarize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .plan import TrainingPlan
    from .run_set import RunSet
    from .runs import Run
    from .transfer.exporting import ExportReport
    from .transfer.importing import ImportReport

__all__ = ["Image", "ImageSet", "LabelRevision", "Project"]


class Project:
    """A visual-inspection project: one folder on disk, which is the truth.

    Several notebooks may hold the same project open. Use `Project.create` and `Project.open`.
    """

    def __init__(self, store: Store, author: str | None = None) -> None:
        self.store = store
        self.author = find_author() if author is None else author

    @classmethod
    def create(
        cls,
        path: str | Path,
        task: str,
        classes: Sequence[str] = (),
        name: str | None = None,
        colors: Mapping[str, str] | None = None,
    ) -> "Project":
        """Create a project in a new or empty folder.

        task: "classification", "detection", "segmentation" or "anomaly". name: the folder's own
        unless given. colors: {class name: "#rrggbb"}; the others get one that is told apart easily.
        Raises ProjectExists, UnknownTask, InvalidSetting or StorageFailed.
        """
        return cls(create_store(path, task, classes, name, colors))

    @classmethod
    def open(cls, path: str | Path, author: str | None = None) -> "Project":
        """Open the project in a folder. author: who labels, unless it is the user of this machine.

        Raises ProjectNotFound, ProjectVersionError or StorageFailed.
        """
        return cls(open_store(path), author)

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.store.folder

    @property
    def task(self) -> str:
        """The project type: "classification", "detection", "segmentation" or "anomaly"."""
        return self.store.task

    @property
    def name(self) -> str:
        """The project's name. Can be set."""
        return read_name(self.store)

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidSetting(f"A project needs a name, not {name!r}.")
        write_name(self.store, name)

    @property
    def images(self) -> ImageSet:
        """All images, in the order in which they were added."""
        return ImageSet(self.store, author=self.author)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in order: k in a mask is classes[k - 1]."""
        return [row.name for row in self._read_classes()]

    @property
    def colors(self) -> dict[str, str]:
        """The color of each class, "#rrggbb"."""
        return {row.name: row.color for row in self._read_classes()}

    def _read_classes(self) -> list[ClassRow]:
        """Return the rows of the classes."""
        with reading(self.store) as connection:
            return list_classes(connection)

    def add_class(self, name: str, color: str | None = None) -> None:
        """Add a class at the end. Raises ClassExists or InvalidSetting."""
        self._check_classes_are_free()
        with writing(self.store) as connection:
            add_row(connection, name, color)

    def rename_class(self, old: str, new: str) -> None:
        """Rename a class in all labels. Raises UnknownClass or ClassExists."""
        self._check_classes_are_free()
        with writing(self.store) as connection:
            rename_row(connection, old, new)

    def remove_class(self, name: str, remove_labels: bool = False) -> None:
        """Take a class out of the project.

        Raises ClassInUse while labels hold it; with remove_labels each of those gets a new revision
        without it. Raises UnknownClass when there is no such class.
        """
        class_removal.remove_class(self.store, name, remove_labels, self.author)

    def set_color(self, name: str, color: str) -> None:
        """Give a class another color, "#rrggbb". Raises UnknownClass or InvalidSetting."""
        with writing(self.store) as connection:
            recolor_row(connection, name, color)

    @property
    def instructions(self) -> dict[str, str]:
        """What is written about each class: when to use it, what to leave out."""
        return {row.name: row.instructions for row in read_classes_with_counts(self.store)}

    def set_instructions(self, name: str, text: str) -> None:
        """Write what people are to know about a class. Raises UnknownClass or InvalidSetting."""
        with writing(self.store) as connection:
            write_instructions(connection, name, text)

    def _check_classes_are_free(self) -> None:
        """Raise InvalidSetting in an anomaly project."""
        if self.task == "anomaly":
            raise InvalidSetting(
                "An anomaly project has the classes 'normal' and 'abnormal' only. "
                "To tell kinds of defects apart, make a classification or detection project."
            )

    def add_images(
        self,
        source: Any,
        split: str | None = None,
        labels_from_folders: bool = False,
        progress: Progress = True,
    ) -> "ImportReport":
        """Add images from files, folders, globs, archives, a list of these, or {name: picture}.

        split: 'train', 'dev' or 'test' for all of them. labels_from_folders: the folder that each
        lies in is its class, or normal / abnormal. One bad file never stops an import: the report
        names what was rejected, and why. Raises SourceNotFound or InvalidSetting.
        """
        # Imported here, as in the two below, because it loads all formats.
        from .transfer.importing import import_images

        return import_images(self.store, source, split, labels_from_folders, progress, self.author)

    def import_labels(
        self, path: str | Path, format: str | None = None, progress: Progress = True
    ) -> "ImportReport":
        """Add labels from voc, coco, yolo, masks, folders or csv files; None finds out which."""
        from .transfer.importing import import_labels

        return import_labels(self.store, path, format, progress, self.author)

    def export(
        self,
        folder: str | Path,
        format: str,
        overwrite: bool = False,
        progress: Progress = True,
    ) -> "ExportReport":
        """Write the labeled images, their labels and splits to a folder, as `import_labels` reads.

        overwrite: replace what an earlier export wrote there.
        """
        from .transfer.exporting import export_labels

        return export_labels(self.store, folder, format, overwrite, progress)

    def remove_images(self, images: ImageSet | Image | str | Iterable[Image | str]) -> int:
        """Take images out of the project, and return how many; snapshots keep them."""
        return remove_images(self.store, find_ids(images, self.images))

    def split(
        self,
        train: float = 0.7,
        dev: float = 0.15,
        test: float = 0.15,
        seed: int = 0,
        reassign: bool = False,
    ) -> dict[str, int]:
        """Divide the images, stratified by what their labels hold; return the size of each split.

        Images that have a split keep it unless reassign=True. The three fractions add up to 1. In
        an anomaly project abnormal images go to dev and test only. Raises InvalidSetting.
        """
        fractions = {"train": train, "dev": dev, "test": test}
        return split_images(self.store, fractions, seed, reassign)

    def snapshot(self, name: str) -> Snapshot:
        """Freeze images, splits, classes and labels as they are now."""
        return read_snapshot(self.store, create_snapshot(self.store, name))

    @property
    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        return list_snapshots(self.store)

    def revert(self, image: Image | str, revision: LabelRevision | int) -> None:
        """Give an image the label of an earlier revision, which becomes its newest."""
        found = image if isinstance(image, Image) else self.images[image]
        revision_id = revision.id if isinstance(revision, LabelRevision) else revision
        revert_label(self.store, found.id, revision_id, self.author)

    def start_training(
        self,
        preset: str = "fast",
        seed: int = 0,
        time_limit: float | None = None,
        name: str | None = None,
        **settings: Any,
    ) -> "Run":
        """Start a training run in a process of its own and return it at once.

        preset: "fast" or "accurate". time_limit: seconds for the whole run. settings: changes to
        the preset, see `settings.Settings`. A project without any split is split first. Raises
        InvalidSetting and NotEnoughLabels.
        """
        from .training import start_training

        changes = {"seed": seed, "time_limit": time_limit, **settings}
        return self.runs[start_training(self.store, preset, self.classes, name, changes)]

    def train(
        self,
        preset: str = "fast",
        seed: int = 0,
        time_limit: float | None = None,
        name: str | None = None,
        progress: Progress = True,
        **settings: Any,
    ) -> "Run":
        """Train, and return the run when it has ended; a bar shows how far it is.

        Interrupting it cancels the run. Raises RunFailed where training fails.
        """
        run = self.start_training(preset, seed, time_limit, name, **settings)
        try:
            status = run.wait(progress=progress)
        except KeyboardInterrupt:
            run.cancel(wait=False)
            raise
        if status in ("failed", "interrupted"):
            raise RunFailed(run.error or f"Run {run.name!r} failed; run.log has the details.")
        return run

    def plan_training(self, preset: str = "fast", **settings: Any) -> "TrainingPlan":
        """Return what `train` with the same settings would do: images, warnings, time, memory.

        Nothing is started. settings: as for `train`. Raises InvalidSetting.
        """
        from .plan import plan_training

        return plan_training(self.store, self.classes, preset, settings)

    def plot_augmentations(
        self, preset: str = "fast", count: int = 8, seed: int = 0, **settings: Any
    ) -> "Figure":
        """Return a Figure of labeled images as training would vary them, with their labels.

        They are of train, once images are split; flipped, moved and lit differently. Of up to 100,
        detection also turns half by a quarter and pastes boxes in once more, as segmentation does
        with what is painted; classification's first fit only moves them. augment=False leaves all
        as they are. It takes some seconds, since training code runs in a process of its own.
        settings: as for `train`. Raises NotEnoughLabels where nothing is labeled.
        """
        # Imported here, because matplotlib takes long to load.
        from .augmented import draw_augmented
        from .plots import plot_images

        images = draw_augmented(self.store, self.classes, preset, count, seed, settings)
        return plot_images(images, 4, count, self.classes, self.colors)

    @property
    def runs(self) -> "RunSet":
        """All training runs; project.runs["run-id"] gives one."""
        from .run_set import RunSet

        return RunSet(self.store)

    def best_run(self, metric: str | None = None) -> "Run | None":
        """Return the finished run with the best figure; metric None: the task's own."""
        return self.runs.best(metric)

    def copy(self, path: str | Path, name: str | None = None) -> "Project":
        """Copy the project to a new or empty folder, without runs that train; return the copy.

        name: the folder's own unless given. Raises ProjectExists or InvalidSetting.
        """
        return Project(copy_store(self.store, path, name), self.author)

    def make_segmentation(
        self,
        path: str | Path,
        name: str | None = None,
        outline: bool = False,
        progress: Progress = True,
    ) -> "Project":
        """Make a segmentation project of this detection project; its boxes are the first masks.

        outline: paint what stands out in each box, found by GrabCut, rather than the whole box.
        Images, classes, splits and states come along. Raises InvalidSetting or ProjectExists.
        """
        from .transfer.conversion import make_segmentation

        made = make_segmentation(
            self.store, path, self.classes, name, outline, progress, self.author
        )
        return Project(made, self.author)

    def close(self) -> None:
        """Close the database; the project opens it again when it is used."""
        self.store.close()

    def __enter__(self) -> "Project":
        """Return the project; it closes when the block ends."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the project."""
        self.close()

    def __repr__(self) -> str:
        """Return name, task and counts."""
        counts = summarize(self.store)
        return (
            f"Project({self.name!r}, task={self.task!r}, {counts.images} images, "
            f"{counts.labeled} labeled, classes={self.classes})"
        )

    def _repr_html_(self) -> str:
        """Return a small table for a notebook."""
        counts, splits = summarize(self.store), count_splits(self.store)
        chips = " ".join(
            f'<span style="border-left:0.8em solid {html.escape(color)};padding-left:0.3em">'
            f"{html.escape(name)}</span>"
            for name, color in self.colors.items()
        )
        rows = {
            "Type": html.escape(self.task),
            "Folder": html.escape(str(self.path)),
            "Images": f"{counts.images}, {counts.labeled} labeled",
            "Splits": ", ".join(f"{split} {count}" for split, count in splits.items()),
            "Classes": chips or "none yet",
            "Runs": str(counts.runs),
        }
        body = "".join(f"<tr><th>{title}</th><td>{text}</td></tr>" for title, text in rows.items())
        return f"<b>{html.escape(counts.name)}</b><table>{body}</table>"
