"""A program with types, for mypy and pyright alone: it is never run."""

import csv
import io
import pathlib
import zipfile
from concurrent.futures import Future

from typing_extensions import assert_type

import pymdc
import pymdc.testing
from pymdc.answers import Bucket, Download, File, Folder, Key, Link, Nothing, Token, User, WaitingToken


def register(email: str, password: str) -> tuple[pymdc.api.Users, pymdc.keypair.ECDSA]:
    pymdc.configure("https://bridge.example", raise_errors=True, timeout=30, proxies={"https": "http://proxy"})
    user = pymdc.api.Users(email, password)
    assert_type(user.register(), User)
    assert_type(user.activate("0" * 64, lambda answer: print(answer["activated"])), Future[User])
    key_pair = pymdc.keypair.ECDSA()
    key_pair.save(pathlib.Path("metadisk.pem"), "password")
    assert_type(key_pair.get_public_key(), str)
    assert_type(key_pair.get_public_key("bin"), bytes)
    assert_type(key_pair.get_private_key("pem"), str | None)
    assert_type(pymdc.api.keys.Keys(user).create(key_pair), Key)
    return user, key_pair


def leave(user: pymdc.api.Users) -> None:
    assert_type(user.change_password("another"), User)
    assert_type(user.change_password(b"another", callback=print), Future[User])
    assert_type(user.delete(), Nothing)
    assert_type(user.delete(callback=print), Future[Nothing])


def rotate(user: pymdc.api.Users) -> None:
    keys, new = pymdc.api.Keys(user), pymdc.keypair.ECDSA.load("metadisk.pem")
    for key in keys.list():
        if "error" not in key:
            assert_type(keys.rotate(key, new), Key)
            assert_type(keys.rotate(key["key"], new, callback=show_key), Future[Key])
    assert_type(keys.delete(new), Nothing)


def show_key(key: Key) -> None:
    print(key["id"].upper())


def make_bucket(key_pair: pymdc.keypair.ECDSA, client: pymdc.Client) -> pymdc.api.Bucket:
    buckets = pymdc.api.Buckets(key_pair, client=client)
    created = buckets.create("Holidays", 10, 0.5, [key_pair, key_pair.get_public_key()])
    assert_type(created, Bucket)
    assert_type(buckets.create("Later", 1, 1, callback=print), Future[Bucket])
    assert_type([bucket["pubkeys"] for bucket in buckets.list()], list[list[str]])
    bucket = pymdc.api.Bucket(created, buckets)
    assert_type(bucket.update(storage=20)["storage"], float)
    assert_type(bucket.update(name="Work", callback=print).result(), Bucket)
    assert_type(bucket.list(), Bucket)
    return bucket


def store(bucket: pymdc.api.Bucket, progress: list[int]) -> File:
    files = bucket.files
    assert_type(files.token("PUSH"), Token)
    assert_type(files.token("PULL", expires_in=3600), Token)
    assert_type(files.tokens(), list[WaitingToken])
    assert_type(files.invite(3600, callback=print), Future[Link])
    assert_type(files.revoke(files.tokens()[0], callback=print), Future[Nothing])
    with open("photo.jpg", "rb") as photo:
        stored = files.upload(photo, files.token("PUSH"), progress=lambda done, total: progress.append(done))
    assert_type(stored, File)
    assert_type(pymdc.content_hash("photo.jpg"), str)
    assert_type(files.share(stored, filename="us.jpg")["link"], str)
    assert_type(files.upload(io.BytesIO(b"content"), filename="name", callback=print), Future[File])
    assert_type(files.upload(pathlib.Path("photo.jpg"), None, print), Future[File])
    return stored


def fetch(bucket: pymdc.api.Bucket) -> int:
    for file in bucket.files.list():
        assert_type(bucket.files.download(file, "copy.jpg"), Download)
        assert_type(bucket.files.download(file["hash"], io.BytesIO(), callback=print), Future[Download])
        with bucket.files.open(file) as archive, zipfile.ZipFile(archive) as members:
            print(members.namelist())
        with bucket.files.open(file, "0" * 64) as table:
            print(list(csv.reader(io.TextIOWrapper(table))))
        assert_type(bucket.files.delete(file), Nothing)
        assert_type(bucket.files.delete(file, print, filename=file["filename"]), Future[Nothing])
    return sum(file["size"] for file in bucket.files.list())


def tidy(bucket: pymdc.api.Bucket) -> list[str]:
    files = bucket.files
    assert_type(files.list(prefix="photos/"), list[File])
    assert_type(files.list(print, "photos/"), Future[list[File]])
    assert_type(files.list(delimiter="/"), list[File | Folder])
    assert_type(files.list(print, delimiter="/"), Future[list[File | Folder]])
    for file in files.iterate("old/"):
        assert_type(files.copy(file, "new/" + file["filename"]), File)
        assert_type(files.copy(file["hash"], b"copy", print), Future[File])
    assert_type(files.upload("photo.jpg", replace=True), File)
    used = bucket.list().get("used", {"storage": 0, "transfer": 0})
    assert_type(used["storage"], int)
    return [item["prefix"] if "prefix" in item else item["filename"] for item in files.iterate(delimiter="/")]


def fail(bucket: pymdc.api.Bucket) -> str:
    try:
        bucket.delete()
    except pymdc.errors.APIError as error:
        return f"{error.status} {error.body['error']} {error.hint} {error.attempts}"
    except (pymdc.errors.TransportError, pymdc.errors.IntegrityError) as error:
        return f"{error.retry_after} {error.away}"
    except OSError as error:
        return str(error.errno)
    answer = bucket.list()
    return answer["error"] if "error" in answer else answer["name"]


def behind_a_wire(url: str) -> None:
    fault = pymdc.testing.Fault("reset", "PUT", nth=2)
    with pymdc.testing.Wire(url, [fault]) as wire, pymdc.Client(wire.url) as client:
        made = pymdc.testing.account(url, client)
        assert_type(made.user, pymdc.api.Users)
        assert_type(wire.requests, list[tuple[str, str]])
        wire.faults.clear()
        make_bucket(made.key_pair, made.client)
