"""The MIME type of a file."""

from __future__ import absolute_import, division, print_function

import mimetypes
import os
import re

from .._compat import text_type

__all__ = ["checked_mimetype", "detected_mimetype"]

_MIMETYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")


def checked_mimetype(mimetype):
    """Return what was handed in, in lower case: a bridge of 2016 never answers to capitals."""
    if isinstance(mimetype, bytes):
        mimetype = mimetype.decode("latin-1")
    if not isinstance(mimetype, text_type) or not _MIMETYPE.match(mimetype.lower()):
        raise ValueError("mimetype must be like image/jpeg, not {0!r}".format(mimetype))
    return mimetype.lower()


def detected_mimetype(name, sample):
    """
    Return what the name's ending stands for, else what the first bytes look like.

    The ending first: libmagic takes half of all style sheets for assembler, and costs as much as a signature.
    """
    ending = os.path.splitext(name)[1].lower()
    by_ending, encoding = mimetypes.guess_type("x" + ending)
    if by_ending and not encoding and _MIMETYPE.match(by_ending):
        return by_ending
    return _magic(sample) or "application/octet-stream"


def _magic(sample):
    """Return what python-magic makes of the first bytes; None where libmagic is missing."""
    try:
        import magic  # takes long, and is not always needed

        found = magic.from_buffer(sample, mime=True)
    except Exception:  # each platform lacks it in its own way; the type is then not known
        return None
    return found if isinstance(found, str) and _MIMETYPE.match(found) else None
