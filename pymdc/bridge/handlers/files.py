"""Files: their names, and their pointers."""

import secrets
import urllib.parse

from starlette.responses import Response

from ..clock import iso
from ..metadata import GIGABYTE, Asker
from ..refusal import Refusal
from ..request import auth, fields, names
from ..request.call import Call, JSON, one_transaction, reading
from . import listing


@reading
def show(call: Call) -> Response:
    wanted, bucket_id = names.wanted(call.query), call.ids["bucket"]
    email = auth.identify(call).email

    def read(after=None):
        place, owner = (after, None) if after else (wanted.after, email)
        return call.metadata.names.page(bucket_id, wanted.within, place, wanted.limit, owner)

    if wanted.limit is None:
        return listing.answer(read, _item)
    rows, after = read()
    return JSON([_item(row) for row in rows], headers=after and {"x-next": names.next_place(after)})


@one_transaction
def copy(call: Call) -> Response:
    """Let content have one more name."""
    bucket_id = call.ids["bucket"]
    asker = auth.identify_for_bucket(call, bucket_id).asker
    file = {"bucket": bucket_id, "created": call.now(), **fields.another_name(call.fields)}
    call.services.check_space()
    room = int(call.services.settings.account_storage * GIGABYTE)
    return JSON(told(call.metadata.files.copy(file, room, call.steady(), asker)))


def delete(call: Call) -> Response:
    _delete(call)
    call.services.sweep(call.now())
    return Response(status_code=204)


@one_transaction
def _delete(call):
    filename = fields.own_query(call.query, ["filename"]).get("filename")
    identity = auth.identify(call)
    call.metadata.files.delete(identity.email, call.ids["bucket"], call.ids["hash"], identity.asker, filename)


def identify_reader(call: Call) -> tuple[Asker, str | None]:
    """Let in who may read a file of the bucket; return by what that is, and the id of the token, if there is one."""
    bucket_id = call.ids["bucket"]
    if not auth.comes_by_token(call):
        return auth.identify_for_bucket(call, bucket_id).asker, None
    token = auth.spend_token(call)
    if token["operation"] != "PULL" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to retrieve from bucket")
    if token["file"] not in (None, call.ids["hash"]):
        raise Refusal(401, "Token not valid for hash")
    return Asker(token["point"]), auth.id_of_token(token["hash"])


@one_transaction
def pointers(call: Call) -> Response:
    (asker, token), bucket_id = identify_reader(call), call.ids["bucket"]
    texts, moment, settings = [], call.now(), call.services.settings
    terms = {"left": settings.shard_token_uses, "expires": moment + settings.shard_token_life * 1000}

    def make_token():
        texts.append(secrets.token_hex(20))
        return {"hash": auth.hash_token(texts[-1]), **terms}

    most = settings.account_tokens
    shards = call.metadata.files.hand_out(bucket_id, call.ids["hash"], asker, make_token, most, moment, token)
    return JSON([_pointer(call, shard, text) for shard, text in zip(shards, texts)])


def told(row) -> dict:
    """Return what is told of a file, given by its row."""
    columns = ("bucket", "mimetype", "filename", "size", "hash")
    return {**{name: row[name] for name in columns}, "created": iso(row["created"])}


def _item(row):
    return {"prefix": row["folder"]} if row.get("folder") else told(row)


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
