"""Names: with folders, several of one content, several contents of one; how they come, and how they go."""

import pytest

from names import ask, delete, entries, listed
from wire import Signed, get, hash_of, multipart, put, race, stranger

pytestmark = pytest.mark.both_databases

CONTENT = b"Hello Metadisk!\n"
LARGE = b"large " * 5000  # for the store, and not for the database


def used(account, bucket):
    return account.signed.get("/buckets/" + bucket).json()["used"]


def copy(asker, bucket, file_hash, name, **fields):
    return asker.post(f"/buckets/{bucket}/files", {"hash": file_hash, "filename": name, **fields})


def again(account):
    """Return one more client of an account, for a thread."""
    return Signed(account.signed.url, account.key_pair)


# Entries

def test_the_same_content_under_two_names_is_two_files_with_one_hash(alice, bucket):
    first = put(alice.signed, bucket, CONTENT, name="b/first.txt").json()
    second = put(alice.signed, bucket, CONTENT, name="a/second.txt").json()

    assert ask(alice, bucket).json() == [second, first]
    assert first["hash"] == second["hash"]
    assert used(alice, bucket)["storage"] == 2 * 4096
    assert get(alice.signed, bucket, first["hash"]).content == CONTENT


def test_an_upload_of_what_is_there_renews_when_it_came_and_its_type(alice, bucket, later):
    first = put(alice.signed, bucket, CONTENT, name="same").json()
    later(5)

    again = put(alice.signed, bucket, CONTENT, {"Content-Type": "image/png"}, name="same").json()

    assert ask(alice, bucket).json() == [again]
    assert again["created"] > first["created"] and again["mimetype"] == "image/png"
    assert used(alice, bucket)["storage"] == 4096


def test_a_form_has_no_folders_but_may_add_a_name(alice, bucket):
    put(alice.signed, bucket, CONTENT, name="a/hello.txt")

    alice.upload(bucket, CONTENT, filename="a/hello.txt")

    assert listed(alice, bucket) == ["a/hello.txt", "hello.txt"]


def test_a_backslash_separates_folders_too(alice, bucket):
    assert put(alice.signed, bucket, CONTENT, name="a\\b").json()["filename"] == "a/b"
    assert put(alice.signed, bucket, CONTENT, name="a\\..\\b").json() == {
        "error": "The file name has an empty part, or one that is . or .."}


def test_each_entry_counts_and_one_that_does_not_fit_is_refused(alice):
    bucket = alice.bucket(storage=0.00001)  # 10 000 bytes
    file_hash = put(alice.signed, bucket, CONTENT, name="a").json()["hash"]
    assert copy(alice.signed, bucket, file_hash, "b").status_code == 200

    refused = [copy(alice.signed, bucket, file_hash, "c"), put(alice.signed, bucket, CONTENT, name="c")]

    said = "Bucket storage exceeded: 16 bytes, counted as 4096, do not fit beside 8192 of 10000"
    assert [(answer.status_code, answer.json()) for answer in refused] == [(413, {"error": said})] * 2
    assert copy(alice.signed, bucket, file_hash, "b").status_code == 200  # which is there
    assert used(alice, bucket) == {"storage": 8192, "transfer": 0}


def test_a_bucket_tells_how_much_of_its_transfer_is_used(alice, bucket):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]
    get(alice.signed, bucket, file_hash)

    told = alice.signed.get("/buckets").json()

    assert [each["used"] for each in told] == [{"storage": 4096, "transfer": len(CONTENT)}]


# Deletion

def test_a_deletion_by_hash_and_name_leaves_the_other_names(alice, bucket):
    file_hash = [put(alice.signed, bucket, CONTENT, name=name).json()["hash"] for name in ("a/x", "b&c=d", "c")][0]
    other = put(alice.signed, bucket, b"another", name="c").json()["hash"]

    assert delete(alice, bucket, file_hash, filename="b&c=d").status_code == 204
    assert delete(alice, bucket, file_hash, filename="c").status_code == 204

    assert entries(alice, bucket) == [("a/x", file_hash), ("c", other)]
    assert get(alice.signed, bucket, file_hash).content == CONTENT
    assert used(alice, bucket)["storage"] == 2 * 4096


@pytest.mark.parametrize("name", ["", "b", "A", "a\0", "a/", "a" * 2000])
def test_a_deletion_by_a_name_that_the_content_does_not_have_is_refused(alice, bucket, name):
    file_hash = put(alice.signed, bucket, CONTENT, name="a").json()["hash"]

    answer = delete(alice, bucket, file_hash, filename=name)

    assert (answer.status_code, answer.json()) == (404, {"error": "File not found"})
    assert len(entries(alice, bucket)) == 1


