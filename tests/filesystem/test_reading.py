"""Files that are read."""

import gzip
import io
import os
import pickle
import threading

import pytest

from material import LONG, MIB, Seen
from pymdc.errors import IntegrityError
from pymdc.testing import Fault

PATH = "photos/long"


@pytest.fixture
def long(wire, wired_fs):
    """A file system with a file of three shards, and no request so far."""
    wired_fs.pipe(PATH, LONG)
    del wire.requests[:]
    return wired_fs


def shards(wire):
    return [path for method, path in wire.requests if path.startswith("/shards/")]


def test_a_small_read_moves_one_shard(wire, long):
    with long.open(PATH) as file:
        file.seek(9 * MIB)
        assert file.read(10) == LONG[9 * MIB:][:10]
        file.seek(-5, os.SEEK_END)
        assert file.tell() == len(LONG) - 5

    assert len(shards(wire)) == 1


def test_an_open_file_is_as_fsspec_has_it(long):
    with long.open("metadisk://" + PATH) as file:
        assert (file.size, file.path, file.mode, file.fs) == (len(LONG), PATH, "rb", long)
        assert file.full_name == "metadisk://" + PATH
        assert file.info() == file.details == long.info(PATH)
        assert file.readable() and file.seekable() and not file.writable()
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"more")


def test_text_is_decoded_and_what_is_compressed_expanded(fs, tmp_path):
    fs.pipe("photos/a.txt", "h\xe9\r\nall\xf3".encode("latin-1"))
    fs.pipe("photos/a.gz", gzip.compress(b"content"))

    with fs.open("photos/a.txt", "r", encoding="latin-1") as file:
        assert file.readlines() == ["h\xe9\n", "all\xf3"]
    assert fs.read_text("photos/a.txt", encoding="latin-1", newline="") == "h\xe9\r\nall\xf3"
    with fs.open("photos/a.gz", compression="infer") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("start, end", [
    (None, None), (0, 10), (5, None), (None, 5), (-10, None), (None, -10), (-10, -5), (10, 5), (-30 * MIB, 4),
    (8 * MIB - 1, 8 * MIB + 1), (0, 30 * MIB), (30 * MIB, 31 * MIB),
])
def test_a_part_of_a_file_is_told_as_of_a_slice(long, start, end):
    assert long.cat_file(PATH, start, end) == LONG[start:end]


def test_parts_of_one_file_move_each_shard_once(wire, long):
    starts = [19 * MIB, 0, 9 * MIB, 1, 19 * MIB + 5, 17 * MIB, 0]

    parts = long.cat_ranges([PATH] * len(starts), starts, [start + 10 for start in starts])

    assert parts == [LONG[start:start + 10] for start in starts]
    assert len(shards(wire)) == 3


def test_parts_of_several_files_come_in_the_order_in_which_they_are_asked_for(fs):
    fs.pipe({"photos/a": b"abcdef", "photos/b": b"ABCDEF"})

    found = fs.cat_ranges(["photos/a", "photos/b", "photos/a"], [0, 1, None], [2, 3, -4])

    assert found == [b"ab", b"BC", b"ab"]
    assert fs.cat_ranges(["photos/a", "photos/b"], 4, None, max_gap=10) == [b"ef", b"EF"]


def test_parts_that_cannot_be_had_are_told_in_their_places(fs):
    fs.pipe("photos/a", b"abcdef")

    found = fs.cat_ranges(["photos/b", "photos/a"], 0, 1)

    assert isinstance(found[0], FileNotFoundError) and found[1] == b"a"
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["photos/b", "photos/a"], 0, 1, on_error="raise")


@pytest.mark.parametrize("arguments, error", [(("a", 0, 1), TypeError), ((["a"], [0, 1], 1), ValueError)])
def test_parts_that_nobody_can_mean_are_refused(fs, arguments, error):
    with pytest.raises(error):
        fs.cat_ranges(*arguments)


