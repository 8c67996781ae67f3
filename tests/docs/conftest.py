"""The recipes need the extra "cookbook": tox has environments for it, where it is a failure to find no test."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("pandas") else ["test_cookbook.py"]
