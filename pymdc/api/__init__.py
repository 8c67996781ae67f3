"""The resources of a bridge, one class each."""

from __future__ import absolute_import, division, print_function

from . import buckets, files, keys, users
from .buckets import Bucket, Buckets
from .files import Files
from .keys import Keys
from .users import Users

__all__ = ["Bucket", "Buckets", "Files", "Keys", "Users", "buckets", "files", "keys", "users"]


def __dir__():
    return __all__
