"""The classes of a project: stable ids, names, colors, order."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..errors import ClassExists, InvalidSetting, UnknownClass
from ..tasks.anomaly import VERDICTS
from . import schema

if TYPE_CHECKING:
    from .database import Store

LONGEST_INSTRUCTIONS = 20_000  # characters
HIGHEST_ID = 255  # a mask holds class ids in one byte, and 0 is background

# Okabe and Ito, "Color Universal Design" (2008), then Paul Tol's "muted" scheme (2021), in an order
# that starts with the one that is seen best on grey metal, concrete and cloth.
PALETTE = (
    *("#d55e00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#cc79a7", "#e69f00"),
    *("#332288", "#882255", "#44aa99", "#999933", "#aa4499", "#117733", "#cc6677", "#ddcc77"),
)
VERDICT_COLORS = {"normal": "#0072b2", "abnormal": "#d55e00"}


@dataclass(frozen=True)
class ClassRow:
    """One class: its stable id (1 to 255), its name and its color, "#rrggbb"."""

    id: int
    name: str
    color: str


def list_classes(connection: sa.Connection) -> list[ClassRow]:
    """Return the classes in the project's order."""
    table = schema.classes
    query = sa.select(table.c.id, table.c.name, table.c.color)
    query = query.where(table.c.is_removed == sa.false()).order_by(table.c.position)
    return [ClassRow(*row) for row in connection.execute(query)]


@dataclass(frozen=True)
class ClassUse:
    """A class with what is written about it, and in how many images and items it is used.

    items: boxes in detection, pixels in segmentation, images in the others.
    """

    name: str
    color: str
    instructions: str
    images: int
    items: int


def read_classes_with_counts(store: "Store") -> list[ClassUse]:
    """Return the classes in the project's order, each with how much the labels hold of it."""
    from .database import reading  # which imports this file

    classes, items, images = schema.classes, schema.label_items, schema.images
    used = (
        sa.select(
            items.c.class_id,
            sa.func.count(items.c.image_id).label("image_count"),
            sa.func.sum(items.c["count"]).label("item_count"),
        )
        .join(images, images.c.id == items.c.image_id)
        .where(images.c.is_removed == sa.false())
        .group_by(items.c.class_id)
        .subquery()
    )
    query = (
        sa.select(
            classes.c.name,
            classes.c.color,
            classes.c.instructions,
            used.c.image_count,
            used.c.item_count,
        )
        .select_from(classes.outerjoin(used, used.c.class_id == classes.c.id))
        .where(classes.c.is_removed == sa.false())
        .order_by(classes.c.position)
    )
    with reading(store) as connection:
        rows = connection.execute(query).all()
    return [
        ClassUse(row.name, row.color, row.instructions, row.image_count or 0, row.item_count or 0)
        for row in rows
    ]


def write_instructions(connection: sa.Connection, name: str, text: str) -> None:
    """Write what is to be known about a class. Raises UnknownClass or InvalidSetting."""
    row = find_class(connection, name)
    if not isinstance(text, str) or len(text) > LONGEST_INSTRUCTIONS:
        raise InvalidSetting(f"Instructions are text of at most {LONGEST_INSTRUCTIONS} characters.")
    table = schema.classes
    connection.execute(sa.update(table).where(table.c.id == row.id).values(instructions=text))


def map_ids(classes: Sequence[ClassRow]) -> dict[str, int]:
    """Return {name: id} in the project's order."""
    return {row.name: row.id for row in classes}


def find_class(connection: sa.Connection, name: str) -> ClassRow:
    """Return the class of that name. Raises UnknownClass, which lists those there are."""
    classes = list_classes(connection)
    for row in classes:
        if row.name == name:
            return row
    known = ", ".join(repr(row.name) for row in classes) or "none yet"
    raise UnknownClass(
        f"There is no class {name!r}. The project's classes: {known}; "
        "add one with project.add_class()."
    )


