"""7. Upload."""

from .point import empty, equals, gives, has_status, refused, section, silence
from .wire import BOUNDARY, form, part
from .world import fresh_content, hash_of

point = section(7, "Upload")

MIB = 1024 * 1024
HASHES = [
    (b"", "ba084d3f143f2896809d3f1d7dffed472b39d8de"),
    (b"A", "de1656444c5740826a990b08167b23750c8aa873"),
    (b"Hello Metadisk!\n", "699a5b82e7bb7f9cbf696e47574d03dd71c17af8"),
    (b"x" * 1000, "af109e7f227dea55963a68432f6c53efa5be533e"),
    (bytes(range(256)) * 256, "699ede56034dcd40f245fe0634044794595c7105"),
]
NO_SIZE = refused(400, "Missing or invalid x-filesize header sent")
TOO_MUCH = refused(400, "File size exceeds declared size")
TOO_LITTLE = refused(400, "File does not match the declared size")
NOT_AUTHORIZED = refused(401, "Not authorized to store in bucket")


def stored(w, *parts, **options):
    """Upload a form whose file is the content of the point at hand, and return the answer."""
    return w.alice.put(w.alice.bucket(), w.content, form(*parts), **options)


@point
def an_upload_is_answered_with_the_file(w):
    bucket = w.alice.bucket()
    body = form(part(w.content, "data", "hello.txt", "text/plain"))
    entry = {"bucket": bucket[9:], "mimetype": "text/plain", "filename": "hello.txt", "size": len(w.content),
             "hash": hash_of(w.content)}

    w.expect(w.alice.put(bucket, w.content, body), gives(200, **entry))


@point
def the_hash_is_as_recorded(w):
    bucket = w.alice.bucket()

    for content, file_hash in HASHES:
        w.expect(w.alice.put(bucket, content), gives(200, hash=file_hash, size=len(content)))


@point
def the_field_may_have_any_name(w):
    for name in ("file", "upload", ""):
        w.expect(stored(w, part(w.content, name, "hello.txt")), gives(200, filename="hello.txt"))


@point
def fields_before_and_after_the_file_are_ignored(w):
    before = [part(b"1458599821.24", "__nonce"), part(b"f" * 24, "id")]

    w.expect(stored(w, *before, part(w.content, filename="hello.txt")), gives(200, hash=hash_of(w.content)))
    w.expect(stored(w, part(w.content, filename="hello.txt"), *before), gives(200, hash=hash_of(w.content)))


@point
def of_two_files_the_first_counts(w):
    first, second = part(w.content, "one", "one.txt"), part(fresh_content(), "two", "two.txt")

    w.expect(stored(w, first, second), gives(200, filename="one.txt", hash=hash_of(w.content)))


@point
def the_name_is_cut_to_its_base(w):
    for path in ("/home/alice/hello.txt", "../hello.txt", r"C:\Users\alice\hello.txt"):
        w.expect(stored(w, part(w.content, filename=path)), gives(200, filename="hello.txt"))


@point
def the_name_may_be_in_any_script(w):
    name = "\u65e5\u672c h\u00e9.txt"

    w.expect(stored(w, part(w.content, filename=name)), gives(200, filename=name))


@point
def a_quote_in_the_name_is_escaped(w):
    w.expect(stored(w, part(w.content, filename=r'a \"b\" c.txt')), gives(200, filename='a "b" c.txt'))


@point
def an_empty_name_becomes_the_hash(w):
    w.expect(stored(w, part(w.content, filename="")), gives(200, filename=hash_of(w.content)))


@point
def the_type_is_kept_without_parameters(w):
    for given, kept in ((None, "text/plain"), ("image/jpeg", "image/jpeg"), ("text/html; charset=utf-8", "text/html")):
        w.expect(stored(w, part(w.content, filename="hello", mimetype=given)), gives(200, mimetype=kept))


@point
def the_type_is_kept_in_lower_case(w):
    photo = part(w.content, filename="hello", mimetype="Image/JPEG")

    w.expect(stored(w, photo, patience=w.short), gives(200, mimetype="image/jpeg"), silence)


@point
def the_same_content_is_one_entry_for_each_name_with_the_newest_type(w):
    bucket = w.alice.bucket()
    for name, kind in (("old.txt", "text/plain"), ("new.png", "text/html"), ("new.png", "image/png")):
        w.alice.put(bucket, w.content, form(part(w.content, "data", name, kind)))

    entries = [(entry["filename"], entry["mimetype"]) for entry in w.alice.files(bucket)]

    newest = ("new.png", "image/png")
    w.expect(sorted(entries), equals([newest, ("old.txt", "text/plain")]), equals([newest]))


@point
def the_same_content_may_lie_in_two_buckets(w):
    for bucket in (w.alice.bucket(), w.alice.bucket()):
        w.expect(w.alice.put(bucket, w.content), gives(200, bucket=bucket[9:]))


