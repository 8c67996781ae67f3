"""
13. Names.

Of a bridge whose transfers are direct; and of all this each part may be missing.
"""

import re
import urllib.parse

from pymdc.keypair import ECDSA

from .direct import BAD, NO_BUCKET, to
from .point import empty, equals, gives, has_status, refused_so, section
from .world import fresh_content, hash_of, listed, sign, succeed

point = section(13, "Names", is_there=lambda world: world.is_direct)

NO_FILE = refused_so(404, "File not found")
NO_ROUTE = has_status(404, 405)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

#: In the order of their bytes, which is not that of UTF-16.
NAMES = ["%", "+ &", "_", "a", "a/b", "a/c/d", "a0", "a_", "h\u00e9", "\uffff", "\U0001f431"]


def name_content(w, bucket, content, *names, **query):
    """Store content under these names, and return its hash."""
    for name in names:
        succeed(w.alice.signed("PUT", to(bucket, content, name=name, **query), body=content))
    return hash_of(content)


def named(w):
    """Make a bucket with a file of each name."""
    bucket = w.alice.bucket()
    for name in reversed(NAMES):
        name_content(w, bucket, fresh_content(), name)
    return bucket


def ask(w, bucket, **query):
    return w.alice.signed("GET", f"{bucket}/files?" + urllib.parse.urlencode(query))


def names(answer):
    return [entry.get("filename") or entry.get("prefix") for entry in listed(answer)]


def copy(account, bucket, file_hash, name, **fields):
    return account.signed("POST", bucket + "/files", {"hash": file_hash, "filename": name, **fields})


# Files

@point
def a_file_tells_when_it_came_and_once_more_when_it_comes_again(w):
    bucket = w.alice.bucket()
    first = succeed(w.alice.signed("PUT", to(bucket, w.content, name="a"), body=w.content))
    w.expect(w.alice.files(bucket), equals([first.json]))
    again = succeed(w.alice.signed("PUT", to(bucket, w.content, name="a"), body=w.content))

    w.expect_if_there(first.json.get("created"), lambda time: bool(TIME.fullmatch(str(time))), equals(None))
    w.expect(again["created"], lambda time: time > first["created"])
    w.expect(w.alice.files(bucket), equals([again.json]))


@point
def the_same_content_under_two_names_is_two_files(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, w.content, "b", "a", "a")

    found = [(entry["filename"], entry["hash"]) for entry in w.alice.files(bucket)]

    w.expect_if_there(found, equals([("a", file_hash), ("b", file_hash)]), equals([("a", file_hash)]))


@point
def a_file_that_replaces_takes_the_place_of_all_of_its_name(w):
    bucket, new = w.alice.bucket(), fresh_content()
    for content in (w.content, fresh_content()):
        name_content(w, bucket, content, "a")
    name_content(w, bucket, w.content, "b")

    file_hash = name_content(w, bucket, new, "a", replace=1)

    found = {(entry["filename"], entry["hash"]) for entry in w.alice.files(bucket)}
    w.expect_if_there(found, equals({("a", file_hash), ("b", hash_of(w.content))}), lambda found: len(found) > 2)


@point
def a_bucket_tells_what_of_it_is_used(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, fresh_content(5000), "a")
    succeed(w.alice.signed("GET", f"{bucket}/files/{file_hash}"))
    w.alice.signed("GET", f"{bucket}/files/{file_hash}/content")

    used = succeed(w.alice.signed("GET", bucket)).json.get("used")

    w.expect_if_there(used, equals({"storage": 5000, "transfer": 5000}), equals(None))


# Another name

@point
def content_gets_another_name_and_no_byte_is_moved(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, w.content, "a")

    answer = copy(w.alice, bucket, file_hash, "b/c", mimetype="image/png")

    w.expect_if_there(answer, gives(200, hash=file_hash, filename="b/c", mimetype="image/png"), NO_ROUTE)
    w.expect(names(ask(w, bucket)), equals(["a", "b/c"]))
    w.expect(copy(w.alice, bucket, file_hash.upper(), "b/c"), gives(200, hash=file_hash))
    w.expect(len(w.alice.files(bucket)), equals(2))


