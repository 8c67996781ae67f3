"""What may hold a secret: shared where it would be copied, and never written down."""

from __future__ import absolute_import, division, print_function

__all__ = ["KeepsSecrets"]


class KeepsSecrets(object):
    """The base of what holds a private key, a password, or something that does."""

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        raise TypeError("{0} is not picklable, so that no private key and no password is written by accident".format(
            type(self).__name__
        ))