def test_a_deletion_by_hash_deletes_all_its_names(alice, bucket):
    file_hash = [put(alice.signed, bucket, LARGE, name=name).json()["hash"] for name in "abc"][0]
    put(alice.signed, bucket, CONTENT, name="a")

    assert delete(alice, bucket, file_hash).status_code == 204

    assert entries(alice, bucket) == [("a", hash_of(CONTENT))]
    assert used(alice, bucket)["storage"] == 4096
    assert delete(alice, bucket, file_hash).status_code == 404


@pytest.mark.parametrize("query", ["%66ilename=b", "filenam%65=%62", "filename=b&__nonce=5"])
def test_the_name_to_delete_is_one_however_it_is_written(alice, bucket, query):
    file_hash = [put(alice.signed, bucket, CONTENT, name=name).json()["hash"] for name in "ab"][0]

    assert alice.basic.send_as_written("DELETE", f"/buckets/{bucket}/files/{file_hash}?{query}").status == 204
    assert entries(alice, bucket) == [("a", file_hash)]


@pytest.mark.parametrize("query", ["filename", "filename=", "%66ilename", "filename&__nonce=5"])
def test_an_empty_name_to_delete_is_no_file_s(alice, bucket, query):
    file_hash = [put(alice.signed, bucket, CONTENT, name=name).json()["hash"] for name in ("", "a")][0]

    assert alice.basic.send_as_written("DELETE", f"/buckets/{bucket}/files/{file_hash}?{query}").status == 404
    assert entries(alice, bucket) == [(file_hash, file_hash), ("a", file_hash)]


def test_a_name_given_twice_deletes_nothing(alice, bucket):
    file_hash = put(alice.signed, bucket, CONTENT, name="a").json()["hash"]

    answer = alice.signed.delete(f"/buckets/{bucket}/files/{file_hash}?filename=a&filename=b")

    assert (answer.status_code, answer.json()) == (400, {"error": "Parameter given twice: filename"})
    assert len(entries(alice, bucket)) == 1


def test_a_name_that_only_a_form_could_give_can_be_deleted_alone(alice, bucket):
    file_hash = alice.upload(bucket, CONTENT, filename="a\u202eb")
    put(alice.signed, bucket, CONTENT, name="a")

    assert delete(alice, bucket, file_hash, filename="a\u202eb").status_code == 204

    assert listed(alice, bucket) == ["a"]


@pytest.mark.parametrize("end", [
    lambda alice, bucket, file_hash: delete(alice, bucket, file_hash, filename="old"),
    lambda alice, bucket, file_hash: put(alice.signed, bucket, b"another", name="old", replace=1),
])
def test_pointers_last_as_long_as_the_content_has_a_name(alice, bucket, end):
    file_hash = put(alice.signed, bucket, CONTENT, name="new").json()["hash"]
    put(alice.signed, bucket, CONTENT, name="old")  # whose pointers are handed out, as the newest
    pointer, = alice.pointers(bucket, file_hash).json()

    def fetch():
        return alice.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]}).status_code

    end(alice, bucket, file_hash)
    assert fetch() == 200
    delete(alice, bucket, file_hash, filename="new")
    assert fetch() == 401


# Replacement

def test_replacing_takes_the_place_of_all_that_has_the_name_and_of_nothing_else(alice, bucket):
    for content, name in ((b"1", "a"), (b"2", "a"), (LARGE, "a"), (b"1", "b"), (b"3", "a/b")):
        put(alice.signed, bucket, content, name=name)

    answer = put(alice.signed, bucket, CONTENT, name="a", replace=1)

    assert (answer.status_code, answer.json()["filename"]) == (200, "a")
    assert entries(alice, bucket) == [("a", hash_of(CONTENT)), ("a/b", hash_of(b"3")), ("b", hash_of(b"1"))]
    assert used(alice, bucket)["storage"] == 3 * 4096


def test_replacing_by_the_same_content_keeps_it(alice, bucket):
    put(alice.signed, bucket, b"old", name="a")
    put(alice.signed, bucket, LARGE, name="a")

    put(alice.signed, bucket, LARGE, name="a", replace=1)

    assert entries(alice, bucket) == [("a", hash_of(LARGE))]
    assert get(alice.signed, bucket, hash_of(LARGE)).content == LARGE


def test_without_a_word_nothing_is_replaced(alice, bucket):
    put(alice.signed, bucket, b"old", name="a")

    put(alice.signed, bucket, CONTENT, name="a", replace=0)

    assert len(entries(alice, bucket)) == 2


def test_what_is_refused_replaces_nothing(alice, bucket):
    put(alice.signed, bucket, b"old", name="a")

    for content in (CONTENT, LARGE):
        assert put(alice.signed, bucket, content, name="a", replace=1, hash="0" * 40).status_code == 400
    assert put(alice.signed, bucket, CONTENT, name="a", replace="yes").json() == {
        "error": "Parameter replace is neither 0 nor 1"}

    assert entries(alice, bucket) == [("a", hash_of(b"old"))]


