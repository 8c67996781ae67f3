"""Whose file system it is, how buckets are called, and what the bridge's no becomes."""

import errno
import json
import pickle

import fsspec
import pytest

import pymdc
from pymdc import _remembered
from pymdc.filesystem import MetadiskFileSystem
from servers_of_2016 import Server


def test_fsspec_finds_it_by_its_protocol(options, bucket):
    fs, path = fsspec.url_to_fs("metadisk://photos/2016/cat.jpg", **options)

    assert isinstance(fs, MetadiskFileSystem)
    assert path == "photos/2016/cat.jpg"
    assert fs.unstrip_protocol(path) == "metadisk://photos/2016/cat.jpg"


@pytest.mark.parametrize("path, stripped", [
    ("metadisk://photos/a", "photos/a"), ("metadisk://photos/", "photos"), ("metadisk://", ""), ("/", ""),
    ("photos/a/", "photos/a"), ("photos\\a", "photos/a"), (["metadisk://photos/a", "b"], ["photos/a", "b"]),
])
def test_a_path_has_a_bucket_and_a_name(path, stripped):
    assert MetadiskFileSystem._strip_protocol(path) == stripped


# Who asks

@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of a user who has never logged in."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PYMDC_API_URL", raising=False)


@pytest.fixture
def logged_in(home, bridge, address, key_pair, bucket):
    """A user who has logged in by the command line."""
    _remembered.write(_remembered.Login(bridge.url, address, bucket.list()["id"]))
    key_pair.save(_remembered.key_path(bridge.url, address))


def test_without_options_it_is_the_account_of_the_login(logged_in):
    fs = MetadiskFileSystem(skip_instance_cache=True)

    fs.pipe("photos/a", b"content")

    assert fs.ls("", detail=False) == ["photos"]


def test_the_address_of_a_bridge_alone_is_that_of_the_login(logged_in, bridge):
    fs = MetadiskFileSystem(api_url=bridge.url + "/", skip_instance_cache=True)

    assert fs.ls("", detail=False) == ["photos"]


@pytest.mark.parametrize("by_client", [False, True])
def test_the_key_of_a_login_goes_to_no_other_bridge(logged_in, by_client):
    elsewhere = "http://127.0.0.1:1"
    options = {"client": pymdc.Client(elsewhere)} if by_client else {"api_url": elsewhere}

    with pytest.raises(ValueError, match="the bridge is to be http://127.0.0.1:1, but you are logged in at"):
        MetadiskFileSystem(**options, skip_instance_cache=True)


def test_who_is_not_logged_in_is_told_what_to_do(home):
    with pytest.raises(ValueError, match="log in first: python -m pymdc login EMAIL"):
        MetadiskFileSystem(skip_instance_cache=True)


def test_a_client_that_does_not_raise_errors_does_as_well(bridge, key_pair, bucket):
    fs = MetadiskFileSystem(client=pymdc.Client(bridge.url), key_pair=key_pair, skip_instance_cache=True)

    with pytest.raises(FileNotFoundError):
        fs.ls("0" * 24)
    with pytest.raises(OSError, match="too long|characters"):
        fs.mkdir("a" * 300)


def test_without_a_client_it_is_that_of_all_of_the_library(bridge, key_pair, bucket, monkeypatch):
    monkeypatch.setattr(pymdc.rest, "_default", None)
    pymdc.configure(bridge.url)

    fs = MetadiskFileSystem(key_pair=key_pair, skip_instance_cache=True)

    assert fs.ls("", detail=False) == ["photos"]


def test_options_that_do_not_go_together_are_refused(bridge, key_pair):
    with pytest.raises(ValueError, match="give it, or api_url"):
        MetadiskFileSystem(api_url=bridge.url, client=pymdc.Client(bridge.url), key_pair=key_pair)
    with pytest.raises(ValueError, match="a key pair or a user is needed"):
        MetadiskFileSystem(api_url=bridge.url, key_pair=5)


# Secrets

