"""Public keys."""

from starlette.responses import Response

from ..request import auth, fields
from ..request.call import Call, JSON


def show(call: Call) -> Response:
    return JSON([_key(row["email"], row["text"]) for row in call.metadata.keys.of(auth.identify(call).email)])


def create(call: Call) -> Response:
    identity = auth.identify(call)
    text = fields.public_key(call.fields.get("key"))
    call.services.check_space()
    proved = identity.key != text and auth.spend_proof(call, text, identity.email)
    call.metadata.keys.add(identity.email, fields.point(text), text, proved, identity.point)
    return JSON(_key(identity.email, text))


def delete(call: Call) -> Response:
    identity = auth.identify(call)
    call.metadata.keys.delete(identity.email, call.ids["key"], identity.point)
    return Response()


def _key(email, text):
    return {"user": email, "key": text, "id": text}
