"""Labeler: the widget with which a person labels the images of a project, in a notebook cell.

The browser draws and asks; Python applies each gesture to the label, writes it and says so. No
state of the widget is trusted: whoever shows it again gets what the store holds.
"""

import asyncio
import threading
import uuid
import weakref
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ...errors import ImageNotFound, InvalidSetting, WorkbenchError
from ...image_set import Image, ImageSet
from ...project import Project
from ...store.gestures import forget_gestures
from ...store.held_classes import count_states
from ...store.images import find_image
from ...store.places import read_place, write_place
from ...store.undo import find_changes
from ...tasks import find_task
from ..scripts import join_scripts
from ..still import Still, make_picture, make_sheet
from .answers import ANSWERS, Desk, describe_outcome, describe_project, make_counts
from .gesture import Gesture, make_gesture, read_gesture, write_code
from .truths import Outcome, Truths

HERE = Path(__file__).parent
SURFACE = HERE.parent / "surface"
SURFACE_PARTS = ("inflate", "raster", "viewport", "layers", "pointers", "surface")
LABELER_PARTS = (
    *("gestures", "tools_paint", "tools_shapes", "tools_boxes", "tools", "keys"),
    *("toolbar", "classes", "boxes", "status", "help", "drawers", "layout"),
    *("rows", "strip", "filters", "grid", "queue", "records", "desk", "labeler"),
)
CSS = (
    *(HERE.parent / "parts.css", SURFACE / "surface.css"),
    *(HERE / "labeler.css", HERE / "lists.css"),
)
PLACE = "labeler"  # where the store keeps which image was shown last
FOLLOW_SECONDS = 1.0  # between two looks at what others wrote

WITHOUT_WIDGETS = (
    "The labeler of {name!r} needs a front end that shows widgets. Open this notebook in "
    "JupyterLab or Notebook 7, with the kernel of the environment where the package is installed, "
    "and run the cell again."
)


