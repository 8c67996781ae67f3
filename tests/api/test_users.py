"""Accounts: another password, and the end."""

from __future__ import absolute_import, division, print_function

import contextlib

import pytest

import pymdc
from pymdc.errors import APIError, TransportError
from pymdc.testing import Fault, account
from servers_of_2016 import Server
from waiting import eventually


@pytest.fixture
def made(wire):
    """An account with a key, behind a wire."""
    made = account(wire.bridge).user
    made.change_password("secret")
    del wire.requests[:]
    return made


def user_of(made, wire, password="secret"):
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None)
    return pymdc.api.Users(made._auth.email, password, client=client)


def works(user, password):
    """Whether an account has this password."""
    other = pymdc.api.Users(user._auth.email, password, client=user._client)
    try:
        pymdc.api.Keys(other).list()
    except APIError:
        return False
    return True


def test_after_a_change_the_user_and_all_that_was_made_from_it_use_the_new_password(user, address):
    keys, buckets = pymdc.api.Keys(user), pymdc.api.Buckets(user)

    changed = user.change_password(u"n\xe9w")

    assert (changed["email"], changed["activated"]) == (address, True)
    assert keys.list() == [] and buckets.list() == []
    assert user.change_password(u"newer")["email"] == address
    again = pymdc.api.Users(address, u"s\xe9cret", client=user._client)
    assert pymdc.api.Keys(again).list() == {"error": "Invalid email or password"}


@pytest.mark.parametrize("password", [u"", b"", None, 5])
def test_what_is_no_password_is_refused_before_anything_is_sent(wire, made, password):
    with pytest.raises(ValueError):
        user_of(made, wire).change_password(password)

    assert not wire.requests


def test_a_change_that_is_refused_leaves_the_user_as_it_was(client, user, address):
    wrong = pymdc.api.Users(address, u"wrong", client=client)

    assert wrong.change_password(u"new") == {"error": "Invalid email or password"}
    assert wrong._auth.password_hash == pymdc.api.Users(address, u"wrong")._auth.password_hash
    assert pymdc.api.Keys(user).list() == []


def test_a_callback_gets_the_account_and_then_the_user_uses_the_new_password(user, address):
    told = []

    user.change_password(u"new", told.append)

    eventually(lambda: told)
    assert told[0]["email"] == address
    assert pymdc.api.Keys(user).list() == []


@pytest.mark.parametrize("fault", [
    dict(kind="reset"), dict(kind="truncate", received=20), dict(kind="answer", status=502, body=b"gone"),
])
def test_a_change_whose_answer_is_lost_is_found_out_by_the_new_password(wire, made, fault):
    user = user_of(made, wire)
    if fault["kind"] == "answer":  # of a balancer, after the bridge has done it
        user_of(made, wire).change_password("new")
    wire.faults.append(Fault(method="PATCH", **fault))

    assert user.change_password("new")["email"] == user._auth.email
    assert works(user, "new") and not works(user, "secret")
    assert pymdc.api.Keys(user).list()


def test_a_change_that_did_not_get_there_raises_and_leaves_the_user_as_it_was(wire, made):
    user = user_of(made, wire)
    wire.faults.append(Fault("reset", "PATCH", sent=0))

    with pytest.raises(TransportError) as caught:
        user.change_password("new")

    assert caught.value.sent
    assert pymdc.api.Keys(user).list() and works(user, "secret") and not works(user, "new")
    assert [method for method, _ in wire.requests[:2]] == ["PATCH", "PATCH"]


def test_a_change_goes_on_where_no_connection_was_made(wire, made):
    user = user_of(made, wire)
    wire.faults.append(Fault("answer", "PATCH", headers={"Retry-After": "1"}))

    assert user.change_password("new")["email"] == user._auth.email


def test_a_deleted_account_is_gone(user, buckets):
    buckets.create("photos", 1, 1)

    assert user.delete() == {}

    assert pymdc.api.Keys(user).list() == {"error": "Invalid email or password"}
    assert buckets.list() == {"error": "Public key not registered"}


def test_a_deletion_whose_answer_is_lost_is_not_repeated(wire, made):
    user = user_of(made, wire)
    wire.faults.append(Fault("reset", "DELETE"))

    with pytest.raises(TransportError):
        user.delete()

    assert [method for method, _ in wire.requests] == ["DELETE"]
    assert not works(user, "secret")


@pytest.mark.parametrize("act", [lambda user: user.change_password("new"), lambda user: user.delete()])
def test_a_bridge_that_has_no_such_call_says_so(act):
    with contextlib.closing(Server("0.6.6")) as server:
        user = pymdc.api.Users("ann@example.com", "secret", client=pymdc.Client(server.url))

        assert "it has no such call" in act(user)["error"]


def test_no_password_is_in_a_repr(user):
    user.change_password("new-password")

    assert "password" not in repr(user) + repr(user._auth)
