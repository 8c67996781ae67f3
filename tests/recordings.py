"""Messages recorded from the servers of 2016: vectors/README.md."""

from __future__ import absolute_import, division, print_function

import io
import json
import os


def vectors(name):
    with io.open(os.path.join(os.path.dirname(__file__), "vectors", name), encoding="utf-8") as file:
        return json.load(file)
