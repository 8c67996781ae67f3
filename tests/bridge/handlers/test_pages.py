"""The pages, in a real browser: with and without scripts, by mouse and by keyboard, in the dark and on a phone."""

import html
import os
import re

import pytest
import requests

import npm
import pymdc
from browser import Browser
from mailed import ask_for_reset
from needed import is_missing
from pymdc.bridge import LocalBridge
from wire import hash_of, put, registered

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESKTOP = {"width": 320, "height": 640}, {"width": 1200, "height": 800}
NAMES = [
    "photo.jpg", "<img src=x onerror=alert(1)>&amp;.jpg", "مرحبا بالعالم.pdf", "שלום.txt", "x" * 251 + ".txt",
    "ein sehr langer Name mit vielen Wörtern, von denen keines besonders lang ist, aber alle zusammen schon.txt",
    "日本語のとても長いファイル名" * 5 + ".jpg", "\U0001f431.png", "' onclick='alert(1)", "a{}b$&.txt",
]


@pytest.fixture(scope="module")
def bridge():
    with LocalBridge() as bridge:
        yield bridge


@pytest.fixture(scope="module")
def account(bridge):
    return registered(bridge)


@pytest.fixture
def bucket(account):
    return account.bucket()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if is_missing("chromium"):
        pytest.skip("needs chromium, which .ci/run installs")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    browser.events.clear()
    page = browser.page()
    page.look()
    yield page
    assert page.complaints() == []
    page.call("Page.close")


@pytest.fixture
def share(account, bucket, bridge):
    def share(name="photo.jpg", content=b"photo"):
        file_hash = put(account.signed, bucket, content, name=name).json()["hash"]
        return f"{bridge.url}/links/{account.share(bucket, file_hash, filename=name)}"
    return share


@pytest.fixture
def invite(account, bucket, bridge):
    def invite(**fields):
        wanted = {"operation": "PUSH", "expires_in": 300, **fields}
        return account.signed.post(f"/buckets/{bucket}/tokens", wanted).json()["link"]
    return invite


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def scripts(request, page):
    page.look(scripts=request.param)
    return request.param


def stored(account, bucket, content):
    return [file["filename"] for file in account.signed.get(f"/buckets/{bucket}/files").json()
            if file["hash"] == hash_of(content)]


def quoted(name):
    return f"“\u2068{name}\u2069”"


# A download

def test_a_click_downloads_the_file_and_the_link_is_spent(page, share, scripts):
    link = share("Ünter uns.jpg", b"a photo")
    page.open(link)

    page.click("button")

    file = page.downloaded()
    assert (file.name, file.read_bytes()) == ("Ünter uns.jpg", b"a photo")
    assert ("The download has begun" in page.text) is scripts
    assert requests.get(link).status_code == 404


def test_a_file_that_a_browser_could_show_is_saved(page, share):
    page.open(share("page.html", b"<script>document.title = 'run'</script>"))

    page.click("button")

    assert page.downloaded().read_bytes().startswith(b"<script>")
    assert page.evaluate("document.title") == "page.html"


def test_a_double_click_is_one_download_that_can_be_had_again(page, share):
    page.open(share())

    page.click("button")
    first = page.downloaded()
    page.click("button")

    assert page.downloaded().read_bytes() == first.read_bytes()


def test_the_keyboard_is_enough(page, share, invite, tmp_path):
    page.open(share())
    page.press("Tab")
    assert page.evaluate("document.activeElement.localName") == "button"
    page.press("Enter")
    assert page.downloaded().read_bytes() == b"photo"

    page.open(invite())
    seen = []
    for _ in range(3):
        page.press("Tab")
        seen.append(page.evaluate("document.activeElement.localName"))
    assert seen == ["input", "button", "summary"]
    page.press("Enter")
    assert "curl -F file=@photo.jpg " in page.text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_and_fits(page, share, name):
    page.look(**PHONE)

    page.open(share(name))

    assert page.evaluate("document.querySelector('h1').textContent") == name
    assert page.evaluate("document.title") == name
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("getComputedStyle(document.querySelector('bdi')).unicodeBidi") == "isolate"


def test_times_are_those_of_where_the_page_is_looked_at(page, share):
    page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    page.open(share())

    shown = page.evaluate("document.querySelector('time').textContent")
    meant = page.evaluate("new Date(document.querySelector('time').dateTime)"
                          ".toLocaleString('en', {dateStyle: 'long', timeStyle: 'short', timeZone: 'Asia/Kolkata'})")

    assert shown == meant


