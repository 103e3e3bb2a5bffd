import bz2
import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workbench.errors import InvalidSetting, SourceNotFound, UnreadableImage
from workbench.photos import archives
from workbench.photos.archives import SourceFile
from workbench.photos.entry_names import Rejected, Skipped, find_name_fault, make_name, show_name
from workbench.photos.reading import read_image
from workbench.photos.sources import count_files, iterate_sources


def png(value=0):
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (value, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def take(source):
    """Return files as {name: bytes}, then rejected as {name: reason}, then skipped names."""
    files, rejected, skipped = {}, {}, []
    for found in iterate_sources(source):
        if isinstance(found, Rejected):
            rejected[found.name] = found.reason
        elif isinstance(found, Skipped):
            skipped.append(found.name)
        else:
            try:
                files[found.name] = found.read()
            except UnreadableImage as error:
                rejected[found.name] = str(error)
    return files, rejected, skipped


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    for name in ("b.png", "a.PNG", "sub/c.png", "sub/deep er/d.png", "no suffix"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    (root / "labels.xml").write_text("<annotation/>")
    (root / ".hidden.png").write_bytes(png())
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "b.png").write_bytes(b"x")
    (root / "Thumbs.db").write_bytes(b"x")
    return root


def test_a_folder_gives_names_below_it_in_order(folder):
    files, rejected, skipped = take(folder)
    assert list(files) == ["a.PNG", "b.png", "no suffix", "sub/c.png", "sub/deep er/d.png"]
    assert (rejected, skipped) == ({}, ["labels.xml"])
    assert list(take(str(folder) + "/")[0]) == list(files)
    assert count_files(folder) == 6


def test_a_single_file_keeps_its_own_name(folder):
    assert list(take(folder / "sub" / "c.png")[0]) == ["c.png"]
    assert list(take(folder / "labels.xml")[0]) == ["labels.xml"]  # its content decides later


def test_a_glob_gives_names_below_its_fixed_part(folder):
    assert list(take(str(folder / "*.png"))[0]) == ["b.png"]
    assert list(take(str(folder / "s*"))[0]) == ["sub/c.png", "sub/deep er/d.png"]
    assert list(take(str(folder / "**" / "*.png"))[0]) == [
        "b.png",
        "sub/c.png",
        "sub/deep er/d.png",
    ]


def test_a_path_with_brackets_is_a_path_first(tmp_path):
    (tmp_path / "set [1]").mkdir()
    (tmp_path / "set [1]" / "a.png").write_bytes(png())
    assert list(take(tmp_path / "set [1]")[0]) == ["a.png"]


def test_relative_paths_work(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert "sub/c.png" in take(".")[0]
    assert list(take("*.png")[0]) == ["b.png"]
    assert list(take("sub/*.png")[0]) == ["c.png"]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceNotFound, match="absent"):
        iterate_sources(tmp_path / "absent")
    with pytest.raises(SourceNotFound, match="No file matches"):
        iterate_sources(str(tmp_path / "*.png"))
    with pytest.raises(InvalidSetting, match="dict that names them"):
        iterate_sources(np.zeros((3, 3)))
    with pytest.raises(InvalidSetting):
        iterate_sources(7)


def test_a_list_mixes_everything_and_a_missing_part_is_rejected(folder, tmp_path):
    memory = {"array.png": np.full((2, 2), 9, np.uint8)}
    files, rejected, _ = take([folder / "b.png", memory, tmp_path / "absent", folder / "sub"])
    assert list(files) == ["b.png", "array.png", "c.png", "deep er/d.png"]
    assert list(rejected) == [str(tmp_path / "absent")]


def test_pictures_in_memory(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    pictures = {
        "bytes.png": png(),
        "sub/array": array,
        "pil.bmp": Image.fromarray(array),
        "../out.png": png(),
        "wrong.png": np.zeros((3, 4, 5, 6)),
        "nothing": None,
        7: png(),
    }
    files, rejected, _ = take(pictures)
    assert list(files) == ["bytes.png", "sub/array", "pil.bmp"]
    np.testing.assert_array_equal(read_image(files["sub/array"]), array)
    np.testing.assert_array_equal(read_image(files["pil.bmp"]), array)
    assert set(rejected) == {"../out.png", "wrong.png", "nothing", "7"}


def test_links_out_of_the_source_are_not_followed(folder, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.png").write_bytes(png(7))
    (folder / "out.png").symlink_to(tmp_path / "secret" / "key.png")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "nowhere.png").symlink_to(tmp_path / "absent.png")
    (folder / "inside.png").symlink_to(folder / "b.png")
    (folder / "loop").symlink_to(folder)
    files, rejected, skipped = take(folder)
    assert set(rejected) == {"out.png", "outside", "nowhere.png"}
    assert files["inside.png"] == png()
    assert "loop" in skipped
    assert png(7) not in files.values()
    assert set(take(str(folder / "*"))[1]) == {"out.png", "outside", "nowhere.png"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(folder):
    os.mkfifo(folder / "pipe.png")
    assert take(folder)[1] == {"pipe.png": "it is not a plain file."}


def test_a_name_that_is_not_text_is_rejected_and_shown_escaped(folder):
    try:
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(png())
    except OSError:
        pytest.skip("this file system takes valid names only")
    (folder / "line\nbreak.png").write_bytes(png())
    files, rejected, _ = take(folder)
    assert len(files) == 5
    assert set(rejected) == {"caf\\udce9.png", "line\\nbreak.png"}


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "a/../../b.png",
        "/etc/a.png",
        "\\\\server\\a.png",
        "C:\\a.png",
        "c:a.png",
        "..\\a.png",
        "a\0.png",
        "a\x1b[31m.png",
        "\u202egnp.exe",
        "",
        "./",
        "x" * 300,
        "a/" * 300 + "b",
        "\udcff.png",
    ],
)
def test_names_that_must_not_come_in(name):
    assert find_name_fault(name)
    show_name(name).encode()  # can be printed


@pytest.mark.parametrize(
    "name", ["a b.png", "übergröße/ñ.png", "写真.jpg", "a..b.png", "<b>.png", "…"]
)
def test_names_that_may_come_in(name):
    assert find_name_fault(name) is None
    assert make_name(name) == name


@given(st.text(max_size=40))
def test_a_name_that_passes_stays_below_its_folder(raw):
    if find_name_fault(raw) is None:
        name = make_name(raw)
        assert name
        assert not name.startswith("/")
        assert not {"..", ".", ""} & set(name.split("/"))
        assert find_name_fault(name) is None


def write_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def write_tar(path, entries, mode):
    with tarfile.open(path, mode) as archive:
        for entry, data in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


ENTRIES = [
    ("b.png", png(1)),
    ("sub/", b""),
    ("sub/a.png", png(2)),
    ("sub/a.xml", b"<a/>"),
    ("no suffix", png(3)),
    ("__MACOSX/b.png", b"x"),
    ("../../climbs.png", png(4)),
    ("/absolute.png", png(5)),
    ("C:\\drive.png", png(6)),
    ("last.png", png(8)),
]
FILES = {"b.png": png(1), "sub/a.png": png(2), "no suffix": png(3), "last.png": png(8)}


def test_a_zip_is_read_and_what_climbs_out_is_rejected(tmp_path):
    path = write_zip(tmp_path / "set.zip", ENTRIES)
    files, rejected, skipped = take(path)
    assert files == FILES
    assert set(rejected) == {"../../climbs.png", "/absolute.png", "C:\\drive.png"}
    assert skipped == ["sub/a.xml"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.zip"]  # nothing is unpacked
    assert count_files(path) == len(ENTRIES)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (".tar", "w"),
        (".tar.gz", "w:gz"),
        (".tgz", "w:gz"),
        (".tar.bz2", "w:bz2"),
        (".tar.xz", "w:xz"),
    ],
)
def test_a_tar_is_read_and_what_climbs_out_is_rejected(tmp_path, suffix, mode):
    entries = [entry for entry in ENTRIES if not entry[0].endswith("/")]
    path = write_tar(tmp_path / f"set{suffix}", entries, mode)
    files, rejected, skipped = take(path)
    assert files == FILES
    assert set(rejected) == {"../../climbs.png", "/absolute.png", "C:\\drive.png"}
    assert skipped == ["sub/a.xml"]
    assert count_files(path) is None


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_are_rejected(tmp_path, kind):
    info = tarfile.TarInfo("odd.png")
    info.type, info.linkname = kind, "/etc/passwd"
    path = write_tar(tmp_path / "set.tar", [(info, b""), ("good.png", png())], "w")
    files, rejected, _ = take(path)
    assert list(files) == ["good.png"]
    assert list(rejected) == ["odd.png"]


