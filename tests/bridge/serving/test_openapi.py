"""The description at / is true: requests that it allows and forbids go to a real bridge, which answers as it says."""

import collections
import copy
import itertools

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

import pymdc
from pymdc.bridge import LocalBridge
from pymdc.bridge.request.names import next_place
from wire import Account, Basic, Wire
from world import PASSWORD, World, new_key

_WORDS = st.from_regex(r"[\w.+-]{1,60}@[\w-]{1,40}\.[\w-]{1,20}", fullmatch=True)
_SEEN = st.characters(
    codec="utf-8", exclude_categories=["Cc"],
    exclude_characters="/\\\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
_PARTS = st.text(_SEEN, min_size=1, max_size=60).filter(lambda part: part not in (".", ".."))

schemathesis.openapi.format("reachable-email", st.one_of(st.emails(), _WORDS))
schemathesis.openapi.format("file-name", st.lists(_PARTS, min_size=1, max_size=4).map("/".join))
schemathesis.openapi.format("next-place", st.builds(next_place, st.tuples(_PARTS, st.just("0" * 40))))
schemathesis.openapi.format("secp256k1-point", st.builds(new_key))


class Run:
    """
    What has come of all the requests.

    :ivar wrong: what was found wrong, in words.
    :ivar answers: how often each operation has answered whom with which status.
    :ivar kinds: how often valid (positive) and invalid (negative) requests were sent in each phase.
    :ivar passed: how often each check has passed.
    """

    def __init__(self, engine):
        self.wrong = []
        self.answers, self.kinds, self.passed = (collections.Counter() for _ in range(3))
        for event in engine.execute():
            if isinstance(event, events.ScenarioFinished):
                self._take(event.phase.value, event.recorder)
            elif isinstance(event, events.NonFatalError):
                self.wrong.append(f"{event.label}: {event.info}")
            elif isinstance(event, events.FatalError):
                raise event.exception

    def _take(self, phase, recorder):
        for case_id, exchange in recorder.interactions.items():
            case = recorder.cases[case_id].value
            if exchange.response is not None and exchange.request.method == case.operation.method.upper():
                self.answers[case.operation.label, way(exchange.request), exchange.response.status_code] += 1
                self.kinds[phase, case.meta.generation.mode.value] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is None:
                    self.passed[check.name] += 1
                else:
                    self.wrong.append(told(phase, recorder, case_id, check))


def way(request):
    """Return how a request says who asks."""
    headers = {header.lower() for header in request.headers}
    ways = [("authorization", "basic"), ("x-signature", "signature"), ("x-token", "token")]
    return next((way for header, way in ways if header in headers), "nobody")


def told(phase, recorder, case_id, check):
    failure, answer = check.failure_info.failure, recorder.interactions[case_id].response
    return "\n".join([
        f"{phase}: {recorder.cases[case_id].value.operation.label}: {check.name}: {failure.title}", failure.message,
        f"{answer.status_code} {answer.content[:500]!r}", check.failure_info.code_sample[:2000],
    ])


def configuration(url, count):
    """Return the settings: all checks on, in all phases, and stricter than by default."""
    generation = {"deterministic": True, "database": "none"}
    return SchemathesisConfig.from_dict({
        "base-url": url,
        "seed": 2016,
        "continue-on-failure": True,
        "generation": {"max-examples": count, **generation},
        "phases": {"stateful": {"generation": {"max-examples": 4 * count, **generation}}},
        "checks": _answers(valid=["2xx", "404"], invalid=["400", "401", "404"]),
        "operations": [
            # There is no token for what does not exist, and none replaces; a link may lead to a bucket that was given
            # no storage or transfer.  Whether there is room for a file is looked at before its body.
            {"include-operation-id": "uploadFile", "checks": _answers(
                valid=["2xx", "401", "403", "404", "413"], invalid=["400", "401", "403", "404", "413"],
            )},
            {"include-operation-id": "copyFile", "checks": _answers(
                valid=["2xx", "404", "413"], invalid=["400", "401", "404"],
            )},
            {"include-operation-id": ["getPointers", "getShard"], "checks": _answers(
                valid=["2xx", "401", "403", "404"], invalid=["401", "404"],
            )},
            {"include-operation-id": "getContent", "checks": _answers(
                valid=["2xx", "401", "403", "404", "416"], invalid=["401", "404"],
            )},
            # Of a form that is no good, what remains of it when it is written down may be good.
            {"include-operation-id": "followLink", "checks": _answers(
                valid=["2xx", "303", "404"], invalid=["2xx", "303", "400", "404", "411", "413"],
            )},
            {"include-operation-id": "followTicket", "checks": _answers(
                valid=["2xx", "404", "416"], invalid=["404"],
            )},
        ],
    })


def _answers(valid, invalid):
    return {
        "positive_data_acceptance": {"expected-statuses": valid},
        "negative_data_rejection": {"expected-statuses": invalid},
    }


def loaded(described, **options):
    """Load the description for schemathesis, which changes what it is given."""
    return schemathesis.openapi.from_dict(copy.deepcopy(described), **options)


@pytest.fixture(scope="module")
def described(local):
    return Wire(local.url).get("/").json()


@pytest.fixture(scope="module")
def run(full, described):
    with LocalBridge() as bridge:
        world = World(bridge)
        schema = loaded(described, config=configuration(bridge.url, 200 if full else 5))

        @schema.auth(refresh_interval=None)
        class Identity:
            def get(self, case, context):
                return world

            def set(self, case, world, context):
                world.identify(case)

        @schemathesis.hook
        def before_call(context, case, kwargs):
            world.complete(case, kwargs)

        @schemathesis.hook
        def after_call(context, case, response):
            world.remember(case, response)

        try:
            yield Run(from_schema(schema))
        finally:
            GLOBAL_HOOK_DISPATCHER.unregister_all()


def test_the_description_is_an_openapi_document(described):
    loaded(described).validate()


def test_every_answer_is_as_described(run):
    assert not run.wrong, "\n\n".join(run.wrong)


def test_every_operation_is_seen_to_succeed_for_everybody_it_is_for(run, described):
    ways = {"basic": "basic", "publicKey": "signature", "token": "token", "shardToken": "token"}
    promised = {
        (f"{method.upper()} {path}", ways[next(iter(names))] if names else "nobody", int(status))
        for path, method, operation in operations(described)
        for names in operation.get("security", [{}]) if "metricsToken" not in names
        for status in operation["responses"] if status.startswith("2")
    }

    assert len(promised) == 62  # or it would be a promise to nobody
    assert promised <= set(run.answers)


def test_every_check_and_every_kind_of_request_took_part(run):
    load_all_checks()

    assert set(run.passed) == {check.__name__ for check in CHECKS.get_all()}
    assert set(run.kinds) >= {("examples", "positive")} | set(
        itertools.product(["coverage", "fuzzing", "stateful"], ["positive", "negative"])
    )


@pytest.fixture(scope="module")
def strict():
    """A bridge that slows, and an account on it."""
    options = {"rates": "on", "behind_proxy": ("127.0.0.1",), "redirect_host": ("www.example.com",)}
    with LocalBridge(**options) as bridge:
        account = Account(bridge.url, "sue@example.com", PASSWORD, pymdc.keypair.ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": PASSWORD, "pubkey": account.key})
        account.nobody.get("/activations/" + bridge.activation_token(account.email))
        yield bridge, account


def _old_nonce(bridge, account):
    return account.signed.get("/keys", nonce="never")


def _wrong_passwords(bridge, account):
    wrong = Basic(bridge.url, "sue@example.com", "00" * 32)
    return [wrong.get("/keys") for _ in range(11)][-1]


def _many_registrations(bridge, account):
    afar = {"X-Forwarded-For": "192.0.2.2"}
    answers = (account.nobody.post("/users", {}, headers=afar) for _ in range(200))  # now and then one more may come
    return next(answer for answer in answers if answer.status_code == 429)


def _redirect(bridge, account):
    fields = {"email": "red@example.com", "password": PASSWORD, "redirect": "https://www.example.com/in"}
    account.nobody.post("/users", fields)
    return account.nobody.get("/activations/" + bridge.activation_token("red@example.com"))


def _page(bridge, account):
    account.nobody.post("/users", {"email": "pag@example.com", "password": PASSWORD})
    path = "/activations/" + bridge.activation_token("pag@example.com")
    return account.nobody.get(path, headers={"Accept": "text/html"})


def _page_of_refusal(bridge, account):
    return account.nobody.get("/activations/" + "00" * 32, headers={"Accept": "text/html"})


def _from_afar(bridge, account):
    return account.nobody.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})