def test_who_may_replace(alice, bob, bucket):
    guest, token = stranger(alice.signed.url), alice.token(bucket)
    alice.signed.patch("/buckets/" + bucket, {"pubkeys": [guest.key_pair.get_public_key()]})
    put(alice.signed, bucket, b"old", name="a")

    by_token = put(alice.nobody, bucket, CONTENT, {"x-token": token}, name="a", replace=1)

    assert (by_token.status_code, by_token.json()["error"].partition(":")[0]) == (
        403, "A token stores a file and replaces none")
    assert put(bob.signed, bucket, CONTENT, name="a", replace=1).status_code == 404
    assert put(alice.nobody, bucket, CONTENT, name="a", replace=1).status_code == 401
    assert entries(alice, bucket) == [("a", hash_of(b"old"))]
    assert put(alice.nobody, bucket, b"b", {"x-token": token}, name="b").status_code == 200  # it is not spent
    assert put(guest, bucket, CONTENT, name="a", replace=1).status_code == 200
    assert entries(alice, bucket) == [("a", hash_of(CONTENT)), ("b", hash_of(b"b"))]


def test_a_listed_key_may_neither_list_nor_delete(alice, bucket):
    guest = stranger(alice.signed.url)
    alice.signed.patch("/buckets/" + bucket, {"pubkeys": [guest.key_pair.get_public_key()]})
    file_hash = put(guest, bucket, CONTENT, name="a").json()["hash"]

    assert [answer.status_code for answer in (
        guest.get(f"/buckets/{bucket}/files"), guest.get("/buckets/" + bucket),
        guest.delete(f"/buckets/{bucket}/files/{file_hash}"), guest.delete("/buckets/" + bucket),
    )] == [401] * 4
    assert entries(alice, bucket) == [("a", file_hash)]


@pytest.mark.parametrize("size", [10, 30_000])
def test_of_racing_replacements_of_one_name_one_is_left_and_counted(alice, bucket, size):
    contents = [bytes([number]) * size for number in range(6)]

    statuses = race(6, lambda number: put(again(alice), bucket, contents[number], name="a", replace=1).status_code)

    (name, file_hash), = entries(alice, bucket)
    assert statuses == [200] * 6 and name == "a"
    assert get(alice.signed, bucket, file_hash).content in contents
    assert used(alice, bucket)["storage"] == max(size, 4096)


# Another name

def test_content_gets_one_more_name_with_its_type_or_another(alice, bucket):
    first = put(alice.signed, bucket, LARGE, {"Content-Type": "image/png"}, name="a.png").json()

    same = copy(alice.signed, bucket, first["hash"].upper(), "b\\b.png")
    other = copy(alice.basic, bucket, first["hash"], "c", mimetype="Text/HTML; charset=utf-8")

    assert (same.status_code, same.json()) == (200, {**first, "filename": "b/b.png", "created": same.json()["created"]})
    assert other.json()["mimetype"] == "text/html"
    assert ask(alice, bucket).json() == [first, same.json(), other.json()]
    delete(alice, bucket, first["hash"], filename="a.png")
    assert get(alice.signed, bucket, first["hash"]).content == LARGE


def test_a_name_that_is_there_is_given_again(alice, bucket, later):
    first = put(alice.signed, bucket, CONTENT, name="a").json()
    later(5)

    again = copy(alice.signed, bucket, first["hash"], "a", mimetype="image/png").json()

    assert ask(alice, bucket).json() == [again]
    assert (again["mimetype"], again["created"] > first["created"]) == ("image/png", True)


def test_the_newest_name_of_content_is_the_one_that_came_last_also_again(alice, bucket, later):
    def send(name, mimetype):
        return put(alice.signed, bucket, CONTENT, {"Content-Type": mimetype}, name=name).json()["hash"]

    for seconds, (name, mimetype) in enumerate([("a.txt", "text/plain"), ("a.bin", "a/b"), ("a.txt", "text/html")]):
        later(seconds)
        file_hash = send(name, mimetype)

    link = alice.nobody.get("/links/" + alice.share(bucket, file_hash), headers={"Accept": "application/json"}).json()
    assert link["filename"] == "a.txt"
    assert copy(alice.signed, bucket, file_hash, "more").json()["mimetype"] == "text/html"


def test_a_name_that_is_given_again_keeps_its_type_whatever_type_the_newest_has(alice, bucket):
    """So that a call whose answer was lost can be made again."""
    first = put(alice.signed, bucket, CONTENT, {"Content-Type": "text/plain"}, name="a.txt").json()
    copy(alice.signed, bucket, first["hash"], "a.bin", mimetype="application/x-bin")

    again = copy(alice.signed, bucket, first["hash"], "a.txt").json()

    assert again["mimetype"] == "text/plain"
    assert [file["mimetype"] for file in ask(alice, bucket).json()] == ["application/x-bin", "text/plain"]


