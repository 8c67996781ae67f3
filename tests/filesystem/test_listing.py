"""What is there."""

import datetime
import hashlib

import pytest

import pymdc
from pymdc._digest import content_hash
from pymdc.filesystem import MetadiskFileSystem
from pymdc.testing import Fault

NAMES = ["a", "a b", "a/b", "a/c/d", "a/c/e", "a0", "h\xe9", "\U0001f431/\u732b"]


@pytest.fixture
def filled(fs):
    for name in NAMES:
        fs.pipe("photos/" + name, name.encode())
    return fs


def paths(*names):
    return ["photos/" + name for name in names]


@pytest.mark.parametrize("path, found", [
    ("photos", paths("a", "a b", "a", "a0", "h\xe9", "\U0001f431")),
    ("metadisk://photos/a/", paths("a/b", "a/c")),
    ("photos/a/c", paths("a/c/d", "a/c/e")),
    ("photos/a0", paths("a0")),
    ("", ["photos"]),
])
def test_a_folder_is_listed_level_by_level(filled, path, found):
    assert filled.ls(path, detail=False) == found
    assert [each["name"] for each in filled.ls(path)] == found
    assert [filled.info(each["name"]) for each in filled.ls(path) if each["type"] == "file"] == [
        each for each in filled.ls(path) if each["type"] == "file"
    ]


@pytest.mark.parametrize("path, how, found", [
    ("photos", {}, paths(*NAMES)),
    ("photos/a", {}, paths("a/b", "a/c/d", "a/c/e")),
    ("photos/a/c", {"withdirs": True}, paths("a/c", "a/c/d", "a/c/e")),
    ("photos/a", {"withdirs": True}, paths("a", "a/b", "a/c", "a/c/d", "a/c/e")),
    ("photos/a", {"maxdepth": 1}, paths("a/b")),
    ("photos/a", {"maxdepth": 1, "withdirs": True}, paths("a/b", "a/c")),
    ("photos/a0", {}, paths("a0")),
    ("photos/b", {}, []),
    ("nowhere", {}, []),
    ("", {}, paths(*NAMES)),
])
def test_all_below_a_path_is_found(filled, path, how, found):
    assert filled.find(path, **how) == sorted(found)
    assert list(filled.find(path, detail=True, **how)) == sorted(found)


@pytest.mark.parametrize("pattern, found", [
    ("photos/a*", paths("a", "a b", "a0")),
    ("photos/*/c/?", paths("a/c/d", "a/c/e")),
    ("photos/**", paths(*NAMES, "a/c", "\U0001f431", "")),
    ("photos/a/[!b]", paths("a/c")),
    ("*/a0", paths("a0")),
    ("photos/x*", []),
    ("nowhere/*", []),
])
def test_names_are_found_by_patterns(filled, pattern, found):
    assert filled.glob(pattern) == sorted(each.rstrip("/") for each in found)


def test_a_file_is_told_of_with_the_hash_of_its_content(fs, bucket):
    before = datetime.datetime.now(datetime.timezone.utc)
    fs.pipe("photos/cat.jpg", b"a cat")

    info = fs.info("metadisk://photos/cat.jpg")

    assert {key: info[key] for key in ("name", "size", "type", "mimetype")} == {
        "name": "photos/cat.jpg", "size": 5, "type": "file", "mimetype": "image/jpeg",
    }
    assert info["hash"] == fs.checksum("photos/cat.jpg") == content_hash(hashlib.sha256(b"a cat"))
    assert abs(info["created"] - before) < datetime.timedelta(minutes=5)
    assert fs.created("photos/cat.jpg") == fs.modified("photos/cat.jpg") == info["created"]
    assert fs.info("photos") == {"name": "photos", "size": 0, "type": "directory"}


def test_of_several_files_with_one_name_the_newest_is_told(fs, bucket, tmp_path):
    for content in (b"first", b"second one"):
        tmp_path.joinpath("a").write_bytes(content)
        bucket.files.upload(tmp_path / "a", filename="x/a")

    assert [each["size"] for each in fs.ls("photos/x")] == [10]
    assert fs.find("photos") == ["photos/x/a"]
    assert fs.cat_file("photos/x/a") == b"second one"


