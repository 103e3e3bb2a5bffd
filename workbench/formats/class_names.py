"""The lists of class names that lie beside label files: data.yaml, classes.txt, classes.json."""

import json
from pathlib import Path
from typing import Any

from ..errors import InvalidLabel
from .pictures import list_files, relative_name

FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "classes.json")


def find_class_file(path: Path) -> Path | None:
    """Return the file that names the classes, the one nearest to the top; None if there is none."""
    folder = path if path.is_dir() else path.parent
    found = [f for f in list_files(folder, FILES) if f.name.lower() in FILES]
    order = {name: i for i, name in enumerate(FILES)}
    return min(
        found,
        key=lambda f: (relative_name(f, folder).count("/"), order[f.name.lower()]),
        default=None,
    )


def read_class_names(file: Path) -> dict[int, str]:
    """Return {number: class name}, as the file numbers them; lists count from 0.

    Raises InvalidLabel where the file cannot be read.
    """
    try:
        text = file.read_text("utf-8-sig")
        if file.suffix.lower() in (".yaml", ".yml"):
            return _number(_parse_yaml(text))
        if file.suffix.lower() == ".json":
            return _number(json.loads(text))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidLabel(f"{file.name} cannot be read: {error}.") from None
    return _number([line.strip() for line in text.splitlines() if line.strip()])


def _parse_yaml(text: str) -> Any:
    """Return the `names` of a YAML text. Raises ValueError where it is not valid."""
    import yaml  # imported here: only who reads data.yaml needs it

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    return document.get("names") if isinstance(document, dict) else None


def _number(names: Any) -> dict[int, str]:
    """Return {number: name} of a list, of {number: name}, or of {name: number}."""
    if isinstance(names, list):
        return {i: str(name) for i, name in enumerate(names)}
    if not isinstance(names, dict):
        raise ValueError("it holds no list of names")
    if all(isinstance(value, int) for value in names.values()):
        return {value: str(name) for name, value in names.items()}
    return {int(number): str(name) for number, name in names.items()}
