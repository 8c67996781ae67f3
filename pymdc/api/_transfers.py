"""How files go in and out: the tokens for it, and what is done when a transfer breaks."""

from __future__ import absolute_import, division, print_function

from functools import partial

from .. import _of_2016, _options
from .._call import ALWAYS, UNCONNECTED
from .._compat import integer_types
from .._transfer.download import download
from .._transfer.handed import Handed, guarded, own_errors
from .._transfer.pointers import Pointers
from .._transfer.reader import open_file
from .._transfer.upload import Source
from ..errors import APIError, TransportError, as_answer
from ..keypair import ECDSA
from ._arguments import file_hash_text, token_text
from ._resource import Resource

__all__ = ["Transfers"]

_SPENT = "the token is spent, so another try needs a new one"


class Transfers(Resource):
    """What the endpoints of files in one bucket, whose id ``_ids`` holds, are made of."""

    def _token(self, operation, **wanted):
        if operation not in ("PUSH", "PULL"):
            raise ValueError("operation must be 'PUSH' or 'PULL', not {0!r}".format(operation))
        self._check_identified()

        def ask(**besides):
            fields = dict(wanted, operation=operation, **besides)
            return self._request("POST", "/buckets/{bucket_id}/tokens", self._ids, fields=fields, secret=True)

        if isinstance(self._auth, ECDSA):
            ask_for_bucket = partial(self._request, "GET", "/buckets/{bucket_id}", self._ids)
            return _of_2016.token(ask, ask_for_bucket, self._client_in_use().take_turns)
        return ask()

    def _own_token(self, operation):
        answer = self._token(operation)
        try:
            return token_text(answer)
        except ValueError:
            failure = TransportError("the bridge's answer is not a token", passing=False)
        raise failure

    def _admission(self, operation, token):
        """
        Return what lets the call in that a transfer begins with.

        It is the token that was handed in; or who asks, where the bridge is direct; or else a new token each time.
        """
        if token is not None:
            return {"auth": None, "token": lambda: token, "repeat": UNCONNECTED}
        self._check_identified()
        if self._client_in_use().is_direct():
            return {"repeat": ALWAYS, "secret": True}
        return {"auth": None, "token": lambda: self._own_token(operation), "repeat": ALWAYS}

    def _check_identified(self):
        if self._auth is None:
            raise ValueError("a key pair or a user is needed to ask for a token; or hand one in")

    def _run_transfer(self, callback, prepare):
        """
        Run a transfer with the arguments as they are now, not as they are when a worker gets to it.

        :param prepare: returns what was handed in for the path, and the work to do.
        """
        if callback is None:
            handed, work = prepare()
            with handed:
                return own_errors(lambda: self._run(None, work))
        try:
            handed, work = prepare()
        except Exception as error:
            refusal = as_answer(error)  # also with raise_errors: nothing has begun that could have failed
            return self._run(callback, lambda: refusal)
        return self._run_claimed(callback, handed, work)

    def _run_claimed(self, callback, handed, work):
        def transfer():
            with handed:
                return own_errors(work)

        try:
            future = self._run(callback, transfer)
        except BaseException:
            handed.release()
            raise
        future.add_done_callback(lambda future: handed.release())  # for it may be cancelled before it begins
        return future

    def _checked_progress(self, progress):
        """Return a function whose errors end the transfer, whatever they are; or None."""
        if progress is None:
            return None
        if not callable(progress):
            raise ValueError("progress must be callable, not {0!r}".format(type(progress).__name__))
        return guarded(self._client_in_use().apart(progress))

    def _prepared_upload(self, path, token, filename, mimetype, progress, replace):
        progress = self._checked_progress(progress)
        token = None if token is None else token_text(token)
        replace, handed = _options.switch("replace", replace), Handed(path, "read")
        return handed, partial(self._upload, handed, token, filename, mimetype, progress, replace)

    def _upload(self, handed, token, filename, mimetype, progress, replace):
        if replace:
            self._client_in_use().check_direct("way to replace a file")
        with Source(handed, filename, mimetype) as source:
            if token is not None and u"/" in source.filename:
                self._client_in_use().says_direct()  # or raises: no folder is cut off on a doubt

            def body(maybe_done):
                if replace or self._client_in_use().is_direct():
                    return source.content(progress, replace)
                if maybe_done and source.was_read_whole():
                    self._look_for(source)
                return source.form(progress)

            try:
                answer = _telling_of(token, partial(
                    self._request, "PUT", "/buckets/{bucket_id}/files", self._ids, body=body,
                    **self._admission("PUSH", token)
                ))
            except _Stored as stored:
                return stored.file
            except APIError as error:
                # When there is no room for it twice, an attempt whose answer was lost may have stored it.
                stored = error.status == 413 and error.maybe_done and self._stored(source)
                if not stored:
                    raise
                return stored
            source.verify(answer)
        return answer

    def _look_for(self, source):
        """Raise _Stored when an attempt whose answer was lost has stored the file: a bridge of 2016 spoils a second."""
        file = self._auth and self._stored(source)
        if file and file.get("mimetype") == source.mimetype.partition(";")[0].strip().lower():
            raise _Stored(file)

    def _stored(self, source):
        """Return the entry of a file in the listing; None when it is not there, or the listing not to be had."""
        content_hash = source.content_hash()
        name = (source.filename if self._client_in_use().is_direct() else source.bare_name) or content_hash
        try:
            listing = self._request("GET", "/buckets/{bucket_id}/files", self._ids)
        except APIError:
            return None
        entries = [file for file in listing if isinstance(file, dict)] if isinstance(listing, list) else []
        return next((
            file for file in entries if (file.get("hash"), file.get("filename")) == (content_hash, name)
        ), None)

    def _prepared_download(self, file_hash, path, token, progress, concurrency):
        if not isinstance(concurrency, integer_types) or isinstance(concurrency, bool) or concurrency < 1:
            raise ValueError("concurrency must be a whole number, one or more")
        progress = self._checked_progress(progress)
        ids = dict(self._ids, file_hash=file_hash_text(file_hash))
        token = None if token is None else token_text(token)
        size, handed = _size_in(file_hash), Handed(path, "write")
        return handed, partial(_telling_of, token, self._download, ids, handed, token, progress, concurrency, size)

    def _download(self, ids, handed, token, progress, concurrency, told_size):
        client = self._client_in_use()

        def ask_directly(headers, take, again):
            if token is None and self._auth is not None and client.is_direct():
                self._request("GET", "/buckets/{bucket_id}/files/{file_hash}/content", ids, headers=headers, take=take,
                              repeat=ALWAYS if again else UNCONNECTED, secret=True)

        pointers, target = self._pointers(ids, token), handed.path
        if target is None:
            handed.restore()
            target = handed.file
        answer = download(ask_directly, pointers, ids["file_hash"], target, progress, concurrency, told_size)
        return answer if handed.path is None else dict(answer, path=handed.text)

    def _pointers(self, ids, token):
        client = self._client_in_use()

        def ask():
            admission = self._admission("PULL", token)
            return self._request("GET", "/buckets/{bucket_id}/files/{file_hash}", ids, **admission)

        return Pointers(ask=ask, again=token is None, network=client.network, tries=client.tries)

    def _open(self, file_hash, token):
        ids = dict(self._ids, file_hash=file_hash_text(file_hash))
        token = None if token is None else token_text(token)
        return _telling_of(token, open_file, self._pointers(ids, token), ids["file_hash"])


class _Stored(Exception):
    """An upload has nothing left to do, as an attempt before has stored the file."""

    def __init__(self, file):
        super(_Stored, self).__init__()
        self.file = file


def _size_in(file):
    """Return the size that the bridge's dict of a file tells; None when it is none, or only a hash."""
    size = file.get("size") if isinstance(file, dict) else None
    return size if isinstance(size, integer_types) else None


def _telling_of(token, transfer, *arguments):
    """Run a transfer; when it breaks after its request was sent, say that the token that was handed in is spent."""
    try:
        return transfer(*arguments)
    except TransportError as error:
        if token is not None and error.sent:
            error.hint = _SPENT
        raise
    except APIError as error:
        if token is not None and error.status in (502, 503, 504):
            error.hint = _SPENT
        raise