# An upload

def test_a_chosen_file_is_sent(page, invite, scripts, account, bucket, tmp_path):
    content, link = os.urandom(100_000), invite()
    (tmp_path / "Ünter <b>uns.jpg").write_bytes(content)
    page.open(link)

    page.choose("input", tmp_path / "Ünter <b>uns.jpg")
    page.click("button")
    if scripts:
        page.wait_until("document.title === 'It has arrived'")
    else:
        page.wait_for("Page.loadEventFired")

    assert "It has arrived" in page.text and "Ünter <b>uns.jpg" in page.text and "100.0 kB" in page.text
    assert page.evaluate("document.querySelectorAll('form button').length") == 0
    assert stored(account, bucket, content) == ["Ünter <b>uns.jpg"]
    page.open(link)
    assert "This link leads nowhere" in page.text
    page.browser.events[:] = [event for event in page.browser.events if "404" not in str(event)]  # it is logged


@pytest.mark.parametrize("where", ["input", "h1"])
def test_a_file_is_dropped_on_the_chooser_or_anywhere(page, invite, account, bucket, tmp_path, where):
    content = os.urandom(1000)
    (tmp_path / "dropped.bin").write_bytes(content)
    page.open(invite())

    page.drop(where, tmp_path / "dropped.bin")
    page.wait_until("document.querySelector('input').files.length === 1")
    page.click("button")
    page.wait_until("document.title === 'It has arrived'")

    assert stored(account, bucket, content) == ["dropped.bin"]


@pytest.mark.parametrize("where", ["input", "h1"])
def test_of_more_files_than_one_none_is_taken(page, invite, tmp_path, where):
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(b"content")
    page.open(invite())

    page.drop(where, tmp_path / "one.bin", tmp_path / "two.bin")

    page.wait_until("document.querySelector('.bad')")
    assert "This link takes one file: put them into one archive first." in page.text
    assert page.evaluate("document.querySelector('input').files.length") == 0


def test_a_file_that_goes_away_before_it_is_sent_is_told_from_a_broken_connection(page, invite, tmp_path):
    link = invite()
    (tmp_path / "gone.bin").write_bytes(b"content")
    page.open(link)
    page.choose("input", tmp_path / "gone.bin")
    (tmp_path / "gone.bin").unlink()

    page.click("button")

    page.wait_until("document.querySelector('.bad')")
    assert quoted("gone.bin") + " cannot be read: it is a folder, or was changed or removed." in page.text
    assert requests.get(link).status_code == 200
    page.browser.events[:] = [event for event in page.browser.events if "ERR_" not in str(event)]  # it is logged


def test_while_a_file_goes_a_bar_shows_how_far_it_is(page, invite, tmp_path):
    (tmp_path / "large.bin").write_bytes(os.urandom(3_000_000))
    page.call("Network.enable")
    page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
              uploadThroughput=3_000_000)
    page.open(invite())
    page.evaluate("""window.seen = []; new MutationObserver(() => {
        const bar = document.querySelector('progress');
        if (bar) seen.push([bar.hidden, bar.value / bar.max]);
    }).observe(document.body, {attributes: true, subtree: true, childList: true, characterData: true}); 0""")

    page.choose("input", tmp_path / "large.bin")
    page.click("button")
    page.wait_until("document.title === 'It has arrived'")

    shown = [value for hidden, value in page.evaluate("seen") if not hidden]
    assert shown == sorted(shown)
    assert len(set(shown)) > 2 and shown[-1] == 1


def test_a_file_that_is_too_large_is_told_before_it_is_sent(page, invite, tmp_path):
    link = invite(max_size=1500)
    (tmp_path / "large.bin").write_bytes(b"x" * 1501)
    page.open(link)
    assert "It may have 1.5 kB at most." in page.text

    page.choose("input", tmp_path / "large.bin")
    page.click("button")

    assert quoted("large.bin") + " has 1.5 kB: that is more than this link takes." in page.text
    assert requests.get(link).status_code == 200


def test_a_send_without_a_file_sends_nothing(page, invite, scripts):
    link = invite()
    page.open(link)

    page.click("button")

    assert page.evaluate("document.querySelector('input').validity.valueMissing") is True
    assert page.evaluate("location.href") == link


