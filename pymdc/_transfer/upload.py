"""What is uploaded: a file, its name and type, and the multipart body that streams it."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import json
import mimetypes
import os
import re
import shutil
import tempfile
import uuid

from .._compat import file_name, text_type, to_path
from .._digest import content_hash
from .._http.network import SourceFailure
from ..errors import IntegrityError

__all__ = ["Source"]

_BLOCK = 256 * 1024
_MAX_NAME = 1000  # characters; a bridge may take fewer, but more do not fit its headers
_SAMPLE = 4096  # bytes that python-magic looks at
_MIMETYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")
_GENERIC = re.compile("text/plain$|application/octet-stream$|application/x-empty$|inode/")


class Source(object):
    """
    A file to upload, open while the context lasts.

    :param path: a path; or a binary file object, which is read from where it stands and stays open.  One that cannot
        seek is copied to a temporary file first, since the protocol wants the size up front.
    """

    def __init__(self, path, filename=None, mimetype=None):
        self._path = path
        self._filename = filename
        self._mimetype = mimetype
        self._body = None

    def __enter__(self):
        self._file, self._ours = _opened(self._path)
        try:
            self._make_seekable()
            self.filename = _check_filename(_file_name(self._path) if self._filename is None else self._filename)
            self.mimetype = _check_mimetype(self._mimetype) or self._detected_mimetype()
        except BaseException:
            self.__exit__()
            raise
        self._boundary = uuid.uuid4().hex
        self.headers = {
            "Content-Type": "multipart/form-data; boundary=" + self._boundary,
            "x-filesize": str(self.size),
        }
        return self

    def __exit__(self, *exception):
        if self._ours:
            self._file.close()

    def content_hash(self):
        """Return the hash of the whole file, read anew."""
        self._file.seek(self._start)
        sha256, left = hashlib.sha256(), self.size
        while left:
            block = self._file.read(min(_BLOCK, left))
            if not block:
                break
            sha256.update(block)
            left -= len(block)
        return content_hash(sha256)

    def _make_seekable(self):
        """Find out where the file begins and how long it is; one that cannot tell is copied first."""
        try:
            self._start, self.size = _extent(self._file)
        except (AttributeError, EnvironmentError, ValueError):
            copy = _spooled(self._file)
            if self._ours:
                self._file.close()
            self._file, self._ours = copy, True
            self._start, self.size = _extent(copy)

    def body(self, progress=None):
        """Return a body that streams the file from its start.  Only the newest one may be read."""
        self._file.seek(self._start)
        self._body = _Body(self._file, self.size, self._head(), self._tail(), progress)
        return self._body

    def verify(self, answer):
        """Raise unless *answer* tells the hash of the bytes that were sent."""
        sent = self._body.content_hash()
        stored = answer.get("hash") if isinstance(answer, dict) else None
        if stored != sent:
            raise IntegrityError("the bridge stored {0}, but {1} was sent".format(json.dumps(stored), sent))

    def _head(self):
        quoted = self.filename.replace('"', '\\"')
        return (
            u'--{0}\r\nContent-Disposition: form-data; name="data"; filename="{1}"\r\nContent-Type: {2}\r\n\r\n'
        ).format(self._boundary, quoted, self.mimetype).encode("utf-8")

    def _tail(self):
        return "\r\n--{0}--\r\n".format(self._boundary).encode("ascii")

    def _detected_mimetype(self):
        sample = self._file.read(_SAMPLE)
        self._file.seek(self._start)
        found = _magic(sample)
        if found is None or _GENERIC.match(found):
            by_name, encoding = mimetypes.guess_type(self.filename)
            found = (None if encoding else by_name) or found
        return found or "application/octet-stream"


class _Body(object):
    """The multipart body of one attempt.  requests streams what has ``read``, ``len`` and ``__iter__``."""

    def __init__(self, file, size, head, tail, progress):
        self.len = len(head) + size + len(tail)
        self._file = file
        self._size = size
        self._left = size
        self._head = head
        self._tail = tail
        self._progress = progress
        self._sha256 = hashlib.sha256()
        self._stamp = _stamp(file)

    def __iter__(self):
        return iter(self.read, b"")

    def read(self, size=-1):
        """
        Return the next bytes.  *size* is not regarded: http.client asks for 8 KiB at a time, which is slow, and sends
        whatever it is given.
        """
        try:
            return self._read()
        except EnvironmentError as error:
            # Not of the network: urllib3 would take it for a broken connection.
            failure = SourceFailure(error)
        raise failure

    def content_hash(self):
        return content_hash(self._sha256)

    def _read(self):
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._left:
            return self._read_file()
        if self._tail and self._changed():
            raise IntegrityError("the file changed while it was read")
        tail, self._tail = self._tail, b""
        return tail

    def _read_file(self):
        block = self._file.read(min(_BLOCK, self._left))
        if not block:
            raise IntegrityError("the file became shorter while it was read")
        self._left -= len(block)
        self._sha256.update(block)
        if self._progress is not None:
            self._progress(self._size - self._left, self._size)
        return block

    def _changed(self):
        return bool(self._file.read(1)) or _stamp(self._file) != self._stamp


def _opened(path):
    """Return a binary file, and whether it is ours to close."""
    name = to_path(path)
    if name is not None:
        return io.open(name, "rb"), True
    if not hasattr(path, "read"):
        raise ValueError("a path or a binary file object is needed, not {0!r}".format(type(path).__name__))
    if not isinstance(path.read(0), bytes):
        raise ValueError("the file object must be opened in binary mode")
    return path, False


def _spooled(stream):
    copy = tempfile.TemporaryFile()
    try:
        shutil.copyfileobj(stream, copy, _BLOCK)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _extent(file):
    """Return where *file* stands, and how many bytes follow."""
    start = file.tell()
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(start)
    return start, max(0, end - start)


def _stamp(file):
    """Return what changes when a file on disk is written to; None for what is not on disk."""
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, EnvironmentError, ValueError):
        return None
    return status.st_mtime, status.st_size


def _file_name(path):
    """Return the name of a path or file object, as text; empty when it has none, and the bridge then takes the hash."""
    name = to_path(path)
    if name is None:
        name = getattr(path, "name", "")
        if not isinstance(name, (bytes, text_type)) or re.match("<.*>$", file_name(name)):
            return u""
    return file_name(name)


def _check_filename(name):
    """Return the base name, cut as every bridge cuts it."""
    if not isinstance(name, (bytes, text_type)):
        raise ValueError("filename must be text, not {0!r}".format(type(name).__name__))
    name = re.split(r"[/\\]", file_name(name))[-1]
    if re.search(u"[\x00-\x1f\x7f]", name):
        raise ValueError("the file name holds a control character: pass another as filename")
    if len(name) > _MAX_NAME:
        raise ValueError("the file name is longer than {0} characters: pass another as filename".format(_MAX_NAME))
    return name


def _check_mimetype(mimetype):
    if mimetype is None:
        return None
    if isinstance(mimetype, bytes):
        mimetype = mimetype.decode("latin-1")
    if not isinstance(mimetype, text_type) or not _MIMETYPE.match(mimetype.lower()):
        raise ValueError("mimetype must be like image/jpeg, not {0!r}".format(mimetype))
    return mimetype.lower()  # a bridge of 2016 never answers to capitals


def _magic(sample):
    """Return what python-magic makes of the first bytes; None where libmagic is missing."""
    try:
        import magic  # takes long, and is not always needed

        found = magic.from_buffer(sample, mime=True)
    except Exception:  # each platform lacks it in its own way; the name's ending will do
        return None
    return found if isinstance(found, str) and _MIMETYPE.match(found) else None
