"""How names are listed: in order, by prefix, a level at a time, and page by page."""

import pytest

from names import ask, delete, listed
from wire import put

pytestmark = pytest.mark.both_databases

CONTENT = b"Hello Metadisk!\n"

#: In the order of their bytes.
NAMES = [
    "%", "%41", "+", "A", "_", "a", "a b&c=d", "a%b", "a/b", "a/c/d", "a0", "a_b", "ab", "e\u0301", "\u00e9", "\ud7ff",
    "\ue000", "\uffff", "\U00010000", "\U0001f431/\u732b",
]


@pytest.fixture
def named(alice, bucket):
    """A bucket with an entry of each name."""
    for name in reversed(NAMES):
        assert put(alice.signed, bucket, name.encode(), name=name).status_code == 200
    return bucket


def page_by_page(account, bucket, **query):
    """Yield the names of each page."""
    answer = ask(account, bucket, **query)
    while True:
        yield [item.get("filename") or item["prefix"] for item in answer.json()]
        if "x-next" not in answer.headers:
            return
        answer = ask(account, bucket, **query, after=answer.headers["x-next"])


def test_names_come_in_the_order_of_their_bytes(alice, named):
    assert listed(alice, named) == NAMES == sorted(NAMES, key=str.encode)


@pytest.mark.parametrize("prefix", [
    "", "a", "a/", "a/c/d", "a/c/d/", "a%", "a_", "_", "%", "%4", "+", "a b&", "e", "\u00e9", "\ud7ff", "\uffff",
    "\U00010000", "\U0001f431", "\U0001f431/", "\U0010ffff", "\0", "a\0", "z", "A" * 5000,
])
def test_a_prefix_is_what_names_begin_with_byte_by_byte(alice, named, prefix):
    assert listed(alice, named, prefix=prefix) == [name for name in NAMES if name.startswith(prefix)]


@pytest.mark.parametrize("limit", [1, 2, 3, 19, 20, 1000])
@pytest.mark.parametrize("query", [{}, {"prefix": "a"}, {"delimiter": "/"}, {"prefix": "a", "delimiter": "/"}])
def test_pages_are_as_long_as_asked_for_and_together_are_all(alice, named, query, limit):
    whole = listed(alice, named, **query)

    pages = list(page_by_page(alice, named, limit=limit, **query))

    assert sum(pages, []) == whole
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1) and 0 < len(pages[-1]) <= limit


@pytest.mark.parametrize("prefix, found", [
    ("", ["%", "%41", "+", "A", "_", "a", "a b&c=d", "a%b", "a/", "a0", "a_b", "ab", "e\u0301", "\u00e9", "\ud7ff",
          "\ue000", "\uffff", "\U00010000", "\U0001f431/"]),
    ("a", ["a", "a b&c=d", "a%b", "a/", "a0", "a_b", "ab"]),
    ("a/", ["a/b", "a/c/"]),
    ("a/c/", ["a/c/d"]),
    ("a/c/d", ["a/c/d"]),
    ("\U0001f431", ["\U0001f431/"]),
    ("\U0001f431/", ["\U0001f431/\u732b"]),
    ("/", []),
])
def test_one_level_tells_folders_in_their_place_and_not_what_is_in_them(alice, named, prefix, found):
    assert listed(alice, named, prefix=prefix, delimiter="/") == found


def test_a_bucket_without_names_has_an_empty_list_however_it_is_asked_for(alice, bucket):
    for query in ({}, {"limit": 5}, {"prefix": "a", "delimiter": "/"}):
        answer = ask(alice, bucket, **query)
        assert (answer.json(), answer.headers.get("x-next")) == ([], None)


def test_a_page_goes_on_behind_a_name_that_is_gone_and_tells_what_came_meanwhile(alice, named):
    first = ask(alice, named, prefix="a", limit=3)
    assert [item["filename"] for item in first.json()] == ["a", "a b&c=d", "a%b"]
    for item in first.json():
        delete(alice, named, item["hash"])
    put(alice.signed, named, b"new", name="a&")

    assert listed(alice, named, prefix="a", after=first.headers["x-next"], limit=2) == ["a&", "a/b"]


