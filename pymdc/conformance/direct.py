"""
12. Direct transfers.

A bridge need not have them.  One that says it has them has to take files, and give them, in one request each; what a
client can do without is looked for, and may be missing.
"""

import urllib.parse

from pymdc.keypair import ECDSA

from .files import big_file
from .point import equals, gives, has_status, refused_so, section
from .upload import HASHES, MIB
from .world import fresh_content, fresh_nonce, hash_of, listed, sign, succeed

point = section(12, "Direct transfers", is_there=lambda world: world.is_direct)

TEXT = {"Content-Type": "text/plain"}
ANYTHING = "application/octet-stream"
SPENT = refused_so(401, "Invalid or expired token")
NO_BUCKET = refused_so(404, "Bucket not found")
NOT_REGISTERED = refused_so(401, "Public key not registered")
BAD_SIGNATURE = refused_so(401, "Invalid signature")
BAD_NONCE = refused_so(401, "Invalid nonce supplied")
BAD = has_status(400)


def to(bucket, content, **query) -> str:
    """Return the target of an upload."""
    return f"{bucket}/files?" + urllib.parse.urlencode({"size": len(content), **query}, doseq=True)


def content_of(bucket, file_hash) -> str:
    return f"{bucket}/files/{file_hash}/content"


def store(w, bucket, content, **query) -> str:
    """Upload a file and return where its content is."""
    answer = succeed(w.alice.signed("PUT", to(bucket, content, **query), body=content, headers=TEXT))
    return content_of(bucket, answer["hash"])


def fetch(w, target, asked=None, condition=None):
    """Ask for a file; *asked* is the range, *condition* the If-Range."""
    headers = {} if asked is None else {"Range": asked}
    headers.update({} if condition is None else {"If-Range": condition})
    return w.wire.ask("GET", target, headers={**w.alice.authorization(), **headers})


def whole(content):
    """All of a file."""
    return lambda answer: (answer.status, answer.body) == (200, content)


def part(content, start, end):
    """A part of a file."""
    told = f"bytes {start}-{end - 1}/{len(content)}"

    def matches(answer):
        came = answer.status, answer.headers.get("content-range"), answer.body
        return came == (206, told, content[start:end])
    return matches


@point
def each_answer_says_that_transfers_are_direct(w):
    bucket = w.alice.bucket()
    target = store(w, bucket, w.content)
    answers = [
        w.nobody("HEAD", "/"), w.nobody("GET", "/"), w.nobody("GET", "/nope"), w.nobody("GET", "/keys"),
        w.alice.signed("GET", bucket + "/files"), fetch(w, target), fetch(w, content_of(bucket, "0" * 40)),
    ]

    w.expect([answer.headers.get("x-metadisk") for answer in answers], equals(["direct"] * len(answers)))


# Who asks

@point
def the_owner_stores_and_reads_by_Basic_or_a_signature(w):
    bucket, by_basic = w.alice.bucket(), fresh_content()

    signed = w.alice.signed("PUT", to(bucket, w.content), body=w.content)
    basic = w.wire.ask("PUT", to(bucket, by_basic), by_basic, w.alice.authorization())

    w.expect(signed, gives(200, hash=hash_of(w.content)))
    w.expect(basic, gives(200, hash=hash_of(by_basic)))
    w.expect(w.alice.signed("GET", content_of(bucket, hash_of(by_basic))), whole(by_basic))
    w.expect(w.alice.basic("GET", content_of(bucket, hash_of(w.content))), whole(w.content))


@point
def who_holds_a_key_that_a_bucket_lists_stores_and_reads_registered_or_not(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])

    w.expect(w.wire.send(sign(friend, "PUT", to(bucket, w.content), body=w.content)), gives(200))
    w.expect(w.wire.send(sign(friend, "GET", content_of(bucket, hash_of(w.content)))), whole(w.content))


@point
def nobody_else_stores_or_reads(w):
    bucket, stranger = w.alice.bucket(), ECDSA()
    target, other = store(w, bucket, w.content), fresh_content()
    requests = [("PUT", to(bucket, other), other), ("GET", target, b"")]

    for method, where, body in requests:
        w.expect(w.wire.ask(method, where, body), SPENT)
        w.expect(w.wire.send(sign(stranger, method, where, body=body)), NOT_REGISTERED)
        w.expect(w.bob.signed(method, where, body=body), NO_BUCKET)
        w.expect(w.wire.ask(method, where, body, w.bob.authorization()), NO_BUCKET)
    w.expect([entry["hash"] for entry in w.alice.files(bucket)], equals([hash_of(w.content)]))


