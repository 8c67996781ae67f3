"""``python -m pymdc.conformance``.  Any Python can read this."""

import sys

if sys.version_info < (3, 10):
    sys.stderr.write("pymdc.conformance needs Python 3.10 or newer, and this is {0}.{1}\n".format(*sys.version_info))
    sys.exit(2)

from .command import main  # noqa: E402

sys.exit(main())
