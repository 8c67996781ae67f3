"""
15. Links.

Of a bridge whose transfers are direct, and which calls a token for a file a link too.
"""

import urllib.parse

from .point import equals, gives, has_status, refused_so, section
from .wire import BOUNDARY, form, part
from .world import fresh_content, succeed


def has_links(w):
    return w.is_direct and "link" in (ask(w, w.alice.bucket(), "PUSH", max_size=1).json or {})


point = section(15, "Links", is_there=has_links)

GONE = refused_so(404, "Link not found")
JSON = {"Accept": "application/json"}
ONCE, OTHER = "once=" + "0f" * 16, "once=" + "1e" * 16


def ask(w, bucket, operation, **fields):
    return w.alice.signed("POST", bucket + "/tokens", {"operation": operation, **fields})


def share(w, content):
    """Store content, and return the path of a link to it."""
    bucket = w.alice.bucket()
    return path_of(w, ask(w, bucket, "PULL", file=w.alice.store(bucket, content)))


def invite(w, **fields):
    """Make a bucket, and return its path and that of a link into it."""
    bucket = w.alice.bucket()
    return bucket, path_of(w, ask(w, bucket, "PUSH", expires_in=60, **fields))


def path_of(w, answer):
    """Return the path of a link, below that of the bridge."""
    return below(w, urllib.parse.urlsplit(succeed(answer)["link"]).path)


def below(w, path):
    return path.removeprefix(urllib.parse.urlsplit(w.wire.url).path)


def click(w, link, once=ONCE):
    return w.wire.ask("POST", link, once.encode(), {"Content-Type": "application/x-www-form-urlencoded"})


def send(w, link, content, filename="file.bin"):
    return w.wire.ask("POST", link, form(part(content, filename=filename)), {
        "Content-Type": "multipart/form-data; boundary=" + BOUNDARY})


@point
def who_looks_at_a_link_uses_nothing_up_and_is_told_what_it_is_good_for(w):
    content = fresh_content()
    link = share(w, content)

    w.expect(w.nobody("HEAD", link), has_status(200))
    w.expect(w.nobody("GET", link, headers=JSON), gives(200, operation="PULL", size=len(content)))
    w.expect(w.nobody("GET", link, headers={"Accept": "text/html"}), has_status(200))
    w.expect(click(w, link), has_status(303))


@point
def a_link_to_a_file_leads_to_it_once_and_a_double_click_is_one(w):
    content = fresh_content()
    link = share(w, content)

    first = click(w, link)
    w.expect(first, has_status(303))
    w.expect(click(w, link), lambda again: again.headers.get("location") == first.headers["location"])
    w.expect(click(w, link, OTHER), GONE)
    file = w.nobody("GET", below(w, first.headers["location"]))
    w.expect(file.body, equals(content))
    w.expect(file.headers.get("content-disposition", ""), lambda value: value.startswith("attachment;"))


@point
def a_download_by_a_link_can_go_on(w):
    content = fresh_content()
    ticket = below(w, click(w, share(w, content)).headers["location"])

    w.expect(w.nobody("GET", ticket, headers={"Range": "bytes=7-"}), has_status(206))
    w.expect(w.last.body, equals(content[7:]))


@point
def a_link_for_an_upload_takes_one_file(w):
    bucket, link = invite(w)

    w.expect(send(w, link, w.content), gives(200, filename="file.bin"))
    w.expect(send(w, link, w.content), GONE)
    w.expect([file["filename"] for file in w.alice.files(bucket)], equals(["file.bin"]))


@point
def a_file_that_is_too_large_and_a_form_with_none_leave_the_link_good(w):
    bucket, link = invite(w, max_size=len(w.content))

    w.expect(send(w, link, w.content + b"x"), refused_so(413, "File is too large"))
    w.expect(send(w, link, b"", filename=""), refused_so(400, "No file in the request"))
    w.expect(send(w, link, w.content), gives(200, size=len(w.content)))


@point
def what_is_no_link_leads_nowhere(w):
    for token in ("0" * 64, w.alice.token(w.alice.bucket(), "PULL")):
        w.expect(w.nobody("GET", "/links/" + token, headers=JSON), GONE)
        w.expect(click(w, "/links/" + token), GONE)
