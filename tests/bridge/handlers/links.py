"""Links of an account, and who follows them."""

import hashlib
import html
import re
import subprocess

import requests

from wire import put

SHARD = 8 * 1024 * 1024
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GONE = {"error": "Link not found: it works once, and may have been used or revoked, or have expired"}
ONCE, OTHER = "0f" * 16, "1e" * 16
ID = 32  # digits


def store(account, bucket, content, name="photo.jpg"):
    return put(account.signed, bucket, content, name=name).json()["hash"]


def ask(account, bucket, operation, **fields):
    return account.signed.post(f"/buckets/{bucket}/tokens", {"operation": operation, **fields}).json()


def share(account, bucket, file_hash, **fields):
    return ask(account, bucket, "PULL", file=file_hash, **fields)["link"]


def invite(account, bucket, **fields):
    return ask(account, bucket, "PUSH", expires_in=300, **fields)["link"]


def token_of(link):
    return link.rpartition("/")[2]


def follow(link, once=None, **options):
    """Click, and return the answer to that alone."""
    return requests.post(link, {} if once is None else {"once": once}, allow_redirects=False, timeout=30, **options)


def ticket(link, once=None):
    """Click, and return where the file is."""
    answer = follow(link, once)
    assert answer.status_code == 303, answer.text
    return link.partition("/links/")[0] + answer.headers["Location"]


def fetch(url, asked=None, **headers):
    return requests.get(url, headers={**({"Range": asked} if asked else {}), **headers}, timeout=30)


def send(link, content, name="photo.jpg", **headers):
    return requests.post(link, files={"file": (name, content)}, headers=headers, timeout=60)


def waiting(account, bucket):
    return [token["id"] for token in account.basic.get(f"/buckets/{bucket}/tokens").json()]


def id_of(link):
    return hashlib.sha256(token_of(link).encode()).hexdigest()[:ID]


def revoke(account, bucket, link):
    return account.signed.delete(f"/buckets/{bucket}/tokens/{id_of(link)}").status_code


def files(account, bucket):
    return account.signed.get(f"/buckets/{bucket}/files").json()


def retried(call, status):
    """Return the first answer that has another status than that which passes."""
    for _ in range(200):
        answer = call()
        if answer.status_code != status:
            break
    return answer


def command_for(program, link):
    """Return how the page of a link says to use it without a browser."""
    commands = re.findall("<pre.*?>(.*?)</pre>", requests.get(link, headers=BROWSER).text)
    return next(html.unescape(command) for command in commands if command.startswith(program))


def run(command, folder):
    return subprocess.run(command, cwd=folder, shell=True, capture_output=True, timeout=30, check=True).stdout