def _no_transfer(bridge, account):
    bucket = account.bucket(transfer=0)
    return account.pointers(bucket, account.upload(bucket, b"x"))


def _lost_shard(bridge, account):
    bucket = account.bucket()
    pointer, = account.pointers(bucket, account.upload(bucket, b"lost" * 5000)).json()
    for path in (bridge.outbox.parent / "shards").glob(f"*/{pointer['hash']}-*"):
        path.unlink()
    return account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})


def _long_body(bridge, account):
    return account.nobody.send("POST", "/users", body=b" " * 1024 * 1024 + b" ")


def _long_headers(bridge, account):
    return account.nobody.get("/keys", headers={"x-long": "x" * 70_000})


@pytest.mark.parametrize("ask, operation, status, kind, header", [
    (_old_nonce, "listKeys", 401, "application/json", "x-nonce"),
    (_wrong_passwords, "listKeys", 429, "application/json", "Retry-After"),
    (_many_registrations, "createUser", 429, "application/json", "Retry-After"),
    (_redirect, "activate", 302, None, "Location"),
    (_page, "activate", 200, "text/html", "x-request-id"),
    (_page_of_refusal, "activate", 400, "text/html", "x-request-id"),
    (_from_afar, "metrics", 403, "application/json", "x-request-id"),
    (_no_transfer, "getPointers", 403, "application/json", "x-request-id"),
    (_lost_shard, "getShard", 410, "application/json", "x-request-id"),
    (_long_body, "createUser", 413, "application/json", "x-request-id"),
    (_long_headers, "listKeys", 431, "application/json", None),
])
def test_a_rare_answer_is_as_described(strict, described, ask, operation, status, kind, header):
    schema = loaded(described, config=configuration(strict[0].url, 1))

    answer = ask(*strict)

    assert answer.status_code == status
    assert answer.headers.get("Content-Type", "").split(";")[0] == (kind or "")
    assert header is None or header in answer.headers
    schema.find_operation_by_id(operation).Case().validate_response(answer)


def operations(described):
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation
