"""HTTP as uvicorn speaks it, but for what it answers to requests that are none."""

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """Refuses in JSON, and takes no request with a body for the beginning of something else."""

    def on_headers_complete(self):
        announced = {name: value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")}
        if self.parser.should_upgrade() and announced not in ({}, {b"content-length": b"0"}):
            raise ValueError("an upgrade with a body")  # which the parser turns into an error of its own
        super().on_headers_complete()

    def send_400_response(self, msg: str):
        body = json.dumps({"error": msg}).encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        self.transport.close()
