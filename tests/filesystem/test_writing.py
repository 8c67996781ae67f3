"""Files that are written, copied, moved and removed."""

import gc
import io
import subprocess
import sys
import warnings

import fsspec
import pytest

import pymdc
from material import LONG, MIB, Seen
from pymdc.testing import Fault

PATH = "photos/a.txt"


class Trouble(Exception):
    pass


def entries(bucket):
    return sorted((each["filename"], each["size"]) for each in bucket.files.list())


# Whole, or not at all

def test_what_is_written_is_there_when_the_file_is_closed_and_not_before(fs):
    with fs.open(PATH, "wb") as file:
        assert file.write(b"some ") == 5
        file.flush()
        assert not fs.exists(PATH)
        file.write(b"content")

    assert fs.cat_file(PATH) == b"some content"
    assert file.closed
    with pytest.raises(ValueError):
        file.write(b"more")


def test_what_is_written_can_be_written_over_before_it_is_closed(fs):
    with fs.open(PATH, "wb") as file:
        file.write(b"0123456789")
        assert file.seekable() and file.writable() and not file.readable()
        assert file.seek(2) == file.tell() == 2
        file.write(b"two")
        file.truncate(7)

    assert fs.cat_file(PATH) == b"01two56"


def test_a_long_file_is_written(fs):
    with fs.open(PATH, "wb") as file:
        for start in range(0, len(LONG), MIB):
            file.write(LONG[start:start + MIB])

    assert fs.checksum(PATH) == pymdc.content_hash(io.BytesIO(LONG))


def test_text_is_encoded(fs):
    with fs.open(PATH, "w", encoding="latin-1", newline="\r\n") as file:
        file.write("h\xe9\n")
    fs.write_text("photos/b", "\xe9")

    assert fs.cat_file(PATH) == b"h\xe9\r\n"
    assert fs.cat_file("photos/b") == b"\xc3\xa9"


def test_a_name_that_is_there_gets_the_new_content_in_place_of_the_old(fs, bucket):
    for content in (b"first", b"second one", b"3"):
        fs.pipe(PATH, content)

    assert entries(bucket) == [("a.txt", 1)]


def test_a_type_can_be_said(fs):
    with fs.open(PATH, "wb", mimetype="text/x-special") as file:
        file.write(b"content")
    fs.pipe_file("photos/b", b"content", mimetype="image/gif")

    assert [each["mimetype"] for each in fs.ls("photos")] == ["text/x-special", "image/gif"]


def test_what_is_touched_is_empty_or_as_it_was_and_the_newest(fs, bucket):
    fs.touch("photos/new", truncate=False)
    fs.pipe(PATH, b"content", mimetype="image/gif")
    before = fs.created(PATH)

    fs.touch(PATH, truncate=False)
    kept = fs.info(PATH)
    fs.touch(PATH)

    assert kept["created"] > before
    assert kept["mimetype"] == "image/gif"
    assert kept["size"] == 7
    assert entries(bucket) == [("a.txt", 0), ("new", 0)]


def by_fs(fs, options, mode, **more):
    return fs.open(PATH, mode, **more)


def by_fsspec(fs, options, mode, **more):
    return fsspec.open("metadisk://" + PATH, mode, **options, **more)


WAYS = pytest.mark.parametrize("opened, mode, more", [
    (by_fs, "wb", {}), (by_fs, "w", {}), (by_fs, "xb", {}), (by_fsspec, "wb", {}), (by_fsspec, "w", {}),
    (by_fsspec, "wb", {"compression": "gzip"}), (by_fsspec, "w", {"compression": "gzip"}),
])


def some(mode):
    return b"content" if "b" in mode else "content"


@WAYS
def test_a_block_that_raises_stores_nothing(fs, options, bucket, opened, mode, more):
    if mode != "xb":
        fs.pipe(PATH, b"old")
    before = entries(bucket)

    with pytest.raises(Trouble), opened(fs, options, mode, **more) as file:
        file.write(some(mode))
        file.flush()
        raise Trouble

    gc.collect()
    assert entries(bucket) == before


