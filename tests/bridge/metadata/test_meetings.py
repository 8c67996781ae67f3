"""
What holds wherever two transactions on PostgreSQL meet.  Each test goes through all the places where one of them can be
when the other comes: what it has looked at and not locked may be otherwise then.
"""

import contextlib
import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from meeting import deadlocks_of, meetings, waiting
from pymdc.bridge.metadata import Asker, Metadata, Room, Within, buckets, keys, tables
from pymdc.bridge.metadata.accounts import REGISTRATION_LIFE
from pymdc.bridge.refusal import Refusal
from waiting import eventually

LATER = 10**15
LEAST = 4096  # bytes that a file counts as
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def memory(postgresql):
    with contextlib.closing(Metadata(postgresql.new_database())) as memory:
        yield memory


def new_point():
    return f"02{next(NUMBERS):064}"


def register(memory, email, token=None, point=None, created=0):
    token = token or uuid.uuid4().hex
    memory.accounts.register({"email": email, "password": token, "created": created}, {
        "token": token, "password": token, "redirect": None, "point": point, "text": point, "created": created,
    })
    return token


class Account:
    """A new one, with a key."""

    def __init__(self, memory):
        self._memory, self.email, self.point = memory, f"{next(NUMBERS)}@example.com", new_point()
        memory.accounts.activate(register(memory, self.email), 1)
        self.add_key(self.point)

    def add_key(self, point, proved=False):
        self._memory.keys.add(self.email, point, point, proved, Asker())

    def bucket(self, points=(), **fields):
        fields = {"name": "b", "storage": 1, "transfer": 1, **fields}
        return self._memory.buckets.add(self.email, 0, fields, {point: point for point in points}, Asker())["id"]

    def list_keys(self, bucket, points):
        self._memory.buckets.change(self.email, bucket, {}, {point: point for point in points}, Asker())

    def delete_bucket(self, bucket):
        self._memory.buckets.delete(self.email, bucket, 0, Asker())

    def password(self):
        return self._memory.accounts.find(self.email)["password"]

    def go(self):
        self._memory.accounts.delete(self.email, self.password())

    def ask(self, bucket, most=100, asker=Asker(), **fields):
        token = {"hash": uuid.uuid4().hex * 2, "bucket": bucket, "operation": "PUSH", "expires": LATER, **fields}
        self._memory.tokens.add(token, asker, most, 0)
        return token["hash"]

    def room(self, files):
        return Room(account=files * LEAST, at_once=100, disk=lambda: LATER, written=dict)

    def begin(self, bucket, files=1000, asker=Asker()):
        """Begin an upload where the account has room for so many files; return its id."""
        upload = uuid.uuid4().hex[:16]
        row = {"id": upload, "bucket": bucket, "size": 1, "expires": LATER}
        self._memory.uploads.begin(row, self.room(files), 0, asker)
        return upload

    def finish(self, upload, bucket, contents, name=None, filename="a", replace=False):
        """Enter a file of shards with these contents, numbers; return its hash."""
        pieces = [{"object": f"{number:040}-{upload}-{at}", "hash": f"{number:040}", "sha256": f"{number:064}",
                   "size": 1} for at, number in enumerate(contents)]
        name = name or f"{next(NUMBERS):040}"
        file = {"bucket": bucket, "hash": name, "filename": filename, "mimetype": "a/b", "size": len(pieces),
                "created": 0}
        self._memory.uploads.finish(upload, file, pieces, 0, replace)
        return name

    def store(self, bucket, contents, name=None):
        return self.finish(self.begin(bucket), bucket, contents, name)

    def copy(self, bucket, name, filename, asker=Asker()):
        file = {"bucket": bucket, "hash": name, "filename": filename, "created": 0}
        self._memory.files.copy(file, LATER, 0, asker)

    def delete(self, bucket, name, filename=None):
        self._memory.files.delete(self.email, bucket, name, Asker(), filename)

    def stored(self, bucket):
        return self._memory.buckets.find(bucket)["stored"]


@pytest.fixture
def new_account(memory):
    return lambda: Account(memory)


def rows(memory, table, *conditions):
    with memory._database.read() as db:
        return db.execute(select(func.count()).select_from(table).where(*conditions)).scalar()


def objects_of(memory, numbers):
    """Return the objects that hold these contents."""
    wanted = {f"{number:040}" for number in numbers}
    return {row["object"] for row in memory.shards.all() if row["hash"] in wanted}


def refused(results):
    return [isinstance(result, Refusal) for result in results]


# How many there may be

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


# Once

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


# What a key loses

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


def test_a_token_of_a_bucket_that_goes_outlives_it_for_a_short_while(memory, new_account):
    for meet in meetings(memory):
        account = new_account()
        bucket = account.bucket()

        meet(lambda: account.delete_bucket(bucket), lambda: account.ask(bucket))

        assert rows(memory, tables.tokens, tables.tokens.c.bucket == bucket, tables.tokens.c.expires == LATER) == 0


# Shards

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


# Accounts that change, or go

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


# Upkeep

def test_an_upload_is_entered_or_given_up(memory, new_account):
    for meet in meetings(memory):
        account, contents = new_account(), [next(NUMBERS)]
        bucket = account.bucket()
        upload = account.begin(bucket)

        given_up, entered = meet(lambda: memory.uploads.give_up(upload),
                                 lambda: account.finish(upload, bucket, contents))

        assert given_up == isinstance(entered, Refusal)
        assert check(memory, account, bucket, contents) == (not given_up)


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
