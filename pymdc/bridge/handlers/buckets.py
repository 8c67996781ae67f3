"""Buckets."""

import functools

from starlette.responses import Response

from ..clock import iso
from ..request import auth, fields
from ..request.call import Call, JSON, one_transaction, reading
from . import listing

_DEFAULTS = {"name": "New Bucket", "storage": 10, "transfer": 30}


@reading
def show(call: Call) -> Response:
    email = auth.identify(call).email
    return listing.answer(functools.partial(call.metadata.buckets.page, email), _bucket)


@one_transaction
def create(call: Call) -> Response:
    identity = auth.identify(call)
    values = {**_DEFAULTS, **fields.bucket(call.fields)}
    texts = values.pop("pubkeys", [])
    call.services.check_space()
    if identity.key is not None and identity.key not in texts:
        texts.append(identity.key)
    return JSON(_bucket(call.metadata.buckets.add(identity.email, call.now(), values, _points(texts), identity.asker)))


@reading
def read(call: Call) -> Response:
    identity = auth.identify(call)
    return JSON(_bucket(call.metadata.buckets.find_with_keys(call.ids["bucket"], identity.email)))


@one_transaction
def update(call: Call) -> Response:
    identity = auth.identify(call)
    values = fields.bucket(call.fields)
    texts = values.pop("pubkeys", None)
    if texts and len(texts) > len(call.metadata.buckets.find_with_keys(call.ids["bucket"], identity.email)["pubkeys"]):
        call.services.check_space()
    points = None if texts is None else _points(texts)
    row = call.metadata.buckets.change(identity.email, call.ids["bucket"], values, points, identity.asker)
    return JSON(_bucket(row))


def delete(call: Call) -> Response:
    call.services.sweep(_delete(call))
    return Response(status_code=204)


@one_transaction
def _delete(call):
    """Delete a bucket, and return when that was."""
    identity, moment = auth.identify(call), call.now()
    call.metadata.buckets.delete(identity.email, call.ids["bucket"], moment, identity.asker)
    return moment


def _points(texts):
    return {text: fields.point(text) for text in texts}


def _bucket(row):
    return {
        "user": row["email"],
        "created": iso(row["created"]),
        "name": row["name"],
        "pubkeys": row["pubkeys"],
        "status": "Active",
        "transfer": _plain(row["transfer"]),
        "storage": _plain(row["storage"]),
        "id": row["id"],
        "used": {"storage": row["stored"], "transfer": row["transferred"]},
    }


def _plain(number):
    """Write whole numbers as they were sent: 10, not 10.0."""
    return int(number) if number == int(number) else number