def add_class_rows(
    connection: sa.Connection, task: str, names: Sequence[str], colors: Mapping[str, str]
) -> None:
    """Give a new project its classes; an anomaly project has the two verdicts, and no others."""
    if isinstance(names, str):
        raise InvalidSetting(f"classes is a list of names: write classes=[{names!r}].")
    if task == "anomaly":
        if any(name not in VERDICTS for name in names):
            raise InvalidSetting("An anomaly project has the classes 'normal' and 'abnormal' only.")
        names, colors = VERDICTS, {**VERDICT_COLORS, **colors}
    for name in names:
        add_row(connection, name, colors.get(name))


def add_row(connection: sa.Connection, name: str, color: str | None = None) -> None:
    """Add a class at the end; a removed class of that name comes back with its id.

    Raises ClassExists or InvalidSetting.
    """
    check_name(name)
    classes = list_classes(connection)
    if name in map_ids(classes):
        raise ClassExists(f"The project already has a class {name!r}. Choose another name.")
    color = pick_color([row.color for row in classes]) if color is None else check_color(color)
    table = schema.classes
    highest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    position = connection.execute(sa.select(sa.func.max(table.c.position))).scalar() or 0
    values = {"name": name, "color": color, "position": position + 1, "is_removed": False}
    if connection.execute(sa.update(table).where(table.c.name == name).values(values)).rowcount:
        return
    if highest >= HIGHEST_ID:
        raise InvalidSetting(
            f"A project holds at most {HIGHEST_ID} classes, removed ones included; "
            f"{name!r} is one too many. Start a new project for more."
        )
    connection.execute(sa.insert(table).values(id=highest + 1, **values))


def rename_row(connection: sa.Connection, old: str, new: str) -> None:
    """Rename a class; all its labels follow, since they hold its id."""
    row = find_class(connection, old)
    check_name(new)
    if new == old:
        return
    if new in map_ids(list_classes(connection)):
        raise ClassExists(f"The project already has a class {new!r}. Choose another name.")
    table = schema.classes
    _free_name(connection, new)
    connection.execute(sa.update(table).where(table.c.id == row.id).values(name=new))


def _free_name(connection: sa.Connection, name: str) -> None:
    """Give a removed class of that name another one: the name is wanted again."""
    table = schema.classes
    aside = sa.literal(f"{name}\n") + sa.cast(table.c.id, sa.Text)  # no class can be called that
    connection.execute(sa.update(table).where(table.c.name == name).values(name=aside))


def recolor_row(connection: sa.Connection, name: str, color: str) -> None:
    """Give a class another color."""
    row = find_class(connection, name)
    table = schema.classes
    color = check_color(color)
    connection.execute(sa.update(table).where(table.c.id == row.id).values(color=color))


def check_name(name: str) -> None:
    """Raise InvalidSetting unless the name is 1 to 200 characters that a person can see."""
    if not isinstance(name, str) or not name.strip() or len(name) > 200:
        raise InvalidSetting(f"A class needs a name of 1 to 200 characters, not {name!r:.80}.")
    # Cc: line breaks and other controls; Cs: halves of characters, which no file can hold
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidSetting(f"The class name {name!r} holds a character that cannot be shown.")


def check_color(color: str) -> str:
    """Return the color in lower case. Raises InvalidSetting unless it is "#rrggbb"."""
    if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise InvalidSetting(f"A color is written '#d55e00', not {color!r:.80}.")
    return color.lower()


def pick_color(taken: Sequence[str]) -> str:
    """Return the first color of the palette that is not taken; after those, hues far apart."""
    colors = (*PALETTE, *(_make_color(number) for number in range(HIGHEST_ID)))
    return next(color for color in colors if color not in taken)


def _make_color(number: int) -> str:
    """Return a color for any number: neighbours differ by the golden angle, and in lightness."""
    import colorsys  # rarely needed: projects seldom have more than 15 classes

    hue = (number * 0.618034) % 1
    rgb = colorsys.hls_to_rgb(hue, (0.35, 0.5, 0.65)[number % 3], 0.65)
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)
