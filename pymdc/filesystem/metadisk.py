"""The file system that fsspec knows by its protocol."""

from ..keypair import ECDSA
from .account import Account
from .writing import Writing

__all__ = ["MetadiskFileSystem"]


class MetadiskFileSystem(Writing):
    """
    The buckets of an account.

    Paths are ``metadisk://<bucket>/<name>``; a bucket is told by its id, or by its name where it alone has that.
    Folders are what names begin with: they are there with the first file in them, and go with the last one.

    What is read comes as from :meth:`pymdc.api.Files.open`: verified, and each shard when it is needed.  What is
    written is gathered in a temporary file and, when it is closed, takes the place of what has its name, whole; or not
    at all, where its block ends with an exception.  Modes ``"x"`` and ``"create"`` refuse a name that is there, as far
    as can be seen before the content is sent.

    Without any of *api_url*, *key_pair* and *client*, it is the account of ``python -m pymdc login``.

    :param str api_url: where the bridge is; by default that of the login, or where all of the library goes.
    :param key_pair: a registered :class:`pymdc.keypair.ECDSA`; or the path of a saved one, without which the file
        system cannot be pickled, as dask does.
    :param client: the :class:`pymdc.Client` to use, in place of *api_url*.
    :param bool use_listings_cache: whether listings are kept until this very object changes what they tell.
    :raises ValueError: nobody is logged in, or the options do not go together.
    """

    def __init__(self, *, api_url=None, key_pair=None, client=None, use_listings_cache=False, **options):
        super().__init__(use_listings_cache=use_listings_cache, **options)
        self._account = Account(api_url, key_pair, client)

    def __reduce__(self):
        given = self.storage_options
        if isinstance(given.get("key_pair"), ECDSA) or given.get("client") is not None:
            raise TypeError("a file system cannot be pickled with a key pair or a client that it was given, so that no "
                            "private key is written by accident: give the path of a saved one, key_pair=PATH")
        return super().__reduce__()
