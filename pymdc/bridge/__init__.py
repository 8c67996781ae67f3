"""The bridge: a Metadisk server.  Needs Python 3.10 or newer, and the extra ``bridge``."""

import sys

from ._requirements import missing

if missing() is None:
    from .local import LocalBridge  # noqa: F401

    __all__ = ["LocalBridge"]
elif sys.argv[:1] != ["-m"]:  # python -m pymdc.bridge comes by here first, and says it in one line
    raise ImportError(missing())