@point
def content_that_is_not_in_the_bucket_gets_no_name(w):
    w.expect_if_there(copy(w.alice, w.alice.bucket(), hash_of(w.content), "a"), NO_FILE, NO_ROUTE)


@point
def who_may_store_may_name_and_nobody_else(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])
    file_hash = name_content(w, bucket, w.content, "a")
    fields = {"hash": file_hash, "filename": "b"}

    w.expect_if_there(w.wire.send(sign(friend, "POST", bucket + "/files", fields)), gives(200), NO_ROUTE)
    w.expect(w.bob.signed("POST", bucket + "/files", {**fields, "filename": "c"}), NO_BUCKET)
    w.expect(w.nobody("POST", bucket + "/files", fields), has_status(401))
    w.expect(names(ask(w, bucket)), equals(["a", "b"]))


@point
def another_name_is_checked_as_that_of_an_upload(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, w.content, "a")

    for name in ("", "/a", "a/", "a//b", "../a", "a\0b", "a\x85b", "a\u202eb", "a" * 256, None, 5):
        w.expect_if_there(copy(w.alice, bucket, file_hash, name), BAD, NO_ROUTE)
    w.expect(names(ask(w, bucket)), equals(["a"]))


# Deletion

@point
def a_file_can_be_deleted_under_one_of_its_names(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, w.content, "a", "b/c d")
    path = f"{bucket}/files/{file_hash}"

    w.expect_if_there(w.alice.signed("DELETE", path + "?filename=other"), NO_FILE, empty(204))
    w.expect(w.alice.signed("DELETE", path + "?filename=b%2Fc%20d"), empty(204))
    w.expect(names(ask(w, bucket)), equals(["a"]))
    w.expect(w.alice.signed("GET", path), gives(200))


@point
def content_that_is_deleted_goes_under_all_its_names(w):
    bucket = w.alice.bucket()
    file_hash = name_content(w, bucket, w.content, "a", "b")

    w.expect(w.alice.signed("DELETE", f"{bucket}/files/{file_hash}"), empty(204))
    w.expect(w.alice.files(bucket), equals([]))


# Listing

@point
def names_are_listed_in_the_order_of_their_bytes(w):
    w.expect_if_there(names(ask(w, named(w))), equals(NAMES), equals(NAMES[::-1]))


@point
def a_prefix_lets_those_come_that_begin_so(w):
    bucket = named(w)

    for prefix in ("a", "a/", "%", "_", "h\u00e9", "\U0001f431", "nothing", "a/c/d"):
        found = names(ask(w, bucket, prefix=prefix))
        w.expect_if_there(sorted(found), equals(sorted(name for name in NAMES if name.startswith(prefix))),
                          lambda found: len(found) == len(NAMES))


@point
def pages_lead_on_until_all_have_come(w):
    bucket = named(w)
    answer = ask(w, bucket, limit=4)
    found = names(answer)
    w.expect_if_there(len(found), equals(4), equals(len(NAMES)))

    while "x-next" in answer.headers and len(found) <= len(NAMES):
        answer = ask(w, bucket, limit=4, after=answer.headers["x-next"])
        found += names(answer)

    w.expect(found, equals(NAMES))


@point
def a_delimiter_tells_folders_in_place_of_what_is_in_them(w):
    bucket = named(w)
    upper = ["%", "+ &", "_", "a", "a/", "a0", "a_", "h\u00e9", "\uffff", "\U0001f431"]

    for prefix, wanted in (("", upper), ("a/", ["a/b", "a/c/"])):
        answer = ask(w, bucket, prefix=prefix, delimiter="/")
        w.expect_if_there(names(answer), equals(wanted), lambda found: "a/c/d" in found)


@point
def what_no_listing_can_mean_is_refused(w):
    bucket = w.alice.bucket()

    for query in ("limit=0", "limit=many", "limit=1001", "delimiter=,", "prefix=a&prefix=b", "limit=1&limit=1"):
        w.expect_if_there(w.alice.signed("GET", f"{bucket}/files?{query}"), BAD,
                          lambda answer: answer.json == [])
