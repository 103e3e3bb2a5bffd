"""Images: content by hash, names, metadata, removal, thumbnails."""

import hashlib
import io
import threading

import numpy as np
import pytest
from PIL import Image

from workbench.errors import ImageNotFound, InvalidSetting, StorageFailed, UnreadableImage
from workbench.store.files import image_path, run_path
from workbench.store.images import (
    add_images,
    find_image,
    find_image_by_name,
    read_bytes,
    read_pixels,
    read_thumbnail,
    remove_images,
    set_fields,
)
from workbench.store.search import count_images, list_ids


def test_bytes_lie_under_their_hash_unchanged(make_store, pictures) -> None:
    store = make_store()
    image = pictures(1, split="dev", metadata={"line": 3, "who": "Zoë"})
    added = add_images(store, [image])[0]
    row = find_image(store, added.image_id)
    sha256 = hashlib.sha256(image.data).hexdigest()
    assert row.path == store.folder / "images" / sha256[:2] / f"{sha256}.png"
    assert read_bytes(row) == image.data
    assert (row.name, row.image_size, row.split) == ("1.png", (24, 32), "dev")
    assert (row.metadata, row.state, row.revision) == ({"line": 3, "who": "Zoë"}, "unlabeled", 0)
    assert read_pixels(row).shape == (24, 32, 3)


def test_the_same_content_is_one_image(make_store, pictures) -> None:
    store = make_store()
    batch = [pictures(1), pictures(1, name="again.png"), pictures(2)]
    first, second, third = add_images(store, batch)
    assert (first.is_duplicate, second.is_duplicate, third.is_duplicate) == (False, True, False)
    assert (second.image_id, second.name) == (first.image_id, "1.png")
    assert all(added.is_duplicate for added in add_images(store, batch))
    assert count_images(store) == 2
    assert len(list(store.folder.glob("images/*/*"))) == 2


def test_a_name_that_is_taken_gets_a_number(make_store, pictures) -> None:
    store = make_store()
    added = add_images(store, [pictures(n, name="a b/x.png") for n in range(12)])
    expected = ["a b/x.png"] + [f"a b/x ({n}).png" for n in range(2, 13)]
    assert [image.name for image in added] == expected


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/abs.png", "con", "a\nb.png", "שלום.png", "🙂 '\".png", "%_\\.png", " "],
)
def test_names_are_text_and_never_paths(make_store, pictures, name: str) -> None:
    store = make_store()
    added = add_images(store, [pictures(1, name=name)])[0]
    assert find_image_by_name(store, name).id == added.image_id
    names = {path.name for path in store.folder.rglob("*.png")}
    assert names == {f"{hashlib.sha256(pictures(1).data).hexdigest()}.png"}


@pytest.mark.parametrize("name", ["", "a\0b", "half \ud83d", 7])
def test_names_that_are_no_text_are_refused(make_store, pictures, name) -> None:
    store = make_store()
    with pytest.raises(InvalidSetting, match="name of an image"):
        add_images(store, [pictures(1), pictures(2, name=name)])
    assert count_images(store) == 0


@pytest.mark.parametrize(
    "metadata",
    [{"a": [1]}, {1: "a"}, {"a": float("nan")}, {"a": "x" * 5000}, {"a": b"x"}, {"a": "\ud800"}],
)
def test_metadata_is_short_and_plain(make_store, pictures, metadata) -> None:
    store = make_store()
    with pytest.raises(InvalidSetting, match="Metadata"):
        add_images(store, [pictures(1, metadata=metadata)])
    assert count_images(store) == 0


def test_two_importers_at_once_add_each_picture_once(make_store, pictures) -> None:
    store = make_store()
    batch = [pictures(n) for n in range(20)]
    added: list[bool] = []

    def add() -> None:
        for picture in batch:
            added.append(add_images(store, [picture])[0].is_duplicate)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (added.count(False), added.count(True)) == (20, 40)


def test_removed_images_leave_their_name_and_content_free(make_store, pictures) -> None:
    store = make_store(images=3)
    assert remove_images(store, [2, 2, 99]) == 1
    assert list_ids(store) == [1, 3]
    with pytest.raises(ImageNotFound, match=r"where\(text"):
        find_image_by_name(store, "1.png")
    with pytest.raises(ImageNotFound):
        set_fields(store, 2, split="train")
    again = add_images(store, [pictures(1)])[0]
    assert (again.image_id, again.name, again.is_duplicate) == (4, "1.png", False)


def test_a_missing_file_is_named(make_store) -> None:
    store = make_store(images=1)
    row = find_image(store, 1)
    row.path.unlink()
    with pytest.raises(UnreadableImage, match=r"0\.png"):
        read_pixels(row)


def test_thumbnails_are_made_again(make_store, pictures) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((900, 300, 3), 77, np.uint8)).save(buffer, "png")
    store = make_store()
    data = buffer.getvalue()
    add_images(store, [pictures(0, data=data, image_size=(900, 300)), pictures(1)])
    for image_id, size in ((1, (85, 256)), (2, (32, 24))):
        with Image.open(io.BytesIO(read_thumbnail(store, image_id))) as picture:
            assert (picture.format, picture.size) == ("JPEG", size)
    kept = list(store.folder.glob("thumbnails/*/*.jpg"))
    assert len(kept) == 2
    kept[0].unlink()
    assert read_thumbnail(store, 1)[:2] == b"\xff\xd8"
    assert len(list(store.folder.glob("thumbnails/*/*.jpg"))) == 2


def test_a_forged_database_leads_to_no_other_file(tmp_path) -> None:
    with pytest.raises(StorageFailed, match="damaged"):
        image_path(tmp_path, "../../../etc/passwd", ".png")
    with pytest.raises(StorageFailed, match="damaged"):
        image_path(tmp_path, "a" * 64, "/../x")
    for run_id in ("..", "a/b", "", ".hidden", "a\n"):
        with pytest.raises(StorageFailed, match="id of a run"):
            run_path(tmp_path, run_id)