@WAYS
def test_a_block_within_the_handling_of_an_exception_stores_all(fs, options, opened, mode, more):
    try:
        raise Trouble
    except Trouble:
        with opened(fs, options, mode, **more) as file:
            file.write(some(mode))

    with fs.open(PATH, compression=more.get("compression")) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_what_is_closed_while_an_exception_is_handled_is_stored(fs, mode):
    file = fs.open(PATH, mode)
    try:
        raise Trouble
    except Trouble:
        file.write(some(mode))
        file.close()

    assert fs.cat_file(PATH) == b"content"


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_what_nobody_closes_is_not_stored_and_it_is_said(fs, mode):
    file = fs.open(PATH, mode)
    file.write(some(mode))

    with pytest.warns(ResourceWarning, match="was not closed, so it is not stored"):
        del file
        gc.collect()

    assert not fs.exists(PATH)


def test_what_is_closed_says_nothing_more(fs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mode in ("wb", "w"):
            with fs.open(PATH, mode) as file:
                file.write(some(mode))
            del file
            gc.collect()


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_content(fs, options):
    fs.pipe(PATH, b"old")
    script = """
import os, signal, sys
from pymdc.filesystem import MetadiskFileSystem
file = MetadiskFileSystem(api_url=sys.argv[1], key_pair=sys.argv[2]).open(sys.argv[3], "wb")
file.write(bytes(20 * 1024 * 1024))
os.kill(os.getpid(), signal.SIGKILL)
"""

    killed = subprocess.run([sys.executable, "-c", script, options["api_url"], options["key_pair"], PATH], timeout=60)

    assert killed.returncode == -9
    assert fs.cat_file(PATH) == b"old"


def test_an_upload_that_breaks_is_raised_and_leaves_the_old_content(wire, wired_fs):
    wired_fs.pipe(PATH, b"old")
    file = wired_fs.open(PATH, "wb")
    file.write(b"new")
    wire.faults.append(Fault("answer", "PUT", nth=0, status=500, body=b'{"error": "trouble"}'))

    with pytest.raises(OSError, match="trouble"):
        file.close()

    assert file.closed
    assert wired_fs.cat_file(PATH) == b"old"


def test_a_transaction_stores_all_at_its_end_or_nothing(fs):
    with fs.transaction:
        for name in ("a", "b"):
            with fs.open("photos/" + name, "wb") as file:
                file.write(b"content")
        assert fs.find("photos") == []
    assert fs.find("photos") == ["photos/a", "photos/b"]

    with pytest.raises(Trouble), fs.transaction:
        with fs.open("photos/c", "wb") as file:
            file.write(b"content")
        raise Trouble
    assert fs.find("photos") == ["photos/a", "photos/b"]


def test_what_was_given_up_in_a_transaction_is_not_stored_at_its_end(fs):
    with fs.transaction:
        with pytest.raises(Trouble), fs.open("photos/a", "wb") as file:
            file.write(b"half")
            raise Trouble

    assert fs.find("photos") == []


@pytest.mark.parametrize("write", [
    lambda fs: fs.open(PATH, "xb"), lambda fs: fs.open(PATH, "x"), lambda fs: fs.pipe(PATH, b"new", mode="create"),
    lambda fs: fs.put_file(__file__, PATH, mode="create"),
])
def test_a_name_that_is_there_is_refused_where_that_is_asked_for(fs, write):
    fs.pipe(PATH, b"old")

    with pytest.raises(FileExistsError):
        write(fs)

    assert fs.cat_file(PATH) == b"old"


def test_a_name_that_came_while_the_file_was_open_is_refused(fs):
    file = fs.open(PATH, "xb")
    file.write(b"mine")
    fs.pipe(PATH, b"theirs")

    with pytest.raises(FileExistsError):
        file.close()

    assert fs.cat_file(PATH) == b"theirs"


@pytest.mark.parametrize("mode", ["ab", "r+b", "w+b", "a"])
def test_a_mode_that_a_store_does_not_have_is_refused(fs, mode):
    with pytest.raises(NotImplementedError, match="its mode is r, w or x"):
        fs.open(PATH, mode)


def test_compression_that_would_not_be_finished_is_refused(fs):
    with pytest.raises(NotImplementedError, match="write by fsspec.open"):
        fs.open(PATH, "wb", compression="gzip")


@pytest.mark.parametrize("call", [
    lambda fs, path: fs.open(path, "wb"), lambda fs, path: fs.pipe(path, b""), lambda fs, path: fs.open(path),
    lambda fs, path: fs.cat_file(path), lambda fs, path: fs.cp_file("photos/a.txt", path),
])
def test_a_bucket_is_no_file(fs, call):
    fs.pipe(PATH, b"content")

    for path in ("photos", "metadisk://photos/"):
        with pytest.raises(IsADirectoryError):
            call(fs, path)


def test_a_bucket_that_is_not_there_is_told_before_anything_is_written(fs):
    with pytest.raises(FileNotFoundError, match="mkdir makes one"):
        fs.open("nowhere/a", "wb")


def test_a_name_that_no_bridge_takes_is_refused_in_words(fs):
    for name in ("a//b", "a/../b", "a\n"):
        with pytest.raises(ValueError, match="pass another as filename"):
            fs.pipe("photos/" + name, b"content")


# Uploads

def test_an_upload_tells_a_callback_how_far_it_is(fs, tmp_path):
    (tmp_path / "long").write_bytes(LONG)
    callback = Seen()

    fs.put(str(tmp_path / "long"), "photos/long", callback=callback)

    assert fs.checksum("photos/long") == pymdc.content_hash(io.BytesIO(LONG))
    assert callback.children[0].seen[-1] == (len(LONG), len(LONG))


def test_folders_are_uploaded_with_all_that_is_in_them(fs, tmp_path):
    (tmp_path / "2016" / "b").mkdir(parents=True)
    (tmp_path / "2016" / "a").write_bytes(b"a")
    (tmp_path / "2016" / "b" / "c").write_bytes(b"c")

    fs.put(str(tmp_path / "2016"), "photos/", recursive=True)

    assert fs.find("photos") == ["photos/2016/a", "photos/2016/b/c"]


def test_an_upload_to_a_bucket_that_is_not_there_makes_none(fs, tmp_path):
    (tmp_path / "a").write_bytes(b"a")

    with pytest.raises(FileNotFoundError):
        fs.put(str(tmp_path), "typo/", recursive=True)

    assert fs.ls("", detail=False) == ["photos"]


# Copies

def test_a_copy_in_a_bucket_moves_no_byte(wire, wired_fs):
    wired_fs.pipe("photos/a", LONG, mimetype="image/gif")
    wired_fs.pipe("photos/b", b"old")
    del wire.requests[:]

    wired_fs.cp("photos/a", "photos/b")

    assert not [path for method, path in wire.requests if method == "PUT" or "/shards/" in path or "content" in path]
    assert wired_fs.checksum("photos/b") == wired_fs.checksum("photos/a")
    assert wired_fs.info("photos/b")["mimetype"] == "image/gif"
    assert len(wired_fs._account.files("photos").list()) == 2


@pytest.mark.parametrize("path", ["photos/a", "metadisk://photos/a", "{0}/a"])
def test_a_copy_onto_itself_changes_nothing(fs, bucket, path):
    fs.pipe("photos/a", b"content")

    fs.cp("photos/a", path.format(bucket.list()["id"]))

    assert entries(bucket) == [("a", 7)]


def test_a_copy_to_another_bucket_is_another_file(fs):
    fs.mkdir("other")
    fs.pipe("photos/a", LONG, mimetype="image/gif")
    fs.pipe("other/b", b"old")

    fs.cp("photos/a", "other/b")

    fs.rm("photos/a")
    assert fs.checksum("other/b") == pymdc.content_hash(io.BytesIO(LONG))
    assert fs.info("other/b")["mimetype"] == "image/gif"


@pytest.mark.parametrize("recursive", [False, True])
def test_a_copy_to_where_there_is_no_bucket_is_an_error(fs, recursive):
    fs.pipe("photos/x/a", b"content")

    with pytest.raises(FileNotFoundError, match="mkdir makes one"):
        fs.cp("photos/x" if recursive else "photos/x/a", "nowhere/x", recursive=recursive)


# Moves

def test_a_file_is_moved(fs, bucket):
    fs.pipe({"photos/a": b"content", "photos/b": b"old"})

    fs.mv("photos/a", "photos/b")

    assert entries(bucket) == [("b", 7)]


def test_a_folder_is_moved(fs):
    fs.mkdir("other")
    fs.pipe({"photos/x/a": b"a", "photos/x/y/b": b"b", "photos/xa": b"c"})

    fs.mv("photos/x", "photos/z", recursive=True)
    fs.mv("photos/z", "other/z", recursive=True)

    assert fs.find("photos") == ["photos/xa"]
    assert fs.find("other") == ["other/z/a", "other/z/y/b"]


def test_a_move_with_a_depth_leaves_what_is_deeper(fs):
    fs.pipe({"photos/x/a": b"a", "photos/x/b": b"b", "photos/x/y/c": b"c"})

    fs.mv("photos/x", "photos/z", recursive=True, maxdepth=1)

    assert fs.find("photos") == ["photos/x/y/c", "photos/z/a", "photos/z/b"]


@pytest.mark.parametrize("old, new", [
    ("photos/x/a", "photos/x/a"), ("photos/x/a", "metadisk://photos/x/a"), ("photos/x/a", "{0}/x/a"),
    ("photos/x", "photos/x"), ("photos/x/a", "photos/x/"), ("photos/x", "photos/"),
])
def test_a_move_onto_itself_changes_nothing(fs, bucket, old, new):
    fs.pipe({"photos/x/a": b"a", "photos/x/y": b"b"})

    fs.mv(old, new.format(bucket.list()["id"]), recursive=True)

    assert entries(bucket) == [("x/a", 1), ("x/y", 1)]


@pytest.mark.parametrize("old, new", [
    ("photos/x", "nowhere/x"), ("photos/x/", "photos/x/x"), (["photos/x/a", "photos/x/x/a"], "photos/z/"),
])
def test_a_move_that_would_lose_a_file_is_refused(fs, bucket, old, new):
    fs.pipe({"photos/x/a": b"a", "photos/x/x/a": b"bb"})

    with pytest.raises(OSError):
        fs.mv(old, new, recursive=not isinstance(old, list))

    assert entries(bucket) == [("x/a", 1), ("x/x/a", 2)]


def test_a_move_of_what_is_not_there_is_an_error(fs):
    with pytest.raises(FileNotFoundError):
        fs.mv("photos/a", "photos/b")


# Removal

def test_all_files_of_a_name_are_removed_and_no_other(fs, bucket):
    for content in (b"1", b"22"):
        bucket.files.upload(io.BytesIO(content), filename="a")
    fs.pipe({"photos/b": b"1", "photos/a/c": b"3"})

    fs.rm("photos/a")

    assert entries(bucket) == [("a/c", 1), ("b", 1)]


def test_a_folder_is_removed_only_where_that_is_said(fs, bucket):
    fs.pipe({"photos/x/a": b"a", "photos/x/y/b": b"b", "photos/xa": b"c"})

    with pytest.raises(IsADirectoryError, match="recursive=True"):
        fs.rm("photos/x")
    fs.rm("photos/x", recursive=True, maxdepth=1)
    assert fs.find("photos") == ["photos/x/y/b", "photos/xa"]
    fs.rm("photos/x", recursive=True)
    assert fs.find("photos") == ["photos/xa"]


def test_files_are_removed_by_a_pattern_and_a_name_is_none_for_rm_file(fs):
    fs.pipe({"photos/a*": b"a", "photos/ab": b"b", "photos/c": b"c"})

    fs.rm_file("photos/a*")
    assert fs.find("photos") == ["photos/ab", "photos/c"]
    fs.rm("photos/a*")
    assert fs.find("photos") == ["photos/c"]
    fs.rm(["photos/c"])
    assert fs.find("photos") == []


def test_a_mapping_keeps_its_items_in_a_folder(fs):
    mapping = fs.get_mapper("photos/items")

    mapping["a/b"] = b"content"
    mapping.setitems({"c": b"1", "d": b"2"})
    del mapping["d"]

    assert sorted(mapping) == ["a/b", "c"]
    assert mapping["a/b"] == b"content" and "d" not in mapping
    assert mapping.getitems(["c", "d"], on_error="omit") == {"c": b"1"}
    mapping.clear()
    assert list(mapping) == []