def test_a_name_may_be_that_of_a_file_and_of_a_folder(filled):
    assert filled.isfile("photos/a") and not filled.isdir("photos/a")
    assert filled.isdir("photos/a/c") and not filled.isfile("photos/a/c")
    assert filled.ls("photos/a", detail=False) == paths("a/b", "a/c")
    assert filled.cat_file("photos/a") == b"a"


def test_sizes_are_added_up(filled):
    sizes = {"photos/" + name: len(name.encode()) for name in NAMES}

    assert filled.du("photos") == sum(sizes.values())
    assert filled.du("photos", total=False) == sizes
    assert filled.du("photos/a/c", total=False, withdirs=True) == {
        "photos/a/c": 0, "photos/a/c/d": 5, "photos/a/c/e": 5,
    }


def test_a_walk_is_not_cut_short_by_a_fault(wire, wired_fs):
    for name in ("a/b", "c/d"):
        wired_fs.pipe("photos/" + name, b"content")
    wire.faults.append(Fault("answer", "GET", "/buckets/*/files", nth=3, status=403))

    with pytest.raises(PermissionError):
        list(wired_fs.walk("photos"))


def test_a_file_is_looked_up_by_one_request(wire, wired_fs):
    for number in range(20):
        wired_fs.pipe("photos/a{0}".format(number or ""), b"content")
    del wire.requests[:]

    wired_fs.info("photos/a")

    assert len(wire.requests) == 1


def test_a_large_folder_comes_by_pages(wire, wired_fs, monkeypatch):
    for number in range(7):
        wired_fs.pipe("photos/{0}".format(number), b"content")
    monkeypatch.setattr(pymdc.api.files.Files.iterate, "__defaults__", (None, None, 3))
    del wire.requests[:]

    assert len(wired_fs.find("photos")) == 7
    assert len(wire.requests) == 3


# Listings that are kept

@pytest.fixture
def keeping(options, bucket):
    return MetadiskFileSystem(**options, use_listings_cache=True, skip_instance_cache=True)


def test_what_others_change_is_seen_at_once_where_listings_are_not_kept(fs, options):
    other = MetadiskFileSystem(**options, skip_instance_cache=True)
    assert fs.ls("photos") == []

    other.pipe("photos/a", b"content")

    assert fs.ls("photos", detail=False) == ["photos/a"]


def test_listings_are_kept_where_that_is_said_until_they_are_asked_for_anew(keeping, fs):
    fs.pipe("photos/a/b", b"content")
    assert keeping.ls("photos/a", detail=False) == ["photos/a/b"]

    fs.pipe("photos/a/c", b"content")

    assert keeping.ls("photos/a", detail=False) == ["photos/a/b"]
    assert not keeping.exists("photos/a/c") and keeping.isdir("photos/a")
    assert keeping.cat_file("photos/a/c") == b"content"
    assert len(keeping.ls("photos/a", refresh=True)) == 2
    fs.pipe("photos/a/d", b"content")
    keeping.invalidate_cache()
    assert len(keeping.ls("photos/a")) == 3


@pytest.mark.parametrize("change, left", [
    (lambda fs: fs.pipe("photos/a/x/y", b"content"), ["a/b", "a/x"]),
    (lambda fs: fs.touch("photos/a/x"), ["a/b", "a/x"]),
    (lambda fs: fs.cp("photos/a/b", "photos/a/x"), ["a/b", "a/x"]),
    (lambda fs: fs.mv("photos/a/b", "photos/a/x"), ["a/x"]),
    (lambda fs: fs.rm("photos/a/b"), []),
    (lambda fs: fs.rm("photos/a", recursive=True), []),
    (lambda fs: fs.rm("photos", recursive=True), []),
])
def test_a_change_of_ones_own_is_seen_at_once(keeping, change, left):
    keeping.pipe("photos/a/b", b"content")
    for path in ("", "photos", "photos/a"):
        keeping.ls(path)

    change(keeping)

    assert keeping.glob("photos/a/*") == paths(*left)
    assert keeping.exists("photos/a") == bool(left)
