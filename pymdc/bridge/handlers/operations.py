"""What an operator asks: is it well, and how much does it do."""

import hmac
import logging

from starlette.responses import Response

from .. import address
from ..refusal import Refusal
from ..request.call import Call, JSON

_log = logging.getLogger("pymdc.bridge")


def health(call: Call) -> Response:
    """Try what everything else needs; say which part fails, and the revision of the database's schema."""
    services = call.services
    probes = {"database": services.metadata.probe, "store": services.store.probe, "disk": services.check_disk}
    parts = {name: _outcome(name, probe) for name, probe in probes.items()}
    failing = [name for name, outcome in parts.items() if outcome != "ok"]
    parts["schema"] = services.metadata.revision
    if failing:
        return JSON({"error": "Failing: " + ", ".join(failing), "status": "failing", **parts}, 503)
    return JSON({"status": "ok", **parts})


def metrics(call: Call) -> Response:
    if not (address.is_loopback(call.address) or _has_token(call)):
        raise Refusal(403, "The metrics are for this very machine, or for who has the metrics token")
    return Response(call.services.metrics.text(), media_type="text/plain; version=0.0.4")


def _outcome(name, probe):
    try:
        probe()
    except Exception as error:
        _log.error("%s: %s", name, error)
        return "failing"
    return "ok"


def _has_token(call):
    wanted = call.services.settings.metrics_token
    given = call.headers.get("authorization", "")
    return wanted is not None and hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())
