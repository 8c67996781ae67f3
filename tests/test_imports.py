"""What is loaded when: an import takes time and memory, so there is none before it is needed."""

from __future__ import absolute_import, division, print_function

import os
import subprocess
import sys

import pytest

CALL = "files = pymdc.api.Bucket(sys.argv[1], pymdc.keypair.ECDSA(private_key=sys.argv[2])).files; files.list()"
UP = "uploaded = files.upload(io.BytesIO(b'GIF89a'), filename='{0}')"
DOWN = "files.download(uploaded['hash'], io.BytesIO())"
NETWORK = {"pymdc._http.network", "requests", "urllib3"}
SERVER = {"pymdc.bridge", "sqlalchemy", "sqlite3", "starlette"}


def loaded(steps, *arguments):
    """Return the names of the modules that a Python has loaded after it has imported pymdc and taken these steps."""
    script = "\n".join(["import io, sys", "import pymdc"] + steps + ["sys.stdout.write(' '.join(sys.modules))"])
    return set(subprocess.check_output([sys.executable, "-c", script] + list(arguments)).decode("ascii").split())


@pytest.fixture
def loaded_by_calls(bridge, buckets, key_pair, monkeypatch):
    """The same, with a bucket and a key that may use it."""
    monkeypatch.setitem(os.environ, "PYMDC_API_URL", bridge.url)
    bucket_id = buckets.create("photos", 10, 30)["id"]
    return lambda *steps: loaded(list(steps), bucket_id, key_pair.get_private_key())


def test_the_import_loads_the_face_and_no_network():
    modules = loaded([])

    assert {"pymdc.api", "pymdc.errors", "pymdc.keypair", "pymdc.rest"} <= modules
    assert not modules & (NETWORK | SERVER | {"inspect", "magic", "websocket"})


def test_the_first_calls_load_the_network_and_no_more(loaded_by_calls):
    modules = loaded_by_calls(CALL, UP.format("cat.gif"), DOWN)

    assert NETWORK <= modules
    assert not modules & (SERVER | {"magic", "websocket"})


def test_libmagic_is_loaded_where_the_ending_does_not_decide(loaded_by_calls):
    assert "magic" in loaded_by_calls(CALL, UP.format("cat"))
