"""``python -m pymdc.bridge``."""

import sys

from ._requirements import missing

if missing():
    sys.exit(missing())

from .commands import main  # noqa: E402

main(prog_name="python -m pymdc.bridge")
