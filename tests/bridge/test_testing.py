"""What pymdc.testing offers to the tests of others, used as docs/testing.md says."""

import subprocess
import sys

import pytest

import pymdc
import pymdc.testing
from pymdc.bridge import LocalBridge
from pymdc.testing import Fault, Wire


pytest_plugins = ["pymdc.testing"]


def test_the_bucket_fixture_is_a_bucket_of_its_own(metadisk_bucket, tmp_path):
    (tmp_path / "a").write_bytes(b"content")

    uploaded = metadisk_bucket.files.upload(tmp_path / "a")

    assert metadisk_bucket.files.list() == [uploaded]


def test_accounts_are_strangers_to_each_other(metadisk_bridge):
    alice, bob = pymdc.testing.account(metadisk_bridge), pymdc.testing.account(metadisk_bridge)
    created = pymdc.api.Buckets(alice.key_pair, client=alice.client).create("hers", 1, 1)

    assert pymdc.api.Buckets(alice.user).list() == [created]
    assert pymdc.api.Buckets(bob.user).list() == []


def test_an_account_is_made_by_url_and_outbox(metadisk_bridge, monkeypatch):
    monkeypatch.setenv("PYMDC_TEST_OUTBOX", str(metadisk_bridge.outbox))

    account = pymdc.testing.account(metadisk_bridge.url)

    assert pymdc.api.Keys(account.user).list()[0]["key"] == account.key_pair.get_public_key()


def test_a_fault_befalls_the_request_that_it_names_and_no_other(metadisk_bridge):
    with Wire(metadisk_bridge.url, [Fault("answer", "GET", "/buckets", nth=2, status=500)]) as wire:
        account = pymdc.testing.account(metadisk_bridge, pymdc.Client(wire.url))
        buckets = pymdc.api.Buckets(account.key_pair, client=account.client)

        assert [buckets.list() for _ in range(3)] == [[], {"error": "a fault on the wire"}, []]
        assert wire.requests[-3:] == [("GET", "/buckets")] * 3


def test_a_wire_that_is_made_first_leads_to_the_shards_too(tmp_path):
    wire = Wire()
    with wire, LocalBridge(public_url=wire.url) as bridge:
        wire.target = bridge.url
        account = pymdc.testing.account(bridge)
        created = pymdc.api.Buckets(account.key_pair, client=account.client).create("b", 1, 1)
        files = pymdc.api.Files(created, account.key_pair, client=account.client)
        uploaded = files.upload(__file__)
        wire.faults.append(Fault("reset", path="/shards/*", received=100))

        files.download(uploaded, tmp_path / "copy", files.token("PULL"))

    assert [method + path[:8] for method, path in wire.requests] == ["GET/shards/"] * 2


def test_a_fault_of_no_known_kind_is_refused():
    with pytest.raises(ValueError, match="explode"):
        Fault("explode")


def run_pytest(folder, test):
    (folder / "test_it.py").write_text(test)
    return subprocess.call([sys.executable, "-m", "pytest", "-q", str(folder)], cwd=folder)


def test_a_run_of_pytest_that_names_no_plugin_loads_nothing(tmp_path):
    test = "import sys\n\ndef test_it():\n    assert not [name for name in sys.modules if name.startswith('pymdc')]\n"

    assert run_pytest(tmp_path, test) == 0


def test_a_conftest_brings_the_fixtures_to_all_below_it(tmp_path):
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['pymdc.testing']\n")

    assert run_pytest(tmp_path, "def test_it(metadisk_bucket):\n    assert metadisk_bucket.files.list() == []\n") == 0


def test_without_pytest_nothing_asks_for_it():
    script = "import sys; sys.modules['pytest'] = None; import pymdc.testing; pymdc.testing.Fault('reset')"

    assert subprocess.call([sys.executable, "-c", script]) == 0
