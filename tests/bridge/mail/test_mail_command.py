"""Mails of the command, python -m pymdc.bridge."""

import contextlib
import email
import email.policy
import os
import re
import sqlite3
import subprocess
import sys

import pytest

import pymdc
from mail_server import CERTIFICATE, PASSWORD
from post import LOGIN, SENDER, next_of
from pymdc.bridge.settings import Settings


def waiting(folder):
    """Return the names of the mails that wait in the database in a data folder."""
    with contextlib.closing(sqlite3.connect(folder / "bridge.sqlite")) as db:
        return [name for name, in db.execute("SELECT name FROM mails")]


@pytest.fixture
def serve(tmp_path):
    """A function that runs the command on one folder."""
    started = []

    def serve(*options, **environment):
        started.append(subprocess.Popen(
            [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", tmp_path, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
        ))
        return started[-1]
    yield serve
    for process in started:
        process.kill()
        process.communicate()


def test_an_account_is_activated_by_the_mail_that_the_command_sent(make_server, serve, tmp_path):
    server = make_server(tls="starttls", login=True)
    environment = {"PYMDC_BRIDGE_SMTP_URL": server.url(LOGIN), "SSL_CERT_FILE": str(CERTIFICATE)}
    bridge = serve("--mail-from", SENDER, **environment)
    url = bridge.stdout.readline().split()[-1]
    user = pymdc.api.Users("a@example.com", "password", client=pymdc.Client(url))

    user.register()
    mail = email.message_from_bytes(server.taken.get(timeout=30).content, policy=email.policy.default)
    link = re.search(r"http\S+/activations/\w+", mail.get_content()).group()
    activated = user.activate(link)
    bridge.terminate()
    _, said = bridge.communicate(timeout=60)

    assert (mail["From"], mail["To"], activated["activated"]) == (SENDER, "a@example.com", True)
    assert link not in said and link[-64:] not in said and PASSWORD not in said and LOGIN not in said
    assert waiting(tmp_path) == []


def test_a_command_that_is_stopped_finishes_the_delivery_under_way(make_server, serve, tmp_path):
    server = make_server()
    server.hold()
    bridge = serve("--smtp-url", server.url())
    url = bridge.stdout.readline().split()[-1]
    pymdc.api.Users("a@example.com", "password", client=pymdc.Client(url)).register()
    assert [server.seen.get(timeout=30)[0] for _ in range(2)] == ["MAIL", "RCPT"]

    bridge.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        bridge.wait(timeout=1)
    server.release()
    bridge.communicate(timeout=60)

    assert next_of(server) == "a@example.com"
    assert waiting(tmp_path) == []


def test_a_command_that_is_stopped_leaves_the_mail_for_the_next(make_server, serve):
    server = make_server(start=False)
    bridge = serve("--smtp-url", server.url())
    client = pymdc.Client(bridge.stdout.readline().split()[-1])
    pymdc.api.Users("a@example.com", "password", client=client).register()
    bridge.terminate()
    bridge.communicate(timeout=60)

    server.start()
    serve("--smtp-url", server.url())

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("options, complaint", [
    (["--smtp-url", "smtp://u:s3cret@"], "smtp-url must name a host"),
    (["--smtp-url", "smtp://u:s3cret"], "smtp-url must have a port"),
    (["--mail-from", "nobody"], "mail-from must be like"),
])
def test_a_bad_option_about_mails_is_named_without_the_password(serve, options, complaint):
    bridge = serve(*options)

    _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert complaint in said and "s3cret" not in said and "Traceback" not in said


def test_settings_do_not_show_the_password():
    assert "s3cret" not in repr(Settings(None, smtp_url="smtp://user:s3cret@h"))
