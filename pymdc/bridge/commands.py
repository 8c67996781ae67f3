"""The command line."""

import contextlib
import logging
import os
import resource
import signal
import sys
from pathlib import Path

import click
import platformdirs
import sqlalchemy
from click.core import ParameterSource

import pymdc

from . import log
from .metadata import check_url, migrate_postgresql
from .serving.server import Server, Site
from .serving.workers import Workers
from .settings import LOG_LEVELS, Settings, numbers
from .storage.backup import back_up, forget_the_passing, restore
from .storage.copy import copy
from .storage.data import Data, check_named
from .storage.datafolder import DataFolder, data_folder
from .storage.objects import check_url as check_store_url
from .storage.scrub import scrub
from .storage.upgrade import upgrade

_log = logging.getLogger("pymdc.bridge")
_CONTEXT = {"auto_envvar_prefix": "PYMDC_BRIDGE", "show_default": True}


class _Path(click.Path):
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


_NEEDED = "say with --data-dir where the data shall be"
_NEEDED_FOR_MAILS = "say with --smtp-url who sends the mails, or with --data-dir where they shall be"


def _data_folder(path, needed=_NEEDED):
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


def _need(options):
    """Return what to say to who serves without a data folder; None where it can be done."""
    if None in (options["database_url"], options["store_url"]):
        return _NEEDED
    return _NEEDED_FOR_MAILS if options["smtp_url"] is None else None


_file = _Path(exists=True, dir_okay=False, path_type=Path)
_folder = _Path(file_okay=False, path_type=Path)
_data_dir = click.option(
    "--data-dir", cls=_DataDir, show_default="the user's data folder", type=_folder,
    help="Folder of database, shards and mails, unless all of them are elsewhere.",
)
_database_url = click.option(
    "--database-url", help="PostgreSQL database that bridges share, postgresql+psycopg://user@host/name; the password "
    "is better kept in PGPASSWORD, PGPASSFILE or PYMDC_BRIDGE_DATABASE_URL.  [default: SQLite, in the data folder]",
)
_store_url = click.option(
    "--store-url", help="Bucket of the shards, s3://bucket/prefix; keys, region and server are taken from the "
    "environment, AWS_...  [default: a folder, in the data folder]",
)
_new = click.option("--new", is_flag=True, help="Go on where shards lie that the database does not name, or is gone.")


def _number(field):
    kind = click.IntRange if isinstance(field.default, int) else click.FloatRange
    limits = kind(field.metadata["least"], field.metadata["most"])
    return click.option("--" + field.name.replace("_", "-"), default=field.default, type=limits,
                        help=field.metadata["help"])


def _numbers(*names):
    """Declare the options with these names, which are numbers."""
    def declare(command):
        for field in reversed(numbers()):
            if field.name in names:
                command = _number(field)(command)
        return command
    return declare


_FIRST_NUMBERS = ("port", "workers")
_OTHER_NUMBERS = tuple(field.name for field in numbers() if field.name not in _FIRST_NUMBERS)


class _Serving(click.Group):
    """Serves, unless another command is named."""

    def parse_args(self, context, arguments):
        if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
            arguments = ["serve", *arguments]
        return super().parse_args(context, arguments)


