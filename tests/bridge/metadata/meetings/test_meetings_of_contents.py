"""Shards that come, go, or are named, while somebody else wants them too."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from meeting import deadlocks_of, meetings, waiting
from parties import LEAST, NUMBERS, objects_of, refused
from pymdc.bridge.metadata import Asker, Within, tables
from pymdc.bridge.refusal import Refusal
from waiting import eventually


def check(memory, account, bucket, contents):
    """Find what a bucket stores counted, every shard of it there, and nothing deleted that is held."""
    files, _ = memory.names.page(bucket, Within(), None, None)
    assert account.stored(bucket) == LEAST * len(files)
    for file in files:
        assert len(memory.files.take(bucket, file["hash"], Asker(), lambda size: (0, 0)).shards) == file["size"]
    assert not objects_of(memory, contents) & set(memory.shards.unneeded(0))
    return len(files)


def test_a_file_that_comes_twice_is_entered_once(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        bucket, name = account.bucket(), f"{next(NUMBERS):040}"
        uploads = [account.begin(bucket), account.begin(bucket)]

        meet(*(lambda upload=upload: account.finish(upload, bucket, contents, name) for upload in uploads))

        assert check(memory, account, bucket, contents) == 1


def test_a_file_that_is_deleted_twice_is_given_back_once(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS)]
        bucket = account.bucket()
        name = account.store(bucket, contents)

        results = meet(*[lambda: account.delete(bucket, name)] * 2)

        assert sum(refused(results)) == 1
        assert check(memory, account, bucket, contents) == 0


@pytest.mark.parametrize("filename", [None, "a"])
def test_content_that_is_named_while_it_goes_keeps_all_its_shards_or_none(memory, new_account, filename):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        bucket = account.bucket()
        name = account.store(bucket, contents)

        results = meet(lambda: account.delete(bucket, name, filename), lambda: account.copy(bucket, name, "b"))

        kept = 0 if filename is None or refused(results)[1] else 1
        assert check(memory, account, bucket, contents) == kept
        assert len(objects_of(memory, contents)) == 2 * kept


def test_content_that_is_named_while_it_is_replaced_keeps_all_its_shards_or_none(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        bucket = account.bucket()
        name, upload = account.store(bucket, contents), account.begin(bucket)

        results = meet(lambda: account.finish(upload, bucket, [next(NUMBERS)], replace=True),
                       lambda: account.copy(bucket, name, "b"))

        kept = 0 if refused(results)[1] else 1
        assert check(memory, account, bucket, contents) == 1 + kept
        assert len(objects_of(memory, contents)) == 2 * kept


def test_of_two_that_replace_what_has_a_name_one_is_left(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS) for _ in range(3)]
        bucket = account.bucket()
        account.store(bucket, contents)
        uploads = [account.begin(bucket), account.begin(bucket)]

        meet(lambda: account.finish(uploads[0], bucket, contents[:2], replace=True),
             lambda: account.finish(uploads[1], bucket, contents[1:], replace=True))

        assert check(memory, account, bucket, contents) == 1
        assert len(objects_of(memory, contents)) == 2


@pytest.mark.parametrize("all_of_it", [False, True])
def test_content_that_comes_while_it_goes_elsewhere_is_kept(memory, new_account, all_of_it):
    """With its file, or with its bucket."""
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        there, here = account.bucket(), account.bucket()
        name = account.store(there, contents)
        upload = account.begin(here)

        meet(lambda: account.delete_bucket(there) if all_of_it else account.delete(there, name),
             lambda: account.finish(upload, here, contents[::-1]))

        assert check(memory, account, here, contents) == 1
        assert len(objects_of(memory, contents)) == 2


@pytest.mark.parametrize("all_of_it", [False, True])
def test_content_that_goes_from_both_places_where_it_is_goes(memory, new_account, all_of_it):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        both = [account.bucket(), account.bucket()]
        names = [account.store(both[0], contents), account.store(both[1], contents[::-1])]
        objects = objects_of(memory, contents)

        meet(lambda: account.delete_bucket(both[0]) if all_of_it else account.delete(both[0], names[0]),
             lambda: account.delete(both[1], names[1]))

        assert not objects_of(memory, contents) and objects <= set(memory.shards.unneeded(0))


@pytest.mark.parametrize("known", [False, True])
def test_content_that_comes_in_two_orders_is_kept_once_and_nobody_waits_for_each_other(memory, new_account, known):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS), next(NUMBERS)]
        both = [account.bucket(), account.bucket()]
        if known:
            account.store(account.bucket(), contents)
        uploads = [account.begin(bucket) for bucket in both]

        meet(lambda: account.finish(uploads[0], both[0], contents),
             lambda: account.finish(uploads[1], both[1], contents[::-1]))

        assert [check(memory, account, bucket, contents) for bucket in both] == [1, 1]
        assert len(objects_of(memory, contents)) == 2


def enters_them(account, contents):
    bucket = account.bucket()
    upload = account.begin(bucket)
    return lambda: account.finish(upload, bucket, contents[::-1])


def replaces_their_file(account, contents):
    bucket = account.bucket()
    account.store(bucket, contents)
    upload = account.begin(bucket)
    return lambda: account.finish(upload, bucket, [next(NUMBERS), contents[1]], replace=True)


def deletes_their_file(account, contents):
    bucket = account.bucket()
    name = account.store(bucket, contents)
    return lambda: account.delete(bucket, name)


def deletes_their_bucket(account, contents):
    bucket = account.bucket()
    account.store(bucket, contents)
    return lambda: account.delete_bucket(bucket)


NEED_THEM = [enters_them, replaces_their_file, deletes_their_file, deletes_their_bucket]


@pytest.mark.parametrize("one", NEED_THEM)
@pytest.mark.parametrize("other", NEED_THEM)
def test_shards_are_locked_in_one_order(memory, new_account, one, other):
    """Two wait for the first shard: neither has locked the second by then, which the other one will want."""
    contents = [next(NUMBERS), next(NUMBERS)]
    new_account().store(new_account().bucket(), contents)
    acts = [prepare(new_account(), contents) for prepare in (one, other)]
    first = min(row["id"] for row in memory.shards.all() if row["hash"] in {f"{number:040}" for number in contents})

    with deadlocks_of(memory._database._engine) as deadlocks, ThreadPoolExecutor(2) as threads:
        with memory._database.write() as db:
            db.execute(select(tables.shards).where(tables.shards.c.id == first).with_for_update())
            running = []
            for count, act in enumerate(acts, start=1):
                running.append(threads.submit(act))
                eventually(lambda: waiting(memory._database._engine) == count)
        for each in running:
            each.result(30)

    assert deadlocks.count == 0


def test_a_file_comes_into_a_bucket_that_is_there_or_not_at_all(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS)]
        bucket = account.bucket()
        upload = account.begin(bucket)

        meet(lambda: account.delete_bucket(bucket), lambda: account.finish(upload, bucket, contents))

        assert not objects_of(memory, contents)


def test_a_shard_that_has_come_again_is_not_marked_for_what_it_was(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS)]
        bucket = account.bucket()
        account.store(bucket, contents)
        old, = (row for row in memory.shards.all() if row["hash"] == f"{contents[0]:040}")
        upload = account.begin(bucket)

        meet(lambda: account.finish(upload, bucket, contents), lambda: memory.shards.mark(old, True))

        assert not memory.shards.find(old["id"])["damaged"]


def test_an_upload_is_entered_or_given_up(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS)]
        bucket = account.bucket()
        upload = account.begin(bucket)

        given_up, entered = meet(lambda: memory.uploads.give_up(upload),
                                 lambda: account.finish(upload, bucket, contents))

        assert given_up == isinstance(entered, Refusal)
        assert check(memory, account, bucket, contents) == (not given_up)
