"""The cookbook, filesystem.md and index.md are true: files are written, commands run, and what is printed compared."""

import contextlib
import functools
import getpass
import importlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.exceptions import InvalidTag
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import pymdc
from proxy import Proxy, certificate
from pymdc.bridge import LocalBridge

ROOT = Path(__file__).parent.parent.parent
START = (ROOT / "docs" / "index.md").read_text("utf-8")
PAGES = [(ROOT / "docs" / name).read_text("utf-8") for name in ("cookbook.md", "filesystem.md")]
RECIPES, OF_DATA = (dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)) for page in PAGES)
BEGINNING = RECIPES.pop("How each of them begins")
BEGINNING_OF_DATA = OF_DATA.pop("How each of them begins")
NOTEBOOK, PROXY, SEALING = "In a notebook", "Through a proxy, and with a CA of your own", "Encrypt before upload"
#: A block, with the name of the file that it is, if it is one.
BLOCK = re.compile(r"(?:`([\w.]+)`:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)
#: What stands on the page, where each run has something else.
EMAIL, BUCKET, PROXY_ADDRESS = "alice@example.com", "6b02f2f51a05ce7722153a94", "proxy.example:3128"
PASSWORD = "correct horse battery staple"
SALT, SEALED = 32, 1024 * 1024 + 16  # bytes of what sealing.py writes first, and of each block that follows


class Kitchen:
    """
    A folder with what the page says there is, an account and a bucket.

    :ivar dict replaced: what stands on the page, to what takes its place.
    """

    def __init__(self, folder, bridge, client, capsys):
        self._folder = folder
        self._capsys = capsys
        self._names = {"__name__": "cookbook"}
        self._printed = ""
        self.replaced = {}
        self._fill()
        self._register(bridge, client)

    def _fill(self):
        (self._folder / "photos" / "2016").mkdir(parents=True)
        for name, content in (
            ("photo.jpg", (ROOT / "docs" / "photo.jpg").read_bytes()), ("measurements.csv", measurements()),
            ("photos/index.txt", b"two photos"), ("photos/2016/cat.jpg", b"a cat"), ("photos/2016/dog.jpg", b"a dog"),
        ):
            (self._folder / name).write_bytes(content)

    def _register(self, bridge, client):
        address = f"{os.urandom(8).hex()}@example.com"
        user = pymdc.api.Users(address, PASSWORD, client=client)
        user.register()
        user.activate(bridge.activation_token(address))
        key_pair = pymdc.keypair.ECDSA()
        key_pair.save(self._folder / "metadisk.pem")
        pymdc.api.Keys(user).create(key_pair)
        bucket = pymdc.api.Buckets(key_pair, client=client).create("cookbook", 1, 1, [key_pair])
        self.replaced.update({EMAIL: address, BUCKET: bucket["id"]})

    def follow(self, recipe, run=None):
        """
        Do what a recipe says.

        :param run: executes a block of Python, if that is not to be done as in a program.
        """
        for path, kind, text in BLOCK.findall(recipe):
            for printed, real in self.replaced.items():
                text = text.replace(printed, real)
            if path:
                (self._folder / path).write_text(text)
            elif kind == "text":
                assert self.printed().rstrip().endswith(text.rstrip())
            elif kind == "sh":
                self._execute(text)
            else:
                (run or self._run)(text)

    def printed(self):
        """Return all that was printed."""
        self._printed += self._capsys.readouterr().out
        return self._printed

    def _run(self, text):
        exec(compile(text, "cookbook.md", "exec"), self._names)

    def _execute(self, commands):
        """Execute commands of the shell, where the names of texts in Python are variables."""
        told = {name: value for name, value in self._names.items() if isinstance(value, str)}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, **told, "PATH": path, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], env=environment, timeout=120, text=True,
                               capture_output=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        print(ended.stdout, end="")


@functools.cache
def measurements():
    """Return the content of measurements.csv, somewhat more than one shard."""
    rows = "".join(f"{number},{number % 24},{10 + number % 24}.0\n" for number in range(800_000))
    return f"station,hour,celsius\n{rows}"[:9_000_021].encode() + b"\n"


@pytest.fixture(scope="module")
def bridge():
    with LocalBridge() as bridge:
        yield bridge


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder where all happens, with nobody at the keyboard."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(getpass, "getpass", lambda prompt: PASSWORD)
    monkeypatch.setattr(pymdc.rest, "_default", None)
    for module in ("app", "sealing"):  # which an earlier test may have written and imported
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


@pytest.fixture
def kitchen(bridge, place, monkeypatch, capsys):
    monkeypatch.setenv("PYMDC_API_URL", bridge.url)
    with pymdc.Client(bridge.url, raise_errors=True) as client:
        return Kitchen(place, bridge, client, capsys)


@pytest.fixture
def shell():
    """What executes the cells of a notebook; without a history, which would outlive its folder."""
    return InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))


@pytest.mark.parametrize("recipe", sorted(RECIPES.keys() - {NOTEBOOK, PROXY}))
def test_a_recipe_does_what_it_says(kitchen, recipe):
    kitchen.follow(BEGINNING)

    kitchen.follow(RECIPES[recipe])


@pytest.mark.parametrize("recipe", sorted(OF_DATA))
def test_a_recipe_for_data_does_what_it_says(kitchen, recipe):
    kitchen.follow(BEGINNING_OF_DATA)

    kitchen.follow(OF_DATA[recipe])


def test_the_start_page_does_what_it_shows(kitchen, place):
    kitchen.follow(START)

    assert (place / "copy.jpg").read_bytes() == (place / "photo.jpg").read_bytes()


@pytest.mark.parametrize("tamper", [
    lambda sealed: sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:],
    lambda sealed: sealed[:SALT] + sealed[SALT + SEALED:] + sealed[SALT:SALT + SEALED],
    lambda sealed: sealed[:SALT + SEALED],
    lambda sealed: sealed[:-1],
    lambda sealed: sealed[:SALT],
    lambda sealed: b"",
    lambda sealed: sealed + b"\0",
    lambda sealed: sealed + sealed[SALT:],
], ids=["changed", "reordered", "cut by a block", "cut by a byte", "cut to nothing", "empty", "lengthened", "twice"])
def test_what_was_tampered_with_is_not_unsealed(kitchen, place, tamper):
    kitchen.follow(RECIPES[SEALING].partition("```\n\n")[0] + "```")
    sealing, sealed, key = importlib.import_module("sealing"), io.BytesIO(), os.urandom(32)
    sealing.seal(io.BytesIO(bytes(3 * sealing.BLOCK)), sealed, key)

    with pytest.raises(InvalidTag):
        sealing.unseal(io.BytesIO(tamper(sealed.getvalue())), io.BytesIO(), key)


def test_each_cell_of_a_notebook_runs(kitchen, shell):
    kitchen.follow(RECIPES[NOTEBOOK], run=lambda cell: shell.run_cell(cell).raise_error())

    assert "IPython.core.display.Image" in kitchen.printed()


def test_a_proxy_leads_to_a_bridge_that_a_ca_of_ones_own_vouches_for(place, capsys):
    cert, key = certificate("bridge.example", place)
    (place / "company-ca.pem").write_bytes(cert.read_bytes())
    with contextlib.ExitStack() as stack:
        options = {"tls_cert": str(cert), "tls_key": str(key), "public_url": "https://bridge.example"}
        bridge = stack.enter_context(LocalBridge(**options))
        proxy = stack.enter_context(Proxy(("127.0.0.1", urlsplit(bridge.url).port), "user:password"))
        address = "{0}:{1}".format(*proxy.server_address)
        proxies = {"https": f"http://user:password@{address}"}
        client = stack.enter_context(
            pymdc.Client("https://bridge.example", proxies=proxies, verify=str(cert), raise_errors=True)
        )
        kitchen = Kitchen(place, bridge, client, capsys)
        kitchen.replaced[PROXY_ADDRESS] = address
        kitchen.follow(BEGINNING)

        kitchen.follow(RECIPES[PROXY])

        assert set(proxy.asked) == {"bridge.example:443"}
