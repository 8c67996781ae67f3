# -*- coding: utf-8 -*-
"""The README's walk-through, executed as printed."""

from __future__ import absolute_import, division, print_function

import ast
import io
import json
import os
import re
import shutil

import pymdc

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "README.md")


def blocks():
    with io.open(README, encoding="utf-8") as text:
        return re.findall(u"```(python|json|text)\n(.*?)```", text.read(), re.DOTALL)


def run(source, names):
    """Run a block as the interactive interpreter would, and return the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "README.md", "exec"), names)
    return eval(compile(ast.Expression(last.value), "README.md", "eval"), names) if last else None


def shape(value):
    """Return *value* with what differs from run to run replaced by what it looks like."""
    if isinstance(value, dict):
        return {str(name): shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", str(value)):
        return "a date"
    if re.match(r"([0-9a-f]{24}|[0-9a-f]{64}|0[23][0-9a-f]{64})$", str(value)):
        return "{0} hex digits".format(len(value))
    if re.match(r"http://127\.0\.0\.1:\d+/links/[0-9a-f]{64}$", str(value)):
        return "a link"
    return value


def test_the_walk_through_runs_as_printed(bridge, photo, address, tmpdir, monkeypatch, capsys):
    tmpdir.mkdir("docs").join("photo.jpg").write_binary(open(photo, "rb").read())
    tmpdir.mkdir("bridge-data")
    monkeypatch.chdir(tmpdir)
    monkeypatch.setenv("PYMDC_API_URL", str(bridge.url))
    monkeypatch.setattr(pymdc.rest, "_default", None)
    names, answer, compared = {}, None, 0

    for language, text in blocks():
        text = text.replace("alice@example.com", address)
        if language == "python":
            shutil.copytree(bridge.outbox, "bridge-data/outbox")
            answer = run(text.encode("utf-8"), names)
            shutil.rmtree("bridge-data/outbox")
        elif language == "text":
            assert text in capsys.readouterr().out
            compared += 1
        else:
            assert shape(answer) == shape(json.loads(text))
            compared += 1

    assert compared == 18
    assert tmpdir.join("copy.jpg").read_binary() == open(photo, "rb").read()
