"""The link in the mail: what a browser sees, where it may lead, and that it works once."""

import os
import subprocess

import pytest

from needed import is_missing
from pymdc.bridge import LocalBridge
from wire import Wire, race

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def leading(tmp_path, server_url):
    """A bridge that lets activations lead to www.example.com."""
    with LocalBridge(tmp_path, database_url=server_url, redirect_host=("www.example.com",)) as bridge:
        yield bridge


def register(bridge, email="ida@example.com", **fields):
    """Return the path of the activation link."""
    answer = Wire(bridge.url).post("/users", {"email": email, "password": "ab" * 32, **fields})
    assert answer.status_code == 200
    return "/activations/" + bridge.activation_token(email)


def test_a_browser_gets_a_page_and_an_api_client_json(leading):
    page = Wire(leading.url).get(register(leading), headers=BROWSER)
    used = Wire(leading.url).get(page.request.path_url, headers=BROWSER)
    answer = Wire(leading.url).get(register(leading, "joe@example.com"))

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "Your account is active" in page.text and "ida@example.com" in page.text
    assert used.status_code == 400 and "This link is not good any more" in used.text
    assert answer.json()["activated"] is True


def test_a_page_is_not_for_scripts_of_other_origins(leading):
    page = Wire(leading.url).get(register(leading), headers={**BROWSER, "Origin": "https://evil.example"})

    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "Access-Control-Allow-Origin" not in page.headers


def test_a_name_is_shown_as_text(leading):
    page = Wire(leading.url).get(register(leading, "a&b@example.com"), headers=BROWSER)

    assert "a&amp;b@example.com" in page.text


@pytest.mark.parametrize("redirect", [
    "https://www.example.com", "https://www.example.com/welcome?a=b", "http://WWW.example.com:8080/",
])
def test_an_activation_leads_to_a_host_of_ours(leading, redirect):
    answer = Wire(leading.url).get(register(leading, redirect=redirect))

    assert (answer.status_code, answer.headers["Location"]) == (302, redirect)


@pytest.mark.parametrize("redirect", [
    "https://evil.example/", "https://www.example.com.evil.example/", "https://www.example.com@evil.example/",
    "https://evil.example\\@www.example.com/", "//www.example.com/", "javascript://www.example.com/%0aalert(1)",
    "https://www.example.com:443@evil.example/", "https:www.example.com", "/local",
])
def test_an_activation_leads_nowhere_else(leading, redirect):
    answer = Wire(leading.url).get(register(leading, redirect=redirect))

    assert (answer.status_code, answer.json()["activated"]) == (200, True)


def test_only_the_registered_redirect_counts(leading):
    link = register(leading)

    answer = Wire(leading.url).get(link + "?redirect=https://www.example.com/")

    assert answer.status_code == 200


def test_of_racing_activations_one_passes(leading):
    link = register(leading)

    statuses = race(50, lambda _: Wire(leading.url).get(link).status_code)

    assert sorted(statuses) == [200] + [400] * 49


@pytest.mark.skipif(is_missing("chromium"), reason="needs chromium, which .ci/run installs")
def test_a_real_browser_shows_the_page_as_it_is_meant(leading, tmp_path):
    link = leading.url + register(leading)

    browser = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=800,500",
         f"--user-data-dir={tmp_path}/profile", f"--screenshot={tmp_path}/page.png", link],
        capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)},
    )

    assert (tmp_path / "page.png").exists()
    assert "Content Security Policy" not in browser.stderr
    assert Wire(leading.url).get(link[len(leading.url):]).status_code == 400  # it has been followed
