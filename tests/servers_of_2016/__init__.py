"""
A stand-in for the Metadisk servers of 2016, each with its farmer, down to the faults that a client notices.

Made from docs/protocol and from the recorded messages (vectors/README.md), not from the servers' code.
"""

from __future__ import absolute_import, division, print_function

from .server import Server
from .versions import VERSIONS

__all__ = ["VERSIONS", "Server"]
