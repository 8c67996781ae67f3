import contextlib
import subprocess
import sys

import pytest

from mail_server import CERTIFICATE, MailServer
from post import Post

POSTMAN = """
import sys
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay
from pymdc.bridge.metadata import Metadata
memory = Metadata(sys.argv[1])
Postman(memory.mails, memory.clock, Relay.parse(sys.argv[2]), Schedule(look=0.1, claim=float(sys.argv[3]))).start()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def post(tmp_path):
    with contextlib.closing(Post(f"sqlite:///{tmp_path}/bridge.sqlite")) as post:
        yield post


@pytest.fixture
def shared_post(database_url):
    """The mails in a database of each kind."""
    with contextlib.closing(Post(database_url)) as post:
        yield post


@pytest.fixture
def start_process(shared_post):
    """A function that starts a postman in a process of his own, which ends when its input does."""
    with contextlib.ExitStack() as stack:
        def start(server, claim=300):
            command = [sys.executable, "-c", POSTMAN, shared_post.url, server.url(), str(claim)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process.stdout.readline()
            return stack.enter_context(process)
        yield start


@pytest.fixture
def make_server():
    """A function that makes a mail server, and starts it unless told otherwise."""
    made = []

    def make(start=True, **options):
        made.append(MailServer(**options))
        if start:
            made[-1].start()
        return made[-1]
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_postman(post):
    """A function that makes a postman and starts him."""
    return post.hire


@pytest.fixture
def trusted(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
