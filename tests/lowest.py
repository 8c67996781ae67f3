"""Writes the lowest version of each package that setup.py allows into a file, as constraints for pip."""

from __future__ import absolute_import, division, print_function

import ast
import io
import re
import sys
import tokenize

_NEED = re.compile(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)(; .+)?\Z")

with io.open("setup.py", encoding="utf-8") as setup, io.open(sys.argv[1], "w", encoding="utf-8") as constraints:
    tokens = tokenize.generate_tokens(setup.readline)
    texts = [ast.literal_eval(token[1]) for token in tokens if token[0] == tokenize.STRING]
    for name, version, marker in (need.groups() for need in map(_NEED.match, texts) if need):
        constraints.write(u"{0}=={1}{2}\n".format(name, version, marker or ""))
