"""Tokens of buckets: each lets somebody in once, for one upload or one download."""

import re
import secrets

from starlette.responses import Response

from ..clock import iso
from ..refusal import Refusal
from ..request import auth, fields
from ..request.call import Call, JSON, one_transaction, reading
from . import listing


@one_transaction
def create(call: Call) -> Response:
    bucket_id = call.ids["bucket"]
    identity = auth.identify_for_bucket(call, bucket_id, says_why=False)
    wanted = fields.token(call.fields)
    operation, life = wanted.pop("operation"), wanted.pop("life")
    if not identity.owner and (life, *wanted.values()) != (None,) * 4:
        raise Refusal(403, "Only the owner of a bucket may say when its tokens expire, and what they are good for")
    if life is not None or operation == "PUSH":  # what is there can be fetched all the same
        call.services.check_space()
    token, moment = secrets.token_hex(32), call.now()
    expires = moment + (life or call.services.settings.token_life * 1000)
    call.metadata.tokens.add({
        "hash": auth.hash_token(token), "bucket": bucket_id, "operation": operation, "expires": expires,
        **wanted,
    }, identity.asker, call.services.settings.account_tokens, moment)
    call.services.metrics.tokens.labels(operation, "issued").inc()
    answer = {"bucket": bucket_id, "operation": operation, "expires": iso(expires), "token": token, "id": token}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if wanted or life and operation == "PUSH":  # no client of 2016 asks so, who would wonder at more than it knows
        wanted["link"] = f"{call.services.public_url}/links/{token}"
    return JSON({**answer, **wanted})


@reading
def show(call: Call) -> Response:
    email, bucket_id = auth.identify(call).email, call.ids["bucket"]

    def read(after=""):
        return call.metadata.tokens.page(email, bucket_id, after, call.now())

    return listing.answer(read, _token)


@one_transaction
def revoke(call: Call) -> Response:
    identity, token_id = auth.identify(call), call.ids["token"].lower()
    if not re.fullmatch("[0-9a-f]{32}", token_id):
        raise Refusal(404, "Token not found")
    call.metadata.tokens.revoke(identity.email, call.ids["bucket"], token_id, identity.asker)
    return Response(status_code=204)


def _token(row):
    return {
        "id": auth.id_of_token(row["hash"]),
        "operation": row["operation"],
        "file": row["file"],
        "filename": row["filename"],
        "max_size": row["max_size"],
        "created": iso(row["created"]),
        "expires": iso(row["expires"]),
        "key": row["point"] and auth.fingerprint(row["point"]),
    }
