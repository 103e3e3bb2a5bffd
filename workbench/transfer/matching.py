"""Finding a project's images by what label files call them."""

import hashlib

from ..photos.entry_names import make_name
from ..store.database import Store
from ..store.images import ImageRow
from ..store.search import read_after

PAGE = 1000


class ImageIndex:
    """All images of a project, by content and by every name that labels may use for them."""

    def __init__(self, store: Store) -> None:
        self._contents: dict[str, ImageRow] = {}
        self._names: dict[str, ImageRow] = {}
        self._ends: dict[str, ImageRow | None] = {}
        rows = read_after(store, [], 0, PAGE)
        while rows:
            for row in rows:
                self._add(row)
            rows = read_after(store, [], rows[-1].id, PAGE)

    def _add(self, row: ImageRow) -> None:
        """Keep one image under all its names."""
        self._contents[row.path.stem] = row
        self._names[row.name] = row
        for key in {*list_ends(row.name), *list_ends(drop_suffix(row.name))}:
            # None: several images share that end of their names, so that it tells nothing
            self._ends[key] = None if key in self._ends else row

    def find_content(self, data: bytes) -> ImageRow | None:
        """Return the image that has these bytes."""
        return self._contents.get(hashlib.sha256(data).hexdigest())

    def find_exact(self, name: str) -> ImageRow | None:
        """Return the image of that name."""
        return self._names.get(name)

    def find(self, name: str) -> ImageRow | None:
        """Return the image of that name; or whose name ends like it, or the other way round.

        With the suffix first, then without; an end that several images share finds none.
        """
        name = make_name(name)
        if name in self._names:
            return self._names[name]
        for wanted in (name, drop_suffix(name)):
            if self._ends.get(wanted) is not None:
                return self._ends[wanted]
            for end in list_ends(wanted)[1:]:
                row = self._names.get(end) or self._ends.get(end)
                if row is not None and drop_suffix(row.name) == drop_suffix(end):
                    return row
        return None


def list_ends(name: str) -> list[str]:
    """Return 'a/b/c', 'b/c' and 'c' of 'a/b/c'."""
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


def drop_suffix(name: str) -> str:
    """Return a name without its suffix; without a dot, the name itself."""
    front, dot, _ = name.rpartition(".")
    return front if dot else name