@click.group(cls=_Serving, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(pymdc.__version__, message="pymdc %(version)s")
def main():
    """
    A Metadisk bridge: accounts, keys, buckets and files over HTTP.

    Without a command it serves: see "serve --help" for the options.
    """
    os.umask(0o077)  # what it writes is nobody else's business


@main.command(context_settings=_CONTEXT)
@click.option("--host", default=Settings.host, help="Address to listen on.")
@_numbers(*_FIRST_NUMBERS)
@_data_dir
@_database_url
@_store_url
@_new
@click.option("--public-url", help="What links and pointers lead to.  [default: the address listened on]")
@click.option("--smtp-url", help="Server that sends the mails, smtp://user:password@host:port or smtps://...; a "
              "password is better kept in PYMDC_BRIDGE_SMTP_URL.  [default: they go to the outbox]")
@click.option("--mail-from", help="Who sends the mails.  [default: bridge@ the host of the public URL]")
@click.option("--tls-cert", type=_file, help="Certificate, with what leads from it to a known one, as PEM.")
@click.option("--tls-key", type=_file, help="Its private key, as PEM.")
@click.option("--behind-proxy", is_flag=False, flag_value="127.0.0.1,::1", default="", metavar="ADDRESS,...",
              show_default=False,
              help="Addresses of reverse proxies, whose X-Forwarded-For is believed; without any, this machine's.")
@click.option("--rates", default=Settings.rates, type=click.Choice(["on", "off"]),
              help="Whether wrong passwords, registrations and mails are slowed.")
@click.option("--redirect-host", multiple=True, metavar="NAME",
              help="Host to which an activation may redirect; may be repeated.")
@click.option("--metrics-token", metavar="TEXT",
              help="What /metrics asks for from anywhere but this machine; at least 8 characters.")
@click.option("--log-level", default=Settings.log_level, type=click.Choice(LOG_LEVELS), help="What is worth a line.")
@_numbers(*_OTHER_NUMBERS)
def serve(behind_proxy, **options):
    """
    Listen and serve, until SIGTERM or Ctrl-C.

    Each option is also an environment variable: --data-dir is PYMDC_BRIDGE_DATA_DIR.
    """
    options["data_dir"] = _data_folder(options["data_dir"], _need(options))
    try:
        settings = Settings(behind_proxy=tuple(filter(None, behind_proxy.replace(" ", "").split(","))), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    log.to_stderr(settings.log_level.upper())
    _warn_of_password("database_url", settings.database_url)
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # uvicorn raises it again when it has obeyed it
    folder = settings.data_dir or "no data folder"
    where = f"{settings.host}:{settings.port} from {folder}"
    if _need(options) == _NEEDED_FOR_MAILS:
        where += f" ({_NEEDED_FOR_MAILS})"
    if settings.store_url is not None and settings.free_space != Settings.free_space:
        _log.warning("--free-space is not heeded: of %s nobody knows how much it can take", settings.store_url)
    with _failures(f"cannot serve {where}: "), contextlib.closing(Site(settings)) as site:
        kind = Workers if settings.workers > 1 else Server
        bridge = kind(site, ready=lambda: print(f"listening on {site.url}", flush=True))
        _log.info("pymdc %s serves %s from %s", pymdc.__version__, site.url, folder)
        if settings.smtp_url is None:
            _log.info("mails go to %s, for you to send: no --smtp-url is set", settings.data_dir / "outbox")
        try:
            bridge.run()
        except KeyboardInterrupt:
            pass  # Ctrl-C is how it is stopped
        finally:
            _log.info("ended")


@main.command(name="scrub", context_settings=_CONTEXT)
@_data_dir
@_database_url
@_store_url
@_numbers("keep_deleted")
@_new
def scrub_command(data_dir, database_url, store_url, keep_deleted, new):
    """
    Read every shard of a bridge, which may be running.

    What is damaged is set aside and listed, with the files that it belongs to; whoever uploads such a file again heals
    it.  Objects that belong to nothing are removed.  Ends with 1 if a shard is damaged.
    """
    data_dir = _data_folder(data_dir, _NEEDED if None in (database_url, store_url) else None)
    with _failures(), Data(_bridge_in(data_dir, new, database_url, store_url), keep_deleted) as data:
        findings = scrub(data, data.metadata.clock.now(), click.echo)
        click.echo(findings)
        _end_with(findings.damaged)


@main.command(name="backup", context_settings=_CONTEXT)
@_data_dir
@_database_url
@_store_url
@_new
@click.argument("target", type=_folder)
def backup_command(data_dir, database_url, store_url, new, target):
    """
    Copy the data of a bridge, which may be running, to the folder TARGET.

    Used again on the same folder, it copies only what is new.  Ends with 1 if a shard is damaged, and so not copied.
    """
    _check_in_folder(database_url, store_url)
    with _failures():
        copied = back_up(_bridge_in(_data_folder(data_dir), new), DataFolder(target), click.echo, new)
        click.echo(copied)
        _end_with(copied.damaged)


@main.command(name="restore", context_settings=_CONTEXT)
@_data_dir
@_database_url
@_store_url
@click.argument("source", type=_Path(exists=True, file_okay=False, path_type=Path))
def restore_command(data_dir, database_url, store_url, source):
    """
    Make the data of a bridge from the backup SOURCE, in an empty folder.

    Unused tokens are not restored, and requests that were signed by now, or will be within a minute, are refused.
    """
    _check_in_folder(database_url, store_url)
    with _failures():
        findings = restore(DataFolder(source), DataFolder(_data_folder(data_dir)), click.echo)
        click.echo(findings)
        _end_with(findings.damaged)


@main.command(name="restored", context_settings=_CONTEXT)
@_data_dir
@_database_url
def restored_command(data_dir, database_url):
    """
    Make a copy of the database safe to serve, which was put back by other means than "restore".

    Nobody knows what has been used since the copy was made: unused tokens are forgotten, and requests that were signed
    by now, or will be within a minute, are refused.
    """
    folder = _folder_of_a_bridge(data_dir, database_url)
    with _failures(), folder.lock() if database_url is None else contextlib.nullcontext(), Data(folder) as data:
        forget_the_passing(data.metadata)
        click.echo("tokens from before are forgotten, and requests that were signed by now are refused")


@main.command(name="copy", context_settings=_CONTEXT)
@_data_dir
@_store_url
@click.option("--to-database-url", help="PostgreSQL database to copy to, postgresql+psycopg://user@host/name; the "
              "password is better kept in PGPASSWORD, PGPASSFILE or PYMDC_BRIDGE_TO_DATABASE_URL.  [default: the "
              "database stays]")
@click.option("--to-store-url", help="Bucket to copy the shards to, s3://bucket/prefix.  [default: they stay]")
def copy_command(data_dir, store_url, to_database_url, to_store_url):
    """
    Copy the data of a bridge on SQLite, which does not run, to PostgreSQL, to a bucket, or to both.

    Every shard is read here, and there.  When it was broken off, say the same again, and it goes on.  Then it says what
    the bridge is to be served with.  Ends with 1 if a shard is damaged, and so not copied.
    """
    log.to_stderr("WARNING")
    data_dir = _data_folder(data_dir)
    source = _folder_of_a_bridge(data_dir, store_url=store_url)
    target = DataFolder(data_dir, _checked(check_url, to_database_url),
                        _checked(check_store_url, to_store_url) or store_url)
    if (target.database_url, target.store_url) == (None, store_url):
        raise click.UsageError("say with --to-database-url or --to-store-url, or both, where it is to be copied to")
    _warn_of_password("to_database_url", to_database_url)
    with _failures("not copied, go on by saying the same again: "):
        copied = copy(source, target, click.echo, lambda line: click.echo(line, err=True))
        click.echo(copied)
        click.echo(f"serve it with {_options_of(target)} from now on, and no longer as it was")
        _end_with(copied.damaged)


def _options_of(folder):
    """Return the options that lead to what is not in a data folder, without what may be secret."""
    options = ["--database-url …"] if folder.database_url is not None else []
    return " ".join(options + ([f"--store-url {folder.store_url}"] if folder.store_url is not None else []))


@main.command(name="upgrade", context_settings=_CONTEXT)
@_data_dir
@_database_url
def upgrade_command(data_dir, database_url):
    """
    Upgrade the database of a bridge, which does not run, to the schema of this version.

    On SQLite a bridge does that itself when it starts, after a copy of the database beside it.  In a PostgreSQL
    database that is empty the tables are made.
    """
    with _failures():
        if database_url is not None:
            _checked(check_url, database_url)
            before, after = migrate_postgresql(database_url)
            from_what = f", from {before}" if before != after else ""
            click.echo(f"the database's schema has revision {after}{from_what}, as this version wants it")
            return
        folder = _folder_of_a_bridge(_data_folder(data_dir))
        with folder.lock():
            upgrade(folder, click.echo)
            with Data(folder) as data:
                click.echo(f"the database's schema has revision {data.metadata.revision}, as this version wants it; "
                           "a bridge on SQLite upgrades it itself when it starts")


def _checked(check, url):
    """Return a URL that is right, or None."""
    try:
        if url is not None:
            check(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return url


def _check_in_folder(database_url, store_url):
    if database_url is not None:
        raise click.UsageError(
            "this is for bridges on SQLite: what is on PostgreSQL, pg_dump and pg_restore copy; copy the shards after "
            "it, and put them back before it"
        )
    if store_url is not None:
        raise click.UsageError(
            "this is for bridges whose shards are in a folder: copy the database first, and then the objects, with "
            "what your store has for that; with --keep-deleted HOURS, longer than that takes, nothing is missing then"
        )


def _warn_of_password(name, url):
    """Warn of a password in the option with this name, if it was given as one."""
    source = click.get_current_context().get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE and sqlalchemy.make_url(url).password:
        _log.warning("whoever lists processes sees the password in --%s: keep it in PGPASSWORD, PGPASSFILE or "
                     "PYMDC_BRIDGE_%s", name.replace("_", "-"), name.upper())


def _folder_of_a_bridge(path, database_url=None, store_url=None):
    urls = _checked(check_url, database_url), _checked(check_store_url, store_url)
    if database_url is None and not (path / "bridge.sqlite").exists():
        raise click.UsageError(f"no bridge has its data in {path}")
    return data_folder(path, *urls)


def _bridge_in(path, new, database_url=None, store_url=None):
    folder = _folder_of_a_bridge(path, database_url, store_url)
    folder.check_current()
    if not new:
        check_named(folder)
    return folder


def _end_with(damaged):
    if damaged:
        raise SystemExit(1)


@contextlib.contextmanager
def _failures(doing=""):
    try:
        yield
    except (OSError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise click.ClickException(doing + _in_words(error)) from None


def _in_words(error):
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return f"the database: {error.orig}"
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError):
        return f"the database: {error}"
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)


def _raise_descriptor_limit():
    """Allow as many connections as the system allows at all: the usual limit of 1024 is for who uses select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
