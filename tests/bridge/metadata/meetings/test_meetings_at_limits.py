"""How many there may be, where two come at once."""

import uuid

import pytest

from meeting import meetings
from parties import LATER, new_point, refused
from pymdc.bridge.metadata import Asker, buckets, keys


def test_an_account_has_no_more_buckets_than_it_may(memory, new_account, monkeypatch):
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 1)
    for meet in meetings(memory):
        account = new_account()

        results = meet(account.bucket, account.bucket)

        assert sum(refused(results)) == 1


def test_an_account_has_no_more_keys_than_it_may(memory, new_account, monkeypatch):
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    for meet in meetings(memory):
        account, points = new_account(), [new_point(), new_point()]

        results = meet(*(lambda point=point: account.add_key(point) for point in points))

        assert sum(refused(results)) == 1


def test_the_buckets_of_an_account_list_no_more_keys_than_they_may(memory, new_account, monkeypatch):
    monkeypatch.setattr(buckets, "MAX_ALL_KEYS", 1)
    for meet in meetings(memory):
        account = new_account()
        both = [account.bucket(), account.bucket()]

        results = meet(*(lambda bucket=bucket: account.list_keys(bucket, [account.point]) for bucket in both))

        assert sum(refused(results)) == 1


def test_an_account_has_no_more_tokens_than_it_may(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        both = [account.bucket(), account.bucket()]

        results = meet(*(lambda bucket=bucket: account.ask(bucket, most=1) for bucket in both))

        assert sum(refused(results)) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_is_let_in_than_an_account_has_room_for(memory, new_account, count):
    """Be it into one bucket, or into two."""
    for meet in meetings(memory):
        account = new_account()
        several = [account.bucket() for _ in range(count)]

        results = meet(*(lambda bucket=bucket: account.begin(bucket, files=1) for bucket in (several[0], several[-1])))

        assert sum(refused(results)) == 1


def test_no_more_is_let_in_than_fits_beside_what_is_being_entered(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()
        upload = account.begin(bucket)

        results = meet(lambda: account.finish(upload, bucket, [1]), lambda: account.begin(bucket, files=1))

        assert refused(results) == [False, True]


def test_no_more_is_read_than_the_transfer_of_a_bucket_allows(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket(transfer=2.5 / 10**9)
        name = account.store(bucket, [1, 2])

        def take():
            return memory.files.take(bucket, name, Asker(), lambda size: (0, size))

        assert sum(refused(meet(take, take))) == 1


@pytest.mark.parametrize("left, transfer", [(1, 1), (3, 1.5 / 10**9)])
def test_a_shard_is_read_as_often_as_it_may(memory, new_account, left, transfer):
    """By the uses of its token, and by the transfer of its bucket."""
    for meet in meetings(memory):
        account = new_account()
        bucket, token = account.bucket(transfer=transfer), uuid.uuid4().hex
        name = account.store(bucket, [1])
        memory.files.hand_out(bucket, name, Asker(), lambda: {"hash": token, "left": left, "expires": LATER}, 9, 0)

        def spend():
            memory.files.spend_shard_token(token, f"{1:040}", 0)

        assert sum(refused(meet(spend, spend))) == 1
