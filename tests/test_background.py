"""Callbacks: each exactly once, on a worker thread, whatever happens."""

from __future__ import absolute_import, division, print_function

import collections
import functools
import logging
import socket
import subprocess
import sys
import threading

import pytest

import pymdc
from canned_server import CannedServer
from pymdc._background import Background
from pymdc.errors import APIError, TransportError
from waiting import eventually


@pytest.fixture
def nobody():
    """The URL of a port where nobody listens."""
    with_port = socket.socket()
    with_port.bind(("127.0.0.1", 0))
    yield "http://127.0.0.1:{0}".format(with_port.getsockname()[1])
    with_port.close()


@pytest.fixture
def unasked():
    """A server that should not be asked."""
    server = CannedServer(b"")
    yield server
    server.close()


LATER = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
NO_BUCKETS = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"


class Calls(object):
    """A callback that notes what it is given, and waits until enough has come."""

    def __init__(self):
        self.answers = []
        self.threads = set()
        self._more = threading.Condition()

    def __call__(self, answer):
        with self._more:
            self.answers.append(answer)
            self.threads.add(threading.current_thread())
            self._more.notify_all()

    def wait(self, count):
        with self._more:
            while len(self.answers) < count:
                before = len(self.answers)
                self._more.wait(60)
                assert len(self.answers) > before, "no callback came for a minute"
        return self.answers


def test_the_callback_gets_what_the_call_returns(buckets):
    calls = Calls()

    future = buckets.list(callback=calls)

    assert future.result(60) == []
    assert calls.wait(1) == [[]]
    assert threading.current_thread() not in calls.threads


def test_an_error_of_the_bridge_is_what_the_callback_gets_and_the_future_returns(bridge):
    calls, client = Calls(), pymdc.Client(bridge.url)
    stranger = pymdc.api.Users("nobody@example.com", "password", client=client)

    future = pymdc.api.Keys(stranger).list(callback=calls)

    assert calls.wait(1) == [{"error": "Invalid email or password"}]
    assert future.result(60) == {"error": "Invalid email or password"}
    assert future.result().hint == calls.answers[0].hint is not None


def test_raise_errors_makes_the_future_raise_and_leaves_the_callback_its_answer(bridge):
    calls, client = Calls(), pymdc.Client(bridge.url, raise_errors=True)
    stranger = pymdc.api.Users("nobody@example.com", "password", client=client)

    future = pymdc.api.Keys(stranger).list(callback=calls)

    with pytest.raises(APIError, match="Invalid email or password"):
        future.result(60)
    assert calls.wait(1) == [{"error": "Invalid email or password"}]


def test_raise_errors_makes_the_future_raise_what_is_no_answer_too(nobody, tmpdir):
    calls, client = Calls(), pymdc.Client(nobody, retries=0, raise_errors=True)
    absent = tmpdir.join("absent")

    unheard = pymdc.api.Users("a@example.com", "password", client=client).register(callback=calls)
    files = pymdc.api.Files("0" * 24, pymdc.keypair.ECDSA(), client=client)
    unread = files.upload(str(absent), callback=calls)
    wrong = files.download("0" * 40, u"copy", callback=calls, progress=5)

    with pytest.raises(TransportError, match="start one"):
        unheard.result(60)
    with pytest.raises(EnvironmentError, match="absent"):
        unread.result(60)
    assert wrong.result(60) == {"error": "progress must be callable, not 'int'"}
    assert all(set(answer.keys()) == {"error"} for answer in calls.wait(3))


def test_what_waits_for_a_future_cannot_end_a_worker():
    calls, background, all_wait = Calls(), Background(), threading.Event()

    for _ in range(20):  # more than there are workers
        background.submit(all_wait.wait, calls).add_done_callback(lambda future: sys.exit(1))
    all_wait.set()  # a future that is done would call back at once, on this thread

    assert len(calls.wait(20)) == 20


def test_a_bridge_that_is_not_there_is_an_answer_too(nobody):
    calls, client = Calls(), pymdc.Client(nobody, retries=0)

    pymdc.api.Users("a@example.com", "password", client=client).register(callback=calls)

    assert calls.wait(1) == [
        {"error": "no bridge at {0}: start one with python -m pymdc.bridge".format(nobody)}
    ]


