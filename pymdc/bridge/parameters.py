"""What several commands are told, and the bridge that they are about."""

import contextlib
import errno
import os
from pathlib import Path

import click
import platformdirs
import sqlalchemy

from . import settings
from .metadata import Metadata, check_url, sqlite
from .storage.data import check_named
from .storage.datafolder import data_folder
from .storage.objects import check_url as check_store_url

CONTEXT = {"auto_envvar_prefix": "PYMDC_BRIDGE", "show_default": True}


class NotEmpty(click.Path):
    """A path that is not empty, as that of a variable that is not set would be: it would mean the current folder."""

    def convert(self, value, parameter, context):
        if not os.fspath(value):
            self.fail("is empty", parameter, context)
        return super().convert(value, parameter, context)


class _DataDir(click.Option):
    def value_from_envvar(self, context):
        """Return an empty value as what it is; it would count as none."""
        variable = self.resolve_variable(context)
        return "" if os.environ.get(variable) == "" else super().value_from_envvar(context)

    def resolve_variable(self, context):
        return f"{context.auto_envvar_prefix}_{self.name.upper()}"


FILE = NotEmpty(exists=True, dir_okay=False, path_type=Path)
FOLDER = NotEmpty(file_okay=False, path_type=Path)
data_dir = click.option(
    "--data-dir", cls=_DataDir, show_default="the user's data folder", type=FOLDER,
    help="Folder of database, shards and mails, unless all of them are elsewhere.",
)
database_url = click.option(
    "--database-url", help="PostgreSQL database that bridges share, postgresql+psycopg://user@host/name; the password "
    "is better kept in PGPASSWORD, PGPASSFILE or PYMDC_BRIDGE_DATABASE_URL.  [default: SQLite, in the data folder]",
)
store_url = click.option(
    "--store-url", help="Bucket of the shards, s3://bucket/prefix; keys, region and server are taken from the "
    "environment, AWS_...  [default: a folder, in the data folder]",
)
new = click.option("--new", is_flag=True, help="Go on where shards lie that the database does not name, or is gone.")


def _number(field):
    kind = click.IntRange if isinstance(field.default, int) else click.FloatRange
    limits = kind(field.metadata["least"], field.metadata["most"])
    return click.option("--" + field.name.replace("_", "-"), default=field.default, type=limits,
                        help=field.metadata["help"])


def numbers(*names):
    """Declare the options with these names, which are numbers."""
    def declare(command):
        for field in reversed(settings.numbers()):
            if field.name in names:
                command = _number(field)(command)
        return command
    return declare


NEEDED = "say with --data-dir where the data shall be"


def chosen_folder(path, needed=NEEDED):
    """
    Return a data folder, by default where data lies on this platform.

    :param needed: what to say to who has no home.  With None there is a folder only if there is one from before.
    """
    if path is not None:
        return path
    try:
        path = platformdirs.user_data_path("pymdc-bridge", appauthor=False).expanduser()
    except RuntimeError:
        if needed is not None:
            raise click.UsageError(f"there is no home folder: {needed}") from None
        return None
    return path if needed is not None or os.path.exists(path) else None


def checked(check, url):
    """Return a URL that is right, or None."""
    try:
        if url is not None:
            check(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return url


def folder_of_a_bridge(path, database_url=None, store_url=None):
    urls = checked(check_url, database_url), checked(check_store_url, store_url)
    if database_url is None and not (path / "bridge.sqlite").exists():
        raise click.UsageError(f"no bridge has its data in {path}")
    return data_folder(path, *urls)


@contextlib.contextmanager
def memory_of_a_bridge(path, database_url):
    """What a bridge knows, which may be running; where its shards are does not matter."""
    with contextlib.closing(_memory(path, checked(check_url, database_url))) as memory:
        yield memory


def _memory(path, database_url):
    if database_url is not None:
        return Metadata(database_url)
    folder = folder_of_a_bridge(chosen_folder(path))
    folder.check_usable()
    folder.check_current()
    return sqlite(folder.database)


def bridge_in(path, new, database_url=None, store_url=None):
    folder = folder_of_a_bridge(path, database_url, store_url)
    folder.check_current()
    if not new:
        check_named(folder)
    return folder


@contextlib.contextmanager
def failures(doing=""):
    """Tell in words what has failed in the block."""
    try:
        yield
    except BrokenPipeError:  # who reads what is printed has had enough of it
        raise
    except (OSError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise click.ClickException(doing + _in_words(error)) from None


def _in_words(error):
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return f"the database: {error.orig}"
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError):
        return f"the database: {error}"
    if error.errno == errno.EADDRINUSE:
        return f"{error.strerror}: another program has this port, or a bridge that runs already; --port takes another"
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
