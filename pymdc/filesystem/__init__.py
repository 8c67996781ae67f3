"""
Buckets as a file system for fsspec, and so for pandas, pyarrow, dask, duckdb, zarr and whatever else speaks it.

fsspec finds it by ``metadisk://``.  It needs the extra ``fsspec``, and nothing else of the library imports it.
"""

from .metadisk import MetadiskFileSystem

__all__ = ["MetadiskFileSystem"]


def __dir__():
    return __all__
