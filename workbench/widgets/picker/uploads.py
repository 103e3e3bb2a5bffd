"""Files that a browser sends, chunk by chunk: in a folder of their own until the import."""

import tempfile
from pathlib import Path

from ...errors import InvalidSetting
from ...photos.archives import is_archive
from ...photos.entry_names import find_name_fault, make_name, show_name
from ...store.files import explained


class Uploads:
    """One drop of files: they lie in `folder` under their own names, archives in `archives`."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="workbench-upload-")
        self._top = Path(self._temporary.name)
        self.folder, self._archives = self._top / "files", self._top / "archives"
        self.rejected: list[tuple[str, str]] = []
        self._paths: dict[int, Path] = {}
        for folder in (self.folder, self._archives):
            folder.mkdir()

    @property
    def archives(self) -> list[Path]:
        """The archives that came, in the order of their names."""
        return sorted(self._archives.iterdir())

    @property
    def count(self) -> int:
        """How many files have come, whole or in part."""
        return len(self._paths)

    def write(self, number: int, name: str, offset: int, data: bytes) -> bool:
        """Write a chunk of the file of that number; tell whether its name is one that may come in.

        A name that may not is noted in `rejected`. Raises InvalidSetting for a chunk out of order,
        StorageFailed where the disk is full.
        """
        if number not in self._paths:
            fault = find_name_fault(name)
            if fault is not None:
                self.rejected.append((show_name(name), fault))
                return False
            self._paths[number] = self._choose_path(number, make_name(name))
        path = self._paths[number]
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                if file.tell() != offset:
                    raise InvalidSetting(
                        f"{show_name(name)} came in pieces that do not fit; retry."
                    )
                file.write(data)
        return True

    def _choose_path(self, number: int, name: str) -> Path:
        """Return where a file goes: one that was there before under that name stays."""
        if is_archive(Path(name)):
            return self._archives / f"{number:06}{''.join(Path(name).suffixes[-2:])}"
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise InvalidSetting(f"{show_name(name)} leads out of what is uploaded.")
        while path.exists():
            path = path.with_stem(f"{path.stem} ({number})")
        return path

    def close(self) -> None:
        """Delete the files."""
        self._temporary.cleanup()
