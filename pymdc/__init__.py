"""Metadisk object storage: accounts, key pairs, buckets, files."""

from __future__ import absolute_import, division, print_function

from . import api, errors, keypair
from ._transfer.content import content_hash
from .rest import Client, configure

__all__ = ["Client", "__version__", "api", "configure", "content_hash", "errors", "keypair"]

__version__ = "1.0.0"


def __dir__():  # since Python 3.7: what is for users
    return __all__
