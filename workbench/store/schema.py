"""The tables of project.db, in SQLAlchemy Core, so that PostgreSQL can hold them too."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
)

SEARCH_LENGTH = 600  # characters; PostgreSQL indexes at most 2704 bytes


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC: SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


METADATA = MetaData()

schema_version = Table("schema_version", METADATA, Column("version", Integer, nullable=False))

project = Table(
    "project",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("task", String(40), nullable=False),
    Column("created", Moment, nullable=False),
)

# A class keeps its id for good, since masks hold ids; a removed one keeps its row for its history.
classes = Table(
    "classes",
    METADATA,
    Column("id", Integer, CheckConstraint("id BETWEEN 1 AND 255"), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("color", String(7), nullable=False),
    Column("position", Integer, nullable=False),
    Column("is_removed", Boolean, nullable=False, default=False),
    Column("instructions", Text, nullable=False, default="", server_default=""),
)

# revision_id names the current label revision. It has no foreign key, because label_revisions
# points at images already, and two tables that need each other cannot be filled in any order.
images = Table(
    "images",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("suffix", String(8), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("split", String(5)),
    Column("is_labeled", Boolean, nullable=False, default=False),
    Column("label_state", String(20), nullable=False, default="unlabeled"),
    Column("mark", Text),  # the state that a person set, such as "needs review"
    Column("state", Text, nullable=False, default="unlabeled"),  # the mark, or else label_state
    Column("revision_id", Integer),
    Column("is_removed", Boolean, nullable=False, default=False),
    Column("added", Moment, nullable=False),
    Column("search_text", String(SEARCH_LENGTH), nullable=False),
    Column("metadata", JSON, nullable=False),
    sqlite_autoincrement=True,  # an id is never used twice, not even after its image is gone
)
# The names and contents of removed images are free again; their rows stay for snapshots.
_IS_THERE = images.c.is_removed == false()
Index("images_name", images.c.name, unique=True, sqlite_where=_IS_THERE, postgresql_where=_IS_THERE)
Index(
    "images_sha256",
    images.c.sha256,
    unique=True,
    sqlite_where=_IS_THERE,
    postgresql_where=_IS_THERE,
)
# Each filter has an index that ends in the id, so that a page comes out in order without sorting.
Index("images_split", images.c.is_removed, images.c.split, images.c.id)
Index("images_is_labeled", images.c.is_removed, images.c.is_labeled, images.c.id)
Index("images_state", images.c.is_removed, images.c.state, images.c.id)
Index("images_search", images.c.is_removed, images.c.id, images.c.search_text)

# Append-only. A null record says: unlabeled. counts: {class id as text: items or pixels}.
# kind: "set", or "undo" and "redo" of the revision that target names. act: the gesture that wrote
# it, the same for all images that it labeled; null for what a line of Python wrote.
label_revisions = Table(
    "label_revisions",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("record", JSON(none_as_null=True)),
    Column("mask_sha256", String(64)),
    Column("counts", JSON, nullable=False),
    Column("author", Text),
    Column("created", Moment, nullable=False),
    Column("kind", String(4), nullable=False, default="set", server_default="set"),
    Column("target", Integer),
    Column("act", String(100)),
    sqlite_autoincrement=True,
)
Index("label_revisions_image", label_revisions.c.image_id, label_revisions.c.id)
Index("label_revisions_act", label_revisions.c.act)

# The gestures that were applied, also those that changed nothing: each is applied once.
gestures = Table(
    "gestures",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("created", Moment, nullable=False),
)

# What widgets remember from one kernel to the next, such as the image that was shown last.
places = Table(
    "places",
    METADATA,
    Column("key", String(100), primary_key=True),
    Column("value", JSON, nullable=False),
)

# What the current labels hold: an index for filters, splits and "is this class in use?".
label_items = Table(
    "label_items",
    METADATA,
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("class_id", ForeignKey("classes.id"), primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("label_items_class", label_items.c.class_id, label_items.c.image_id)

# classes: [[id, name, color], ...] as they were when the snapshot was taken.
snapshots = Table(
    "snapshots",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("classes", JSON, nullable=False),
    sqlite_autoincrement=True,
)

snapshot_items = Table(
    "snapshot_items",
    METADATA,
    Column("snapshot_id", ForeignKey("snapshots.id"), primary_key=True),
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("split", String(5)),
    Column("revision_id", ForeignKey("label_revisions.id")),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("name", Text, nullable=False),
    Column("note", Text, nullable=False, default=""),
    Column("snapshot_id", ForeignKey("snapshots.id"), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("created", Moment, nullable=False),
)

predictions = Table(
    "predictions",
    METADATA,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("record", JSON, nullable=False),
    Column("has_arrays", Boolean, nullable=False),
)
