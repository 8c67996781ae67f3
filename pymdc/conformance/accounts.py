"""
14. Accounts.

A bridge need not let them change or go.
"""

from .point import empty, equals, gives, has_status, refused_so, section
from .world import succeed


def can_change(w):
    """Whether an account can be given another password; the one that it has is none."""
    return w.is_direct and w.alice.basic("PATCH", path_of(w.alice), {"password": w.alice.password}).status == 200


point = section(14, "Accounts", is_there=can_change)

NEW = "c" * 64
WRONG = refused_so(401, "Invalid email or password")
NOT_ONES_OWN = refused_so(404, "User not found")
SPENT = refused_so(401, "Invalid or expired token")


def path_of(account):
    return "/users/" + account.email


def change(account, password=NEW):
    return account.basic("PATCH", path_of(account), {"password": password})


@point
def a_changed_password_is_good_at_once_and_the_old_one_is_not(w):
    account = w.make_account()

    w.expect(change(account), gives(200, activated=True, email=account.email, id=account.email))
    w.expect(account.basic("GET", "/keys"), WRONG)
    w.expect(account.basic("GET", "/keys", password=NEW), gives(200))


@point
def keys_stay_and_so_does_what_they_have_asked_for(w):
    account = w.make_account()
    bucket = account.bucket()
    token = account.token(bucket)

    succeed(change(account))

    w.expect([key["key"] for key in account.signed("GET", "/keys").json], equals([account.key]))
    w.expect(account.put(bucket, token=token), gives(200))


@point
def tokens_and_pointers_that_the_old_password_has_asked_for_end(w):
    account = w.make_account()
    bucket = account.bucket()
    content = account.store(bucket)
    token = succeed(account.basic("POST", bucket + "/tokens", {"operation": "PULL"}))["token"]
    pointer, = succeed(account.basic("GET", f"{bucket}/files/{content}")).json

    succeed(change(account))

    w.expect(account.ask_pointers(bucket, content, token), SPENT)
    shard = w.wire.ask("GET", "/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
    w.expect(shard, has_status(401))


@point
def a_new_password_must_be_a_hash(w):
    for password in ("secret", "", 5, None):
        w.expect(change(w.alice, password), refused_so(400, "Password must be hex encoded SHA-256 hash"))


@point
def only_its_own_password_changes_or_deletes_an_account(w):
    account = w.make_account()

    for method in ("PATCH", "DELETE"):
        fields = {"password": NEW} if method == "PATCH" else None
        w.expect(account.signed(method, path_of(account), fields), has_status(401))
        w.expect(account.basic(method, path_of(account), fields, password=NEW), WRONG)
        w.expect(account.basic(method, path_of(w.alice), fields), NOT_ONES_OWN)
    w.expect(account.basic("GET", "/keys"), gives(200))


@point
def who_has_an_account_is_not_told_by_a_reset(w):
    for address in (w.alice.email, "nobody@example.com"):
        answer = w.nobody("POST", "/resets", {"email": address})
        w.expect((answer.status, answer.json), equals((200, {})))


@point
def a_reset_token_that_is_none_sets_no_password(w):
    for token in ("0" * 64, "test"):
        w.expect(w.nobody("POST", "/resets/" + token, {"password": NEW}), refused_so(400, "Invalid reset token"))


@point
def a_deleted_account_is_gone_with_its_keys_and_tokens(w):
    account = w.make_account()
    bucket = account.bucket()
    content = account.store(bucket)
    token = account.token(bucket, "PULL")

    w.expect(account.basic("DELETE", path_of(account)), empty(204))
    w.expect(account.basic("GET", "/keys"), WRONG)
    w.expect(account.signed("GET", "/keys"), refused_so(401, "Public key not registered"))
    w.expect(account.ask_pointers(bucket, content, token), has_status(401, 404))


@point
def an_address_whose_account_was_deleted_can_be_registered_again(w):
    account = w.make_account()
    succeed(account.basic("DELETE", path_of(account)))

    w.expect(w.register(email=account.email, password=account.password), gives(200, activated=False))
    w.expect(w.nobody("GET", "/activations/" + w.activation(account.email)), gives(200, activated=True))
    w.expect(account.basic("GET", "/buckets").json, equals([]))
