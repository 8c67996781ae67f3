"""A server that notes each request and gives the same bytes for an answer."""

from __future__ import absolute_import, division, print_function

import re
import socket
import threading


def answer(status, body=b"", *headers):
    """Return an answer after which the connection is closed, and which says so: nobody may ask on it again."""
    lines = ["HTTP/1.1 " + status, "Connection: close", "Content-Length: {0}".format(len(body))] + list(headers)
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


class CannedServer(object):
    """
    One answer to each connection, which then is closed.  Whether it is a direct bridge is asked of it in vain.

    :param answer: bytes to send, or a function that is given the request and returns them; nothing is sent, and the
        connection kept open, when they are empty, and closed when it is None.
    """

    def __init__(self, answer):
        self.requests = []
        self._answer = answer
        self._connections = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.url = "http://127.0.0.1:{0}".format(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except EnvironmentError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._converse, args=(connection,)).start()

    def _converse(self, connection):
        try:
            self._answer_one(connection)
        except EnvironmentError:
            pass  # the client has left, or the test has ended

    def _answer_one(self, connection):
        request = _read_request(connection)
        if re.match(br"HEAD (http://[^/ ]+)?/ ", request):  # a proxy is given the whole URL
            connection.sendall(answer("405 Method Not Allowed"))
            connection.close()
            return
        self.requests.append(request)
        given = self._answer(request) if callable(self._answer) else self._answer
        if given:
            connection.sendall(given)
        if given != b"":
            connection.close()


def _read_request(connection):
    connection.settimeout(30)
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block or block.startswith(b"\x16"):  # the beginning of TLS
            return data + block
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(br"(?i)content-length: (\d+)", head)
    left = int(length.group(1)) - len(body) if length else 0
    while left > 0:
        block = connection.recv(min(left, 65536))
        if not block:
            break
        left -= len(block)
        data += block
    return data
