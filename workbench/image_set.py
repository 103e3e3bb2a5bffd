"""Image and ImageSet: what a person holds of the pictures in a project."""

import base64
import html
import operator
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .errors import ImageNotFound, InvalidSetting
from .store import images as stored
from .store import labels, search, undo
from .store.classes import list_classes
from .store.database import Store, reading
from .store.search import ANY, Filter, Unset
from .store.splits import check_split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = 200  # images read at a time while going through all of them
DERIVED_STATES = ("unlabeled", "labeled", "nothing there")


class Image:
    """One image of a project; what is set here is on disk when the line is done.

    Its fields follow what this process writes; `reload()` fetches what other processes wrote.
    """

    def __init__(self, store: Store, row: stored.ImageRow, author: str | None = None) -> None:
        self._store = store
        self._row = row
        self._author = author
        self._seen = store.changes.count
        self._revision: int | None = None  # of the label that was read last; None: not read

    @property
    def id(self) -> int:
        """The number of the image in its project; it never changes and is never used again."""
        return self._row.id

    @property
    def name(self) -> str:
        """The name, unique in the project: the path below what was imported."""
        return self._row.name

    @property
    def path(self) -> Path:
        """Where the bytes lie on disk. They must not be changed."""
        return self._row.path

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) of the upright image in pixels, as an image_size everywhere."""
        return self._row.image_size

    @property
    def width(self) -> int:
        """The width of the upright image in pixels."""
        return self._row.image_size[1]

    @property
    def height(self) -> int:
        """The height of the upright image in pixels."""
        return self._row.image_size[0]

    @property
    def added(self) -> datetime:
        """When the image came into the project, in UTC."""
        return self._row.added

    @property
    def split(self) -> str | None:
        """'train', 'dev', 'test', or None for none. Can be set."""
        return self._fresh().split

    @split.setter
    def split(self, split: str | None) -> None:
        check_split(split)
        stored.set_fields(self._store, self.id, split=split)

    @property
    def state(self) -> str:
        """'unlabeled', 'labeled' or 'nothing there', unless another was set.

        Can be set to any words, such as 'needs review'; None goes back to what the label says.
        """
        return self._fresh().state

    @state.setter
    def state(self, state: str | None) -> None:
        if state in DERIVED_STATES:
            raise InvalidSetting(
                f"The state {state!r} follows from the label. Set image.label, or set image.state "
                "to None to go back to what the label says."
            )
        if state is not None and not (isinstance(state, str) and 0 < len(state.strip()) <= 100):
            raise InvalidSetting(f"A state is 1 to 100 characters or None, not {state!r:.80}.")
        stored.set_fields(self._store, self.id, mark=state)

    @property
    def metadata(self) -> dict[str, Any]:
        """A copy of the short values that belong to the image. Set the whole dict to change it."""
        return dict(self._fresh().metadata)

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any]) -> None:
        stored.set_fields(self._store, self.id, metadata=stored.check_metadata(metadata))

    @property
    def label(self) -> Any:
        """The label as it is on disk now, or None while there is none. Can be set.

        Setting raises InvalidLabel or UnknownClass for a label that does not fit, and LabelConflict
        when somebody changed the label after it was read here.
        """
        label, self._revision = labels.read_label_and_revision(self._store, self.id)
        return label

    @label.setter
    def label(self, label: Any) -> None:
        self._revision = labels.write_label(
            self._store, self.id, label, self._author, self._revision
        )

    def undo(self) -> bool:
        """Take back the last change of the label; tell whether there was one."""
        return undo.undo_label(self._store, self.id, self._author) is not None

    def redo(self) -> bool:
        """Repeat the change that was taken back last; tell whether there was one."""
        return undo.redo_label(self._store, self.id, self._author) is not None

    def history(self) -> list[labels.LabelRevision]:
        """Return what the label was, newest first: label, author and created of each revision."""
        return labels.revisions(self._store, self.id)

    def read(self) -> np.ndarray:
        """Return the image upright: uint8 (H, W, 3), RGB."""
        return stored.read_pixels(self._row)

    def read_bytes(self) -> bytes:
        """Return the bytes as they were imported."""
        return stored.read_bytes(self._row)

    def read_thumbnail(self) -> bytes:
        """Return a JPEG of at most 256 pixels in width and height."""
        return stored.read_thumbnail(self._store, self.id)

    def reload(self) -> "Image":
        """Fetch what other processes wrote, forget which label was read, and return this image."""
        self._row = stored.find_image(self._store, self.id)
        self._seen, self._revision = self._store.changes.count, None
        return self

    def _fresh(self) -> stored.ImageRow:
        """Return the row, read again if this process has written since."""
        count = self._store.changes.count
        if self._seen != count:
            self._row, self._seen = stored.find_image(self._store, self.id), count
        return self._row

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same image of the same project."""
        return isinstance(other, Image) and self._key() == other._key()

    def __hash__(self) -> int:
        """Return a hash of what makes images the same."""
        return hash(self._key())

    def _key(self) -> tuple[Path, int]:
        """Return what makes images the same."""
        return self._store.folder, self.id

    def __repr__(self) -> str:
        """Return name, size, split and state."""
        size = f"{self.width} x {self.height}"
        return f"Image({self.name!r}, {size}, split={self.split!r}, state={self.state!r})"

    def _repr_html_(self) -> str:
        """Return the thumbnail and the name for a notebook."""
        data = base64.b64encode(self.read_thumbnail()).decode()
        text = html.escape(
            f"{self.name} ({self.width} x {self.height}, {self.split or 'no split'}, {self.state})"
        )
        return (
            f'<figure style="margin:0"><img alt="{text}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )


class ImageSet:
    """Images of a project, in the order in which they were added; reads only what is asked for.

    images[0], images[-1], images[10:20] and images["name.png"] give images; so does a loop, which
    goes on rightly while the loop's body labels.
    """

    def __init__(
        self, store: Store, filters: tuple[Filter, ...] = (), author: str | None = None
    ) -> None:
        self._store = store
        self._filters = filters
        self._author = author

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What the images were chosen by, as the store's searches take it."""
        return self._filters

    def where(
        self,
        *,
        split: str | Literal[Unset.ANY] | None = ANY,
        labeled: bool | None = None,
        class_name: str | None = None,
        text: str | None = None,
        state: str | None = None,
    ) -> "ImageSet":
        """Return those images that fit all that is given; calls can be chained.

        split=None finds images without a split. text: a part of the name or of a metadata value,
        upper and lower case alike. Raises UnknownClass or InvalidSetting for what cannot be found.
        """
        wanted = Filter(split, labeled, class_name, text, state)
        search.check_filter(self._store, wanted)
        return ImageSet(self._store, (*self._filters, wanted), self._author)

    def __len__(self) -> int:
        """Return how many images there are."""
        return search.count_images(self._store, self._filters)

    def __bool__(self) -> bool:
        """Tell whether there is any image."""
        return bool(self.page(0, 1))

    def __iter__(self) -> Iterator[Image]:
        """Go through the images, a page at a time."""
        after = 0
        while rows := search.read_after(self._store, self._filters, after, PAGE):
            for row in rows:
                yield self._make(row)
            after = rows[-1].id

    @overload
    def __getitem__(self, key: int | str) -> Image: ...

    @overload
    def __getitem__(self, key: slice) -> list[Image]: ...

    def __getitem__(self, key: int | str | slice) -> Image | list[Image]:
        """Return the image of a position or name, or the list of a slice. Raises ImageNotFound."""
        if isinstance(key, str):
            return self._find_by_name(key)
        if isinstance(key, slice):
            return self._read_slice(key)
        position = operator.index(key)
        start = position if position >= 0 else position + len(self)
        found = self.page(start, 1) if start >= 0 else []
        if not found:
            raise ImageNotFound(f"There is no image {position}: there are {len(self)} in this set.")
        return found[0]

    def _read_slice(self, key: slice) -> list[Image]:
        """Return the images of a slice."""
        positions = range(*key.indices(len(self)))
        if not positions:
            return []
        low, high = min(positions), max(positions)
        page = self.page(low, high - low + 1)
        return [page[i - low] for i in positions if i - low < len(page)]

    def _find_by_name(self, name: str) -> Image:
        """Return the image of that name, if it is in this set."""
        row = stored.find_image_by_name(self._store, name)
        if self._filters and not search.read_page(
            self._store, (*self._filters, Filter(image_id=row.id)), 0, 1
        ):
            raise ImageNotFound(f"{name!r} is in the project, but not in this selection of it.")
        return self._make(row)

    def __contains__(self, key: object) -> bool:
        """Tell whether an image, or one of that name, is in this set."""
        name = key.name if isinstance(key, Image) else key
        try:
            return isinstance(name, str) and (self[name] == key or name is key)
        except ImageNotFound:
            return False

    def find(self, image_id: int) -> Image:
        """Return the image of the project with that id. Raises ImageNotFound."""
        row = stored.find_image(self._store, image_id)
        if row.is_removed:
            raise ImageNotFound(f"The image {row.name!r} was removed from the project.")
        return self._make(row)

    def page(self, start: int = 0, count: int = 50) -> list[Image]:
        """Return up to count images, from position start on."""
        rows = search.read_page(self._store, self._filters, start, count)
        return [self._make(row) for row in rows]

    def ids(self) -> list[int]:
        """Return the ids of all images of the set."""
        return search.list_ids(self._store, self._filters)

    def plot(self, columns: int = 4, limit: int = 12) -> "Figure":
        """Return a picture of the first images with their labels."""
        # Imported here, because matplotlib takes long to load.
        from .plots import plot_images

        with reading(self._store) as connection:
            rows = list_classes(connection)
        colors = {row.name: row.color for row in rows}
        return plot_images(self.page(0, limit), columns, limit, [*colors], colors)

    def _make(self, row: stored.ImageRow) -> Image:
        """Return the image of a row."""
        return Image(self._store, row, self._author)

    def __repr__(self) -> str:
        """Return how many images, and what they were chosen by."""
        chosen = "".join(f", {wanted.describe()}" for wanted in self._filters)
        return f"ImageSet({len(self)} images{chosen})"

    def _repr_html_(self) -> str:
        """Return the count and the first names for a notebook."""
        names = "".join(f"<li>{html.escape(image.name)}</li>" for image in self.page(0, 5))
        rest = "<li>…</li>" if len(self) > 5 else ""
        return f"<div>{html.escape(repr(self))}<ul>{names}{rest}</ul></div>"


def find_ids(
    images: "ImageSet | Image | str | Iterable[Image | str]", within: ImageSet
) -> list[int]:
    """Return the ids of images that are given as such, or by name. Raises ImageNotFound."""
    if isinstance(images, ImageSet):
        return images.ids()
    if isinstance(images, (Image, str)):
        images = [images]
    return [image.id if isinstance(image, Image) else within[image].id for image in images]
