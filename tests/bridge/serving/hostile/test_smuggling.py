"""One request hidden in another."""

import json
import uuid

import raw
from siege import LEASES, PASSWORD, assert_refused, cases


def hidden():
    """Return a request that needs nobody's permission, and is seen when it was obeyed."""
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    return raw.request("POST", "/users", body=json.dumps(fields).encode())


def carrier(*headers, target="/users", body=b""):
    """Return a refused request with these header lines, as they are."""
    return b"\r\n".join([f"POST {target} HTTP/1.1".encode(), b"Host: x", *headers]) + b"\r\n\r\n" + body


EMPTY = b"0\r\n\r\n"
TE, CL = b"Transfer-Encoding: chunked", b"Content-Length: "
# What is sent, with a hidden request put in for each {}, and the statuses of the answers.
SMUGGLING = {
    "CL.TE": [carrier(CL + b"6", TE, body=EMPTY + b"G{}"), [400]],
    "CL.TE, all of it announced": [carrier(CL + b"500", TE, body=EMPTY + b"{}"), [400]],
    "TE.CL": [carrier(TE, CL + b"4", body=b"5\r\nabcde\r\n0\r\n\r\n{}"), [400]],
    "TE.CL, no length": [carrier(TE, CL + b"0", body=EMPTY + b"{}"), [400]],
    "two lengths": [carrier(CL + b"0", CL + b"400", body=b"{}"), [400]],
    "two equal lengths": [carrier(CL + b"2", CL + b"2", body=b"[]{}"), [400]],
    "a list of lengths": [carrier(CL + b"0, 0", body=b"{}"), [400]],
    "TE.TE, second unknown": [carrier(TE, b"Transfer-Encoding: x", body=EMPTY + b"{}"), [400]],
    "TE.TE, first unknown": [carrier(b"Transfer-Encoding: x", CL + b"5", TE, body=EMPTY + b"{}"), [400]],
    "TE xchunked": [carrier(b"Transfer-Encoding: xchunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE identity": [carrier(b"Transfer-Encoding: identity", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE identity alone": [carrier(b"Transfer-Encoding: identity", body=EMPTY + b"{}"), [400]],
    "TE chunked, identity": [carrier(b"Transfer-Encoding: chunked, identity", body=EMPTY + b"{}"), [400]],
    "TE chunked, chunked": [carrier(b"Transfer-Encoding: chunked, chunked", body=EMPTY + b"{}"), [400]],
    "TE gzip": [carrier(b"Transfer-Encoding: gzip", body=EMPTY + b"{}"), [400]],
    "TE empty": [carrier(b"Transfer-Encoding:", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE quoted": [carrier(b'Transfer-Encoding: "chunked"', CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with a vertical tab": [carrier(b"Transfer-Encoding: \x0bchunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with a NUL": [carrier(b"Transfer-Encoding: chunked\0", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with an underscore": [carrier(b"Transfer_Encoding: chunked", CL + b"5", body=EMPTY), [400]],
    "TE folded": [carrier(b"Transfer-Encoding:\r\n chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "space before the colon": [carrier(b"Transfer-Encoding : chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "space before the colon of a length": [carrier(b"Content-Length : 5", body=b"12345{}"), [400]],
    "space before a name": [carrier(b" Transfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "folded header": [carrier(b"X: y\r\n z", CL + b"0", body=b""), [400]],
    "a bare CR in a header": [carrier(b"X: y\rTransfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "a bare LF in a header": [carrier(b"X: y\nTransfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "a bare CR behind the headers": [carrier(CL + b"0").replace(b"\r\n\r\n", b"\r\r") + b"{}", [400]],
    "only LF": [carrier(CL + b"0").replace(b"\r\n", b"\n"), [400]],
    "a header without a colon": [carrier(b"nonsense", CL + b"0", body=b"{}"), [400]],
    "a header without a name": [carrier(b": x", CL + b"0", body=b"{}"), [400]],
    "NUL in a name": [carrier(b"X\0Y: z", CL + b"0", body=b"{}"), [400]],
    "in a body": [carrier(CL + b"%d", body=b"{}"), [400]],
    "in a chunk": [carrier(TE, body=b"%x\r\n{}\r\n0\r\n\r\n"), [400]],
    "behind a chunk's CR": [carrier(TE, body=b"1;\r{}\r\na\r\n0\r\n\r\n"), [400]],
    "behind the body of a GET": [
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{}", [200]],
    "behind an upgrade with a body": [
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n{}", [400]],
    "behind an upgrade to h2c": [
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{}", [200]],
    "behind CONNECT": [b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n{}", [400]],
    "behind a close": [b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n{}", [200]],
    "behind HTTP/1.0": [b"GET /health HTTP/1.0\r\n\r\n{}", [200]],
    "behind HTTP/0.9": [b"GET /health\r\n\r\n{}", [200]],
    "in the target": [b"GET /health?\r\n{} HTTP/1.1\r\n\r\n", [400]],
    "an absolute target": [b"GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n", [200]],
    "an absolute target without a path": [b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a target of another server": [b"GET ftp://x/nope HTTP/1.1\r\nHost: x\r\n\r\n", [404]],
    "an authority as target": [b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "an asterisk as target": [b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", [404]],
    "a target without a slash": [b"GET health HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a fragment": [b"GET /health#x HTTP/1.1\r\nHost: x\r\n\r\n", [200]],
    "a target of spaces": [b"GET   HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a version that is none": [b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", [400]],
    "another protocol": [b"GET /health RTSP/1.0\r\nHost: x\r\n\r\n", [200]],
    "HTTP/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [400]],
    "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, [400]],
    "SSH": [b"SSH-2.0-OpenSSH_9.0\r\n", [400]],
    "NULs": [b"\0" * 1000, [400]],
    "an unknown method": [b"HACK / HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a method in small letters": [b"get /health HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "an overlong method": [b"G" * 100000, [400]],
    "two requests": [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /keys HTTP/1.1\r\nHost: x\r\n\r\n", [200, 401]],
    "two requests with an empty line between": [
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\nGET /keys HTTP/1.1\r\nHost: x\r\n\r\n", [200, 401]],
    "100 requests": [b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n" * 100, [404] * 100],
    "garbage behind a request": [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\0\1\2 {}", [200]],
}


@cases("data, statuses", SMUGGLING)
def test_no_request_is_hidden_in_another(world, data, statuses):
    second, before = hidden(), world.state(besides=LEASES)
    data = data.replace(b"%d", b"%d" % len(second)).replace(b"%x", b"%x" % len(second)).replace(b"{}", second)

    answers = world.ask(data, len(statuses))

    assert [answer.status for answer in answers] == statuses
    for answer in answers:
        if answer.status >= 400:
            assert_refused(answer)
    assert world.state(besides=LEASES) == before


def test_a_request_that_was_obeyed_is_answered_whatever_follows(world):
    before = len(world.state()["accounts"])
    with raw.Connection(world.url) as connection:
        connection.send(hidden() + b"\0garbage\r\n\r\n")  # at once, so that the request is not answered before
        answers = connection.answers()
    world.statuses += [200]

    assert [answer.status for answer in answers] == [200]
    assert len(world.state()["accounts"]) == before + 1


def test_a_token_hidden_in_a_body_is_not_spent(world):
    target, token = f"/buckets/{world.alice.bucket}/files/{world.alice.file}", world.alice.token("PULL")
    spending = raw.request("GET", target, {"x-token": token})

    for headers in ([CL + b"5", TE], [b"Transfer-Encoding : chunked", CL + b"5"], [CL + b"%d" % len(EMPTY + spending)]):
        answer, = world.ask(carrier(*headers, body=EMPTY + spending))
        assert_refused(answer, 400)

    answer, = world.ask(spending)
    assert answer.status == 200