@point
def a_direct_transfer_by_a_token_spends_it(w):
    bucket = w.alice.bucket()
    push, pull = ({"x-token": w.alice.token(bucket, operation)} for operation in ("PUSH", "PULL"))
    target = content_of(bucket, hash_of(w.content))

    w.expect(w.wire.ask("PUT", to(bucket, w.content), w.content, push), gives(200, hash=hash_of(w.content)))
    w.expect(w.wire.ask("PUT", to(bucket, w.content), w.content, push), SPENT)
    w.expect(w.wire.ask("GET", target, headers=pull), whole(w.content))
    w.expect(w.wire.ask("GET", target, headers=pull), SPENT)


@point
def a_token_for_something_else_lets_no_direct_transfer_in(w):
    bucket, other = w.alice.bucket(), w.alice.bucket()
    target = store(w, bucket, w.content)

    for token in (w.alice.token(bucket, "PULL"), w.alice.token(other)):
        answer = w.wire.ask("PUT", to(bucket, w.content), w.content, {"x-token": token})
        w.expect(answer, refused_so(401, "Not authorized to store in bucket"))
    for token in (w.alice.token(bucket), w.alice.token(other, "PULL")):
        answer = w.wire.ask("GET", target, headers={"x-token": token})
        w.expect(answer, refused_so(401, "Not authorized to retrieve from bucket"))


@point
def a_token_wins_over_a_signature_and_over_Basic(w):
    bucket, wrong = w.alice.bucket(), {"x-token": "0" * 64}
    target = store(w, bucket, w.content)

    w.expect(w.alice.signed("PUT", to(bucket, w.content), body=w.content, headers=wrong), SPENT)
    w.expect(w.alice.signed("GET", target, headers=wrong), SPENT)
    w.expect(w.wire.ask("GET", target, headers={**w.alice.authorization(), **wrong}), SPENT)


@point
def a_PUT_is_signed_over_its_query(w):
    bucket = w.alice.bucket()
    target, nonce = to(bucket, w.content, name="signed.txt"), fresh_nonce()
    path, _, query = target.partition("?")
    over_body = f"PUT\n{path}\n".encode() + w.content
    over_another = f"PUT\n{path}\n{query}x&__nonce={nonce}".encode()

    for text in (over_body, over_another):
        w.expect(w.alice.signed("PUT", target, body=w.content, nonce=nonce, text=text), BAD_SIGNATURE)
    w.expect(w.alice.signed("PUT", target, body=w.content, nonce=nonce), gives(200, filename="signed.txt"))


@point
def nothing_but_a_file_is_signed_over_the_query_of_a_request_with_a_body(w):
    target = f"/buckets?__nonce={fresh_nonce()}"
    text = target.replace("?", "\n", 1)

    w.expect(w.alice.signed("POST", target, {"name": "unsigned"}, text=f"POST\n{text}".encode()), BAD_SIGNATURE)


@point
def a_signed_transfer_has_a_nonce_and_does_not_pass_twice(w):
    bucket = w.alice.bucket()
    put = w.alice.sign("PUT", to(bucket, w.content), body=w.content)
    get = w.alice.sign("GET", content_of(bucket, hash_of(w.content)))

    for request, done in ((put, gives(200)), (get, whole(w.content))):
        w.expect(w.wire.send(request), done)
        w.expect(w.wire.send(request), BAD_NONCE)
    w.expect(w.alice.signed("PUT", to(bucket, w.content), body=w.content, nonce=None), BAD_NONCE)


# Upload

@point
def a_direct_upload_is_answered_with_the_file(w):
    bucket = w.alice.bucket()
    entry = {"bucket": bucket[9:], "mimetype": "text/html", "filename": "hello.html", "size": len(w.content),
             "hash": hash_of(w.content)}

    answer = w.alice.signed("PUT", to(bucket, w.content, name="hello.html"), body=w.content,
                            headers={"Content-Type": "Text/HTML; charset=utf-8"})

    w.expect(answer, gives(200, **entry))
    w.expect(w.alice.files(bucket), equals([answer.json]))


@point
def a_direct_upload_without_a_name_and_a_type_gets_the_hash_and_octets(w):
    answer = w.wire.ask("PUT", to(w.alice.bucket(), w.content), w.content, w.alice.authorization())

    w.expect(answer, gives(200, filename=hash_of(w.content), mimetype=ANYTHING))


@point
def the_content_of_a_direct_upload_is_its_body_whatever_it_holds(w):
    bucket = w.alice.bucket()

    for content, file_hash in HASHES:
        answer = w.alice.signed("PUT", to(bucket, content), body=content,
                                headers={"Content-Type": "multipart/form-data; boundary=x"})
        w.expect(answer, gives(200, hash=file_hash, size=len(content)))


@point
def a_name_may_be_in_any_script_with_spaces_and_signs(w):
    bucket = w.alice.bucket()

    for name in ("a b.txt", "1+1=2 & more; 50%.txt", "\u65e5\u672c h\u00e9.txt", 'a "b" c.txt'):
        answer = w.alice.signed("PUT", to(bucket, w.content, name=name), body=w.content)
        w.expect(answer, gives(200, filename=name))


