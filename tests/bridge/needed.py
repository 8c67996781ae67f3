"""The programs that some tests need, which .ci/run installs."""

import glob
import os
import shutil


def is_missing(program, *folders):
    """
    Return whether what needs it is to be skipped.  In CI it is tried, and fails: a skip would hide that.

    :param folders: patterns of where it may be besides.
    """
    path = os.pathsep.join([os.environ["PATH"], *(found for folder in folders for found in glob.glob(folder))])
    return shutil.which(program, path=path) is None and "CI" not in os.environ
