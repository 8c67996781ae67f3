"""The bridge: a Metadisk server.  Needs Python 3.10 or newer, and the extra ``bridge``."""

import sys

from ._requirements import missing

if missing() is None:
    from .local import LocalBridge  # noqa: F401

    __all__ = ["LocalBridge"]
elif "runpy" not in sys.modules or sys.argv[0] not in ("-m", "-c"):
    # python -m pymdc.bridge comes by here first ("-c" is what Python 2 calls it meanwhile), and says it in one line.
    raise ImportError(missing())
