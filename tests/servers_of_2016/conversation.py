"""The requests of one connection."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import json
import re

from .door import PATIENCE
from .files import delete_file, upload
from .refusal import NoAnswer, Refusal
from .routes import ROUTES
from .versions import VERSIONS

try:
    from http.server import BaseHTTPRequestHandler
except ImportError:  # Python 2
    from BaseHTTPServer import BaseHTTPRequestHandler

_BLOCK = 65536  # bytes of a body that nobody wants, read at once


class Conversation(BaseHTTPRequestHandler, object):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Metadisk", ""
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do(self):
        self.path, _, self.query = self.path.partition("?")
        self.location = None
        self.source, self.left = self.rfile, int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = read_chunks(self.rfile)
            self.source, self.left = io.BytesIO(body), len(body)
        if self._goes_down():
            return
        try:
            status, answer = self._answer()
        except Refusal as refusal:
            status, answer = refusal.status, {"error": refusal.text}
        except NoAnswer:
            self._note(None)
            self.server.ended.wait(PATIENCE)
            self.close_connection = True
            return
        self._note(status)
        self._send(status, answer)
        self._see_to_the_rest()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = do

    def _note(self, status):
        self.server.requests.append((self.command, self.path, status))

    def _goes_down(self):
        for crash in self.server.crashes:
            method, pattern, seconds = crash[:3]
            if method == self.command and re.match(pattern + r"\Z", self.path):
                self.server.crashes.remove(crash)
                self._note(None)
                self.read(self.left // 2)
                for do_it in crash[3:]:
                    do_it()
                self.server.crash(seconds)
                self.close_connection = True
                return True
        return False

    def _answer(self):
        asked = "GET" if self.command == "HEAD" else self.command
        for method, pattern, handle in ROUTES:
            found = re.match(pattern + r"/?\Z", self.path)
            missing = handle is delete_file and not self.version.file_deleted
            if found and method == asked and not missing:
                self.body = b"" if handle is upload else self.read(self.left)
                return handle(self, *found.groups())
        self.read(self.left)
        return 404, "Cannot {0} {1}\n".format(self.command, self.path)

    def _send(self, status, answer):
        is_text = not isinstance(answer, (dict, list))
        data = (answer or "").encode("utf-8") if is_text else json.dumps(answer, separators=(",", ":")).encode("ascii")
        etag = 'W/"{0:x}-{1}"'.format(len(data), hashlib.md5(data).hexdigest()[:22])
        if self.command == "GET" and status == 200 and self.headers.get("If-None-Match") == etag:
            status, data = 304, b""
        self.send_response(status)
        if "Origin" in self.headers:
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        if self.location:
            self.send_header("Location", self.location)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        if data:
            self.send_header("Content-Type", ("text/html" if is_text else "application/json") + "; charset=utf-8")
        if self.command == "GET" and status in (200, 304):
            self.send_header("ETag", etag)
        if not self.server.keep_alive:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)
        self.wfile.flush()

    def _see_to_the_rest(self):
        if self.left and self.server.early == "stop":
            self.server.ended.wait(PATIENCE)
            self.close_connection = True
        while self.left:
            self.read(min(self.left, _BLOCK))

    def read(self, size):
        data = self.source.read(size)
        if len(data) < size:
            raise IOError("the client has left")
        self.left -= size
        return data

    @property
    def version(self):
        return self.server.version

    @property
    def is_of_0_2_2(self):
        return self.version is VERSIONS["0.2.2"]

    @property
    def json(self):
        try:
            fields = json.loads(self.body.decode("utf-8"))
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}

    def mistake(self, status, text):
        return Refusal(self.version.mistakes or status, text)

    def refusal(self, text):
        return Refusal(self.version.refused, text)


def read_chunks(stream):
    """Return a body that comes in chunks."""
    body, size = b"", None
    while size != 0:
        line = stream.readline()
        if not line:
            raise IOError("the client has left")
        size = int(line.partition(b";")[0], 16)
        body += stream.read(size)
        stream.readline()
    return body
