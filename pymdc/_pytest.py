"""
The pytest plugin: the fixtures of :mod:`pymdc.testing`.

It is loaded at the start of every pytest run, on every Python, so what might be missing is imported by the fixtures.
"""

from __future__ import absolute_import, division, print_function

import pytest


@pytest.fixture(scope="session")
def metadisk_bridge():
    """A bridge in this process, as :class:`pymdc.bridge.LocalBridge`."""
    from pymdc.bridge import LocalBridge

    with LocalBridge() as bridge:
        yield bridge


@pytest.fixture
def metadisk_bucket(metadisk_bridge):
    """A new bucket, of a new account, as :class:`pymdc.api.Bucket`."""
    from pymdc import api, testing

    account = testing.account(metadisk_bridge)
    with account.client:
        created = api.Buckets(account.key_pair, client=account.client).create("bucket", 1, 1, [account.key_pair])
        yield api.Bucket(created, account.key_pair, client=account.client)