def test_a_small_file_comes_whole_in_two_requests(wire, wired_fs):
    wired_fs.pipe("photos/a", b"content")
    del wire.requests[:]

    assert wired_fs.cat_file("photos/a") == b"content"

    assert len(wire.requests) == 2


def test_an_empty_file_is_read(fs, tmp_path):
    fs.touch("photos/a")

    assert fs.cat_file("photos/a") == fs.cat_file("photos/a", 0, 10) == fs.open("photos/a").read() == b""
    fs.get_file("photos/a", str(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize("read", [
    lambda fs, path: fs.cat_file(path),
    lambda fs, path: fs.cat_file(path, 0, 100),
    lambda fs, path: fs.open(path).read(),
    lambda fs, path: fs.cat_ranges([path], 0, 100)[0],
])
def test_a_file_that_is_replaced_between_look_and_read_is_read_as_it_is_now(fs, monkeypatch, read):
    fs.pipe("photos/a", b"old")
    stale, look = [fs._file("photos/a")], fs._file
    fs.pipe("photos/a", b"new")
    monkeypatch.setattr(fs, "_file", lambda path: stale.pop() if stale else look(path))

    assert read(fs, "photos/a") == b"new"


def test_a_reader_that_is_pickled_goes_on_with_the_same_content(fs):
    fs.pipe("photos/a", b"old content")
    with fs.open("photos/a") as file:
        file.read(4)
        fs.cp("photos/a", "photos/b")
        pickled = pickle.dumps(file)
    fs.pipe("photos/a", b"new")

    assert pickle.loads(pickled).read() == b"content"


def test_wrong_bytes_are_an_error_and_none_of_them_comes(wire, long):
    wire.faults.append(Fault("answer", "GET", "/shards/*", nth=0, status=200, headers={"x-metadisk": "direct"},
                             body=b"wrong"))

    with long.open(PATH) as file, pytest.raises(IntegrityError):
        file.read(10)


def test_threads_share_a_file_system(long):
    found, starts = {}, range(0, len(LONG), 2 * MIB)

    def read(start):
        found[start] = long.cat_file(PATH, start, start + 10)

    threads = [threading.Thread(target=read, args=(start,)) for start in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert found == {start: LONG[start:start + 10] for start in starts}


# Downloads

def test_a_download_tells_a_callback_how_far_it_is(long, tmp_path):
    callback = Seen()

    long.get(PATH, str(tmp_path / "copy"), callback=callback)

    assert (tmp_path / "copy").read_bytes() == LONG
    assert (callback.size, callback.value) == (1, 1)
    assert callback.children[0].seen[-1] == (len(LONG), len(LONG))
    assert len(callback.children[0].seen) > 10


def test_a_download_goes_to_a_file_object_too(fs):
    fs.pipe("photos/a", b"content")
    for options in ({}, {"outfile": io.BytesIO()}):
        file = options.get("outfile", io.BytesIO())

        fs.get_file("photos/a", "nowhere" if options else file, **options)

        assert file.getvalue() == b"content"
    assert not os.path.exists("nowhere")


def test_a_download_that_breaks_leaves_what_was_there(wire, long, tmp_path):
    target = tmp_path / "copy"
    target.write_bytes(b"old")
    wire.faults += [Fault("truncate", "GET", path, nth=0, received=1000) for path in ("/shards/*", "*/content")]

    with pytest.raises(OSError):
        long.get_file(PATH, str(target))

    assert target.read_bytes() == b"old"


def test_folders_are_downloaded_with_all_that_is_in_them(fs, tmp_path):
    fs.pipe({"photos/2016/a": b"a", "photos/2016/b/c": b"c", "photos/d": b"d"})

    fs.get("photos/2016", str(tmp_path / "here"), recursive=True)

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.name in "abc") == [
        "here/a", "here/b", "here/b/c",
    ]


@pytest.mark.parametrize("name", ["..", "../a", "a/../../b"])
def test_no_name_leads_out_of_the_folder_that_is_meant(fs, tmp_path, name):
    with pytest.raises(PermissionError, match="may lead elsewhere"):
        fs.get_file("photos/" + name, str(tmp_path / "a"))
