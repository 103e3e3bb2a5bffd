"""Creating, opening, migrating project.db; errors of the disk in words."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from workbench.errors import (
    InvalidSetting,
    ProjectExists,
    ProjectNotFound,
    ProjectVersionError,
    StorageFailed,
    UnknownTask,
)
from workbench.store import schema
from workbench.store.database import (
    STEPS,
    UNFINISHED,
    create_store,
    open_store,
    reading,
    writing,
)
from workbench.store.images import add_images
from workbench.store.labels import read_label, write_label
from workbench.store.search import count_images
from workbench.tasks.detection import Box, BoxLabel


def test_create_then_open(tmp_path: Path) -> None:
    folder = tmp_path / "a folder?#%20" / "Прое́кт 📷"
    create_store(folder, "detection", ["screw"]).close()
    store = open_store(folder)
    assert (store.folder, store.task) == (folder, "detection")
    store.close()
    assert sorted(path.name for path in folder.iterdir()) == ["project.db"]


def test_database_is_durable_and_patient(make_store) -> None:
    with reading(make_store()) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_files_have_the_modes_of_the_umask(make_store, pictures) -> None:
    store = make_store()
    add_images(store, [pictures(1)])
    umask = os.umask(0)
    os.umask(umask)
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert all(path.stat().st_mode & 0o600 == 0o600 for path in files)
    image = next(store.folder.glob("images/*/*"))
    assert image.stat().st_mode & 0o777 == 0o666 & ~umask


def test_create_refuses_a_folder_with_anything_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ProjectExists, match=r"notes\.txt"):
        create_store(tmp_path, "detection")
    with pytest.raises(ProjectExists, match="is a file"):
        create_store(tmp_path / "notes.txt", "detection")
    create_store(tmp_path / "new", "detection").close()
    with pytest.raises(ProjectExists, match=r"Project\.open"):
        create_store(tmp_path / "new", "detection")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_create_refuses_what_cannot_be_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(UnknownTask, match="classification, detection"):
        create_store(folder, "sorting")
    with pytest.raises(InvalidSetting, match="list of names"):
        create_store(folder, "detection", "screw")
    with pytest.raises(InvalidSetting, match="normal"):
        create_store(folder, "anomaly", ["scratch"])
    assert not folder.exists() or not list(folder.iterdir())
    create_store(folder, "detection").close()


def test_an_interrupted_creation_is_named_and_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / f"{UNFINISHED}-1234").write_bytes(b"half")
    with pytest.raises(ProjectNotFound, match="interrupted"):
        open_store(tmp_path)
    create_store(tmp_path, "detection", ["screw"]).close()
    open_store(tmp_path).close()


def test_only_one_of_many_creators_wins(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            create_store(tmp_path / "new", "detection").close()
            outcomes.append("created")
        except ProjectExists:
            outcomes.append("refused")

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["refused"] * 5
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["project.db"]


def test_open_names_what_is_not_a_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match=r"Project\.create"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "project.db").write_bytes(b"")
    with pytest.raises(ProjectNotFound, match="holds no project"):
        open_store(tmp_path)
    (tmp_path / "project.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StorageFailed, match="backup"):
        open_store(tmp_path)


def add_note(connection: sa.Connection) -> None:
    """A step as a later version may bring it: a new column, filled from an old one."""
    connection.exec_driver_sql("ALTER TABLE project ADD COLUMN note TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("UPDATE project SET note = 'was ' || name")


def fail(connection: sa.Connection) -> None:
    """A step that breaks after it has changed something."""
    connection.exec_driver_sql("DELETE FROM images")
    raise RuntimeError("broken step")


def test_migration_brings_an_older_project_up_to_date(make_store) -> None:
    store = make_store(images=3)
    write_label(store, 2, BoxLabel([Box("nut", 1, 2, 3, 4)]))
    store.close()
    newer = open_store(store.folder, (*STEPS, add_note))
    with reading(newer) as connection:
        note = connection.exec_driver_sql("SELECT note FROM project").scalar_one()
        version = connection.execute(sa.select(schema.schema_version.c.version)).scalar_one()
    assert (note, version) == (f"was {store.folder.name}", len(STEPS) + 2)
    assert read_label(newer, 2) == BoxLabel([Box("nut", 1, 2, 3, 4)])
    newer.close()
    with pytest.raises(ProjectVersionError, match="newer version"):
        open_store(store.folder)
    backup = store.folder / f"project-v{len(STEPS) + 1}.db"
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (3,)
        assert "note" not in [row[1] for row in connection.execute("PRAGMA table_info(project)")]


def test_a_migration_that_fails_changes_nothing(make_store) -> None:
    store = make_store(images=3)
    store.close()
    with pytest.raises(RuntimeError, match="broken step"):
        open_store(store.folder, (*STEPS, add_note, fail))
    again = open_store(store.folder)
    assert count_images(again) == 3
    again.close()


def test_two_openers_migrate_once(make_store) -> None:
    store = make_store()
    store.close()
    problems: list[BaseException] = []

    def open_newer() -> None:
        try:
            open_store(store.folder, (*STEPS, add_note)).close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=open_newer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_an_error_takes_the_whole_transaction_back(make_store) -> None:
    store = make_store(images=2)
    changes = store.changes.count
    with pytest.raises(KeyboardInterrupt), writing(store) as connection:
        connection.execute(sa.update(schema.images).values(split="train"))
        raise KeyboardInterrupt
    with reading(store) as connection:
        assert connection.execute(sa.select(schema.images.c.split)).scalars().all() == [None, None]
    assert store.changes.count == changes


def test_writers_in_threads_wait_for_each_other(make_store) -> None:
    store = make_store(images=8)
    problems: list[BaseException] = []

    def label(image_id: int) -> None:
        try:
            for i in range(10):
                write_label(store, image_id, BoxLabel([Box("nut", 0, 0, i + 1, 5)]))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=label, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [read_label(store, n).boxes[0].x1 for n in range(1, 9)] == [10.0] * 8


def test_a_full_disk_is_said_in_words_and_nothing_is_lost(make_store) -> None:
    store = make_store(images=1)
    with reading(store) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    boxes = [Box("nut", 0, 0, 5 + i / 1000, 5) for i in range(3000)]
    with pytest.raises(StorageFailed, match="disk is full"):
        write_label(store, 1, BoxLabel(boxes))
    assert read_label(store, 1) is None


def test_a_read_only_project_is_said_in_words(make_store) -> None:
    store = make_store(images=1)
    with reading(store) as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StorageFailed, match="permissions"):
        write_label(store, 1, BoxLabel([]))
    assert read_label(store, 1) is None


LIMITED = """
import resource, sys
from workbench.errors import StorageFailed
from workbench.store.database import open_store
from workbench.store.images import NewImage, add_images
from workbench.store.search import count_images
store = open_store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    add_images(store, [NewImage("big.png", bytes(20000), ".png", (10, 10))])
except StorageFailed as error:
    print("refused:", error)
