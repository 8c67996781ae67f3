"""The programs that some tests need, which .ci/run installs."""

import os
import shutil


def is_missing(program):
    """Return whether what needs it is to be skipped.  In CI it is tried, and fails: a skip would hide that."""
    return shutil.which(program) is None and "CI" not in os.environ