def test_a_private_key_is_told_by_nothing(bridge, bucket, key_pair):
    secret = key_pair.get_private_key()
    fs = MetadiskFileSystem(api_url=bridge.url, key_pair=key_pair)

    assert secret not in repr(fs) + str(vars(fs)) + fs._fs_token
    with pytest.raises(TypeError) as raised:
        fs.to_json()
    assert secret not in str(raised.value)
    with pytest.raises(ValueError, match="not the key itself") as raised:
        MetadiskFileSystem(api_url=bridge.url, key_pair=secret)
    assert secret not in str(raised.value)


def test_a_file_system_with_the_path_of_its_key_is_pickled_and_written_as_json(fs, key_pair):
    fs.pipe("photos/a", b"content")

    for again in (pickle.loads(pickle.dumps(fs)), fsspec.AbstractFileSystem.from_json(fs.to_json())):
        assert again.cat_file("photos/a") == b"content"
    assert key_pair.get_private_key().encode() not in pickle.dumps(fs)
    assert "PRIVATE" not in json.dumps(fs.to_dict())


@pytest.mark.parametrize("by_client", [False, True])
def test_a_file_system_with_a_key_is_not_pickled(bridge, key_pair, key_file, by_client):
    options = {"client": pymdc.Client(bridge.url), "key_pair": key_file} if by_client else {"key_pair": key_pair}
    fs = MetadiskFileSystem(**options, skip_instance_cache=True)

    with pytest.raises(TypeError, match="key_pair=PATH"):
        pickle.dumps(fs)


def test_file_systems_of_all_threads_share_their_connections(options, bucket):
    first, second = (MetadiskFileSystem(**options, skip_instance_cache=True) for _ in range(2))

    assert first._account.client is second._account.client


# Buckets

def test_a_bucket_is_called_by_its_name_or_its_id(fs, bucket):
    bucket_id = bucket.list()["id"]
    fs.pipe("photos/a", b"content")

    assert fs.cat_file("{0}/a".format(bucket_id)) == b"content"
    assert fs.ls(bucket_id, detail=False) == [bucket_id + "/a"]


def test_where_two_buckets_have_a_name_their_ids_are_told(fs, buckets, bucket):
    ids = [bucket.list()["id"], buckets.create("photos", 1, 1)["id"]]

    with pytest.raises(ValueError, match="more than one bucket is called photos") as raised:
        fs.exists("photos/a")

    assert all(each in str(raised.value) for each in ids)
    assert sorted(fs.ls("", detail=False)) == sorted(ids)


@pytest.mark.parametrize("name", ["a/b", "a\\b", "0123456789abcdef01234567"])
def test_a_bucket_whose_name_does_not_lead_to_it_is_called_by_its_id(fs, buckets, name):
    bucket_id = buckets.create(name, 1, 1)["id"]

    assert sorted(fs.ls("", detail=False)) == sorted(["photos", bucket_id])
    assert fs.ls(bucket_id) == []


def test_a_bucket_is_made_and_removed(fs, buckets):
    fs.mkdir("new", storage=2, transfer=3)

    made = [each for each in buckets.list() if each["name"] == "new"]
    assert [(each["storage"], each["transfer"]) for each in made] == [(2, 3)]
    assert fs.isdir("new") and fs.ls("new") == []
    fs.rmdir("new")
    assert not fs.exists("new")


def test_a_bucket_that_is_there_is_not_made_again(fs):
    with pytest.raises(FileExistsError):
        fs.mkdir("photos")
    with pytest.raises(FileExistsError):
        fs.makedirs("photos")
    fs.makedirs("photos", exist_ok=True)

    assert fs.ls("", detail=False) == ["photos"]


@pytest.mark.parametrize("name", ["", "0123456789abcdef01234567"])
def test_a_bucket_that_could_not_be_found_is_not_made(fs, name):
    with pytest.raises(ValueError, match="cannot be found by the name"):
        fs.mkdir(name)


def test_a_folder_needs_no_making_but_a_bucket_for_it(fs):
    fs.mkdir("photos/2016")
    fs.makedirs("photos/2016/summer")

    assert not fs.exists("photos/2016")
    with pytest.raises(FileNotFoundError, match="mkdir makes one"):
        fs.mkdir("nowhere/2016")


