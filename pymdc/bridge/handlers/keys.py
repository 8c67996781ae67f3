"""Public keys."""

import functools

from starlette.responses import Response

from ..request import auth, fields
from ..request.call import Call, JSON, one_transaction, reading
from . import listing


@reading
def show(call: Call) -> Response:
    email = auth.identify(call).email
    return listing.answer(functools.partial(call.metadata.keys.page, email), _key)


@one_transaction
def create(call: Call) -> Response:
    identity = auth.identify(call)
    text = fields.public_key(call.fields.get("key"))
    call.services.check_space()
    proved = identity.key != text and auth.spend_proof(call, text, identity.email)
    call.metadata.keys.add(identity.email, fields.point(text), text, proved, identity.asker)
    return JSON(_key({"email": identity.email, "text": text}))


@one_transaction
def delete(call: Call) -> Response:
    identity = auth.identify(call)
    call.metadata.keys.delete(identity.email, call.ids["key"], identity.asker)
    return Response()


def _key(row):
    return {"user": row["email"], "key": row["text"], "id": row["text"]}
