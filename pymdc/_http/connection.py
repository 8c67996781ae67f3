"""
Connections that notice an early answer, and one that only dribbles.

A bridge that refuses an upload may say so at once and then stop reading.  The stock connection of requests sends the
whole body first, so it waits until it breaks, and the answer is lost.  Here each write but the first looks whether
something is there to be read.  And where the stock timeout starts anew with each byte, here so many bytes have to come
in time.
"""

from __future__ import absolute_import, division, print_function

import errno
import io
import socket
import ssl
import struct

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import ProxyManager
from urllib3.util import Timeout
from urllib3.util import wait as waiting  # whose function takes its own place when it is first called

from .._compat import monotonic

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None

__all__ = ["Adapter", "Pace", "Unruly"]

MAX_CONTINUES = 10  # answers that say 100 Continue, before the one that counts
MAX_LINE = 65536  # bytes
MAX_LINES = 2000  # in a row, without content between: ten times 100 headers, and some
MIN_PACE = 1024  # bytes a second, over a whole timeout
_BLOCK = 256 * 1024


class Adapter(HTTPAdapter):
    """
    A transport adapter of requests whose connections are watchful.

    Of requests it has the pools, of each proxy and of none.  What else requests does for a call, preparing it, merging
    it with a session, looking for cookies, costs more than the call itself and has no use here.

    :param tuple timeout: seconds to wait for a connection, and that may pass between two reads or two writes.
    :param verify: whether to check certificates, or the path of a CA bundle.
    """

    def __init__(self, timeout, verify, **options):
        self._timeout = Timeout(connect=timeout[0], read=timeout[1])
        self._verify = verify
        self._pools = {
            "http": _watchful_pool(HTTPConnectionPool, timeout[1]),
            "https": _watchful_pool(HTTPSConnectionPool, timeout[1]),
        }
        super(Adapter, self).__init__(**options)

    def init_poolmanager(self, *args, **options):
        super(Adapter, self).init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args, **options):
        manager = super(Adapter, self).proxy_manager_for(*args, **options)
        if isinstance(manager, ProxyManager):  # one of SOCKS has pools of its own
            manager.pool_classes_by_scheme = self._pools
        return manager

    def exchange(self, method, url, proxy, headers, body):
        """
        Send one request, and return urllib3's response, whose body is still to be read.

        :param url: as ``urllib3.util.parse_url`` returns it.
        :param proxy: the URL of the proxy on the way, or None.
        """
        manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
        pool = manager.connection_from_host(url.host, url.port, url.scheme)
        self.cert_verify(pool, url.url, self._verify, None)
        whole = pool.proxy and url.scheme == "http"  # else the proxy only leads there
        return pool.urlopen(
            method,
            str("http://" + url.netloc + url.request_uri if whole else url.request_uri),
            body=body,
            headers=headers,
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )


def _watchful_pool(pool_class, silence):
    class Connection(_Watchful, pool_class.ConnectionCls):
        patience = silence

    class Pool(pool_class):
        ConnectionCls = Connection

    return Pool


class _Watchful(object):
    _early = None  # once the answer has begun: what was read of it, to find out
    _held = None  # what is to be sent, while it is gathered
    _begun = False  # whether some of the request has been sent, so that an answer may come

    def connect(self):
        super(_Watchful, self).connect()
        self._early = None

    def request(self, method, url, body=None, *args, **options):
        # Bytes go out with the headers before them: one call of the system, and one that wakes the other side.
        self._held = [] if isinstance(body, bytes) else None
        self._begun = False
        try:
            super(_Watchful, self).request(method, url, body, *args, **options)
            held = self._held
        finally:
            self._held = None
        if held:
            self.send(b"".join(held))

    def _tunnel(self):
        # Older versions of Python send this line by line, and the proxy may answer the first.
        self._held = []
        try:
            super(_Watchful, self)._tunnel()
        finally:
            self._held = None

    def send(self, data):
        if self._held is not None:
            self._held.append(data)
            return
        if self.sock is None:
            self.connect()
        block = data.read(_BLOCK) if hasattr(data, "read") else data
        while block:
            self._send_block(block)
            block = data.read(_BLOCK) if hasattr(data, "read") else None

    def getresponse(self, *args, **options):
        if self._early is None:
            self._see_off()
        return super(_Watchful, self).getresponse(*args, **options)

    def response_class(self, sock, *args, **options):
        """Make the response, in place of the class that stands here otherwise."""
        if self._held:
            sock.sendall(b"".join(self._held))
        response = _Response(sock, *args, **options)
        response.incoming = _Incoming(sock, response.fp, Pace(self.patience), self._early or b"")
        response.fp = _Lines(response.incoming, _BLOCK)
        response.early = self._early is not None
        return response

    def _see_off(self):
        """
        Wait until the other side has taken all that was sent, as long as it takes some.

        The system may hold megabytes, which a slow reader needs long for; only then does the silence before its answer
        begin.
        """
        left, since = _undelivered(self.sock), monotonic()
        while left and not waiting.wait_for_socket(self.sock, read=True, timeout=0.1):
            before, left = left, _undelivered(self.sock)
            if left != before:
                since = monotonic()
            elif monotonic() - since > self.patience:
                raise socket.timeout("timed out while sending")

    def _send_block(self, block):
        if not isinstance(self.sock, socket.socket):  # TLS within TLS, through an https proxy
            self.sock.sendall(block)
            return
        rest, timeout = memoryview(block), self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            while len(rest):
                if self._begun:
                    self._wait_to_send()
                self._begun = True
                rest = rest[self._send_some(rest):]
        finally:
            self.sock.settimeout(timeout)

    def _wait_to_send(self):
        if not waiting.wait_for_socket(self.sock, read=True, write=True, timeout=self.patience):
            raise socket.timeout("timed out while sending")
        self._look_for_answer()

    def _send_some(self, rest):
        try:
            return self.sock.send(rest)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except EnvironmentError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return 0
        self._look_for_answer()  # it may have come since, and what broke the connection after it
        raise IOError(errno.EPIPE, "the connection broke")

    def _look_for_answer(self):
        self._early = self._begun_answer()
        if self._early is not None:
            # urllib3 takes this as "the other side has closed" and goes on to read the answer.
            raise IOError(errno.EPIPE, "answered before the request was sent")

    def _begun_answer(self):
        """Return None as long as there is nothing to read; else what had to be read to find out."""
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                # What makes the socket readable may be only a session ticket; then there is nothing to read yet.
                return self.sock.recv(1)
            self.sock.recv(1, socket.MSG_PEEK)
        except ssl.SSLWantReadError:
            return None
        except EnvironmentError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return None
            # Else it is broken, and reading will tell how.
        return b""


