"""Files of a bucket."""

from __future__ import absolute_import, division, print_function

from ._arguments import bucket_id_text
from .links import Links
from .names import Names

__all__ = ["Files"]


class Files(Names, Links):
    """
    The files of one bucket.

    :param bucket_id: 24 hex digits, or the dict that the bridge returned for the bucket.
    :param key_pair: as of :class:`pymdc.api.Bucket`.
    :param client: as of :class:`pymdc.api.Bucket`.
    """

    def __init__(self, bucket_id, key_pair=None, client=None):
        super(Files, self).__init__(key_pair, client, anybody=True)
        self._ids = {"bucket_id": bucket_id_text(bucket_id)}

    def upload(self, path, token=None, callback=None, filename=None, mimetype=None, progress=None, replace=False):
        """
        Upload a file.

        Each name of each content is a file of its own: what else has this name stays, unless *replace* is true, and so
        does the same content under another name.  What is there under this name already is renewed: its ``created``,
        and its type.  A bridge of 2016 keeps one name for each content, the newest, and no folders.

        :param path: a path; or a binary file object, which is read from where it stands now, stays open, and can be in
            one transfer at a time.
        :param token: a PUSH token; without one, the call gets in by itself, and only then can it start again
            after an interruption.
        :param str filename: the name to store, maybe with folders, ``photos/2016/cat.jpg``; ``\\`` counts as ``/``.  It
            has 1000 bytes of UTF-8 at most, each part 255, no empty part, ``.`` or ``..``, and nothing that controls or
            turns the direction of text.  By default that of the path without its folders, or the hash of the content.
        :param str mimetype: by default what the name's ending stands for, or what the content looks like.
        :param progress: is called with (bytes done, bytes in all) for every block of at most 1 MiB, on the thread that
            transfers; what it raises, whatever it is, ends the upload and is raised.
        :param bool replace: whether the other files of that name go in the moment in which this one is stored; there
            has to be room for both.  A token cannot ask for it, and a bridge of 2016 cannot do it: both are refused.
        :returns: the file as a dict; its hash has been compared with the bytes that were sent.
        :raises IntegrityError: the file changed meanwhile, or the bridge stored something else.
        :raises TransportError: no answer came; a token that was handed in may be spent, and the file be stored.

        Source: ``PUT /buckets/:id/files`` (docs/protocol, "Upload").
        """
        return self._run_transfer(
            callback, lambda: self._prepared_upload(path, token, filename, mimetype, progress, replace)
        )

    def download(self, file_hash, path, token=None, callback=None, progress=None, concurrency=4):
        """
        Download a file.

        :param file_hash: 40 hex digits, or the dict that the bridge returned for the file.
        :param path: a path; or a binary file object, which is written from where it stands now, stays open, and can be
            in one transfer at a time.  A path holds the old content or, once every
            byte has been verified, the whole new one; a link is followed.  A FIFO or a device is written in order.
        :param token: a PULL token; without one, the call gets in by itself.
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

    def __repr__(self):
        return "<Files of {0}>".format(self._ids["bucket_id"])


def __dir__():
    return __all__