def test_a_bucket_with_files_is_removed_only_with_all_of_them(fs):
    fs.pipe("photos/a", b"content")

    with pytest.raises(OSError) as raised:
        fs.rmdir("photos")
    assert raised.value.errno == errno.ENOTEMPTY
    with pytest.raises(IsADirectoryError):
        fs.rm("photos")
    fs.rm("photos", recursive=True)
    assert fs.ls("") == []


def test_all_buckets_are_never_removed_at_once(fs):
    for path in ("", "/", "metadisk://"):
        with pytest.raises(FileNotFoundError):
            fs.rm(path, recursive=True)

    assert fs.exists("photos")


def test_another_bucket_of_a_name_is_found_once_the_first_is_gone(fs, bucket, buckets, key_pair):
    fs.pipe("photos/a", b"content")
    bucket.delete()
    buckets.create("photos", 1, 1, [key_pair])

    with pytest.raises(FileNotFoundError):
        fs.cat_file("photos/a")
    fs.pipe("photos/a", b"other")

    assert fs.cat_file("photos/a") == b"other"


# What the bridge says

def test_what_is_not_there_is_a_FileNotFoundError_with_its_path(fs):
    for path in ("nowhere/a", "photos/a", "photos/a/b"):
        for call in (fs.info, fs.ls, fs.cat_file, fs.open, fs.rm, fs.checksum, fs.created):
            with pytest.raises(FileNotFoundError) as raised:
                call(path)
            assert raised.value.filename in (path, "nowhere")
        assert not fs.exists(path)


def test_a_key_that_is_not_registered_is_a_PermissionError_with_the_bridges_words(bridge, bucket):
    fs = MetadiskFileSystem(api_url=bridge.url, key_pair=pymdc.keypair.ECDSA(), skip_instance_cache=True)

    for call in (fs.exists, fs.find, fs.isdir, fs.isfile, fs.glob):
        with pytest.raises(PermissionError, match="Public key not registered.*; register the key with"):
            call("photos/a*")


def test_a_bucket_without_room_is_told_as_a_full_disk(fs, buckets, key_pair):
    buckets.create("small", 0.00001, 1, [key_pair])

    with pytest.raises(OSError, match="Bucket storage exceeded") as raised:
        fs.pipe("small/a", bytes(100000))

    assert raised.value.errno == errno.ENOSPC


def test_a_bridge_that_is_away_is_not_taken_for_one_that_has_nothing(key_file):
    client = pymdc.Client("http://127.0.0.1:1", retries=0)
    fs = MetadiskFileSystem(client=client, key_pair=key_file, skip_instance_cache=True)

    for call in (fs.exists, fs.isdir, fs.isfile, fs.find, fs.glob, fs.ls, lambda path: list(fs.walk(path))):
        with pytest.raises(OSError, match="no bridge at"):
            call("photos/a*")


def test_a_bridge_of_2016_says_what_it_cannot_do(tmp_path):
    server = Server("0.6.6")
    try:
        client = pymdc.Client(server.url, raise_errors=True)
        user = pymdc.api.Users("alice@example.com", "password", client=client)
        user.register()
        user.activate(server.activation_token("alice@example.com"))
        key_pair = pymdc.keypair.ECDSA()
        pymdc.api.Keys(user).create(key_pair)
        fs = MetadiskFileSystem(client=client, key_pair=key_pair, skip_instance_cache=True)
        fs.mkdir("photos")
        fs.pipe_file("photos/a", b"content", mode="create")

        for call in (lambda: fs.pipe("photos/a", b"other"), lambda: fs.cp("photos/a", "photos/b")):
            with pytest.raises(OSError, match="as those of 2016, has no way to"):
                call()
        with pytest.raises(NotImplementedError, match="does not tell when"):
            fs.created("photos/a")
        assert fs.cat_file("photos/a") == b"content"
        assert fs.find("photos") == ["photos/a"]
    finally:
        server.close()
