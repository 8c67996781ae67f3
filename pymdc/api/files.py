"""Files of a bucket."""

from __future__ import absolute_import, division, print_function

from ._arguments import bucket_id_text, file_hash_text
from .links import Links

__all__ = ["Files"]


class Files(Links):
    """
    The files of one bucket.

    :param bucket_id: 24 hex digits, or the dict that the bridge returned for the bucket.
    :param key_pair: as of :class:`pymdc.api.Bucket`.
    :param client: as of :class:`pymdc.api.Bucket`.
    """

    def __init__(self, bucket_id, key_pair=None, client=None):
        super(Files, self).__init__(key_pair, client, anybody=True)
        self._ids = {"bucket_id": bucket_id_text(bucket_id)}

    def list(self, callback=None):
        """Return every file of the bucket, as a list of dicts.  Source: ``GET /buckets/:id/files``."""
        return self._run(
            callback, lambda: self._request("GET", "/buckets/{bucket_id}/files", self._ids), listing=True
        )

    def upload(self, path, token=None, callback=None, filename=None, mimetype=None, progress=None):
        """
        Upload a file.

        A bucket has one entry for each content: the same content under another name takes the place of the
        first in the listing.

        :param path: a path; or a binary file object, which is read from where it stands now, stays open, and can be in
            one transfer at a time.
        :param token: a PUSH token; without one, the call asks for its own, and only then can it start again by itself
            after an interruption.
        :param str filename: the name to store, of which the last part is kept: ``sub/__init__.py`` becomes
            ``__init__.py``; by default that of the path, or the hash of the content.
        :param str mimetype: by default what the name's ending stands for, or what the content looks like.
        :param progress: is called with (bytes done, bytes in all) for every block of at most 1 MiB, on the thread that
            transfers; what it raises, whatever it is, ends the upload and is raised.
        :returns: the file as a dict; its hash has been compared with the bytes that were sent.
        :raises IntegrityError: the file changed meanwhile, or the bridge stored something else.
        :raises TransportError: no answer came; a token that was handed in may be spent, and the file be stored.

        Source: ``PUT /buckets/:id/files`` (docs/protocol, "Upload").
        """
        return self._run_transfer(
            callback, lambda: self._prepared_upload(path, token, filename, mimetype, progress)
        )

    def download(self, file_hash, path, token=None, callback=None, progress=None, concurrency=4):
        """
        Download a file.

        :param file_hash: 40 hex digits, or the dict that the bridge returned for the file.
        :param path: a path; or a binary file object, which is written from where it stands now, stays open, and can be
            in one transfer at a time.  A path holds the old content or, once every
            byte has been verified, the whole new one; a link is followed.  A FIFO or a device is written in order.
        :param token: a PULL token; without one, the call asks for its own.
            What an interrupted download leaves in its part file (docs/reliability), the next one takes up again.
        :param progress: as of :meth:`upload`.  A bridge of 2016 does not tell how long the file is: then the second
            number is the size in *file_hash*, if that is a dict, or else how long the file is at least.
        :param int concurrency: how many shards, of 8 MiB each, are on the way at once, where answers take long; where
            they come within some milliseconds, all of them come by one request.
        :returns: ``{"hash", "size", "path"}``; size in bytes.  path is text: bytes as ``os.fsdecode`` has them (on
            Python 2 as UTF-8, with U+FFFD where they are none), the name of a file object, or None if it has none.
        :raises IntegrityError: the bytes that came are not those of *file_hash*; the file object was moved meanwhile.

        Source: ``GET /buckets/:id/files/:hash`` (docs/protocol, "Files", "Data channel").
        """
        return self._run_transfer(
            callback, lambda: self._prepared_download(file_hash, path, token, progress, concurrency)
        )

    def open(self, file_hash, token=None):
        """
        Open a file for reading, without downloading it: what is read comes in shards of 8 MiB, each when it is needed.

        So ``zipfile``, ``tarfile`` or pandas read a part of a long file.  At most two shards are held in memory.  The
        bridge charges each shard that comes as a download.  A file that is open for days asks for new pointers by
        itself; threads and forked processes may go on with it.

        A bridge of 2016 does not tell how long shards are: there they come in order, up to what is read, and wait in a
        temporary file; all of them, for who asks where the file ends.

        :param file_hash: as of :meth:`download`.
        :param token: a PULL token, by which each shard can be fetched three times, within 24 hours; once from a bridge
            of 2016.  Without one, the call gets in by itself.
        :returns: an ``io.BufferedReader``: read-only, binary, seekable, a context manager; ``seek(0, 2)`` tells the
            size in bytes, and moves none of them.
        :raises APIError: the bridge said no, whatever ``raise_errors`` is: a dict could not be read from.
        :raises IntegrityError: when it is read: what came is not the shard, again when it was fetched once more; or, at
            the last shard for who reads in order, the shards do not make the file.  No wrong byte is returned.
        :raises TransportError: when it is read: a shard could not be had.

        Source: ``GET /buckets/:id/files/:hash`` (docs/protocol, "Files", "Data channel").
        """
        return self._open(file_hash, token)

    def delete(self, file_hash, callback=None):
        """Delete a file, and return an empty dict.  Source: ``DELETE /buckets/:id/files/:hash``."""
        return self._run(callback, lambda: self._delete(
            "/buckets/{bucket_id}/files/{file_hash}", dict(self._ids, file_hash=file_hash_text(file_hash)),
        ))

    def __repr__(self):
        return "<Files of {0}>".format(self._ids["bucket_id"])


def __dir__():
    return __all__
