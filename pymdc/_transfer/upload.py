"""What is uploaded: a file, its name and type, and the body that streams it, as a form or as it is."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import json
import os
import tempfile
import uuid

from .._compat import file_name, integer_types
from .._digest import content_hash
from ..errors import IntegrityError
from .fileobject import Reader, name_of
from .filename import checked_name, last_part
from .handed import guarded, position
from .mimetype import checked_mimetype, detected_mimetype

__all__ = ["Source"]

_BLOCK = 256 * 1024
_BOUND = 8 * 1024 * 1024  # bytes: the hash of what is no longer is known before it is sent
_SAMPLE = 4096  # bytes that python-magic looks at


class Source(object):
    """
    A file to upload, open while the context lasts.

    :param handed: a :class:`pymdc._transfer.handed.Handed`.  What cannot seek is copied to a temporary file first, for
        the protocol wants the size up front.
    """

    def __init__(self, handed, filename=None, mimetype=None):
        self._handed = handed
        self._filename = filename
        self._mimetype = mimetype
        self._body = None

    def __enter__(self):
        self._open()
        try:
            sample = self._begin()
            self.filename = checked_name(_file_name(self._handed) if self._filename is None else self._filename)
            if self._mimetype is None:
                self.mimetype = detected_mimetype(self.filename, sample)
            else:
                self.mimetype = checked_mimetype(self._mimetype)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        if self._ours:
            self._file.close()

    def content_hash(self):
        """Return the hash of the whole file, read anew."""
        self._reader = None
        reader, sha256, left = self._again(), hashlib.sha256(), self.size
        while left:
            block = reader.read(min(_BLOCK, left))
            if not block:
                break
            sha256.update(block)
            left -= len(block)
        return content_hash(sha256)

    def form(self, progress=None):
        """
        Return query, headers and body that send the file as a form, from its start.

        Only the newest body, of whatever kind, may be read.
        """
        boundary = uuid.uuid4().hex
        headers = {"Content-Type": "multipart/form-data; boundary=" + boundary, "x-filesize": str(self.size)}
        tail = "\r\n--{0}--\r\n".format(boundary).encode("ascii")
        return {}, headers, self._new_body(progress, self._head(boundary), tail)

    @property
    def bare_name(self):
        """The name without its folders, which is all that a form has of it."""
        return last_part(self.filename)

    def content(self, progress=None, replace=False):
        """
        As :meth:`form`, but the body is the file itself.

        :param replace: whether it takes the place of what has its name.
        """
        query, content_hash = {"size": str(self.size)}, None
        if replace:
            query["replace"] = "1"
        if self.filename:
            query["name"] = self.filename
        if _BLOCK < self.size <= _BOUND:
            content_hash = guarded(self.content_hash)() if self._ours else self._hold()
        body = self._new_body(progress, known_hash=content_hash)
        if self.size <= _BLOCK:
            body, content_hash = body.whole(), body.content_hash()
        if content_hash:
            query["hash"] = content_hash
        return query, {"Content-Type": self.mimetype}, body

    def _new_body(self, progress, head=b"", tail=b"", known_hash=None):
        reader, self._reader = self._reader or guarded(self._again)(), None
        self._body = _Body(self._file, self._start, reader, self._stamp, self.size, head, tail, progress, known_hash)
        return self._body

    def _open(self):
        self._ours = self._handed.file is None
        if self._ours:
            self._file = io.open(self._handed.path, "rb")
            self._start = position(self._file)
        else:
            self._file, self._start = self._handed.file, self._handed.start

    def _begin(self):
        """Find out how long the file is, and return its first bytes; one that cannot tell is copied first."""
        self.size, self._stamp = _size_from(self._file, self._start), _stamp(self._file)
        self._reader = Reader(self._file)
        sample = self._reader.begin(_SAMPLE)
        if self.size is None or self.size < len(sample):  # as of what only seems to seek
            self._spool()
        return sample

    def _spool(self):
        copy, self.size = _spooled(self._reader)
        if self._ours:
            self._file.close()
        self._go_on_with(copy)

    def _hold(self):
        """Copy what was handed in, which may be good for one reading only, into memory, and return its hash."""
        body, copy = self._new_body(None), io.BytesIO()
        for block in body:
            copy.write(block)
        self._go_on_with(copy)
        return body.content_hash()

    def _go_on_with(self, copy):
        self._file, self._ours, self._start, self._reader = copy, True, 0, None
        self._stamp = _stamp(copy)

    def _again(self):
        """Return a reader of the whole file."""
        self._file.seek(self._start)
        self._stamp = _stamp(self._file)
        return Reader(self._file)

    def was_read_whole(self):
        """Return whether the newest body was read to its end; what was not cannot have been stored."""
        return self._body is not None and self._body.ended

    def verify(self, answer):
        """Raise unless *answer* tells the hash of the bytes that were sent."""
        sent = self._body.content_hash()
        stored = answer.get("hash") if isinstance(answer, dict) else None
        if stored != sent:
            raise IntegrityError("the bridge stored {0}, but {1} was sent".format(json.dumps(stored), sent))

    def _head(self, boundary):
        quoted = self.bare_name.replace('"', '\\"')
        return (
            u'--{0}\r\nContent-Disposition: form-data; name="data"; filename="{1}"\r\nContent-Type: {2}\r\n\r\n'
        ).format(boundary, quoted, self.mimetype).encode("utf-8")


class _Body(object):
    """
    The body of one attempt.  requests streams what has ``read``, ``len`` and ``__iter__``.

    :param known_hash: of the content, where the bridge has been told it, and stores nothing else.
    """

    def __init__(self, file, start, reader, stamp, size, head, tail, progress, known_hash):
        self.len = len(head) + size + len(tail)
        self._file = file
        self._start = start
        self._reader = reader
        self._stamp = stamp
        self._size = size
        self._left = size
        self._head = head
        self._tail = tail
        self.ended = False
        self._progress = progress
        self._known_hash = known_hash
        self._sha256 = hashlib.sha256()

    def __iter__(self):
        block = self.read()
        while block:
            yield block
            block = self.read()

    def read(self, size=-1):
        """
        Return the next bytes.  *size* is not regarded: http.client asks for 8 KiB at a time, which is slow, and sends
        whatever it is given.
        """
        return guarded(self._read)()

    def whole(self):
        """Return all that is to be read."""
        return b"".join(self)

    def content_hash(self):
        return self._known_hash or content_hash(self._sha256)

    def _read(self):
        if self._head:
            head, self._head = self._head, b""
            return head
        block = self._read_file() if self._left else b""
        if not self._left and not self.ended:
            self._end()
        if block:
            return block
        tail, self._tail = self._tail, b""
        return tail

    def _end(self):
        """Let what ends the body go only if it is that of the file."""
        if self._changed():
            raise IntegrityError("the file changed while it was read")
        self.ended = True

    def _read_file(self):
        block = self._reader.read(min(_BLOCK, self._left))
        if self._was_moved():
            raise IntegrityError("the file object was moved while it was read: open the file once more for each use")
        if not block:
            raise IntegrityError("the file became shorter while it was read")
        self._left -= len(block)
        if self._known_hash is None:
            self._sha256.update(block)
        if self._progress is not None:
            self._progress(self._size - self._left, self._size)
        return block

    def _was_moved(self):
        """Return whether somebody else, say a child that was forked, has read or moved what is read here."""
        return position(self._file) not in (None, self._start + self._reader.taken)

    def _changed(self):
        return bool(self._reader.read(1)) or _stamp(self._file) != self._stamp


def _size_from(file, start):
    """
    Return how many bytes follow *start*, and let *file* stand there; None where it cannot tell.

    :raises Exception: it has gone to its end, and does not come back.
    """
    try:
        file.seek(start)
        if file.tell() != start:
            return None
    except Exception:  # each kind of file object lacks it in its own way; it has not moved
        return None
    try:
        file.seek(0, os.SEEK_END)
        end = file.tell()
    except Exception:
        end = None
    file.seek(start)
    return max(0, end - start) if isinstance(end, integer_types) else None


def _spooled(reader):
    """Return a temporary file with all that is to be read, and its size."""
    copy = tempfile.TemporaryFile()
    try:
        block = reader.read(_BLOCK)
        while block:
            copy.write(block)
            block = reader.read(_BLOCK)
        size = copy.tell()
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy, size


def _stamp(file):
    """Return what changes when a file on disk is written to; None for what is not on disk."""
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, EnvironmentError, ValueError):
        return None
    return status.st_mtime, status.st_size


def _file_name(handed):
    """Return the name of what was handed in, as text; empty when it has none, and the bridge then takes the hash."""
    name = name_of(handed.file) if handed.path is None else handed.path
    return u"" if name is None else last_part(file_name(name))
