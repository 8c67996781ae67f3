"""Ports of this machine that nobody else takes."""

import random
import socket

_LASTING = iter(random.sample(range(20_000, 32_000), 12_000))


def lasting_port():
    """
    Return one that is never given to the near end of a connection: it has to stay free while a bridge is down.

    Nor is it given here again: who needs several asks for all of them before the first is taken.
    """
    for port in _LASTING:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
