"""The shapes of what the bridge answers, by names, for type checkers.  While a program runs each of them is a dict."""

from __future__ import absolute_import, division, print_function

__all__ = ["Bucket", "Download", "File", "Folder", "Key", "Link", "Nothing", "Token", "Used", "User", "WaitingToken"]

Bucket = Download = File = Folder = Key = Link = Nothing = Token = Used = User = WaitingToken = dict


def __dir__():
    return __all__
