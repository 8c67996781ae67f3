"""What a bridge can do otherwise than the protocol says: faults, and the rules that they break."""

import contextlib
import http.client
import http.server
import json
import re
import threading

from pymdc.conformance.point import AS_IN_2016, NOT_THERE, OTHERWISE
from wire import hash_of


class Given:
    """What a faulty bridge gives in answer to one request; a fault changes it."""

    def __init__(self, method, target, headers, sent, status, answered, body):
        self.method, self.target, self.headers, self.sent = method, target, headers, sent
        self.status, self.answered, self.body = status, answered, body

    def change(self, **fields):
        self.body = json.dumps({**json.loads(self.body), **fields}).encode()

    def lose(self, name):
        self.answered = {given: value for given, value in self.answered.items() if given.lower() != name}

    def replace(self, other):
        self.status, self.body = other.status, other.body


@contextlib.contextmanager
def faulty(bridge, fault, strips=()):
    """
    Stand before a bridge, and let a fault change its answers; yield the URL.

    :param strips: the headers, in lower case, that the bridge does not get to see.
    """
    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self):
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self.pass_on()
            self.close_connection = True

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(bridge.url.split("//")[1], timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in strips}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            answered, content = dict(answer.headers), answer.read()
            given = Given(self.command, self.path, self.headers, body, answer.status, answered, content)
            connection.close()
            fault(given)
            if given.status is not None:
                self.answer(given)

        def answer(self, given):
            self.send_response_only(given.status)
            for name, value in given.answered.items():
                if name.lower() not in ("content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def remembers(header):
    """Answer a request that carries the same header again as it was answered first."""
    first = {}

    def answers_as_before(given):
        if header in given.headers:
            given.replace(first.setdefault(given.headers[header], given))
    return answers_as_before


def hash_is_wrong(given):
    if given.method == "PUT" and given.status == 200:
        given.change(hash="0" * 40)


def error_is_no_json(given):
    if given.status >= 400:
        given.body = b"<h1>No</h1>"
        given.answered["content-type"] = "text/html"


def error_is_500(given):
    given.status = 500 if given.status >= 400 else given.status


def error_is_200(given):
    given.status = 200 if given.status >= 400 else given.status


def words_are_others(given):
    if given.status >= 400:
        given.change(error="No")


def token_is_for_ever(given):
    if given.target.endswith("/tokens") and given.status == 200:
        given.change(expires="2100-01-01T00:00:00.000Z")


def shards_are_in_disorder(given):
    if given.method == "GET" and "/files/" in given.target and given.status == 200:
        given.body = json.dumps(json.loads(given.body)[::-1]).encode()


def deletion_is_talkative(given):
    if given.status == 204 and given.method == "DELETE":
        given.status, given.body = 200, b"{}"


def origin_is_not_echoed(given):
    given.answered.pop("access-control-allow-origin", None)


def nothing_is_said(given):
    if given.headers.get("x-filesize") == "3":
        given.status = None


def signature_has_no_r(given):
    if given.headers.get("x-signature") == "zz":
        given.status, given.body = 500, b'{"error": "Signature without r or s"}'


def pointers_are(pointers):
    def pointers_are_others(given):
        if given.method == "GET" and "/files/" in given.target and given.status == 200:
            given.body = json.dumps(pointers).encode()
    return pointers_are_others


def transfers_are_not_direct(given):
    given.lose("x-metadisk")


def no_refusal_says_that_transfers_are_direct(given):
    if given.status >= 400:
        given.lose("x-metadisk")


def only_what_is_asked_first_says_that_transfers_are_direct(given):
    if given.target != "/":
        given.lose("x-metadisk")


def range_ends_early(given):
    given.body = given.body[:-1] if given.status == 206 else given.body


def range_is_not_told(given):
    if given.status == 206:
        given.lose("content-range")


def range_comes_as_the_whole(given):
    given.status = 200 if given.status == 206 else given.status


def behind_the_end_is_nothing(given):
    if given.status == 416:
        given.status, given.body = 206, b""


def file_has_no_tag(given):
    given.lose("etag")


def file_is_a_page(given):
    if given.target.endswith("/content"):
        given.answered["content-type"] = "text/html"


def content_is_not_bound(given):
    if b"does not match the hash" in given.body:
        given.status, given.body = 200, json.dumps({"hash": hash_of(given.sent)}).encode()


def folders_are_cut_off(given):
    if given.method == "PUT" and given.status == 200:
        given.change(filename=json.loads(given.body)["filename"].rpartition("/")[2])


def folders_are_dashes(given):
    if given.method == "PUT" and given.status == 200:
        given.change(filename=json.loads(given.body)["filename"].replace("/", "-"))


def pointers_need_a_token(given):
    if "/files/" in given.target and "x-token" not in given.headers:
        given.status, given.body = 401, b'{"error": "Invalid or expired token"}'


def lists_are_in_disorder(given):
    """Order names as if they were without case and signs, as databases do where nobody has told them."""
    if given.method == "GET" and "/files?" in given.target and given.status == 200:
        listed = json.loads(given.body)
        listed.sort(key=lambda item: re.sub("_", "", item.get("filename") or item["prefix"]))
        given.body = json.dumps(listed).encode()


def lists_have_one_item(given):
    if given.method == "GET" and given.target.partition("?")[0].endswith("/files"):
        given.body = json.dumps(json.loads(given.body)[:1]).encode()


def nothing_leads_on(given):
    given.lose("x-next")


def nothing_is_told_of(field):
    def loses_it(given):
        if given.status == 200 and given.body[:1] in (b"{", b"["):
            given.body = json.dumps(json.loads(given.body)).encode()
            given.body = re.sub(rb', "%b": ("[^"]*"|{[^}]*})' % field.encode(), b"", given.body)
    return loses_it


def no_name_is_given(given):
    if given.method == "POST" and given.target.endswith("/files"):
        given.status, given.body = 404, b"<h1>No</h1>"


def nothing_wrong(given):
    """Let it be as it is."""


LOST = {"error": "Failed to load the shard contracts"}

FAULTS = [
    (remembers("x-token"), "a token works once", OTHERWISE, "200 "),
    (remembers("x-token"), "a refused request spends its token too", OTHERWISE, "Missing or invalid x-filesize"),
    (remembers("x-signature"), "the same request does not pass twice", AS_IN_2016, "200 "),
    (hash_is_wrong, "the hash is as recorded", OTHERWISE, "0" * 40),
    (error_is_no_json, "a refusal is a JSON object with the text as error", OTHERWISE, "text/html"),
    (error_is_no_json, "a wrong password is refused", OTHERWISE, "401 <h1>No</h1>"),
    (error_is_500, "a wrong password is refused", AS_IN_2016, "Invalid email or password"),
    (error_is_200, "a key belongs to one account", OTHERWISE, "200 "),
    (error_is_200, "the key of another account cannot be deleted", OTHERWISE, "200 "),
    (words_are_others, "a wrong password is refused", OTHERWISE, '401 {"error": "No"}'),
    (token_is_for_ever, "a token lives five minutes", OTHERWISE, ""),
    (shards_are_in_disorder, "the shards in their order are the file", OTHERWISE, ""),
    (deletion_is_talkative, "a deleted bucket is gone with its files", OTHERWISE, "200 {}"),
    (origin_is_not_echoed, "the origin is echoed", OTHERWISE, "None"),
    (nothing_is_said, "more or less than declared is refused and not stored", OTHERWISE, "no answer"),
    (signature_has_no_r, "a signature that is not hex is refused", AS_IN_2016, "Signature without r or s"),
    (pointers_are(LOST), "pointers tell size and url too", OTHERWISE, LOST["error"]),
    (pointers_are(LOST), "a shard comes over HTTP where a pointer has a url", OTHERWISE, LOST["error"]),
    (pointers_are(["text"]), "a shard comes over HTTP where a pointer has a url", OTHERWISE, '200 ["text"]'),
    (pointers_are([{}]), "a shard can be asked for again", OTHERWISE, "KeyError"),
    (pointers_are([{"hash": 5}]), "pointers tell where each shard is", OTHERWISE, "KeyError"),
    (pointers_are(None), "pointers tell where each shard is", OTHERWISE, "200 null"),
]


# Of direct transfers.
FAULTS += [
    (only_what_is_asked_first_says_that_transfers_are_direct, "each answer says that transfers are direct", OTHERWISE,
     "['direct', 'direct', None"),
    (no_refusal_says_that_transfers_are_direct, "each answer says that transfers are direct", OTHERWISE, "None"),
    (transfers_are_not_direct, "each answer says that transfers are direct", NOT_THERE, ""),
    (remembers("x-token"), "a direct transfer by a token spends it", OTHERWISE, "200 "),
    (remembers("x-token"), "what is announced badly spends no token", OTHERWISE, "400 "),
    (remembers("x-signature"), "a signed transfer has a nonce and does not pass twice", OTHERWISE, "200 "),
    (error_is_200, "nobody else stores or reads", OTHERWISE, "200 "),
    (error_is_200, "size is a whole number and the length of the body", OTHERWISE, "200 "),
    (error_is_200, "a hash binds the content", OTHERWISE, "200 "),
    (error_is_500, "a PUT is signed over its query", OTHERWISE, "500 "),
    (hash_is_wrong, "a direct upload is answered with the file", OTHERWISE, "0" * 40),
    (folders_are_dashes, "a name may have folders", OTHERWISE, "photos-2016-cat.jpg"),
    (range_ends_early, "one range of a file can be asked for", OTHERWISE, "206"),
    (range_is_not_told, "one range of a file can be asked for", OTHERWISE, "206 "),
    (range_comes_as_the_whole, "one range of a file can be asked for", OTHERWISE, "200 "),
    (range_comes_as_the_whole, "a range of another content is the whole", OTHERWISE, "200 "),
    (behind_the_end_is_nothing, "a range behind the end is refused", OTHERWISE, "206"),
    (file_has_no_tag, "a file comes whole as octets with its length and tag", OTHERWISE, "None"),
    (file_is_a_page, "a file comes whole as octets with its length and tag", OTHERWISE, "text/html"),
    (pointers_are(LOST), "pointers need no token of who could ask for one", OTHERWISE, LOST["error"]),
    (content_is_not_bound, "a hash binds the content", NOT_THERE, "200 "),
    (folders_are_cut_off, "a name may have folders", NOT_THERE, "cat.jpg"),
    (pointers_need_a_token, "pointers need no token of who could ask for one", NOT_THERE, "401 "),
]


# Of names.
FAULTS += [
    (lists_are_in_disorder, "names are listed in the order of their bytes", OTHERWISE, "'a_', 'a/b'"),
    (lists_are_in_disorder, "a delimiter tells folders in place of what is in them", OTHERWISE, "'a_', 'a/'"),
    (nothing_leads_on, "pages lead on until all have come", OTHERWISE, "['%', '+ &', '_', 'a']"),
    (lists_have_one_item, "the same content under two names is two files", NOT_THERE, "'a'"),
    (error_is_200, "another name is checked as that of an upload", OTHERWISE, "200 "),
    (error_is_200, "what no listing can mean is refused", OTHERWISE, "200 "),
    (error_is_500, "content that is not in the bucket gets no name", OTHERWISE, "500 "),
    (deletion_is_talkative, "a file can be deleted under one of its names", OTHERWISE, "200 {}"),
    (nothing_is_told_of("created"), "a file tells when it came and once more when it comes again", NOT_THERE, "None"),
    (nothing_is_told_of("used"), "a bucket tells what of it is used", NOT_THERE, "None"),
    (no_name_is_given, "content gets another name and no byte is moved", NOT_THERE, "404 "),
    (no_name_is_given, "who may store may name and nobody else", NOT_THERE, "404 "),
]
