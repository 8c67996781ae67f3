"""Whose a key is, and what it loses, while it is used."""

import uuid

import pytest

from meeting import meetings
from parties import LATER, Account, new_point, refused, rows
from pymdc.bridge.metadata import Asker, tables


@pytest.mark.parametrize("proved", [False, True])
def test_a_key_is_one_account_s(memory, new_account, proved):
    for meet in meetings(memory):
        accounts, point = [new_account(), new_account()], new_point()

        results = meet(*(lambda account=account: account.add_key(point, proved) for account in accounts))

        assert sum(refused(results)) == 1
        assert rows(memory, tables.keys, tables.keys.c.point == point) == 1


def test_two_that_prove_each_other_s_key_do_not_wait_for_each_other(memory, new_account):
    for meet in meetings(memory):
        one, other = new_account(), new_account()

        results = meet(lambda: one.add_key(other.point, True), lambda: other.add_key(one.point, True))

        assert refused(results) == [False, False]
        assert [memory.keys.find(each.point)["email"] for each in (one, other)] == [other.email, one.email]


def deletes_it(memory, account, bucket, point):
    memory.keys.delete(account.email, point, Asker())


def strikes_it_off(memory, account, bucket, point):
    account.list_keys(bucket, [])


def takes_it_over(memory, account, bucket, point):
    """Another account proves to hold it."""
    Account(memory).add_key(point, proved=True)


@pytest.fixture(params=[deletes_it, strikes_it_off, takes_it_over])
def lose(request):
    return request.param


def bucket_of(account, lose):
    """Return a bucket, and a key that may ask for its tokens until it loses that."""
    if lose is strikes_it_off:
        guest = new_point()
        return account.bucket([guest]), guest
    return account.bucket([account.point] if lose is deletes_it else []), account.point


def test_a_token_dies_with_the_power_of_the_key_that_asks_for_it(memory, new_account, lose):
    for meet in meetings(memory):
        account = new_account()
        bucket, point = bucket_of(account, lose)

        meet(lambda: lose(memory, account, bucket, point), lambda: account.ask(bucket, asker=Asker(point)))

        assert rows(memory, tables.tokens, tables.tokens.c.point == point) == 0


def test_a_pointer_dies_with_the_power_of_the_key_that_asks_for_it(memory, new_account, lose):
    for meet in meetings(memory):
        account = new_account()
        bucket, point = bucket_of(account, lose)
        name = account.store(bucket, [1])

        meet(lambda: lose(memory, account, bucket, point), lambda: memory.files.hand_out(
            bucket, name, Asker(point), lambda: {"hash": uuid.uuid4().hex, "left": 1, "expires": LATER}, 9, 0))

        assert rows(memory, tables.shard_tokens, tables.shard_tokens.c.point == point) == 0


ACTS = {
    "make a bucket": lambda memory, account, bucket, name, asker: memory.buckets.add(
        account.email, 0, {"name": "b", "storage": 1, "transfer": 1}, {}, asker),
    "change a bucket": lambda memory, account, bucket, name, asker: memory.buckets.change(
        account.email, bucket, {"name": "c"}, None, asker),
    "delete a bucket": lambda memory, account, bucket, name, asker: memory.buckets.delete(
        account.email, bucket, 0, asker),
    "delete a file": lambda memory, account, bucket, name, asker: memory.files.delete(
        account.email, bucket, name, asker),
    "name content once more": lambda memory, account, bucket, name, asker: account.copy(bucket, name, "b", asker),
    "register a key": lambda memory, account, bucket, name, asker: memory.keys.add(
        account.email, new_point(), "k", False, asker),
    "ask for a token": lambda memory, account, bucket, name, asker: account.ask(bucket, asker=asker),
    "store a file": lambda memory, account, bucket, name, asker: account.begin(bucket, asker=asker),
}

POWERS = {
    "a key": (lambda account: Asker(account.point),
              lambda memory, account: memory.keys.delete(account.email, account.point, Asker())),
    "a password": (lambda account: Asker(password=account.password()),
                   lambda memory, account: memory.accounts.set_password(account.email, "another")),
}


@pytest.mark.parametrize("power, lose", POWERS.values(), ids=list(POWERS))
@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
def test_a_key_or_password_that_is_gone_acts_no_more(memory, new_account, act, power, lose):
    """What it has begun is done before that, or not at all."""
    for meet in meetings(memory):
        account = new_account()
        bucket, asker = account.bucket(), power(account)
        name = account.store(bucket, [1])

        results = meet(lambda: act(memory, account, bucket, name, asker), lambda: lose(memory, account))

        assert refused(results)[0] or meet.between != 1


@pytest.mark.parametrize("what", ["token", "pointer"])
def test_no_token_and_no_pointer_outlives_the_password_that_asks_for_it(memory, new_account, what):
    for meet in meetings(memory):
        account = new_account()
        bucket, asker = account.bucket(), Asker(password=account.password())
        name = account.store(bucket, [1])
        ask = {"token": lambda: account.ask(bucket, asker=asker), "pointer": lambda: memory.files.hand_out(
            bucket, name, asker, lambda: {"hash": uuid.uuid4().hex, "left": 1, "expires": LATER}, 9, 0)}

        meet(lambda: memory.accounts.set_password(account.email, "another"), ask[what])

        assert rows(memory, tables.tokens, tables.tokens.c.bucket == bucket) == 0
        assert rows(memory, tables.shard_tokens, tables.shard_tokens.c.bucket == bucket) == 0