def test_a_page_that_ends_with_a_folder_goes_on_behind_all_of_it(alice, named):
    first = ask(alice, named, prefix="a", delimiter="/", limit=4)
    assert first.json()[-1] == {"prefix": "a/"}
    put(alice.signed, named, b"new", name="a/z")

    assert listed(alice, named, prefix="a", delimiter="/", after=first.headers["x-next"]) == ["a0", "a_b", "ab"]


def test_of_one_name_all_contents_are_listed_on_whatever_page(alice, bucket):
    hashes = sorted(put(alice.signed, bucket, bytes([number]), name="same").json()["hash"] for number in range(5))

    answer, found = ask(alice, bucket, limit=2), []
    found += answer.json()
    while "x-next" in answer.headers:
        answer = ask(alice, bucket, limit=2, after=answer.headers["x-next"])
        found += answer.json()

    assert [file["hash"] for file in found] == hashes


@pytest.mark.parametrize("query, words", [
    ("limit=0", "Parameter limit is not a whole number from 1 to 1000"),
    ("limit=1001", "Parameter limit is not a whole number from 1 to 1000"),
    ("limit=-1", "Parameter limit is not a whole number, of at most 15 digits"),
    ("limit=", "Parameter limit is not a whole number, of at most 15 digits"),
    ("limit=1&limit=1", "Parameter given twice: limit"),
    ("prefix=a&prefix=b", "Parameter given twice: prefix"),
    ("prefix=%E7%8C", "The query is not percent-encoded UTF-8, of at most 100 parameters"),
    ("prefix=%ED%A0%80", "The query is not percent-encoded UTF-8, of at most 100 parameters"),
    ("delimiter=,", "Parameter delimiter is not /"),
    ("delimiter=", "Parameter delimiter is not /"),
    ("after=", "Parameter after is not what x-next has told"),
    ("after=Lw", "Parameter after is not what x-next has told"),
    ("after=not+base64!", "Parameter after is not what x-next has told"),
    ("after=YQ", "Parameter after is not what x-next has told"),
    ("after=_w", "Parameter after is not what x-next has told"),
])
def test_what_no_listing_can_mean_is_named(alice, bucket, query, words):
    answer = alice.signed.get(f"/buckets/{bucket}/files?{query}")

    assert (answer.status_code, answer.json()) == (400, {"error": words})


@pytest.mark.parametrize("query", ["q=1&q=2", "%FF=%FF", "&&", "&".join(f"p{number}" for number in range(200))])
def test_a_query_that_says_nothing_of_ours_is_ignored_as_it_was_in_2016(alice, named, query):
    answer = alice.signed.get(f"/buckets/{named}/files?{query}")

    assert [file["filename"] for file in answer.json()] == NAMES


def test_a_page_in_a_browser_may_read_what_leads_on(alice, named):
    answer = alice.signed.get(f"/buckets/{named}/files?limit=1", headers={"Origin": "https://example.com"})

    assert "x-next" in answer.headers["Access-Control-Expose-Headers"].split(", ")


def test_a_listing_by_pages_is_for_the_owner(alice, bob, bucket):
    assert ask(bob, bucket, limit=1).json() == {"error": "Bucket not found"}


@pytest.mark.parametrize("query", ["%70refix=a", "%6cimit=1&pre%66ix=a", "prefix=a&limit=%31"])
def test_a_listing_is_asked_for_however_it_is_written(alice, bucket, query):
    for name in "ab":
        put(alice.signed, bucket, CONTENT, name=name)

    answer = alice.basic.send_as_written("GET", f"/buckets/{bucket}/files?{query}")

    assert [file["filename"] for file in answer.json()] == ["a"]
