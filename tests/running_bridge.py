"""A bridge in a process of its own, for the tests of the library on any Python."""

from __future__ import absolute_import, division, print_function

import email
import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import pymdc
import pymdc.testing


class RunningBridge(object):
    """
    The bridge that ``PYMDC_TEST_BRIDGE_URL`` names, or one that is started here, as one with *options* always is.

    :param process: what else ``subprocess.Popen`` is told; a bridge that needs it is started here too.
    """

    def __init__(self, *options, **process):
        self.url = os.environ.get("PYMDC_TEST_BRIDGE_URL")
        self.outbox = os.environ.get("PYMDC_TEST_OUTBOX")
        self._options, self._told = list(options), process
        self.data_dir = self._process = None
        if options or process or not self.url:
            self.data_dir = tempfile.mkdtemp(prefix="pymdc-test-")
            self.outbox = os.path.join(self.data_dir, "outbox")
            self.start()

    def launch(self, port=0):
        """Begin to start."""
        self._process = subprocess.Popen(
            self._command(port), stdout=subprocess.PIPE, env=_environment(), cwd=self.data_dir, **self._told
        )

    def start(self, port=0):
        self.launch(port)
        guard = threading.Timer(60, self._process.kill)
        guard.start()
        line = self._process.stdout.readline().decode("ascii").strip()
        guard.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError("the bridge did not start; it said {0!r}".format(line))
        self.url = line.split()[-1]

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self, kill=False):
        self._process.kill() if kill else self._process.terminate()
        self._process.stdout.close()
        guard = threading.Timer(30, self._process.kill)
        guard.start()
        self._process.wait()
        guard.cancel()

    def close(self):
        if self._process is not None:
            self.stop()
            shutil.rmtree(self.data_dir)

    def activation_link(self, address):
        """Return the link in the newest mail to *address*."""
        for path in sorted(glob.glob(os.path.join(self.outbox, "*.eml")), reverse=True):
            with io.open(path, "rb") as mail:
                message = email.message_from_string(mail.read().decode("utf-8"))
            if message["To"] == address:
                return re.search(r"http\S+/activations/\w+", message.get_payload()).group()
        raise LookupError("no mail to {0}".format(address))

    def activation_token(self, address):
        """Return the token of that link, for :func:`pymdc.testing.account`."""
        return self.activation_link(address).rpartition("/")[2]

    def _command(self, port):
        return [
            _python(), "-m", "pymdc.bridge", "--port", str(port), "--data-dir", self.data_dir, "--log-level", "error",
            "--rates", "off",
        ] + self._options


def new_bucket(bridge, **options):
    """
    Return a new bucket of a new account.

    :param options: of the :class:`pymdc.Client`.
    """
    made = pymdc.testing.account(bridge, pymdc.Client(options.pop("api_url", bridge.url), raise_errors=True, **options))
    created = pymdc.api.Buckets(made.key_pair, client=made.client).create("bucket", 10, 10, [made.key_pair])
    return pymdc.api.Bucket(created, made.key_pair, client=made.client)


def _python():
    chosen = os.environ.get("PYMDC_TEST_BRIDGE_PYTHON")
    if not chosen and sys.version_info < (3, 10):
        raise RuntimeError(
            "a bridge needs Python 3.10: name one that has the extra 'bridge' in PYMDC_TEST_BRIDGE_PYTHON (tox does)"
        )
    return chosen or sys.executable


def _environment():
    unwanted = ("PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if name not in unwanted}