def test_an_upload_that_the_bridge_refuses_can_be_tried_again(page, invite, account, bucket, tmp_path):
    link = invite()
    (tmp_path / "file.bin").write_bytes(b"content")
    page.open(link)
    account.signed.patch(f"/buckets/{bucket}", {"storage": 0})

    page.choose("input", tmp_path / "file.bin")
    page.click("button")
    page.wait_until("document.querySelector('.bad')")
    assert "Bucket storage exceeded" in page.text
    account.signed.patch(f"/buckets/{bucket}", {"storage": 10})
    page.click("button")
    page.wait_until("document.title === 'It has arrived'")

    page.browser.events[:] = [event for event in page.browser.events if "413" not in str(event)]  # it is logged


# All of them

@pytest.fixture(scope="module")
def axe():
    return (npm.package("axe-core", "4.14.1") / "axe.min.js").read_text("utf-8")


VIEWS = {
    "download": lambda share, invite, bridge, account: share("Ünter uns, مرحبا.jpg"),
    "upload": lambda share, invite, bridge, account: invite(max_size=10_000_000),
    "gone": lambda share, invite, bridge, account: bridge.url + "/links/" + "0" * 64,
    "root": lambda share, invite, bridge, account: bridge.url + "/",
    "not-active": lambda share, invite, bridge, account: bridge.url + "/activations/" + "0" * 64,
    "forgotten": lambda share, invite, bridge, account: bridge.url + "/resets",
    "new-password": lambda share, invite, bridge, account: bridge.url + ask_for_reset(bridge, account.email),
    "no-reset": lambda share, invite, bridge, account: bridge.url + "/resets/" + "0" * 64,
}


@pytest.fixture(params=VIEWS)
def view(request, share, invite, bridge, account):
    """The address of a page, of each in turn."""
    return VIEWS[request.param](share, invite, bridge, account)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_page_is_for_everybody(page, axe, view, size, dark, tmp_path):
    page.look(dark=dark, **size)

    page.open(view)
    page.evaluate("for (const more of document.querySelectorAll('details')) more.open = true")
    page.evaluate(axe + "; 0")
    found = page.evaluate(f"axe.run({{runOnly: {RULES}}})"
                          ".then(said => said.violations.map(each => [each.id, each.nodes.map(node => node.html)]))")

    page.picture(tmp_path / "page.png")
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.browser.events[:] = [event for event in page.browser.events if not re.search("40[04]", str(event))]


def test_each_page_has_a_strict_policy_and_nothing_of_anybody_else(view, bridge):
    answer = requests.get(view, headers={"Accept": "text/html"})

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert "base-uri 'none'; frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    loaded = set(re.findall(r"(?:src|href)=\"([^\"]*)", answer.text))
    assert loaded <= {"/assets/links.js", "/openapi.json", bridge.url + "/resets"}
    assert not re.search(r"<script>|<script [^>]*>[^<]|\son\w+=", re.sub("<pre.*?</pre>", "", answer.text))


def test_what_a_page_loads_is_there_and_nothing_else(bridge):
    assert requests.get(bridge.url + "/assets/links.js").headers["Content-Type"] == "text/javascript; charset=utf-8"
    for name in ("page.css", "..%2Fpages.py", "links.js%00"):
        assert requests.get(f"{bridge.url}/assets/{name}").status_code == 404


def test_what_the_page_at_the_root_says_works(bridge, tmp_path, monkeypatch, capsys):
    page = requests.get(bridge.url, headers={"Accept": "text/html"}).text
    shown = html.unescape(re.search("<pre.*?>(.*?)</pre>", page, re.DOTALL)[1])
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pymdc.rest, "_default", None)
    before, mail, after = shown.partition("  # then follow the link in the mail\n")

    names = {}
    exec(before, names)
    requests.get(f"{bridge.url}/activations/{bridge.activation_token('you@example.com')}").raise_for_status()
    exec(after, names)

    assert requests.post(capsys.readouterr().out.strip()).content == b"photo"


def test_programs_are_given_the_description(bridge):
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = requests.get(bridge.url, headers=headers)
        assert answer.json() == requests.get(bridge.url + "/openapi.json", headers={"Accept": "text/html"}).json()
        assert answer.headers["Vary"] == "Accept"
