"""What outlives interruptions: signals, forks, full disks, slow and dribbling bridges, many calls at once."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest

import pymdc
from canned_server import CannedServer
from pymdc._http.connection import Pace
from pymdc._digest import content_hash
from pymdc.errors import APIError, Timeout, TransportError
from pymdc.testing import Fault
from running_bridge import new_bucket

CERTIFICATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certificates")
BUNDLE = os.path.join(CERTIFICATES, "localhost.crt")
MIB = 1024 * 1024


class EarlyTLS(object):
    """A TLS server that answers an upload after so many bytes, and then drains, stalls or closes."""

    def __init__(self, then):
        self._then = then
        self._go = threading.Event()
        newest = "PROTOCOL_TLS_SERVER" if hasattr(ssl, "PROTOCOL_TLS_SERVER") else "PROTOCOL_SSLv23"
        self._context = ssl.SSLContext(getattr(ssl, newest))
        self._context.load_cert_chain(BUNDLE, os.path.join(CERTIFICATES, "localhost.key"))
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(4)
        self.url = "https://localhost:{0}".format(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        plain, _ = self._listener.accept()
        try:
            connection = self._context.wrap_socket(plain, server_side=True)
        except EnvironmentError:
            return plain.close()  # the client does not trust us
        got = 0
        while got < 300000:
            got += len(connection.recv(65536))
        connection.sendall(b'HTTP/1.1 413 Too Large\r\nContent-Length: 20\r\n\r\n{"error": "too big"}')
        try:
            while self._then == "drain" and connection.recv(65536):
                pass
            if self._then == "stall":
                self._go.wait(60)
        except EnvironmentError:
            pass  # the client has left, as it should
        connection.close()

    def close(self):
        self._go.set()
        self._thread.join()
        self._listener.close()


def of_2016(client):
    """Let a client take its bridge for one of 2016, without asking it."""
    client.is_direct = lambda: False
    return client


@pytest.mark.parametrize("then", ["drain", "stall", "close"])
def test_an_early_answer_over_tls_ends_the_upload_soon(tmpdir, then):
    server, sent = EarlyTLS(then), []
    with io.open(str(tmpdir.join("large")), "wb") as large:
        large.truncate(200 * MIB)
    client = of_2016(pymdc.Client(server.url, verify=BUNDLE, timeout=(5, 10), retries=0))
    bucket = pymdc.api.Bucket("6b02f2f51a05ce7722153a94", client=client)

    said = bucket.files.upload(
        str(tmpdir.join("large")), "0" * 64, progress=lambda done, total: sent.append(done)
    )
    server.close()

    assert said == {"error": "too big"}
    assert sent[-1] < (150 if then == "drain" else 20) * MIB


def test_a_certificate_that_nobody_vouches_for_ends_the_call_at_once(tmpdir):
    server, sleeps = EarlyTLS("close"), []
    client = pymdc.Client(server.url, sleep=sleeps.append)

    with pytest.raises(TransportError, match="secure"):
        pymdc.api.Keys(pymdc.api.Users("a@example.com", "password", client=client)).list()

    assert sleeps == []
    server._thread.join()
    server._listener.close()


def test_less_than_1_kib_a_second_over_a_timeout_is_too_little():
    clock = iter(range(1000))
    pace = Pace(60, clock=lambda: next(clock))

    with pytest.raises(socket.timeout):
        for _ in range(100):
            pace.begin()
            pace.came(1000)


def test_a_slow_but_steady_answer_is_none_too_slow():
    clock = iter(range(1000))
    pace = Pace(60, clock=lambda: next(clock))

    for _ in range(400):
        pace.begin()
        pace.came(1025)


def test_the_pauses_of_the_reader_do_not_count():
    times = iter([moment for start in range(0, 100000, 1000) for moment in (start, start + 0.001)])
    pace = Pace(60, clock=lambda: next(times))

    for _ in range(100):
        pace.begin()
        pace.came(1)


def test_an_answer_that_dribbles_is_a_timeout():
    """A byte now and then never lets the stock timeout run out."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    over = threading.Event()

    def dribble():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not over.wait(0.05):
                connection.sendall(b" ")
        except EnvironmentError:
            pass
        connection.close()

    thread = threading.Thread(target=dribble)
    thread.start()
    client = pymdc.Client("http://127.0.0.1:{0}".format(listener.getsockname()[1]), timeout=(5, 0.5), retries=0)

    with pytest.raises(Timeout):
        pymdc.api.Keys(pymdc.api.Users("a@example.com", "password", client=client)).list()
    over.set()
    thread.join()
    listener.close()


