"""``python -m pymdc`` (docs/command-line)."""

from __future__ import absolute_import, division, print_function

import sys

from ._command.main import main

sys.exit(main(sys.argv[1:]))