@point
def a_name_may_have_folders(w):
    answer = w.alice.signed("PUT", to(w.alice.bucket(), w.content, name="photos/2016/cat.jpg"), body=w.content)

    w.expect_if_there(answer, gives(200, filename="photos/2016/cat.jpg"), gives(200, filename="cat.jpg"))


@point
def a_name_that_could_lead_elsewhere_or_mislead_is_refused(w):
    bucket = w.alice.bucket()
    long = ["a" * 256, "/".join(["a" * 200] * 6)]

    for name in ("/a", "a/", "a//b", "./a", "a/../b", "a\0b", "a\nb", "a\x85b", "a\u202eb", b"\xff", *long):
        w.expect(w.alice.signed("PUT", to(bucket, w.content, name=name), body=w.content), BAD)
    w.expect(w.alice.files(bucket), equals([]))


@point
def size_is_a_whole_number_and_the_length_of_the_body(w):
    bucket = w.alice.bucket()
    length = len(w.content)

    for size in (length - 1, length + 1, 0, -1, f"{length}.0", "3.2e1", "", "many"):
        w.expect(w.alice.signed("PUT", to(bucket, w.content, size=size), body=w.content), BAD)
    chunks = iter([w.content])
    w.expect(w.wire.ask("PUT", to(bucket, w.content), chunks, w.alice.authorization()), BAD)
    w.expect(w.alice.files(bucket), equals([]))


@point
def a_parameter_that_is_given_twice_is_refused(w):
    bucket = w.alice.bucket()

    for name, value in (("size", len(w.content)), ("name", "a"), ("hash", hash_of(w.content))):
        w.expect(w.alice.signed("PUT", to(bucket, w.content, **{name: [value, value]}), body=w.content), BAD)


@point
def what_is_announced_badly_spends_no_token(w):
    bucket = w.alice.bucket()
    token = {"x-token": w.alice.token(bucket)}

    for odd in ({"size": "many"}, {"name": "a//b"}, {"hash": "0"}, {"name": ["a", "a"]}):
        w.expect(w.wire.ask("PUT", to(bucket, w.content, **odd), w.content, token), BAD)
    w.expect(w.wire.ask("PUT", to(bucket, w.content), w.content, token), gives(200))


@point
def a_hash_binds_the_content(w):
    bucket, other = w.alice.bucket(), fresh_content()
    bound = {"hash": hash_of(w.content)}

    wrong = w.alice.signed("PUT", to(bucket, other, **bound), body=other)
    w.expect_if_there(wrong, refused_so(400, "Content does not match the hash"), gives(200, hash=hash_of(other)))
    w.expect(w.alice.files(bucket), equals([]))
    for file_hash in (bound["hash"], bound["hash"].upper()):
        right = w.alice.signed("PUT", to(bucket, w.content, hash=file_hash), body=w.content)
        w.expect(right, gives(200, **bound))