class Labeler(Still, anywidget.AnyWidget):
    """The labeler that fits a project's type: classes, boxes, paint, or normal / abnormal.

    images: those to label, all of the project unless given. image: the one to begin with, the one
    that was shown last unless given. Everything done by hand is also a call: `show`, `act`, `undo`,
    `redo`. Observe `image` and `label` to follow it.
    """

    _esm = join_scripts(
        *(HERE.parent / f"{name}.js" for name in ("parts", "asking")),
        *(SURFACE / f"{name}.js" for name in SURFACE_PARTS),
        *(HERE / f"{name}.js" for name in LABELER_PARTS),
    )
    _css = "\n".join(path.read_text("utf-8") for path in CSS)

    task = traitlets.Unicode().tag(sync=True)
    desk_key = traitlets.Unicode().tag(sync=True)
    project_key = traitlets.Unicode().tag(sync=True)
    first_image = traitlets.Int(0).tag(sync=True)

    image = traitlets.Any(None, allow_none=True, help="The image that is shown. Can be set.")
    label = traitlets.Any(None, allow_none=True, help="The label of that image, as on disk.")

    def __init__(
        self,
        project: Project,
        images: ImageSet | None = None,
        image: Image | str | int | None = None,
    ) -> None:
        self.project = project
        self.images = project.images if images is None else images
        self._lock = threading.RLock()  # messages may come on another thread than cells run on
        self._truths = Truths(project)
        self._lines: list[str] = []
        self._seen_revision = find_changes(project.store, None)[0]
        self._seen_classes = (project.classes, project.colors)
        self._desk = Desk(project, self.images, self._truths, lambda: self.code)
        forget_gestures(project.store)
        place = str(project.path.resolve())
        super().__init__(
            task=project.task,
            desk_key=uuid.uuid4().hex,
            project_key=sha256(place.encode()).hexdigest()[:16],
        )
        self.on_msg(self._on_message)
        self._go(self._find_first(image))
        self._follow()

    # What a person does, as calls.

    def show(self, image: Image | str | int) -> None:
        """Show an image: an Image, its name, or its id. Raises ImageNotFound."""
        with self._lock:
            found = self._find(image)
            self._go(found)
            self.send({"kind": "goto", "image": found.id})

    def next_image(self) -> None:
        """Show the next image; stay at the last one."""
        self._step(1)

    def previous_image(self) -> None:
        """Show the image before; stay at the first one."""
        self._step(-1)

    def next_unlabeled(self) -> None:
        """Show the next image without a label; stay where all have one."""
        answer, _ = ANSWERS["next_unlabeled"](self._desk, {"after": self._image_id})
        if answer["image"] is not None:
            self.show(answer["image"])

    def act(self, tool: str, points: Sequence[Any] | None = None, **params: Any) -> None:
        """Do on the shown image what a hand can do; it is on disk when the call returns.

        tool, params: "class" class_name; "box" class_name, x0, y0, x1, y1; "change_box" index, new;
        "delete_box" and "duplicate_box" index; "copy_previous" source (an image id); "brush" points
        [(x, y), …], size, shape ("round" or "square"), class_name (none: erase), protect; "polygon"
        and "lasso" points, class_name; "fill" x, y, class_name; "wand" x, y, tolerance,
        class_name; "box_mask" x0, y0, x1, y1, class_name; "verdict" verdict; "clear", "nothing",
        "unlabel", "undo", "redo". Raises InvalidSetting, InvalidLabel or UnknownClass; nothing is
        changed then.
        """
        if points is not None:
            params["points"] = points
        with self._lock:
            self._acknowledge(self._apply(make_gesture(self._image_id, tool, params)), None)

    def undo(self) -> None:
        """Take back the last change of the shown image's label."""
        self.act("undo")

    def redo(self) -> None:
        """Repeat what was taken back last on the shown image."""
        self.act("redo")

    @property
    def code(self) -> str:
        """The calls that repeat what was done with this labeler since it was made."""
        head = [
            "import workbench as wb",
            f"project = wb.Project.open({str(self.project.path)!r})",
            "labeler = wb.Labeler(project)",
        ]
        return "\n".join([*head, *self._lines])

    def refresh(self) -> None:
        """Show what others wrote to the project; this also happens by itself, every second."""
        with self._lock:
            newest, changed = find_changes(self.project.store, self._seen_revision)
            self._seen_revision = newest
            foreign = [image_id for image_id in changed if not self._is_own(image_id)]
            classes = (self.project.classes, self.project.colors)
            if foreign:
                self.send({"kind": "changed", "images": foreign[:1000]})
                self._update_label()
            if foreign or classes != self._seen_classes:
                self._seen_classes = classes
                self.send({"kind": "project", **describe_project(self._desk)})

    def make_still(self) -> str:
        """Return the shown image with its label, and how many are labeled."""
        counts = make_counts(count_states(self.project.store))
        words = f"{counts['labeled']} of {counts['images']} images labeled in {self.project.name}"
        if self.image is None:
            return f"<p>{escape(words)}</p>"
        room, classes = find_task(self.project.task).room, self.project.classes
        drawn = room.draw(self.image.read(), self.label, classes, self.project.colors)
        picture = make_picture(make_sheet([drawn], 1), self.image.name)
        return f"<p>{escape(words)}</p>{picture}<p>{escape(self.image.name)}</p>"

    def sign_still(self) -> Any:
        """Return the shown image and the newest label."""
        shown = None if self.image is None else find_image(self.project.store, self.image.id)
        return None if shown is None else (shown.id, shown.revision, self.project.colors)

    # Where the labeler is.

    @property
    def _image_id(self) -> int | None:
        """The id of the shown image; None while there is none."""
        return self.image.id if self.image is not None else None

    def _find(self, image: Image | str | int) -> Image:
        """Return the image that is meant, if the project has it."""
        if isinstance(image, Image):
            return self.project.images.find(image.id)
        return self.images[image] if isinstance(image, str) else self.images.find(image)

    def _find_first(self, image: Image | str | int | None) -> Image | None:
        """Return the image to begin with: the one asked for, the last one shown, or the first."""
        if image is not None:
            return self._find(image)
        place = read_place(self.project.store, PLACE)
        try:
            if isinstance(place, dict) and (kept := self.images.find(place["image"])):
                return kept if kept in self.images else next(iter(self.images), None)
        except (ImageNotFound, KeyError):
            pass
        return next(iter(self.images), None)

    def _go(self, image: Image | None) -> None:
        """Make an image the shown one, and remember it for the next time."""
        self.image = image
        self.first_image = 0 if image is None else image.id
        self._update_label()
        if image is not None:
            write_place(self.project.store, PLACE, {"image": image.id})

    def _update_label(self) -> None:
        """Let `label` say what is on disk."""
        self.label = None if self.image is None else self._truths.read(self.image.id).label

    def _step(self, by: int) -> None:
        """Show the image that many places further on, within the images."""
        if self._image_id is None:
            return
        answer, _ = ANSWERS["position"](self._desk, {"image": self._image_id})
        index = (answer["index"] or 0) + by
        if 0 <= index < len(self.images):
            self.show(self.images[index])

    def _is_own(self, image_id: int) -> bool:
        """Tell whether the newest label of an image is the one held here."""
        return self._truths.knows(image_id, find_image(self.project.store, image_id).revision)

    # What comes from the browser.

    def _on_message(self, widget: Any, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Take one message; short, and right on any thread."""
        with self._lock:
            kind = content.get("kind")
            if kind == "gesture":
                self._take_gesture(content, buffers)
            elif kind == "request":
                self._take_request(content)
            elif kind == "show":
                self._take_show(content)

    def _take_gesture(self, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Apply a gesture and acknowledge it; one that cannot be applied is refused, with why."""
        gesture_id = content.get("id")
        try:
            self._acknowledge(self._apply(read_gesture(content, buffers)), gesture_id)
        except (WorkbenchError, TypeError, ValueError, KeyError) as error:
            refusal: dict[str, Any] = {"kind": "ack", "gesture": gesture_id, "images": []}
            self.send({**refusal, "error": str(error), "image": content.get("image")})

    def _take_request(self, content: Mapping[str, Any]) -> None:
        """Answer a question; an error is an answer too."""
        answer: dict[str, Any] = {"kind": "answer", "request": content.get("request")}
        try:
            found, buffers = ANSWERS[str(content["name"])](self._desk, content.get("params") or {})
            self.send({**answer, "ok": True, **found}, buffers)
        except (WorkbenchError, TypeError, ValueError, KeyError) as error:
            self.send({**answer, "ok": False, "error": str(error)})

    def _take_show(self, content: Mapping[str, Any]) -> None:
        """Follow the person to another image."""
        try:
            self._go(self._find(int(content["image"])))
        except (WorkbenchError, TypeError, ValueError, KeyError) as error:
            self.send({"kind": "error", "error": str(error)})

    def _apply(self, gesture: Gesture) -> list[Outcome]:
        """Apply a gesture to the labels, and note the call that repeats it."""
        if not gesture.image_ids and gesture.params.get("scope") != "project":
            raise InvalidSetting("There is no image to label: add some with project.add_images().")
        outcomes = self._truths.apply(gesture)
        self._note(gesture)
        self._update_label()
        return outcomes

    def _note(self, gesture: Gesture) -> None:
        """Add the lines of code that repeat a gesture."""
        if gesture.image_id is not None:
            line = f"labeler.show({find_image(self.project.store, gesture.image_id).name!r})"
            shown = [text for text in self._lines if text.startswith("labeler.show(")]
            if not shown or shown[-1] != line:
                self._lines.append(line)
        self._lines.append(write_code(gesture))

    def _acknowledge(self, outcomes: Sequence[Outcome], gesture_id: str | None) -> None:
        """Tell every view that a gesture is on disk, and what it made of the labels."""
        described = [describe_outcome(self._desk, outcome) for outcome in outcomes]
        self.send(
            {
                "kind": "ack",
                "gesture": gesture_id,
                "images": [content for content, _ in described],
                "counts": make_counts(count_states(self.project.store)),
            },
            [buffer for _, buffers in described for buffer in buffers],
        )

    # What happens elsewhere.

    def _follow(self) -> None:
        """Look every second for what other cells, notebooks and programs wrote."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no kernel: a script or a test calls refresh() itself
        self._follower = loop.create_task(_keep_refreshing(weakref.ref(self)))

    def close(self) -> None:
        """Close the widget in all its views."""
        follower = getattr(self, "_follower", None)
        if follower is not None and not follower.get_loop().is_closed():
            follower.get_loop().call_soon_threadsafe(follower.cancel)
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and a plain sentence for a front end that cannot show it."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = WITHOUT_WIDGETS.format(name=self.project.name)
        return bundle


async def _keep_refreshing(reference: "weakref.ref[Labeler]") -> None:
    """Refresh a labeler until it is gone, or its project is."""
    while True:
        await asyncio.sleep(FOLLOW_SECONDS)
        labeler = reference()
        if labeler is None:
            return
        try:
            labeler.refresh()
            labeler.update_still()
        except WorkbenchError:
            return
        del labeler
