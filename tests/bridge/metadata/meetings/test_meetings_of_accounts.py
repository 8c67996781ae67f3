"""Accounts that come, change, or go, while somebody else does something with them."""

import uuid

import pytest

from meeting import meetings
from parties import NUMBERS, new_point, objects_of, refused, register, rows
from pymdc.bridge.metadata import tables
from pymdc.bridge.metadata.accounts import REGISTRATION_LIFE


def test_of_two_links_of_an_address_one_decides(memory):
    for meet in meetings(memory):
        email = f"{next(NUMBERS)}@example.com"
        tokens = [register(memory, email), register(memory, email)]

        results = meet(*(lambda token=token: memory.accounts.activate(token, 1) for token in tokens))

        assert sum(refused(results)) == 1
        passing = tokens[refused(results).index(False)]
        assert memory.accounts.find(email)["password"] == passing


def test_a_registration_comes_before_the_activation_of_its_address_or_is_refused(memory):
    for meet in meetings(memory):
        email = f"{next(NUMBERS)}@example.com"
        token = register(memory, email)

        meet(lambda: memory.accounts.activate(token, 1), lambda: register(memory, email))

        assert rows(memory, tables.registrations, tables.registrations.c.email == email) == 0


def test_a_registration_that_comes_while_the_waiting_are_forgotten_is_kept(memory):
    for meet in meetings(memory):
        email = f"{next(NUMBERS)}@example.com"
        register(memory, email)

        _, token = meet(lambda: memory.accounts.forget_waiting(REGISTRATION_LIFE),
                        lambda: register(memory, email, created=REGISTRATION_LIFE))

        assert memory.accounts.activate(token, REGISTRATION_LIFE)[0]["email"] == email


def test_of_two_links_to_another_password_one_sets_it(memory, new_account):
    for meet in meetings(memory):
        email, tokens = new_account().email, [uuid.uuid4().hex, uuid.uuid4().hex]
        for token in tokens:
            memory.resets.add(email, token, 0)

        results = meet(*(lambda token=token: memory.resets.use(token, token, 1) for token in tokens))

        assert sum(refused(results)) == 1
        assert memory.accounts.find(email)["password"] == tokens[refused(results).index(False)]
        assert rows(memory, tables.resets, tables.resets.c.email == email) == 0


def test_a_link_to_another_password_and_who_knows_the_old_one_do_not_both_set_it(memory, new_account):
    for meet in meetings(memory):
        email, token = new_account().email, uuid.uuid4().hex
        old = memory.accounts.find(email)["password"]
        memory.resets.add(email, token, 0)

        results = meet(lambda: memory.resets.use(token, "by the link", 1),
                       lambda: memory.accounts.change_password(email, old, "by the old one"))

        assert sum(refused(results)) == 1
        passing = ("by the link", "by the old one")[refused(results).index(False)]
        assert memory.accounts.find(email)["password"] == passing


def test_a_link_to_another_password_comes_before_the_end_of_its_account_or_not_at_all(memory, new_account):
    for meet in meetings(memory):
        email, token = new_account().email, uuid.uuid4().hex
        password = memory.accounts.find(email)["password"]

        meet(lambda: memory.resets.add(email, token, 0), lambda: memory.accounts.delete(email, password))

        assert memory.accounts.find(email) is None
        assert rows(memory, tables.resets, tables.resets.c.email == email) == 0


def test_a_password_is_changed_by_one_of_those_who_know_it(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        old = account.password()

        results = meet(*(lambda new=new: memory.accounts.change_password(account.email, old, new) for new in "ab"))

        assert sum(refused(results)) == 1
        assert account.password() == "ab"[refused(results).index(False)]


def test_an_account_whose_password_is_changed_does_not_go_by_the_old_one(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        old = account.password()

        results = meet(lambda: memory.accounts.change_password(account.email, old, "new"),
                       lambda: memory.accounts.delete(account.email, old))

        assert sum(refused(results)) == 1
        assert (memory.accounts.find(account.email) is None) == refused(results)[0]


@pytest.mark.parametrize("act", [
    lambda account, bucket: account.bucket(),
    lambda account, bucket: account.add_key(new_point()),
    lambda account, bucket: account.list_keys(bucket, [new_point()]),
    lambda account, bucket: account.delete_bucket(bucket),
    lambda account, bucket: account.ask(bucket),
    lambda account, bucket: account.begin(bucket),
], ids=["bucket", "key", "list", "delete", "token", "upload"])
def test_an_account_goes_whatever_it_does_meanwhile_which_is_done_before_or_refused(memory, new_account, act):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()

        meet(account.go, lambda: act(account, bucket))

        assert memory.accounts.find(account.email) is None
        assert not rows(memory, tables.buckets, tables.buckets.c.email == account.email)
        assert not rows(memory, tables.keys, tables.keys.c.email == account.email)
        assert not rows(memory, tables.tokens, tables.tokens.c.bucket == bucket)


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_content_that_comes_while_an_account_goes_is_kept_where_it_has_come_to(memory, new_account, whose):
    for meet in meetings(memory):
        account, other, contents = new_account(), new_account(), [next(NUMBERS), next(NUMBERS)]
        account.store(account.bucket(), contents)
        account.store(account.bucket(), contents[::-1])
        to = account if whose == "own" else other
        bucket = to.bucket()
        upload = to.begin(bucket)

        meet(account.go, lambda: to.finish(upload, bucket, contents[::-1]))

        assert len(objects_of(memory, contents)) == (0 if whose == "own" else 2)


def test_two_accounts_that_go_at_once_with_the_same_content_take_it_with_them(memory, new_account):
    for meet in meetings(memory):
        both, contents = [new_account(), new_account()], [next(NUMBERS), next(NUMBERS)]
        for account, order in zip(both, (contents, contents[::-1])):
            account.store(account.bucket(), order)

        meet(*(account.go for account in both))

        assert not objects_of(memory, contents)