def test_a_bad_argument_is_an_answer_too(bucket):
    calls = Calls()

    bucket.files.token("FETCH", callback=calls)
    bucket.files.upload("/no/such/file", callback=calls)

    assert "FETCH" in str(calls.wait(2)) and "No such file" in str(calls.answers)


def test_a_callback_must_be_callable(buckets):
    with pytest.raises(ValueError, match="callback"):
        buckets.list(callback="print")


def coroutine_functions():
    """Whatever makes a coroutine when it is called; there is no such thing on Python 2."""
    made = {"functools": functools}
    if sys.version_info >= (3,):
        exec(COROUTINES, made)
    return made.get("ALL", [])


COROUTINES = """
async def plain(answer):
    pass

async def generator(answer):
    yield answer

class Callable:
    async def __call__(self, answer):
        pass

    async def method(self, answer):
        pass

ALL = [plain, generator, Callable(), Callable().method, functools.partial(plain), functools.partial(Callable())]
"""


def test_a_coroutine_function_is_refused_before_anything_is_sent(unasked):
    client = pymdc.Client(unasked.url)

    for callback in coroutine_functions():
        with pytest.raises(ValueError, match="coroutine"):
            pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list(callback=callback)

    assert unasked.requests == []


@pytest.mark.parametrize("callback", [list.append, print, Calls, functools.partial(Calls.__call__, Calls())])
def test_whatever_else_can_be_called_is_a_callback(client, callback):
    assert client.run(dict, callback=callback).result(60) == {}


def test_callbacks_that_wait_for_other_calls_do_not_use_up_the_workers(client):
    calls = Calls()

    def wait_for_another(answer):
        calls(client.run(dict, callback=lambda answer: None).result(60))

    for _ in range(40):
        client.run(dict, callback=wait_for_another)

    assert calls.wait(40) == [{}] * 40


def test_calls_wait_for_each_other_through_many_callbacks(client):
    def after(depth):
        return client.run(dict, callback=lambda answer: depth and after(depth - 1).result(60)).result(60)

    assert after(40) == {}


def test_at_most_sixteen_calls_are_under_way_and_any_number_waits(client):
    begun, go, calls = [], threading.Event(), Calls()

    def work():
        begun.append(threading.current_thread())
        go.wait(60)
        return {}

    for _ in range(3000):
        client.run(work, callback=calls)
    eventually(lambda: len(begun) == 16)
    under_way = client._background._state.get().running
    go.set()

    assert under_way == 16
    assert calls.wait(3000) == [{}] * 3000


def test_each_of_many_calls_gets_its_callback_once(buckets, bucket, user, nobody):
    stranger = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=buckets._client)
    dead = pymdc.api.Users("a@example.com", "password", client=pymdc.Client(nobody, retries=0))
    calls = collections.OrderedDict((number, Calls()) for number in range(160))

    for number, callback in calls.items():
        call = [buckets.list, bucket.list, stranger.list, dead.register][number % 4]
        call(callback=callback)

    for number, callback in calls.items():
        answer, = callback.wait(1)
        assert ("error" in answer) is (number % 4 >= 2)
    assert all(len(callback.answers) == 1 for callback in calls.values())


def test_a_callback_that_raises_is_logged_and_hurts_nobody(buckets, caplog):
    calls = Calls()

    def broken(answer):
        raise RuntimeError("of the callback")

    def ending(answer):
        sys.exit("of the callback too")

    with caplog.at_level(logging.ERROR, logger="pymdc"):
        for callback in (broken, ending) * 20 + (calls,):
            buckets.list(callback=callback)
        calls.wait(1)
        buckets.list(callback=calls)
        calls.wait(2)

    assert calls.answers == [[], []]
    assert any(record.exc_info[0] is RuntimeError for record in caplog.records)


def test_a_cancelled_call_calls_back_once(client):
    started, go, calls = threading.Event(), threading.Event(), Calls()

    def block():
        started.set()
        go.wait(60)
        return {}

    for _ in range(16):
        client.run(block, callback=lambda answer: None)
    started.wait(60)
    future = client.run(dict, callback=calls)

    assert future.cancel()
    go.set()
    assert calls.wait(1) == [{"error": "Cancelled"}]