print(count_images(store))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
def test_a_file_that_cannot_be_written_leaves_no_trace(make_store) -> None:
    store = make_store()
    command = [sys.executable, "-c", LIMITED, str(store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    first, second = done.stdout.splitlines()
    assert first.startswith("refused:")
    assert "could not be written" in first
    assert second == "0"
    assert [path for path in store.folder.rglob("images/*/*") if path.is_file()] == []


def test_a_link_that_leads_out_of_the_project_is_not_followed(make_store, pictures) -> None:
    store = make_store()
    outside = store.folder.parent / "outside"
    outside.mkdir()
    (store.folder / "images").symlink_to(outside)
    with pytest.raises(StorageFailed, match="leads out"):
        add_images(store, [pictures(1)])
    assert list(outside.rglob("*.png")) == []


def test_the_tables_compile_for_postgresql() -> None:
    from sqlalchemy.dialects import postgresql

    tables = [
        str(sa.schema.CreateTable(table).compile(dialect=postgresql.dialect()))
        for table in schema.METADATA.sorted_tables
    ]
    indexes = [
        str(sa.schema.CreateIndex(index).compile(dialect=postgresql.dialect()))
        for table in schema.METADATA.sorted_tables
        for index in table.indexes
    ]
    assert len(tables) == 12
    assert any("WHERE is_removed = false" in text for text in indexes)