def test_who_may_name_content(alice, bob, bucket):
    file_hash = put(alice.signed, bucket, CONTENT, name="a").json()["hash"]
    guest = stranger(alice.signed.url)
    alice.signed.patch("/buckets/" + bucket, {"pubkeys": [guest.key_pair.get_public_key()]})

    for asker, status in ((alice.basic, 200), (alice.signed, 200), (guest, 200), (bob.signed, 404), (bob.basic, 404)):
        assert copy(asker, bucket, file_hash, "b" if status == 200 else "c").status_code == status
    assert copy(stranger(alice.signed.url), bucket, file_hash, "c").json() == {"error": "Public key not registered"}
    assert copy(alice.nobody, bucket, file_hash, "c").json() == {"error": "No authentication strategy detected"}
    assert listed(alice, bucket) == ["a", "b"]


@pytest.mark.parametrize("fields, status, words", [
    ({"hash": "0" * 40}, 404, "File not found"),
    ({"hash": None}, 400, "File validation failed: hash is not 40 hex digits"),
    ({"hash": 5}, 400, "File validation failed: hash is not 40 hex digits"),
    ({"filename": None}, 400, "File validation failed: filename is missing"),
    ({"filename": ""}, 400, "File validation failed: filename is missing"),
    ({"filename": 5}, 400, "File validation failed: filename is missing"),
    ({"filename": "../a"}, 400, "The file name has an empty part, or one that is . or .."),
    ({"filename": "a\\..\\b"}, 400, "The file name has an empty part, or one that is . or .."),
    ({"filename": "a\x7fb"}, 400, "The file name holds a control character, or one that turns the direction of text"),
    ({"filename": "a\x85b"}, 400, "The file name holds a control character, or one that turns the direction of text"),
    ({"filename": "a\u2067b"}, 400, "The file name holds a control character, or one that turns the direction of text"),
    ({"filename": "a\ud800"}, 400, "The file name holds a control character, or one that turns the direction of text"),
    ({"filename": "\u732b" * 86}, 400, "The file name is longer than 1000 bytes, or a part of it than 255"),
    ({"filename": "/".join(["a" * 250] * 4)}, 400, "The file name is longer than 1000 bytes, or a part of it than 255"),
    ({"filename": "/".join(["a" * 249] * 4)}, 200, None),
    ({"filename": "/".join(["\U0001f431" * 62] * 4) + "a"}, 200, None),
    ({"mimetype": 5}, 400, "File validation failed: mimetype is not a type such as image/png"),
    ({"mimetype": "no type"}, 400, "File validation failed: mimetype is not a type such as image/png"),
])
def test_what_is_no_name_for_content_is_refused_by_what_is_wrong(alice, bucket, fields, status, words):
    file_hash = put(alice.signed, bucket, CONTENT, name="a").json()["hash"]

    answer = alice.signed.post(f"/buckets/{bucket}/files", {"hash": file_hash, "filename": "b", **fields})

    assert (answer.status_code, answer.json().get("error")) == (status, words)


def test_content_of_another_bucket_gets_no_name_here(alice, bucket):
    file_hash = put(alice.signed, alice.bucket(), CONTENT, name="a").json()["hash"]

    assert copy(alice.signed, bucket, file_hash, "a").json() == {"error": "File not found"}


@pytest.mark.parametrize("content", [CONTENT, LARGE, b""])
def test_content_that_is_named_while_it_is_deleted_is_whole_or_gone(alice, bucket, content):
    for _ in range(5):
        file_hash = put(alice.signed, bucket, content, name="a").json()["hash"]
        ways = [lambda asker: copy(asker, bucket, file_hash, "b"),
                lambda asker: asker.delete(f"/buckets/{bucket}/files/{file_hash}?filename=a")]

        race(2, lambda number: ways[number](again(alice)))

        kept = entries(alice, bucket)
        assert kept in ([], [("b", file_hash)])
        if kept:
            assert get(alice.signed, bucket, file_hash).content == content
            delete(alice, bucket, file_hash)
        assert used(alice, bucket)["storage"] == 0


def test_the_name_of_a_form_is_as_long_as_it_may_be_and_found_by_its_prefix(alice, bucket):
    name = "\U0001f431" * 255
    body = multipart(CONTENT, filename=name)
    assert alice.nobody.put(f"/buckets/{bucket}/files", body, alice.token(bucket), len(CONTENT)).status_code == 200

    assert listed(alice, bucket, prefix=name, delimiter="/") == [name]
