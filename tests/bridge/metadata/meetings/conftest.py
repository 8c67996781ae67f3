"""
What holds wherever two transactions on PostgreSQL meet.  Each test goes through all the places where one of them can be
when the other comes: what it has looked at and not locked may be otherwise then.
"""

import contextlib

import pytest

from parties import Account
from pymdc.bridge.metadata import Metadata


@pytest.fixture(scope="module")
def memory(postgresql):
    with contextlib.closing(Metadata(postgresql.new_database())) as memory:
        yield memory


@pytest.fixture
def new_account(memory):
    return lambda: Account(memory)
