"""Finding images: filters, counts and pages, in the order in which the images were added."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final, Literal

import sqlalchemy as sa

from ..errors import InvalidSetting
from . import schema
from .classes import find_class
from .database import Store, reading
from .images import ImageRow, make_row
from .splits import check_split


class Unset(Enum):
    """The type of ANY."""

    ANY = "any"


ANY: Final = Unset.ANY  # says "whatever split", where None says "without a split"


@dataclass(frozen=True)
class Filter:
    """What images must fit; what is None, and a split that is ANY, is not asked.

    split: None asks for images without one. labeled: whether there is a label, empty or not.
    class_name: the label holds that class. text: part of the name or of a metadata value.
    state: what a person set, or else "unlabeled", "labeled" or "nothing there".
    """

    split: str | Literal[Unset.ANY] | None = ANY
    labeled: bool | None = None
    class_name: str | None = None
    text: str | None = None
    state: str | None = None
    image_id: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidSetting for a split that there cannot be, or what is no text."""
        if self.split is not ANY:
            check_split(self.split)
        for value in (self.class_name, self.text, self.state):
            if value is not None and not isinstance(value, str):
                raise InvalidSetting(f"Images are looked for by text, not {value!r:.80}.")

    def describe(self) -> str:
        """Return what is asked for, as it was typed."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(
            f"{name}={value!r}"
            for name, value in given
            if value is not ANY and (value is not None or name == "split")
        )


def check_filter(store: Store, wanted: Filter) -> None:
    """Raise UnknownClass when the filter names a class that the project does not have."""
    if wanted.class_name is not None:
        with reading(store) as connection:
            find_class(connection, wanted.class_name)


def count_images(store: Store, filters: Sequence[Filter] = ()) -> int:
    """Return how many images fit all filters."""
    with reading(store) as connection:
        fits = _conditions(connection, filters)
        query = sa.select(sa.func.count()).select_from(schema.images).where(*fits)
        return int(connection.execute(query).scalar_one())


def read_page(
    store: Store, filters: Sequence[Filter] = (), start: int = 0, count: int = 50
) -> list[ImageRow]:
    """Return up to count images that fit all filters, after leaving out the first `start`."""
    return _read(store, filters, start, count, 0)


def read_after(
    store: Store, filters: Sequence[Filter], after: int, count: int = 50
) -> list[ImageRow]:
    """Return up to count images with an id above `after`.

    Going through images this way leaves none out, even where labeling changes which of them fit.
    """
    return _read(store, filters, 0, count, after)


def list_ids(store: Store, filters: Sequence[Filter] = ()) -> list[int]:
    """Return the ids of all images that fit all filters."""
    with reading(store) as connection:
        fits = _conditions(connection, filters)
        query = sa.select(schema.images.c.id).where(*fits).order_by(schema.images.c.id)
        return list(connection.execute(query).scalars())


def find_position(store: Store, filters: Sequence[Filter], image_id: int) -> int | None:
    """Return how many images that fit all filters come before this one; None if it does not fit."""
    table = schema.images
    with reading(store) as connection:
        fits = _conditions(connection, filters)
        itself = sa.select(table.c.id).where(*fits, table.c.id == image_id)
        if connection.execute(itself).first() is None:
            return None
        before = sa.select(sa.func.count()).select_from(table).where(*fits, table.c.id < image_id)
        return int(connection.execute(before).scalar_one())


def find_next(
    store: Store, filters: Sequence[Filter], after: int, state: str = "unlabeled"
) -> int | None:
    """Return the next image above the id `after` in that label state that fits all filters.

    After the last one it begins again with the first; None where there is none at all.
    """
    table = schema.images
    with reading(store) as connection:
        fits = [*_conditions(connection, filters), table.c.label_state == state]
        query = sa.select(sa.func.min(table.c.id)).where(*fits)
        found = connection.execute(query.where(table.c.id > after)).scalar()
        return found if found is not None else connection.execute(query).scalar()


def _read(
    store: Store, filters: Sequence[Filter], start: int, count: int, after: int
) -> list[ImageRow]:
    """Return one page; the ids come first, from an index, so that skipped rows are never read."""
    table = schema.images
    with reading(store) as connection:
        fits = _conditions(connection, filters)
        if after:
            fits.append(table.c.id > after)
        ids = sa.select(table.c.id).where(*fits).order_by(table.c.id).limit(count).offset(start)
        query = sa.select(table).where(table.c.id.in_(ids)).order_by(table.c.id)
        return [make_row(store, row) for row in connection.execute(query)]


def _conditions(
    connection: sa.Connection, filters: Sequence[Filter]
) -> list[sa.ColumnElement[bool]]:
    """Return what the filters ask for, in SQL. Raises UnknownClass."""
    conditions: list[sa.ColumnElement[bool]] = [schema.images.c.is_removed == sa.false()]
    for wanted in filters:
        conditions += _filter_conditions(connection, wanted)
    return conditions


def _filter_conditions(connection: sa.Connection, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return what one filter asks for, in SQL."""
    table = schema.images
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.split is not ANY:
        conditions.append(table.c.split == wanted.split)  # SQLAlchemy says IS NULL for None
    if wanted.labeled is not None:
        conditions.append(table.c.is_labeled == (sa.true() if wanted.labeled else sa.false()))
    if wanted.class_name is not None:
        conditions.append(_holds_class(find_class(connection, wanted.class_name).id))
    if wanted.text:
        conditions.append(table.c.search_text.contains(wanted.text.casefold(), autoescape=True))
    if wanted.image_id is not None:
        conditions.append(table.c.id == wanted.image_id)
    if wanted.state is not None:
        conditions.append(table.c.state == wanted.state)
    return conditions


def _holds_class(class_id: int) -> Any:
    """Return the condition that an image's label holds a class."""
    items = schema.label_items
    return schema.images.c.id.in_(sa.select(items.c.image_id).where(items.c.class_id == class_id))
