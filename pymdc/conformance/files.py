"""8. Files."""

import re

from .point import empty, equals, gives, has_status, refused, section
from .upload import HASHES, MIB
from .world import fresh_content, hash_of

point = section(8, "Files")

NOT_AUTHORIZED = refused(401, "Not authorized to retrieve from bucket")
MISSING = refused(404, "The requested file was not found")
NO_ROUTE_IN_0_2_2 = has_status(404)


def big_file():
    """Content of two shards, which differ."""
    return fresh_content(8 * MIB) + fresh_content(MIB)


@point
def files_are_listed_as_their_uploads_were_answered(w):
    bucket = w.alice.bucket()

    w.expect(w.alice.files(bucket), equals([]))
    entries = [w.alice.put(bucket, content).json for content in (fresh_content(), fresh_content())]
    w.expect(sorted(w.alice.files(bucket), key=lambda entry: entries.index(entry)), equals(entries))


@point
def pointers_tell_where_each_shard_is(w):
    bucket = w.alice.bucket()

    pointer, = w.alice.pointers(bucket, w.alice.store(bucket, w.content))

    w.expect((pointer["hash"], pointer["operation"]), equals((hash_of(w.content), "PULL")))
    w.expect(bool(re.fullmatch("[0-9a-f]{40}", pointer["token"])), equals(True))
    w.expect(bool(re.match("wss?://", pointer["channel"])), equals(True))


@point
def pointers_tell_size_and_url_too(w):
    bucket = w.alice.bucket()

    pointer, = w.alice.pointers(bucket, w.alice.store(bucket, w.content))

    w.expect(pointer.get("size"), equals(len(w.content)), equals(None))
    w.expect(pointer.get("url"), lambda url: url is not None, equals(None))


@point
def a_file_is_cut_into_shards_of_8_MiB(w):
    bucket, content = w.alice.bucket(), big_file()

    pointers = w.alice.pointers(bucket, w.alice.store(bucket, content))

    w.expect([pointer["hash"] for pointer in pointers],
             equals([hash_of(content[:8 * MIB]), hash_of(content[8 * MIB:])]),
             lambda hashes: len(hashes) == 2 and hashes == list(dict.fromkeys(hashes)))


@point
def an_empty_file_has_no_shards(w):
    bucket = w.alice.bucket()
    w.alice.store(bucket, b"")

    w.expect(w.alice.pointers(bucket, HASHES[0][1]), equals([]))


@point
def a_token_for_something_else_retrieves_nothing(w):
    bucket, other = w.alice.bucket(), w.alice.bucket()
    file_hash = w.alice.store(bucket)

    w.expect(w.alice.ask_pointers(bucket, file_hash, w.alice.token(bucket)), NOT_AUTHORIZED)
    w.expect(w.alice.ask_pointers(bucket, file_hash, w.alice.token(other, "PULL")), NOT_AUTHORIZED)


@point
def a_signature_is_no_token_but_where_transfers_are_direct(w):
    bucket = w.alice.bucket()

    answer = w.alice.signed("GET", f"{bucket}/files/{'0' * 40}")

    w.expect(answer, MISSING if w.is_direct else refused(401, "Invalid or expired token"))


@point
def an_unknown_file_has_no_pointers(w):
    bucket, other = w.alice.bucket(), w.alice.bucket()
    elsewhere = w.alice.store(other)

    for file_hash in ("0" * 40, elsewhere, elsewhere.upper()):
        w.expect(w.alice.ask_pointers(bucket, file_hash), MISSING)


@point
def a_bucket_hands_out_no_more_than_its_transfer(w):
    bucket = w.alice.bucket(transfer=0.00001)  # 10 000 bytes
    file_hash = w.alice.store(bucket, fresh_content(10001))

    w.expect(w.alice.ask_pointers(bucket, file_hash), refused(403, "Bucket transfer exceeded"), gives(200))


@point
def a_deleted_file_is_gone(w):
    bucket = w.alice.bucket()
    file_hash = w.alice.store(bucket)
    path = f"{bucket}/files/{file_hash}"

    w.expect(w.alice.signed("DELETE", path), empty(204), NO_ROUTE_IN_0_2_2)
    w.expect(w.alice.signed("DELETE", path), refused(404, "File not found"), NO_ROUTE_IN_0_2_2)
    w.expect(w.alice.files(bucket), equals([]), lambda entries: bool(w.old))
    w.expect(w.alice.ask_pointers(bucket, file_hash), MISSING, lambda answer: bool(w.old))


@point
def a_file_that_is_deleted_in_one_bucket_stays_in_another(w):
    here, there = w.alice.bucket(), w.alice.bucket()
    file_hash = [w.alice.store(bucket, w.content) for bucket in (here, there)][0]
    both_uploads_in_2016 = equals([file_hash, file_hash])

    w.alice.signed("DELETE", f"{here}/files/{file_hash}")

    w.expect([entry["hash"] for entry in w.alice.files(there)], equals([file_hash]))
    w.expect([pointer["hash"] for pointer in w.alice.pointers(there, file_hash)], equals([file_hash]),
             both_uploads_in_2016)


@point
def a_deleted_file_can_be_stored_again(w):
    bucket = w.alice.bucket()
    file_hash = w.alice.store(bucket, w.content)
    w.alice.signed("DELETE", f"{bucket}/files/{file_hash}")

    w.expect(w.alice.put(bucket, w.content), gives(200, hash=file_hash))
