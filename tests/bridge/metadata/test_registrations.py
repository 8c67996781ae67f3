"""What becomes of registrations that nobody activates."""

import pytest

from pymdc.bridge.metadata.accounts import REGISTRATION_LIFE
from pymdc.bridge.refusal import Refusal

KEY = "02" + "1" * 64


def register(memory, email, token, created=1, point=None):
    account = {"email": email, "password": "x", "created": created}
    memory.accounts.register(account, {
        "token": token, "password": "x", "redirect": None, "created": created, "point": point, "text": point,
    })


def test_a_registration_that_nobody_activates_goes_after_a_week(memory):
    register(memory, "late@example.com", "late", point=KEY)

    memory.accounts.forget_waiting(REGISTRATION_LIFE)
    assert memory.accounts.find("late@example.com") is not None

    memory.accounts.forget_waiting(1 + REGISTRATION_LIFE)
    assert memory.accounts.find("late@example.com") is None
    assert memory.keys.find(KEY) is None
    register(memory, "late@example.com", "again", created=REGISTRATION_LIFE, point=KEY)


def test_an_account_that_is_active_or_waits_for_a_newer_link_stays(memory):
    register(memory, "active@example.com", "a")
    memory.accounts.activate("a", 2)
    register(memory, "twice@example.com", "b")
    register(memory, "twice@example.com", "c", created=1000)

    memory.accounts.forget_waiting(1 + REGISTRATION_LIFE)

    assert memory.accounts.find("active@example.com")["activated"]
    assert memory.accounts.activate("c", 1001)[0]["activated"]
    assert memory.accounts.find("twice@example.com")["activated"]


def test_a_link_is_good_for_a_week(memory):
    register(memory, "late@example.com", "late")

    with pytest.raises(Refusal, match="Invalid activation token"):
        memory.accounts.activate("late", 1 + REGISTRATION_LIFE)
    assert memory.accounts.activate("late", REGISTRATION_LIFE)[0]["activated"]
