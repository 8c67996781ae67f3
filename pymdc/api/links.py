"""Tokens and links, which let somebody else into a bucket, once."""

from __future__ import absolute_import, division, print_function

from .._transfer.filename import checked_name
from ..errors import TransportError
from ._arguments import bytes_at_most, file_hash_text, name_in, name_text, seconds, token_id_text
from ._transfers import Transfers

__all__ = ["Links"]


class Links(Transfers):
    """What lets others into one bucket, as a part of :class:`pymdc.api.Files`."""

    def token(self, operation, callback=None, expires_in=None):
        """
        Ask for a token, good for one upload or download by anyone who has it.

        :param str operation: ``"PUSH"`` to upload, ``"PULL"`` to download.
        :param expires_in: for how many seconds, at most 604800, seven days; five minutes by default.  Only the owner
            of the bucket may say that, and not to a bridge of 2016.
        :returns: the token as a dict; ``expires`` is in ISO 8601.

        Source: ``POST /buckets/:id/tokens`` (docs/protocol, "Tokens").
        """
        return self._run(callback, lambda: self._token_for(operation, expires_in))

    def share(self, file_hash, expires_in=300, filename=None, callback=None):
        """
        Make a link for anybody to download a file by, once: with a browser, with curl, with no account and no client.

        What only looks at the link, as a chat does for its preview, does not use it up.  A download that breaks off can
        go on for a day.

        :param file_hash: 40 hex digits, or the dict that the bridge returned for the file.
        :param expires_in: for how many seconds; five minutes if nothing else is said, at most 604800, seven days.
        :param str filename: under which name to offer the file; by default that in the dict, or else that of the newest
            file with this content.
        :returns: a dict: ``link``; ``expires``, in ISO 8601; ``id``, by which :meth:`revoke` ends it; ``file``, its
            hash; ``token``, which the link holds, and which is as secret.
            The bridges of 2016 have no links: ``{"error": text}``.

        Source: ``POST /buckets/:id/tokens`` (docs/protocol, "Links").
        """
        return self._run(callback, lambda: self._share(file_hash, expires_in, filename))

    def invite(self, expires_in=300, max_size=None, callback=None):
        """
        Make a link for anybody to upload one file by, once; as :meth:`share`.

        An upload that breaks off, or was too large, does not use it up.

        :param int max_size: how many bytes the file may have.

        Source: ``POST /buckets/:id/tokens`` (docs/protocol, "Links").
        """
        return self._run(callback, lambda: self._invite(expires_in, max_size))

    def tokens(self, callback=None):
        """
        Return the tokens of the bucket that were not used and have not expired, as a list of dicts.

        Each has an ``id``, by which it can be revoked; the token itself is not told again.  ``key`` is the fingerprint
        of the key that asked for it, the first 16 hex digits of its SHA-256, or None; times are in ISO 8601.  The
        bridges of 2016 have no such list.

        Source: ``GET /buckets/:id/tokens`` (docs/protocol, "Tokens").
        """
        return self._run(callback, self._tokens, listing=True)

    def revoke(self, token, callback=None):
        """
        End a token, and whatever has been made with it: pointers, and leave to go on with a download.

        :param token: the token, or its id: as text, or in the dict that the bridge returned.
        :returns: an empty dict.

        Source: ``DELETE /buckets/:id/tokens/:id`` (docs/protocol, "Tokens").
        """
        return self._run(callback, lambda: self._revoke(token_id_text(token)))

    def _token_for(self, operation, expires_in, **wanted):
        if expires_in is not None:
            wanted["expires_in"] = seconds(expires_in)
        if wanted:
            self._check_direct("tokens that are good for longer, or for one thing only")
        return self._token(operation, **wanted)

    def _share(self, file_hash, expires_in, filename):
        wanted = {"file": file_hash_text(file_hash)}
        name = name_in(file_hash) if filename is None else checked_name(name_text(filename))
        if name is not None:
            wanted["filename"] = name
        return self._link("PULL", expires_in, wanted)

    def _invite(self, expires_in, max_size):
        return self._link("PUSH", expires_in, {} if max_size is None else {"max_size": bytes_at_most(max_size)})

    def _link(self, operation, expires_in, wanted):
        life = seconds(expires_in)
        self._check_direct("links")
        answer = self._token(operation, expires_in=life, **wanted)
        if not isinstance(answer, dict) or "link" not in answer:
            raise TransportError("the bridge's answer is no link", passing=False)
        return dict(answer, id=token_id_text(answer))

    def _tokens(self):
        self._check_direct("list of tokens")
        return self._request("GET", "/buckets/{bucket_id}/tokens", self._ids)

    def _revoke(self, token_id):
        self._check_direct("way to revoke a token")
        return self._delete("/buckets/{bucket_id}/tokens/{token_id}", dict(self._ids, token_id=token_id))

    def _check_direct(self, what):
        """Raise APIError for a bridge of 2016, which has no such thing."""
        self._check_identified()
        self._client_in_use().check_direct(what)


def __dir__():
    return __all__
