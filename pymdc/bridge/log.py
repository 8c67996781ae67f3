"""The log: a JSON object a line, on standard error."""

import json
import logging
import sys
import traceback

from .clock import iso


def to_stderr(level: str):
    """Log what is at least this important: DEBUG, INFO, WARNING or ERROR."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSONLines())
    # Only ours goes below: what other libraries tell when they debug holds tokens.
    logging.basicConfig(level=max(logging.INFO, logging.getLevelName(level)), handlers=[handler])
    logging.getLogger("pymdc.bridge").setLevel(level)


class _JSONLines(logging.Formatter):
    def format(self, record):
        line = {"time": iso(int(record.created * 1000)), "level": record.levelname.lower(), "logger": record.name}
        if hasattr(record, "request"):  # of the access log
            line.update(record.request)
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line)
