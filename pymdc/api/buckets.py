"""Buckets."""

from __future__ import absolute_import, division, print_function

from .._call import UNDONE
from ._arguments import bucket_id_text, gigabytes, name_text, public_key_texts
from ._resource import Resource
from .files import Files

__all__ = ["Bucket", "Buckets"]


class Buckets(Resource):
    """
    The buckets of one account.

    :param key_pair: a registered key pair; or the account, as :class:`pymdc.api.Users`.
    :param client: the :class:`pymdc.Client` to use; by default that of the account, or the one of
        :func:`pymdc.configure`.
    """

    def __init__(self, key_pair, client=None):
        super(Buckets, self).__init__(key_pair, client)

    def list(self, callback=None):
        """
        Return every bucket of the account, as a list of dicts.

        Each tells what of it is ``used``: ``{"storage", "transfer"}``, in bytes, of its ``storage`` and ``transfer``,
        which are in GB (10^9 bytes).  A bridge of 2016 does not tell.

        Source: ``GET /buckets`` (docs/protocol, "Buckets", "Names").
        """
        return self._run(callback, lambda: self._request("GET", "/buckets"), listing=True)

    def create(self, name, storage, transfer, key_pairs=(), callback=None):
        """
        Create a bucket.

        :param str name: free text, up to 255 characters; two buckets may share a name.
        :param storage: room for stored files, in GB (10^9 bytes).
        :param transfer: allowance for downloads, in GB (10^9 bytes).
        :param key_pairs: key pairs (or hex public keys) that may ask for this bucket's tokens.
        :returns: the bucket as a dict.
        :raises TransportError: no answer came; the bucket may have been created all the same.

        Source: ``POST /buckets`` (docs/protocol, "Buckets").
        """
        given = {"name": name, "storage": storage, "transfer": transfer, "key_pairs": key_pairs}
        return self._run(callback, lambda: self._request("POST", "/buckets", fields=_fields(given), repeat=UNDONE))


class Bucket(Resource):
    """
    One bucket.

    :param bucket_id: 24 hex digits, or the dict that the bridge returned for the bucket.
    :param key_pair: a registered key pair, one that the bucket lists, or the account as :class:`pymdc.api.Users`.
        With none, files can still go in and out by a token that somebody handed over.
    :param client: the :class:`pymdc.Client` to use; by default that of the account, or the one of
        :func:`pymdc.configure`.
    """

    def __init__(self, bucket_id, key_pair=None, client=None):
        super(Bucket, self).__init__(key_pair, client, anybody=True)
        self._ids = {"bucket_id": bucket_id_text(bucket_id)}
        #: The bucket's files, as :class:`pymdc.api.Files`.
        self.files = Files(bucket_id, key_pair, client)

    def list(self, callback=None):
        """Return the bucket's metadata, as a dict; as :meth:`Buckets.list`.  Source: ``GET /buckets/:id``."""
        return self._run(callback, lambda: self._request("GET", "/buckets/{bucket_id}", self._ids))

    def update(self, name=None, storage=None, transfer=None, key_pairs=None, callback=None):
        """
        Change what is given, and leave the rest.

        :param key_pairs: takes the place of the whole list.
        :returns: the whole bucket as a dict.

        Source: ``PATCH /buckets/:id`` (docs/protocol, "Buckets").
        """
        given = {"name": name, "storage": storage, "transfer": transfer, "key_pairs": key_pairs}
        changed = {argument: value for argument, value in given.items() if value is not None}
        return self._run(callback, lambda: self._request(
            "PATCH", "/buckets/{bucket_id}", self._ids, fields=_fields(changed),
        ))

    def delete(self, callback=None):
        """Delete the bucket with all its files, and return an empty dict.  Source: ``DELETE /buckets/:id``."""
        return self._run(callback, lambda: self._delete("/buckets/{bucket_id}", self._ids))

    def __repr__(self):
        return "<Bucket {0}>".format(self._ids["bucket_id"])


def _fields(given):
    """Return the fields of a bucket, as the protocol names them, from the arguments that were given."""
    read = {"name": name_text, "storage": gigabytes, "transfer": gigabytes, "key_pairs": public_key_texts}
    names = {"key_pairs": "pubkeys"}
    return {names.get(argument, argument): read[argument](value) for argument, value in given.items()}


def __dir__():
    return __all__
