"""Requests as they go over the wire, and the answers to them."""

import http.client
import json
import time
import urllib.parse
from dataclasses import dataclass, field

PATIENCE = 20  # seconds
SHORT = 5  # seconds to wait for what servers of 2016 never sent
AWAY = 30  # seconds that a server may need to come back after a crash
BOUNDARY = "----conformance7f3a"


@dataclass(frozen=True)
class Request:
    """One request, which can be sent more than once."""

    method: str
    target: str
    body: bytes = b""
    headers: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One answer.  Its status is None when none came."""

    status: int | None
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self):
        """The decoded body, or None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def error(self) -> str | None:
        """The text of a refusal, or None when it is none."""
        error = self.json.get("error") if isinstance(self.json, dict) else None
        return error if isinstance(error, str) else None

    def __getitem__(self, name):
        """Return a field of the JSON object, or an element of the list."""
        return self.json[name]

    def __repr__(self):
        return "no answer" if self.status is None else f"{self.status} {self.body.decode('utf-8', 'replace')}"


class Wire:
    """
    Sends requests to one bridge, each on a connection of its own.

    :param away: seconds to wait for a bridge that has answered before, and does not any more.
    :ivar last: the newest answer.
    """

    def __init__(self, url, away=AWAY):
        self.url = url.rstrip("/")
        self.last = None
        self._away = away
        self._was_there = False

    def send(self, request: Request, patience=PATIENCE) -> Answer:
        if self.last is not None and self.last.status is None:
            self.wait()
        self.last = self._send(request, patience)
        self._was_there = self._was_there or self.last.status is not None
        return self.last

    def wait(self):
        """Wait until the bridge answers again, but only once for one that stays away."""
        if self._was_there:
            self._was_there = until(self._answers, self._away)

    def _answers(self):
        return self._send(Request("GET", "/"), SHORT).status is not None

    def _send(self, request, patience):
        connection, prefix = _connect(self.url, patience)
        try:
            try:
                connection.request(request.method, prefix + request.target, request.body or None, request.headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the answer may have come before the body was sent
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        except (OSError, http.client.HTTPException):
            return Answer(None)
        finally:
            connection.close()

    def ask(self, method, target, body=b"", headers=None, patience=PATIENCE) -> Answer:
        return self.send(Request(method, target, body, headers or {}), patience)

    def fetch(self, url, headers) -> Answer:
        """Send a GET to a URL that the bridge gave."""
        parts = urllib.parse.urlsplit(url)
        return Wire(f"{parts.scheme}://{parts.netloc}").ask("GET", parts.path, headers=headers)

    def break_off(self, request: Request, sent: int):
        """Send a request's head and the first bytes of its body, and leave: there is no answer then."""
        self.last = Answer(None)
        connection, prefix = _connect(self.url, PATIENCE)
        try:
            connection.putrequest(request.method, prefix + request.target)
            for name, value in {**request.headers, "Content-Length": str(len(request.body))}.items():
                connection.putheader(name, value)
            connection.endheaders(request.body[:sent])
        finally:
            connection.close()


def until(holds, seconds) -> bool:
    """Ask again and again whether something holds, and return whether it came to."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _connect(url, patience):
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=patience), parts.path


def part(content: bytes, name="data", filename=None, mimetype=None) -> bytes:
    """Return one part of a multipart body; *filename* and *mimetype* are left out when they are None."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += "" if filename is None else f'; filename="{filename}"'
    head += "" if mimetype is None else f"\r\nContent-Type: {mimetype}"
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