@point
def a_direct_upload_that_breaks_off_is_not_stored(w):
    bucket, content = w.alice.bucket(), fresh_content(6000)

    w.wire.break_off(w.alice.sign("PUT", to(bucket, content), body=content), len(content) // 2)

    store(w, bucket, w.content)
    w.expect([entry["hash"] for entry in w.alice.files(bucket)], equals([hash_of(w.content)]))


@point
def a_direct_upload_that_does_not_fit_into_the_bucket_is_refused(w):
    bucket, content = w.alice.bucket(storage=0.00001), fresh_content(10001)

    answer = w.alice.signed("PUT", to(bucket, content), body=content)

    w.expect(answer, refused_so(413, "Bucket storage exceeded"))


@point
def a_direct_upload_to_an_unknown_bucket_is_not_found(w):
    w.expect(w.alice.signed("PUT", to("/buckets/" + "f" * 24, w.content), body=w.content), NO_BUCKET)


# Download

@point
def a_file_comes_whole_as_octets_with_its_length_and_tag(w):
    bucket = w.alice.bucket()
    answer = fetch(w, store(w, bucket, w.content))
    headers = {"content-type": ANYTHING, "content-length": str(len(w.content)), "etag": f'"{hash_of(w.content)}"',
               "x-content-type-options": "nosniff"}

    w.expect(answer, whole(w.content))
    w.expect({name: answer.headers.get(name) for name in headers}, equals(headers))


@point
def a_file_of_several_shards_comes_whole(w):
    content = big_file()

    w.expect(fetch(w, store(w, w.alice.bucket(), content)), whole(content))


@point
def a_file_is_the_same_whichever_way_it_came_and_goes(w):
    bucket, by_form = w.alice.bucket(), fresh_content()
    store(w, bucket, w.content)
    w.alice.store(bucket, by_form)

    pointer, = w.alice.pointers(bucket, hash_of(w.content))

    w.expect((pointer["hash"], pointer["operation"]), equals((hash_of(w.content), "PULL")))
    w.expect(fetch(w, content_of(bucket, hash_of(by_form))), whole(by_form))


@point
def an_empty_file_comes_whole_whatever_is_asked_for(w):
    target = store(w, w.alice.bucket(), b"")

    for asked in (None, "bytes=0-", "bytes=0-99", "bytes=-1"):
        w.expect(fetch(w, target, asked), whole(b""))


@point
def an_unknown_file_has_no_content(w):
    bucket, other = w.alice.bucket(), w.alice.bucket()
    store(w, other, w.content)

    for file_hash in ("0" * 40, hash_of(w.content)):
        w.expect(fetch(w, content_of(bucket, file_hash)), refused_so(404, "The requested file was not found"))


@point
def one_range_of_a_file_can_be_asked_for(w):
    target, size = store(w, w.alice.bucket(), w.content), len(w.content)
    ranges = [("bytes=0-0", 0, 1), ("bytes=3-5", 3, 6), ("bytes=3-", 3, size), ("bytes=-2", size - 2, size),
              (f"bytes=3-{size}", 3, size), (f"bytes={size - 1}-999999", size - 1, size)]

    for asked, start, end in ranges:
        w.expect_if_there(fetch(w, target, asked), part(w.content, start, end), whole(w.content))


@point
def a_range_reaches_over_shards(w):
    content, border = big_file(), 8 * MIB
    target = store(w, w.alice.bucket(), content)

    for start, end in ((border - 5, border + 5), (0, border), (border, len(content)), (border + 5, border + 9)):
        answer = fetch(w, target, f"bytes={start}-{end - 1}")
        w.expect_if_there(answer, part(content, start, end), whole(content))


@point
def several_ranges_or_what_is_none_stand_for_the_whole(w):
    target, size = store(w, w.alice.bucket(), w.content), len(w.content)

    for asked in ("bytes=0-1,4-5", "bytes=5-2", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-",
                  f"bytes=0-{size - 1}", f"bytes=-{size}", "bytes=-999999"):
        w.expect(fetch(w, target, asked), whole(w.content))


@point
def a_range_behind_the_end_is_refused(w):
    target, size = store(w, w.alice.bucket(), w.content), len(w.content)

    for asked in (f"bytes={size}-", f"bytes={size}-{size}", "bytes=-0"):
        answer = fetch(w, target, asked)
        w.expect_if_there(answer, has_status(416), whole(w.content))
        w.expect(answer.headers.get("content-range"), equals(f"bytes */{size}"))


@point
def a_range_of_another_content_is_the_whole(w):
    target = store(w, w.alice.bucket(), w.content)
    tag = f'"{hash_of(w.content)}"'

    w.expect_if_there(fetch(w, target, "bytes=1-3", tag), part(w.content, 1, 4), whole(w.content))
    for other in (tag[1:-1], "W/" + tag, f'"{"0" * 40}"', "Sat, 01 Oct 2016 00:00:00 GMT"):
        w.expect(fetch(w, target, "bytes=1-3", other), whole(w.content))


@point
def only_what_is_sent_counts_as_transfer(w):
    bucket = w.alice.bucket(transfer=0.00001)  # 10 000 bytes
    content = fresh_content(8000)
    target, exceeded = store(w, bucket, content), refused_so(403, "Bucket transfer exceeded")

    w.expect_if_there(fetch(w, target, "bytes=0-1999"), part(content, 0, 2000), whole(content))
    w.expect(fetch(w, target), whole(content))
    w.expect(fetch(w, target, "bytes=0-0"), exceeded)


@point
def HEAD_of_a_content_spends_no_token(w):
    bucket = w.alice.bucket()
    target, token = store(w, bucket, w.content), {"x-token": w.alice.token(bucket, "PULL")}

    w.expect(w.wire.ask("HEAD", target, headers=token).body, equals(b""))
    w.expect(w.wire.ask("GET", target, headers=token), whole(w.content))


@point
def pointers_need_no_token_of_who_could_ask_for_one(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])
    store(w, bucket, w.content)
    path = f"{bucket}/files/{hash_of(w.content)}"

    for ask in (lambda: w.alice.signed("GET", path), lambda: w.alice.basic("GET", path),
                lambda: w.wire.send(sign(friend, "GET", path))):
        answer = ask()
        w.expect_if_there(answer, gives(200), SPENT)
        w.expect([pointer["hash"] for pointer in listed(answer)], equals([hash_of(w.content)]))
    w.expect(w.bob.signed("GET", path), NO_BUCKET)