def _undelivered(sock):
    """Return how many bytes were sent and not taken yet by the other side; 0 where the system does not tell."""
    if fcntl is None or not isinstance(sock, socket.socket):
        return 0
    try:
        return struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    except EnvironmentError:
        return 0


class Unruly(EnvironmentError):
    """The other side says what would never end."""


class _Response(HTTPConnection.response_class):
    early = False  # the rest of the request was never sent, so the connection cannot be used again
    continues = 0

    def _read_status(self):
        answer = HTTPConnection.response_class._read_status(self)
        self.continues += answer[1] == 100
        if self.continues > MAX_CONTINUES:
            raise Unruly(errno.EPROTO, "it says 100 Continue again and again")
        return answer

    def begin(self):
        HTTPConnection.response_class.begin(self)
        if self.incoming.ended:  # which http.client takes for the end of the headers, and of an empty answer
            raise IOError(errno.ECONNRESET, "the answer broke off in its headers")
        self.will_close = self.will_close or self.early


class _Lines(io.BufferedReader):
    """An answer whose lines end, be they of headers, of chunks or of what follows them; urllib3 does not look."""

    _in_a_row = 0

    def readline(self, size=-1):
        line = super(_Lines, self).readline(MAX_LINE + 1 if size < 0 else size)
        self._in_a_row += 1
        if size < 0 and len(line) > MAX_LINE or self._in_a_row > MAX_LINES:
            raise Unruly(errno.EPROTO, "its lines do not end")
        return line

    def read(self, size=-1):
        self._in_a_row = 0
        return super(_Lines, self).read(size)


class _Incoming(io.RawIOBase):
    """
    The bytes of an answer.

    :param held: keeps the socket open until this is closed.
    :param first: bytes that were read before, put back at the head.
    """

    def __init__(self, sock, held, pace, first):
        self._receive = sock.recv_into  # on Python 2 a closed socket forgets it
        self._held = held
        self._pace = pace
        self._first = first
        self.ended = False

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._first:
            buffer[:1], self._first = self._first, b""
            return 1
        self._pace.begin()
        while True:
            try:
                count = self._receive(buffer)
                break
            except EnvironmentError as error:
                if error.errno != errno.EINTR:  # Python 2 leaves it to us
                    raise
        self._pace.came(count)
        self.ended = not count
        return count

    def close(self):
        self._held.close()
        super(_Incoming, self).close()


class Pace(object):
    """
    Raises ``socket.timeout`` when too little has come while it was waited for: less than 1 KiB/s over a whole timeout.

    :param float patience: the timeout, in seconds.
    :param clock: returns seconds, rising.
    """

    def __init__(self, patience, clock=monotonic):
        self._patience = patience
        self._clock = clock
        self._waited = 0.0
        self._bytes = 0

    def begin(self):
        """Say that it is waited for more from now on."""
        self._since = self._clock()

    def came(self, size):
        """Say that so many bytes have come; none is the end."""
        self._waited += self._clock() - self._since
        self._bytes += size
        if self._waited > self._patience:
            if size and self._bytes < MIN_PACE * self._waited:
                raise socket.timeout("less than 1 KiB/s")
            self._waited, self._bytes = 0.0, 0