def test_an_upload_to_a_bridge_that_reads_slowly_but_steadily_succeeds():
    """It takes far longer than the timeout, which is for silence."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    content = b"x" * 8000000
    digest = content_hash(hashlib.sha256(content)).encode("ascii")

    def read_slowly():
        connection, _ = listener.accept()
        left, pause = len(content), threading.Event()
        while left > 0:
            left -= len(connection.recv(100000))
            pause.wait(0.04)
        body = b'{"hash": "' + digest + b'"}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n" + body)
        connection.close()

    thread = threading.Thread(target=read_slowly)
    thread.start()
    client = of_2016(pymdc.Client("http://127.0.0.1:{0}".format(listener.getsockname()[1]), timeout=(5, 1), retries=0))

    stored = pymdc.api.Files("6b02f2f51a05ce7722153a94", client=client).upload(io.BytesIO(content), "0" * 64)

    thread.join()
    listener.close()
    assert stored == {"hash": digest.decode("ascii")}


def test_a_clock_that_is_far_off_is_told_in_words():
    head = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nDate: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
    server = CannedServer(head + b'Content-Length: 35\r\n\r\n{"error": "Invalid nonce supplied"}')
    client = pymdc.Client(server.url, retries=0)

    said = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()
    server.close()

    assert said == {"error": "Invalid nonce supplied"}
    assert "clock is" in said.hint and "ahead of the bridge's" in said.hint


def test_a_wait_until_a_date_is_measured_by_the_clock_that_gave_it():
    head = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\nDate: Fri, 31 Dec 1999 23:59:00 GMT\r\n"
    server, sleeps = CannedServer(head + b"Retry-After: Fri, 31 Dec 1999 23:59:15 GMT\r\n\r\n"), []
    client = pymdc.Client(server.url, retries=1, sleep=sleeps.append)

    pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()
    server.close()

    assert sleeps == [15.0]


def test_a_handshake_that_is_cut_is_begun_again():
    server, sleeps = CannedServer(b"\x16\x03\x03\x00"), []
    client = pymdc.Client(server.url.replace("http:", "https:"), retries=1, sleep=sleeps.append)

    with pytest.raises(TransportError):
        pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()
    server.close()

    assert len(sleeps) == 1


@pytest.fixture
def wired_bucket(wire):
    """A bucket behind the wire."""
    return new_bucket(wire.bridge, api_url=wire.url, retries=0)


SCRIPT = """
import signal, sys, pymdc
signal.signal(signal.SIGINT, signal.default_int_handler)
client = pymdc.Client(sys.argv[1])
bucket = pymdc.api.Bucket(sys.argv[2], pymdc.keypair.ECDSA(private_key=sys.argv[3]), client=client)
def say(done, total):
    sys.stdout.write("{0}\\n".format(done))
    sys.stdout.flush()
"""


def start(wire, bucket, line, **options):
    script = SCRIPT + line
    arguments = [wire.url, bucket._ids["bucket_id"], bucket._auth.get_private_key()]
    return subprocess.Popen([sys.executable, "-c", script] + arguments, stdout=subprocess.PIPE, **options)


@pytest.mark.parametrize("soon, where, received", [(60, "*/content", 8 * MIB + 100000), (-1, "/shards/*", 100000)])
def test_a_killed_download_is_finished_from_its_part(wire, wired_bucket, tmpdir, soon, where, received):
    content = os.urandom(5 * 8 * MIB)
    stored, path = wired_bucket.files.upload(io.BytesIO(content)), tmpdir.join("copy")
    wire.faults.append(Fault("stall", path=where, nth=2, received=received))

    line = """
from pymdc._transfer import beginning
beginning.SOON = {2}
bucket.files.download({0!r}, {1!r}, progress=say, concurrency=1)
"""
    process = start(wire, wired_bucket, line.format(str(stored["hash"]), str(path), soon))
    while int(process.stdout.readline()) < 2 * 8 * MIB:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert not path.exists()
    del wire.faults[:], wire.requests[:]

    wired_bucket.files.download(stored, str(path))

    assert path.read_binary() == content
    assert len([route for _, route in wire.requests if route.startswith("/shards/")]) == 3
    assert tmpdir.listdir() == [path]


@pytest.mark.parametrize("line", [
    "bucket.list()",
    "bucket.files.upload({here!r}, progress=say)",
    "bucket.files.download({hash!r}, {path!r}, progress=say)",
])
def test_ctrl_c_ends_a_blocking_call_at_once(wire, wired_bucket, tmpdir, line):
    stored = wired_bucket.files.upload(io.BytesIO(b"x" * 1000))
    line = line.format(here=os.path.abspath(__file__), hash=str(stored["hash"]), path=str(tmpdir.join("copy")))
    del wire.requests[:]
    wire.faults.append(Fault("stall", "PUT" if "upload" in line else "GET", "*/content" if "down" in line else "*"))

    process = start(wire, wired_bucket, "say(0, 0)\n" + line, stderr=subprocess.PIPE)
    process.stdout.readline()
    reached = threading.Event()
    while not any(fault.seen for fault in wire.faults):
        assert process.poll() is None
        reached.wait(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()

    assert b"KeyboardInterrupt" in errors
    assert not tmpdir.join("copy").exists()


FULL = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 1024 * 1024,) * 2)
try:
    bucket.files.download({hash!r}, {path!r})
except EnvironmentError as error:
    sys.stdout.write("{{0}}".format(error.errno))
"""


