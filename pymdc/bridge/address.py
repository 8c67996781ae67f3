"""Addresses of the network, as they are compared."""

import functools
import ipaddress

UNKNOWN = "unknown"


@functools.lru_cache(maxsize=1000)  # each request asks, and most come from a few
def plain(text: str) -> str:
    """Return the one way to write an address: an IPv4 one that came by IPv6 is IPv4.  *UNKNOWN* for what is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    return str(getattr(address, "ipv4_mapped", None) or address)


def without_port(text: str) -> str:
    """Return what stands before the port, if there is one: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def is_loopback(text: str) -> bool:
    return text != UNKNOWN and ipaddress.ip_address(text).is_loopback


def network(text: str) -> str:
    """Return whose address it is: of IPv6, everybody has a whole /64."""
    if ":" not in text:
        return text
    return str(ipaddress.ip_network((text.partition("%")[0], 64), strict=False))
