"""Tokens, links and signed texts, which are good once, where two come with one."""

import uuid

import pytest

from meeting import meetings
from parties import LATER, new_point, refused, rows
from pymdc.bridge.metadata import Asker, Within, tables
from pymdc.bridge.refusal import Refusal


def id_of(token):
    return token[:32]


def open_link(memory, token, ticket, again=False):
    made = {"hash": ticket, "token": id_of(token), "created": 0, "expires": LATER}
    return memory.links.open(token, made, 3, again, -1, 9)


def test_a_link_is_opened_once_and_twice_by_a_double_click(memory, new_account):
    for again in (False, True):
        for meet in meetings(memory):
            account = new_account()
            bucket = account.bucket()
            token = account.ask(bucket, operation="PULL", file=account.store(bucket, [1]))
            tickets = [uuid.uuid4().hex] * 2 if again else [uuid.uuid4().hex, uuid.uuid4().hex]

            results = meet(*(lambda ticket=ticket: open_link(memory, token, ticket, again) for ticket in tickets))

            assert sum(refused(results)) == (0 if again else 1)
            assert rows(memory, tables.tickets, tables.tickets.c.token == id_of(token)) == 1


def test_a_link_takes_one_upload_at_a_time_and_no_token_is_spent_twice(memory, new_account):
    for other in ("hold", "spend"):
        for meet in meetings(memory):
            account = new_account()
            bucket = account.bucket()
            token = account.ask(bucket)

            def hold():
                return begin_by_link(memory, account, bucket, token)

            results = meet(hold, hold if other == "hold" else lambda: memory.tokens.spend(token, 0, 0))

            assert sum(isinstance(result, Refusal) or result is None for result in results) == 1


def begin_by_link(memory, account, bucket, token):
    upload = uuid.uuid4().hex[:16]
    row = {"id": upload, "bucket": bucket, "size": 1, "expires": LATER}

    def work():
        memory.tokens.hold(token, upload, 0, 0)
        memory.uploads.begin(row, account.room(9), 0, Asker())
        return upload
    return memory.together(work)


def enter_by_link(memory, account, bucket, token, upload):
    def work():
        account.finish(upload, bucket, [1])
        memory.tokens.spend_held(token, upload)
    memory.together(work)


def delete_account(account, bucket, name):
    account.go()


def delete_bucket(account, bucket, name):
    account.delete_bucket(bucket)


def delete_file(account, bucket, name):
    account.delete(bucket, name)


@pytest.mark.parametrize("use", ["open", "fetch", "begin", "enter"])
@pytest.mark.parametrize("end", [delete_account, delete_bucket, delete_file])
def test_who_uses_a_link_and_who_deletes_what_it_leads_to_do_not_wait_for_each_other(memory, new_account, use, end):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()
        name = account.store(bucket, [1])
        if use in ("open", "fetch"):
            token = account.ask(bucket, operation="PULL", file=name)
        else:
            token = account.ask(bucket)
        ticket = uuid.uuid4().hex
        if use == "fetch":
            open_link(memory, token, ticket)
        upload = begin_by_link(memory, account, bucket, token) if use == "enter" else None
        uses = {
            "open": lambda: open_link(memory, token, ticket),
            "fetch": lambda: memory.links.take(ticket, lambda file_hash, size: (0, size), 0),
            "begin": lambda: begin_by_link(memory, account, bucket, token),
            "enter": lambda: enter_by_link(memory, account, bucket, token, upload),
        }

        results = meet(uses[use], lambda: end(account, bucket, name))

        assert not refused(results)[1]


def test_a_held_token_is_revoked_or_spent_with_its_file(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()
        token, upload = account.ask(bucket), account.begin(bucket)
        memory.tokens.hold(token, upload, 0, 0)

        results = meet(lambda: enter_by_link(memory, account, bucket, token, upload),
                       lambda: memory.tokens.revoke(account.email, bucket, id_of(token), Asker()))

        assert sum(refused(results)) == 1
        assert len(memory.names.page(bucket, Within(), None, None)[0]) == refused(results)[1]


def ask_for_pointers(memory, bucket, name, token):
    def work():
        if memory.tokens.spend(token, 0, 0):
            made = {"hash": uuid.uuid4().hex, "left": 1, "expires": LATER}
            memory.files.hand_out(bucket, name, Asker(), lambda: made, 9, 0, id_of(token))
    memory.together(work)


def follow_link(memory, bucket, name, token):
    open_link(memory, token, uuid.uuid4().hex)


@pytest.mark.parametrize("use", [ask_for_pointers, follow_link])
def test_nothing_is_left_of_a_token_that_is_revoked_while_it_is_used(memory, new_account, use):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()
        name = account.store(bucket, [1])
        token = account.ask(bucket, operation="PULL", file=name)

        meet(lambda: use(memory, bucket, name, token),
             lambda: memory.tokens.revoke(account.email, bucket, id_of(token), Asker()))

        assert rows(memory, tables.shard_tokens, tables.shard_tokens.c.token == id_of(token)) == 0
        assert rows(memory, tables.tickets, tables.tickets.c.token == id_of(token)) == 0
        assert rows(memory, tables.tokens, tables.tokens.c.hash == token) == 0


def test_a_token_for_a_file_dies_with_it(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()
        name = account.store(bucket, [1])

        meet(lambda: account.delete(bucket, name), lambda: account.ask(bucket, operation="PULL", file=name))

        assert rows(memory, tables.tokens, tables.tokens.c.file == name) == 0


def test_a_token_is_spent_once(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        token = account.ask(account.bucket())

        results = meet(*[lambda: memory.tokens.spend(token, 0, 0)] * 2)

        assert results.count(None) == 1


def test_a_signed_text_passes_once(memory):
    for meet in meetings(memory):
        point, text = new_point(), uuid.uuid4().hex

        results = meet(*[lambda: memory.nonces.see(point, 5.0, text, 10, 10**6)] * 2)

        assert results.count(None) == 1


def test_no_text_passes_below_a_floor_that_has_risen(memory):
    """One of them raises it above the other's nonce, which passes only where it came before."""
    for meet in meetings(memory):
        point = new_point()

        results = meet(*(lambda nonce=nonce: memory.nonces.see(point, nonce, f"{nonce}", 10, 10**6)
                         for nonce in (5.0, 100.0)))

        assert results[1] is None
        assert memory.nonces.see(point, 5.0, "another", 10, 10**6) == 100.0
        assert memory.nonces.see(point, 100.0, "100.0", 10, 10**6) == 100.0


def test_a_token_of_a_bucket_that_goes_outlives_it_for_a_short_while(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()

        meet(lambda: account.delete_bucket(bucket), lambda: account.ask(bucket))

        assert rows(memory, tables.tokens, tables.tokens.c.bucket == bucket, tables.tokens.c.expires == LATER) == 0