def test_there_is_no_thread_before_the_first_callback_and_none_when_all_is_done(client):
    def workers():
        return [thread for thread in threading.enumerate() if thread.name == "pymdc-worker"]

    before = set(workers())
    calls = Calls()
    client.run(dict, callback=calls)
    calls.wait(1)
    for thread in set(workers()) - before:
        thread.join(60)
        assert not thread.is_alive()
    assert not any(thread.daemon for thread in calls.threads)


OUTLIVING = """
import sys, threading
import pymdc
from pymdc._compat import main_thread

buckets = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=pymdc.Client(sys.argv[1]))
together, threads, all_here = threading.Semaphore(0), set(), threading.Event()

def meet(answer):
    # Nobody goes on before all three are here, each on a thread of its own.
    threads.add(threading.current_thread())
    together.release()
    if len(threads) == 3:
        all_here.set()
    all_here.wait(30)

def service():
    main_thread().join()
    sys.stdout.write("blocking {0}\\n".format(buckets.list()))
    futures = [buckets.list(callback=meet) for _ in range(3)]
    for future in futures:
        sys.stdout.write("background {0}\\n".format(future.result()))
    for _ in range(3):
        together.acquire()
    sys.stdout.write("on a worker" if threading.current_thread() not in threads else "on the caller")

threading.Thread(target=service).start()
"""


def test_in_threads_that_outlive_the_main_one_all_is_as_before():
    """Each call fails at first, and is repeated."""
    seen = []

    def bridge(request):
        seen.append(request)
        return LATER if len(seen) % 2 else NO_BUCKETS

    server = CannedServer(bridge)

    output = subprocess.check_output([sys.executable, "-c", OUTLIVING, server.url]).decode("ascii")
    server.close()

    assert output.splitlines() == ["blocking []"] + ["background []"] * 3 + ["on a worker"]
    assert len(seen) == 8


LAST = """
import sys
import pymdc
from pymdc._compat import main_thread

def sleep(seconds):
    sys.stdout.write("slept ")

client = pymdc.Client(sys.argv[1], sleep=sleep)
buckets = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client)

def after_the_end():
    main_thread().join()
    return buckets.list()

client.run(after_the_end, callback=lambda answer: sys.stdout.write(" ".join(answer.keys())))
"""


def test_a_script_that_ends_does_not_wait_for_repeats():
    server = CannedServer(LATER)

    output = subprocess.check_output([sys.executable, "-c", LAST, server.url]).decode("ascii")
    server.close()

    assert output == "error"
    assert len(server.requests) == 1


SCRIPT = """
import sys
import pymdc

client = pymdc.Client(sys.argv[1], retries=0)
stranger = pymdc.api.Keys(pymdc.api.Users("nobody@example.com", "password", client=client))

def second(answer):
    sys.stdout.write("second " + " ".join(answer.keys()) + "\\n")

def first(answer):
    sys.stdout.write("first " + " ".join(answer.keys()) + "\\n")
    stranger.list(callback=second)

stranger.list(callback=first)
"""

SILENT = """
import sys
import pymdc

client = pymdc.Client(sys.argv[1], timeout=(5, 0.5), retries=0)
stranger = pymdc.api.Keys(pymdc.api.Users("nobody@example.com", "password", client=client))
for _ in range(100):
    stranger.list(callback=lambda answer: sys.stdout.write(" ".join(answer.keys()) + "\\n"))
"""


def test_a_script_that_ends_waits_for_one_timeout_and_still_gets_every_callback():
    server = CannedServer(b"")

    output = subprocess.check_output([sys.executable, "-c", SILENT, server.url]).decode("ascii")
    server.close()

    assert output.split() == ["error"] * 100
    assert len(server.requests) <= 2 * 16  # workers


AT_EXIT = SCRIPT.replace("stranger.list(callback=first)", """
import atexit
atexit.register(lambda: stranger.list(callback=first))
""")


@pytest.mark.parametrize("script", [SCRIPT, AT_EXIT], ids=["at its end", "from an exit handler"])
@pytest.mark.parametrize("listening", [True, False])
def test_a_script_that_ends_after_a_call_gets_its_callback_and_those_of_calls_started_then(
    bridge, nobody, script, listening
):
    command = [sys.executable, "-c", script, bridge.url if listening else nobody]

    output = subprocess.check_output(command, stderr=subprocess.STDOUT).decode("ascii")

    assert output.split() == ["first", "error", "second", "error"]
