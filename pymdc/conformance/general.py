"""1. General."""

from .point import empty, equals, gives, has_status, refused, section
from .world import sign, succeed

point = section(1, "General")

ORIGIN = {"Origin": "https://app.example"}


@point
def the_root_describes_the_API(w):
    description = w.nobody("GET", "/")

    w.expect(description, gives(200))
    w.expect(sorted({"title", "version"} - set(description["info"])), equals([]))


@point
def an_answer_says_that_it_is_JSON(w):
    answer = w.alice.basic("GET", "/keys")

    w.expect(answer.headers.get("content-type", "").replace(" ", "").lower(), equals("application/json;charset=utf-8"))


@point
def a_refusal_is_a_JSON_object_with_the_text_as_error(w):
    refusal = w.nobody("GET", "/keys")

    w.expect(refusal.headers.get("content-type", ""), lambda kind: kind.startswith("application/json"))
    w.expect(refusal, lambda answer: answer.error is not None)


@point
def an_unknown_route_is_not_found(w):
    w.expect(w.nobody("GET", "/nope"), refused(404, "Not found"), has_status(404))


@point
def a_method_that_a_path_does_not_have_is_refused(w):
    answer = w.nobody("PUT", "/keys")

    w.expect(answer, refused(405, ""), has_status(404))
    w.expect(answer.headers.get("allow"), lambda methods: "GET" in (methods or ""), equals(None))


@point
def each_answer_has_an_id(w):
    ids = [succeed(w.nobody("GET", "/")).headers.get("x-request-id") for _ in range(2)]

    w.expect(ids, lambda ids: None not in ids and ids[0] != ids[1], equals([None, None]))


@point
def a_body_is_JSON_whatever_its_type(w):
    typed = {"Content-Type": "text/plain"}

    w.expect(w.alice.signed("POST", "/buckets", {"name": "typed"}, headers=typed), gives(200, name="typed"))


@point
def a_body_that_is_no_JSON_is_refused(w):
    broken = w.wire.ask("POST", "/users", b"{not")

    w.expect(broken, refused(400, "Body is not valid JSON"), has_status(500))


@point
def unknown_fields_are_ignored(w):
    answer = w.alice.signed("POST", "/buckets", {"name": "known", "colour": "blue", "id": "f" * 24})

    w.expect(answer, gives(200, name="known"))
    w.expect("colour" in answer.json or answer["id"] == "f" * 24, equals(False))


@point
def a_trailing_slash_is_served_and_signed_as_sent(w):
    w.expect(w.alice.signed("GET", "/keys/"), gives(200))
    w.expect(w.alice.signed("POST", "/buckets/", {"name": "slash"}), gives(200, name="slash"))


@point
def OPTIONS_is_answered_for_every_origin(w):
    answer = w.nobody("OPTIONS", "/buckets", headers=ORIGIN)

    w.expect(answer, empty(204))
    w.expect(answer.headers.get("access-control-allow-origin"), equals(ORIGIN["Origin"]), equals("*"))


@point
def the_origin_is_echoed(w):
    answer = w.alice.basic("GET", "/keys")
    crossing = w.wire.send(sign(w.alice.pair, "GET", "/keys", headers=ORIGIN))

    w.expect(answer, gives(200))
    w.expect(crossing.headers.get("access-control-allow-origin"), equals(ORIGIN["Origin"]), equals("*"))


@point
def no_credentials_of_a_browser_are_asked_for(w):
    refusal = w.nobody("GET", "/keys", headers=ORIGIN)

    w.expect(refusal, lambda answer: answer.error is not None)
    w.expect(refusal.headers.get("access-control-allow-credentials"), equals(None), equals("true"))
    w.expect(refusal.headers.get("www-authenticate"), equals(None), lambda header: header is not None)


@point
def HEAD_of_the_root_has_no_body(w):
    w.expect(w.nobody("HEAD", "/"), empty(200))


@point
def HEAD_spends_no_token(w):
    bucket = w.alice.bucket()
    file_hash, token = w.alice.store(bucket), w.alice.token(bucket, "PULL")

    head = w.wire.ask("HEAD", f"{bucket}/files/{file_hash}", headers={"x-token": token})

    w.expect(head, empty(405), empty(200), empty(404), empty(500))
    w.expect(w.alice.ask_pointers(bucket, file_hash, token), gives(200), refused(500, "Invalid or expired token"))
