"""Files by their names: found, told page by page, given others, and deleted one by one."""

from __future__ import absolute_import, division, print_function

from .. import _of_2016
from .._compat import integer_types, text_type
from .._transfer.filename import checked_name, spelled
from .._transfer.mimetype import checked_mimetype
from ..errors import TransportError
from ._arguments import file_hash_text, name_in
from ._resource import Resource

__all__ = ["Names"]

_FILES = "/buckets/{bucket_id}/files"
_FILE = _FILES + "/{file_hash}"
_PAGE = 1000  # items, as many as a bridge tells at once


class Names(Resource):
    """The names of the files in one bucket, as a part of :class:`pymdc.api.Files`."""

    def list(self, callback=None, prefix=None, delimiter=None):
        """
        Return the files of the bucket, as a list of dicts, in the order of their names.

        Names are compared by their bytes in UTF-8.  ``created`` tells when a file came, or came again: ISO 8601, with
        milliseconds; where several files have one name, the newest is the one to take.  A bridge of 2016 does not tell
        it, and tells all its files in an order of its own: with *prefix* or *delimiter* the library itself picks those
        that are asked for, and puts them in order.

        :param str prefix: lets only those come whose names begin so: ``"photos/"``.
        :param str delimiter: ``"/"``: those whose names go on after the prefix with a folder come as one item a folder,
            ``{"prefix": "photos/2016/"}``, in its place in the order.

        Source: ``GET /buckets/:id/files`` (docs/protocol, "Names").
        """
        return self._run(callback, lambda: self._listed(_within(prefix, delimiter)), listing=True)

    def iterate(self, prefix=None, delimiter=None, page=_PAGE):
        """
        Return a generator of what :meth:`list` returns, which asks for some items at a time, when it gets to them.

        So memory does not grow with their number; but a bridge of 2016 tells all at once.  What comes or goes meanwhile
        is told or is not, and keeps nothing else from being told once.

        :param int page: how many items to ask for at a time, 1 to 1000; few, where few are looked at.
        :raises APIError: when it gets there: the bridge said no, whatever ``raise_errors`` is.
        """
        return self._pages(_within(prefix, delimiter), _page(page))

    def copy(self, file_hash, filename, callback=None, mimetype=None):
        """
        Give content that is in the bucket one more name.  No byte is moved, but it counts as a file more.

        With :meth:`delete` of the old name this is a rename.  Other content that has the name already stays.  A bridge
        of 2016 keeps one name for each content, so there this is refused.

        :param file_hash: as of :meth:`download`.
        :param filename: as of :meth:`upload`.
        :param str mimetype: by default that of this name, where it is there already, else of the newest file with this
            content.
        :returns: the file as a dict.

        Source: ``POST /buckets/:id/files`` (docs/protocol, "Names").
        """
        return self._run(callback, lambda: self._copy(file_hash_text(file_hash), filename, mimetype))

    def delete(self, file_hash, callback=None, filename=None):
        """
        Delete a file, or all files with some content, and return an empty dict.

        :param file_hash: 40 hex digits: the content goes, under all its names.  Or the dict that the bridge returned
            for a file: this one goes alone.
        :param filename: the one name to delete.  A bridge of 2016 knows one name for each content, and heeds none; so
            there it is looked up first, and another is no file.

        Source: ``DELETE /buckets/:id/files/:hash`` (docs/protocol, "Names").
        """
        return self._run(callback, lambda: self._remove(file_hash, filename))

    def _listed(self, within):
        if not within or self._knows_names():
            return self._request("GET", _FILES, self._ids, within)
        return _of_2016.within(self._all(), **within)

    def _pages(self, within, size):
        """Yield the items of a listing, of which there is a page in memory."""
        if not self._knows_names():
            for item in _of_2016.within(self._all(), **within):
                yield item
            return
        place = None
        while True:
            items, following = self._page(within, size, place)
            for item in items:
                yield item
            if following is None:
                return
            if following == place:
                raise TransportError("the bridge's pages lead nowhere: one leads on to itself", passing=False)
            place = following

    def _page(self, within, size, place):
        """Return the items of a page, and the place that the next comes after, or None."""
        asked = dict(within, limit=size) if place is None else dict(within, limit=size, after=place)
        items, following = self._request("GET", _FILES, self._ids, asked, header="x-next")
        return _checked_list(items), following

    def _all(self):
        return _checked_list(self._request("GET", _FILES, self._ids))

    def _copy(self, file_hash, filename, mimetype):
        fields = {"hash": file_hash, "filename": _not_empty(checked_name(filename))}
        if mimetype is not None:
            fields["mimetype"] = checked_mimetype(mimetype)
        self._client_in_use().check_direct("way to give content another name", secret=False)
        return self._request("POST", _FILES, self._ids, fields)

    def _remove(self, file, filename):
        ids = dict(self._ids, file_hash=file_hash_text(file))
        name = name_in(file) if filename is None else _not_empty(spelled(filename))
        if name is None:
            return self._delete(_FILE, ids)
        if self._knows_names():
            return self._delete(_FILE, ids, {"filename": name})
        _of_2016.check_only_name(self._all(), ids["file_hash"], name)
        return self._delete(_FILE, ids)

    def _knows_names(self):
        """Return whether the bridge heeds names; one of 2016 does not."""
        return self._client_in_use().is_direct(secret=False)


def _within(prefix, delimiter):
    """Return the parameters of a listing, those that are given."""
    if delimiter not in (None, "/"):
        raise ValueError("delimiter must be '/', which separates folders, not {0!r}".format(delimiter))
    given = {"prefix": None if prefix is None else spelled(prefix, "prefix"), "delimiter": delimiter}
    return {name: value for name, value in given.items() if value}


def _page(size):
    """Return how many items a page has, as the text that a bridge is told."""
    if not isinstance(size, integer_types) or isinstance(size, bool) or not 1 <= size <= _PAGE:
        raise ValueError("page must be a whole number of items, 1 to {0}".format(_PAGE))
    return text_type(size)


def _not_empty(filename):
    if not filename:
        raise ValueError("filename must not be empty")
    return filename


def _checked_list(answer):
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise TransportError("the bridge's answer is not a list of files", passing=False)
    return answer


def __dir__():
    return __all__
