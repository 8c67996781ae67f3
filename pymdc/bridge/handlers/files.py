"""Files: listing, pointers."""

import secrets
import urllib.parse

from starlette.responses import Response

from ..refusal import Refusal
from ..request import auth
from ..request.call import Call, JSON, one_transaction, reading
from . import listing


@reading
def show(call: Call) -> Response:
    email, bucket_id = auth.identify(call).email, call.ids["bucket"]
    return listing.answer(lambda after: call.metadata.files.page(email, bucket_id, after), _file)


def delete(call: Call) -> Response:
    _delete(call)
    call.services.sweep(call.now())
    return Response(status_code=204)


@one_transaction
def _delete(call):
    identity = auth.identify(call)
    call.metadata.files.delete(identity.email, call.ids["bucket"], call.ids["hash"], identity.point)


def identify_reader(call: Call) -> str | None:
    """Let in who may read a file of the bucket; return the key that has asked, or had asked for the token, if any."""
    bucket_id = call.ids["bucket"]
    if not auth.comes_by_token(call):
        return auth.identify_for_bucket(call, bucket_id).point
    token = auth.spend_token(call)
    if token["operation"] != "PULL" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to retrieve from bucket")
    return token["point"]


@one_transaction
def pointers(call: Call) -> Response:
    point, bucket_id = identify_reader(call), call.ids["bucket"]
    texts, moment, settings = [], call.now(), call.services.settings
    terms = {"left": settings.shard_token_uses, "expires": moment + settings.shard_token_life * 1000}

    def make_token():
        texts.append(secrets.token_hex(20))
        return {"hash": auth.hash_token(texts[-1]), **terms}

    most = settings.account_tokens
    shards = call.metadata.files.hand_out(bucket_id, call.ids["hash"], point, make_token, most, moment)
    return JSON([_pointer(call, shard, text) for shard, text in zip(shards, texts)])


def _file(row):
    return {name: row[name] for name in ("bucket", "mimetype", "filename", "size", "hash")}


def _pointer(call, row, token):
    base = call.services.public_url
    parts = urllib.parse.urlsplit(base)
    return {
        "hash": row["hash"],
        "token": token,
        "operation": "PULL",
        "channel": ("wss" if parts.scheme == "https" else "ws") + "://" + parts.netloc + parts.path,
        "size": row["size"],
        "url": f"{base}/shards/{row['hash']}",
    }
