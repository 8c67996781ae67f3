"""``ls``."""

from __future__ import absolute_import, division, print_function

from .._named import prefix
from .bucket import open_bucket
from .names import look_up

__all__ = ["ls"]


def ls(options, screen):
    """List what is in the bucket, or in a folder."""
    for item in _items(open_bucket().files, options):
        screen.line((_with_details if options.long else _name)(item))
    return True


def _items(files, options):
    found = look_up(files, options.name)
    for file in found.files:
        yield file
    for item in files.iterate(prefix=prefix(found.name), delimiter=None if options.recursive else "/"):
        yield item


def _name(item):
    return item["prefix"] if "prefix" in item else item["filename"]


def _with_details(item):
    return u"{0:>14}  {1:<24}  {2}".format(item.get("size", u""), item.get("created", u""), _name(item))