@point
def a_body_may_come_in_chunks(w):
    bucket = w.alice.bucket()
    request = w.alice.upload(bucket, w.content)

    answer = w.wire.ask("PUT", request.target, iter([request.body[:20], request.body[20:]]), request.headers)

    w.expect(answer, gives(200, hash=hash_of(w.content)))


@point
def a_client_may_wait_to_be_told_to_go_on(w):
    request = w.alice.upload(w.alice.bucket(), w.content)

    answer = w.wire.ask("PUT", request.target, request.body, {**request.headers, "Expect": "100-continue"})

    w.expect(answer, gives(200, hash=hash_of(w.content)))


@point
def the_size_must_be_declared(w):
    bucket = w.alice.bucket()

    for size in (None, "many"):
        w.expect(w.alice.put(bucket, w.content, size=size), NO_SIZE)


@point
def a_declared_size_is_a_number_that_is_not_negative(w):
    w.expect(w.alice.put(w.alice.bucket(), w.content, size=-1), NO_SIZE, TOO_MUCH, *TOO_MUCH.old)


@point
def more_or_less_than_declared_is_refused_and_not_stored(w):
    bucket = w.alice.bucket()

    w.expect(w.alice.put(bucket, w.content, size=3), TOO_MUCH)
    w.expect(w.alice.put(bucket, w.content, size=0), TOO_MUCH)
    w.expect(w.alice.put(bucket, w.content, size=1000), TOO_LITTLE)
    w.expect(w.alice.files(bucket), equals([]))


@point
def an_upload_to_an_unknown_bucket_is_not_found(w):
    token = w.alice.token(w.alice.bucket())

    w.expect(w.alice.put("/buckets/" + "f" * 24, w.content, token=token), refused(404, "Bucket not found"))


@point
def a_token_for_something_else_stores_nothing(w):
    bucket, other = w.alice.bucket(), w.alice.bucket()

    w.expect(w.alice.put(bucket, w.content, token=w.alice.token(bucket, "PULL")), NOT_AUTHORIZED)
    w.expect(w.alice.put(bucket, w.content, token=w.alice.token(other)), NOT_AUTHORIZED)


@point
def the_token_is_checked_before_the_size_and_the_size_before_the_bucket(w):
    token = w.alice.token(w.alice.bucket())

    w.expect(w.alice.put(w.alice.bucket(), token="0" * 64, size="many"), refused(401, "Invalid or expired token"))
    w.expect(w.alice.put("/buckets/" + "f" * 24, token=token, size="many"), NO_SIZE)


@point
def a_part_without_a_filename_is_no_file(w):
    bucket = w.alice.bucket()
    body = form(part(w.content, "data"))

    answer = w.alice.put(bucket, w.content, body, patience=w.short)

    w.expect(answer, refused(400, "No file in the request"), silence)


@point
def a_body_that_is_no_form_is_refused(w):
    bucket = w.alice.bucket()
    request = w.alice.upload(bucket, w.content)
    headers = {**request.headers, "Content-Type": "application/json"}

    w.expect(w.wire.ask("PUT", request.target, w.content, headers, w.short), has_status(400), silence)


@point
def a_form_that_ends_early_is_refused_and_not_stored(w):
    bucket = w.alice.bucket()
    body = part(w.content, filename="hello.txt")

    answer = w.alice.put(bucket, w.content, body, patience=w.short)

    w.expect(answer, refused(400, "Unexpected end of multipart data"), silence)
    w.expect(w.alice.files(bucket), equals([]))


@point
def an_upload_that_breaks_off_is_not_stored(w):
    bucket = w.alice.bucket()
    request = w.alice.upload(bucket, fresh_content(6000))

    w.wire.break_off(request, len(request.body) // 2)

    w.expect(w.alice.put(bucket, w.content), gives(200))
    w.expect([entry["hash"] for entry in w.alice.files(bucket)], equals([hash_of(w.content)]))


@point
def what_does_not_fit_into_the_bucket_is_refused(w):
    bucket = w.alice.bucket(storage=0.00001)  # 10 000 bytes

    w.expect(w.alice.put(bucket, fresh_content(10001)), refused(413, "Bucket storage exceeded"), gives(200))


@point
def a_boundary_that_is_nearly_in_the_content_is_content(w):
    content = w.content + b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n--\r\n"

    w.expect(w.alice.put(w.alice.bucket(), content), gives(200, hash=hash_of(content)))


@point
def an_empty_file_is_stored(w):
    bucket = w.alice.bucket()

    w.expect(w.alice.put(bucket, b""), gives(200, size=0, hash=HASHES[0][1]))
    w.expect(w.alice.files(bucket)[0]["size"], equals(0))
    w.expect(w.alice.signed("DELETE", f"{bucket}/files/{HASHES[0][1]}"), empty(204), has_status(404))
