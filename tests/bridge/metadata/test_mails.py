"""Mails in the database: written with what needs them, and one postman's at a time."""

import collections
import contextlib

import pytest

from pymdc.bridge.metadata import Metadata
from pymdc.bridge.refusal import Refusal
from wire import race

FOR_EVER = 10**15


def mail(name="a", **columns):
    return {"name": name, "recipient": "ann@example.com", "content": b"\x00\xff", "created": 0, "due": 0, "claimed": 0,
            **columns}


def names(memory, now=10):
    """Claim all that can be had; return their names in this order."""
    found = []
    while (row := memory.mails.claim(now, now, FOR_EVER)) is not None:
        found.append(row["name"])
    return found


def test_a_mail_is_claimed_as_it_was_written(memory):
    memory.mails.add(mail())

    assert dict(memory.mails.claim(10, 10, 500)) == mail(claimed=500)


def test_mails_are_claimed_when_they_are_due_the_oldest_first(memory):
    for name, due in (("b", 5), ("c", 11), ("a", 5), ("d", 4)):
        memory.mails.add(mail(name, due=due))

    assert names(memory, 10) == ["d", "a", "b"]
    assert names(memory, 11) == ["c"]


def test_a_mail_is_somebody_else_s_when_the_time_of_a_claim_is_over(memory):
    memory.mails.add(mail())

    assert memory.mails.claim(10, 10, 20) is not None
    assert memory.mails.claim(19, 19, 40) is None
    assert memory.mails.claim(20, 20, 40)["claimed"] == 40


def test_a_mail_that_was_put_off_since_a_round_began_is_not_tried_again_in_it(memory):
    memory.mails.add(mail())
    claimed = memory.mails.claim(10, 10, 20)

    memory.mails.put_off(claimed, 11)

    assert memory.mails.claim(10, 15, 20) is None
    assert memory.mails.claim(15, 15, 20) is not None


def test_who_has_lost_his_claim_cannot_put_off_what_another_has(memory):
    memory.mails.add(mail())
    slow = memory.mails.claim(10, 10, 20)
    memory.mails.claim(20, 20, 40)

    memory.mails.put_off(slow, 0)

    assert memory.mails.claim(39, 39, 60) is None


def test_what_was_given_up_is_not_tried_before_the_next_start_and_forgotten_in_time(memory):
    for name in "ab":
        memory.mails.add(mail(name, created=ord(name)))
        memory.mails.put_off(memory.mails.claim(10, 10, 20), None)
    memory.mails.add(mail("old, and not given up"))

    memory.mails.forget_given_up(ord("a"))

    assert names(memory, FOR_EVER // 2) == ["old, and not given up"]
    memory.mails.hurry(10, alone=False)
    assert names(memory) == ["b"]


@pytest.mark.parametrize("alone, found", [(True, ["claimed", "put off"]), (False, ["put off"])])
def test_a_start_lets_all_be_tried_at_once_but_for_what_another_may_be_at(memory, alone, found):
    memory.mails.add(mail("claimed", claimed=FOR_EVER))
    memory.mails.add(mail("put off", due=FOR_EVER))

    memory.mails.hurry(10, alone)

    assert names(memory) == found


def test_a_mail_that_is_added_twice_is_there_once(memory):
    for content in (b"first", b"second"):
        memory.mails.add(mail(content=content))

    assert memory.mails.claim(10, 10, FOR_EVER)["content"] == b"first"
    assert names(memory) == []


def test_a_mail_goes_with_what_it_is_written_with(memory):
    def work():
        memory.mails.add(mail())
        memory.rates.take("somebody", 1, FOR_EVER, 0)
        raise Refusal(400, "no")

    with pytest.raises(Refusal):
        memory.together(work)

    assert names(memory) == []
    assert memory.rates.take("somebody", 1, FOR_EVER, 0) == 0


def test_each_mail_is_claimed_once_however_many_race_for_it(database_url):
    with contextlib.ExitStack() as stack:
        memories = [stack.enter_context(contextlib.closing(Metadata(database_url))) for _ in range(4)]
        for number in range(40):
            memories[0].mails.add(mail(f"{number:02}"))

        found = race(8, lambda number: names(memories[number % 4]))

        assert sorted(sum(found, [])) == [f"{number:02}" for number in range(40)]


def test_when_a_claim_ends_one_gets_the_mail_however_many_race_for_it(database_url):
    with contextlib.ExitStack() as stack:
        memories = [stack.enter_context(contextlib.closing(Metadata(database_url))) for _ in range(4)]
        memories[0].mails.add(mail())

        for now in range(10, 200, 10):
            found = race(8, lambda number: memories[number % 4].mails.claim(now, now, now + 10))
            assert collections.Counter(row is not None for row in found) == {False: 7, True: 1}