def test_a_disk_that_fills_up_leaves_the_old_file(wire, wired_bucket, tmpdir):
    stored, path = wired_bucket.files.upload(io.BytesIO(os.urandom(20 * MIB))), tmpdir.join("copy")
    path.write_binary(b"old content")

    process = start(wire, wired_bucket, FULL.format(hash=str(stored["hash"]), path=str(path)))
    output, _ = process.communicate()

    assert output == b"27"  # EFBIG, which stands for ENOSPC here
    assert path.read_binary() == b"old content"


FORK = """
bucket.list()
import os
calls = []
child = os.fork()
answers = [bucket.list()["id"] for _ in range(20)]
assert answers == [sys.argv[2]] * 20
future = bucket.list(callback=calls.append)
assert future.result(30)["id"] == sys.argv[2]
if not child:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
sys.stdout.write("both well")
"""


def test_a_forked_child_and_its_parent_both_work(wire, wired_bucket):
    output, _ = start(wire, wired_bucket, FORK).communicate()

    assert output == b"both well"


def test_many_calls_leave_no_thread_and_no_descriptor_behind(buckets, full):
    def work():
        for _ in range(300 if full else 10):
            assert buckets.list() == []

    def in_threads():
        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_threads()
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    in_threads()

    assert len(os.listdir("/proc/self/fd")) <= before[0] + 32  # kept connections
    assert threading.active_count() <= before[1]  # those of an earlier test may have ended meanwhile


def test_a_spent_token_is_told(wire, wired_bucket):
    token = wired_bucket.files.token("PUSH")
    wire.faults.append(Fault("reset", "PUT", sent=10))

    with pytest.raises(TransportError, match="token is spent"):
        wired_bucket.files.upload(io.BytesIO(b"x"), token)


def test_an_upload_whose_answer_was_lost_is_looked_for_and_not_sent_twice(wire, wired_bucket):
    client = of_2016(pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None))
    bucket = pymdc.api.Bucket(wired_bucket.list(), wired_bucket._auth, client=client)
    content = b"lost answer" * 1000
    wire.faults.append(Fault("reset", "PUT"))

    stored = bucket.files.upload(io.BytesIO(content), filename="lost.bin")

    assert stored in bucket.files.list()
    assert (stored["filename"], stored["size"]) == ("lost.bin", len(content))
    assert [method for method, _ in wire.requests].count("PUT") == 1


@pytest.mark.parametrize("status, headers", [(429, {}), (503, {"Retry-After": "0"})])
def test_an_upload_that_was_surely_not_stored_is_sent_again_whatever_is_listed(wire, wired_bucket, status, headers):
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None)
    bucket = pymdc.api.Bucket(wired_bucket.list(), wired_bucket._auth, client=client)
    bucket.files.upload(io.BytesIO(b"content"), filename="there.bin")
    wire.faults.append(Fault("answer", "PUT", status=status, headers=headers))
    del wire.requests[:]

    bucket.files.upload(io.BytesIO(b"content"), filename="there.bin")

    assert [method for method, _ in wire.requests].count("PUT") == 2


@pytest.mark.parametrize("changed, entries", [({"filename": "new.bin"}, 2), ({"mimetype": "image/png"}, 1)])
def test_an_upload_of_known_content_by_another_name_or_type_is_sent_again(wire, wired_bucket, changed, entries):
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None)
    bucket = pymdc.api.Bucket(wired_bucket.list(), wired_bucket._auth, client=client)
    named = {"filename": "old.bin", "mimetype": "text/plain"}
    bucket.files.upload(io.BytesIO(b"content"), **named)
    wire.faults.append(Fault("reset", "PUT", sent=0))

    stored = bucket.files.upload(io.BytesIO(b"content"), **dict(named, **changed))

    listed = bucket.files.list()
    assert {name: stored[name] for name in changed} == changed
    assert stored in listed
    assert len(listed) == entries


@pytest.mark.parametrize("direct", [True, False])
def test_an_upload_that_does_not_fit_twice_was_stored_the_first_time(wire, wired_bucket, direct):
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None)
    client = client if direct else of_2016(client)
    bucket = pymdc.api.Bucket(wired_bucket.list(), wired_bucket._auth, client=client)
    full = b'{"error": "Bucket storage exceeded: 5 bytes do not fit beside 5 of 5"}'
    wire.faults.extend([Fault("reset", "PUT"), Fault("answer", "PUT", status=413, body=full)])
    if not direct:  # else nobody looks in the listing before it is sent again
        wire.faults.append(Fault("answer", "GET", status=404, body=b'{"error": "Bucket not found"}'))

    stored = bucket.files.upload(io.BytesIO(b"12345"))

    assert stored == bucket.files.list()[0]
    assert [method for method, _ in wire.requests].count("PUT") == 2

    with pytest.raises(APIError):
        wire.faults[:] = [Fault("answer", "PUT", status=413, body=full)]
        bucket.files.upload(io.BytesIO(b"67890"))
