"""Packages of npm that tests use, each fetched once, into ~/.cache/pymdc-tests."""

import contextlib
import os
import pathlib
import subprocess
import tempfile

import pytest

from needed import is_missing

INSTALL = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1",
           "--fetch-retry-mintimeout", "1000", "--prefix", "."]


def package(name: str, version: str) -> pathlib.Path:
    """Return where a package is; skip, but in CI, where it cannot be had."""
    if is_missing("node") or is_missing("npm"):
        pytest.skip("needs node and npm, which .ci/run installs")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pymdc-tests"
    folder = cache / f"{name}@{version}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as new:
            made = pathlib.Path(new, "made")
            made.mkdir()
            if subprocess.run([*INSTALL, folder.name], timeout=300, cwd=made).returncode:
                assert "CI" not in os.environ, f"npm cannot install {folder.name}"
                pytest.skip(f"npm cannot install {folder.name}")
            with contextlib.suppress(OSError):  # another process has just done the same
                os.rename(made, folder)
    return folder / "node_modules" / name