def test_a_link_in_a_zip_is_rejected(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    path = write_zip(tmp_path / "set.zip", [(info, "/etc/passwd"), ("good.png", png())])
    assert list(take(path)[0]) == ["good.png"]
    assert take(path)[1] == {"link.png": "it is a link."}


def test_an_encrypted_entry_is_rejected(tmp_path):
    path = write_zip(tmp_path / "set.zip", [("a.png", png()), ("b.png", png())])
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 8] |= 1
    path.write_bytes(data)
    files, rejected, _ = take(path)
    assert list(files) == ["a.png"]
    assert "encrypted" in rejected["b.png"]


def test_names_in_archives_that_are_not_text_are_rejected(tmp_path):
    tar = write_tar(tmp_path / "set.tar", [("cafX.png", png()), ("good.png", png())], "w")
    tar.write_bytes(fix_tar_sums(tar.read_bytes().replace(b"cafX", b"caf\xe9")))
    files, rejected, _ = take(tar)
    assert list(files) == ["good.png"]
    assert list(rejected) == ["caf\\udce9.png"]


def fix_tar_sums(data):
    """Return a tar of plain headers with the sum of its first header made right again."""
    header = bytearray(data[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


def test_a_zip_name_that_claims_to_be_text_and_is_not_is_rejected(tmp_path):
    path = write_zip(tmp_path / "set.zip", [("caf\u00e9.png", png()), ("\u00fc.png", png(1))])
    path.write_bytes(path.read_bytes().replace("caf\u00e9".encode(), b"caf\xff\xff"))
    files, rejected, _ = take(path)
    assert files == {"\u00fc.png": png(1)}
    assert list(rejected.values()) == ["its name is not valid text; rename the file."]


def test_a_zip_without_the_text_flag_is_understood(tmp_path):
    path = write_zip(tmp_path / "set.zip", [("Xa.png", png())])
    path.write_bytes(path.read_bytes().replace(b"Xa.png", "ü.png".encode()))
    assert list(take(path)[0]) == ["ü.png"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("data", [b"", b"not an archive", b"PK\x05\x06"])
def test_a_damaged_archive_is_rejected_by_name(tmp_path, suffix, data):
    (tmp_path / f"set{suffix}").write_bytes(data)
    files, rejected, _ = take(tmp_path / f"set{suffix}")
    assert files == {}
    assert list(rejected) == [f"set{suffix}"]


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz")])
def test_a_truncated_tar_gives_what_is_whole(tmp_path, suffix, mode):
    noise = np.random.default_rng(0).bytes(40_000)
    entries = [("a.png", png()), ("b.png", noise[:20_000]), ("c.png", noise[20_000:])]
    path = write_tar(tmp_path / f"set{suffix}", entries, mode)
    path.write_bytes(path.read_bytes()[:30_000])
    files, rejected, _ = take(path)
    assert files["a.png"] == png()
    assert "c.png" not in files
    assert rejected


def test_an_entry_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "ENTRY_FLOOR", 100_000)
    path = write_zip(tmp_path / "set.zip", [("bomb.png", b"\0" * 10**7), ("good.png", png())])
    files, rejected, _ = take(path)
    assert list(files) == ["good.png"]
    assert "unpacks to more than" in rejected["bomb.png"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2"])
def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "MAX_BYTES", 1_000_000)
    entries = [(f"{i}.png", b"\0" * 900_000) for i in range(20)]
    path = tmp_path / f"set.{kind}"
    if kind == "zip":
        write_zip(path, entries)
    else:
        write_tar(path, entries, "w:" + kind[4:])
    files, rejected, _ = take(path)
    assert 0 < len(files) < 20
    assert any("times its size" in reason for reason in rejected.values())


def test_a_header_that_lies_about_its_size_is_rejected(tmp_path):
    path = write_zip(tmp_path / "set.zip", [("a.png", png()), ("b.png", png())])
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 24 : second + 28] = struct.pack("<I", 7)
    path.write_bytes(data)
    files, rejected, _ = take(path)
    assert list(files) == ["a.png"]
    assert list(rejected) == ["b.png"]


def test_a_gzip_that_is_no_tar_is_rejected(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"hello"))
    (tmp_path / "b.tar.bz2").write_bytes(bz2.compress(b"hello"))
    assert set(take([tmp_path / "a.tar.gz", tmp_path / "b.tar.bz2"])[1]) == {
        "a.tar.gz",
        "b.tar.bz2",
    }


def test_files_are_read_one_by_one(folder):
    found = next(iter(iterate_sources(folder)))
    assert isinstance(found, SourceFile)
    (folder / "a.PNG").unlink()
    with pytest.raises(UnreadableImage, match="No such file"):
        found.read()
