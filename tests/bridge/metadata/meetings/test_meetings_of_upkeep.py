"""Whose turn upkeep is."""

import uuid

from meeting import meetings
from parties import LATER


def test_upkeep_is_one_s_turn(memory):
    for meet in meetings(memory):
        lease = uuid.uuid4().hex

        results = meet(*[lambda: memory.rates.take(lease, 1, 1000, 0)] * 2)

        assert results.count(0) == 1


def test_who_tidies_up_what_is_idle_waits_for_nobody(memory):
    """Each holds one row that the other has seen idle."""
    for meet in meetings(memory):
        idle = [uuid.uuid4().hex for _ in range(2)]
        for each in idle:
            memory.rates.take(each, 1, 1, 0)

        results = meet(*(lambda each=each: memory.rates.take(each, 1, LATER, 10) for each in idle))

        assert results == [0, 0]
