"""``share`` and ``invite``."""

from __future__ import absolute_import, division, print_function

from .._named import newest
from .bucket import open_bucket
from .failure import Failure
from .names import look_up

__all__ = ["invite", "share"]


def share(options, screen):
    """Make a link to download a file by."""
    files = open_bucket().files
    found = look_up(files, options.name)
    if not found.files:
        raise Failure(u"{0} is a folder: a link is for one file".format(found.name or u"/"))
    return _tell(files.share(newest(found.files), expires_in=options.life), u"download", screen)


def invite(options, screen):
    """Make a link to upload a file by."""
    answer = open_bucket().files.invite(expires_in=options.life, max_size=options.max_size)
    return _tell(answer, u"upload", screen)


def _tell(answer, what, screen):
    screen.line(answer["link"])
    screen.remark(u"good for one {0}, until {1}".format(what, answer["expires"]))
    return True
