"""The command line."""

import contextlib
import logging
import os
import resource
import signal
import sys
from pathlib import Path

import click
import sqlalchemy
from click.core import ParameterSource

import pymdc

from . import log, parameters
from .accounts import accounts
from .metadata import check_url, migrate_postgresql
from .serving.server import Server, Site
from .serving.workers import Workers
from .settings import LOG_LEVELS, Settings, numbers
from .storage.backup import back_up, forget_the_passing, restore
from .storage.copy import copy
from .storage.data import Data
from .storage.datafolder import DataFolder
from .storage.objects import check_url as check_store_url
from .storage.scrub import scrub
from .storage.upgrade import upgrade

_log = logging.getLogger("pymdc.bridge")

_FIRST_NUMBERS = ("port", "workers")
_OTHER_NUMBERS = tuple(field.name for field in numbers() if field.name not in _FIRST_NUMBERS)
_NEEDED_FOR_MAILS = "say with --smtp-url who sends the mails, or with --data-dir where they shall be"


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


main.add_command(accounts)


@main.command(context_settings=parameters.CONTEXT)
@click.option("--host", default=Settings.host, help="Address to listen on.")
@parameters.numbers(*_FIRST_NUMBERS)
@parameters.data_dir
@parameters.database_url
@parameters.store_url
@parameters.new
@click.option("--public-url", help="What links and pointers lead to.  [default: the address listened on]")
@click.option("--smtp-url", help="Server that sends the mails, smtp://user:password@host:port or smtps://...; a "
              "password is better kept in PYMDC_BRIDGE_SMTP_URL.  [default: they go to the outbox]")
@click.option("--mail-from", help="Who sends the mails.  [default: bridge@ the host of the public URL]")
@click.option("--tls-cert", type=parameters.FILE, help="Certificate, with what leads from it to a known one, as PEM.")
@click.option("--tls-key", type=parameters.FILE, help="Its private key, as PEM.")
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
@parameters.numbers(*_OTHER_NUMBERS)
def serve(behind_proxy, **options):
    """
    Listen and serve, until SIGTERM or Ctrl-C.

    Each option is also an environment variable: --data-dir is PYMDC_BRIDGE_DATA_DIR.
    """
    options["data_dir"] = parameters.chosen_folder(options["data_dir"], _need(options))
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
    with parameters.failures(f"cannot serve {where}: "), contextlib.closing(Site(settings)) as site:
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


@main.command(name="scrub", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.database_url
@parameters.store_url
@parameters.numbers("keep_deleted")
@parameters.new
def scrub_command(data_dir, database_url, store_url, keep_deleted, new):
    """
    Read every shard of a bridge, which may be running.

    What is damaged is set aside and listed, with the files that it belongs to; whoever uploads such a file again heals
    it.  Objects that belong to nothing are removed.  Ends with 1 if a shard is damaged.
    """
    data_dir = parameters.chosen_folder(data_dir, parameters.NEEDED if None in (database_url, store_url) else None)
    with parameters.failures():
        folder = parameters.bridge_in(data_dir, new, database_url, store_url)
    with parameters.failures(), Data(folder, keep_deleted) as data:
        findings = scrub(data, data.metadata.clock.now(), click.echo)
        click.echo(findings)
        _end_with(findings.damaged)


@main.command(name="backup", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.database_url
@parameters.store_url
@parameters.new
@click.argument("target", type=parameters.FOLDER)
def backup_command(data_dir, database_url, store_url, new, target):
    """
    Copy the data of a bridge, which may be running, to the folder TARGET.

    Used again on the same folder, it copies only what is new.  Ends with 1 if a shard is damaged, and so not copied.
    """
    _check_in_folder(database_url, store_url)
    data_dir = parameters.chosen_folder(data_dir)
    with parameters.failures():
        copied = back_up(parameters.bridge_in(data_dir, new), DataFolder(target), click.echo, new)
        click.echo(copied)
        _end_with(copied.damaged)


@main.command(name="restore", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.database_url
@parameters.store_url
@click.argument("source", type=parameters.NotEmpty(exists=True, file_okay=False, path_type=Path))
def restore_command(data_dir, database_url, store_url, source):
    """
    Make the data of a bridge from the backup SOURCE, in an empty folder.

    Unused tokens are not restored, and requests that were signed by now, or will be within a minute, are refused.
    """
    _check_in_folder(database_url, store_url)
    with parameters.failures():
        findings = restore(DataFolder(source), DataFolder(parameters.chosen_folder(data_dir)), click.echo)
        click.echo(findings)
        _end_with(findings.damaged)


@main.command(name="restored", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.database_url
def restored_command(data_dir, database_url):
    """
    Make a copy of the database safe to serve, which was put back by other means than "restore".

    Nobody knows what has been used since the copy was made: unused tokens are forgotten, and requests that were signed
    by now, or will be within a minute, are refused.
    """
    with parameters.failures(), contextlib.ExitStack() as open_things:
        if database_url is None:
            folder = parameters.folder_of_a_bridge(parameters.chosen_folder(data_dir))
            open_things.enter_context(folder.lock())
        forget_the_passing(open_things.enter_context(parameters.memory_of_a_bridge(data_dir, database_url)))
        click.echo("tokens from before are forgotten, and requests that were signed by now are refused")


@main.command(name="copy", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.store_url
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
    data_dir = parameters.chosen_folder(data_dir)
    source = parameters.folder_of_a_bridge(data_dir, store_url=store_url)
    target = DataFolder(data_dir, parameters.checked(check_url, to_database_url),
                        parameters.checked(check_store_url, to_store_url) or store_url)
    if (target.database_url, target.store_url) == (None, store_url):
        raise click.UsageError("say with --to-database-url or --to-store-url, or both, where it is to be copied to")
    _warn_of_password("to_database_url", to_database_url)
    with parameters.failures("not copied, go on by saying the same again: "):
        copied = copy(source, target, click.echo, lambda line: click.echo(line, err=True))
        click.echo(copied)
        click.echo(f"serve it with {_options_of(target)} from now on, and no longer as it was")
        _end_with(copied.damaged)


def _options_of(folder):
    """Return the options that lead to what is not in a data folder, without what may be secret."""
    options = ["--database-url …"] if folder.database_url is not None else []
    return " ".join(options + ([f"--store-url {folder.store_url}"] if folder.store_url is not None else []))


@main.command(name="upgrade", context_settings=parameters.CONTEXT)
@parameters.data_dir
@parameters.database_url
def upgrade_command(data_dir, database_url):
    """
    Upgrade the database of a bridge, which does not run, to the schema of this version.

    On SQLite a bridge does that itself when it starts, after a copy of the database beside it.  In a PostgreSQL
    database that is empty the tables are made.
    """
    with parameters.failures():
        if database_url is not None:
            parameters.checked(check_url, database_url)
            before, after = migrate_postgresql(database_url)
            from_what = f", from {before}" if before != after else ""
            click.echo(f"the database's schema has revision {after}{from_what}, as this version wants it")
            return
        folder = parameters.folder_of_a_bridge(parameters.chosen_folder(data_dir))
        with folder.lock():
            upgrade(folder, click.echo)
            with Data(folder) as data:
                click.echo(f"the database's schema has revision {data.metadata.revision}, as this version wants it; "
                           "a bridge on SQLite upgrades it itself when it starts")


def _need(options):
    """Return what to say to who serves without a data folder; None where it can be done."""
    if None in (options["database_url"], options["store_url"]):
        return parameters.NEEDED
    return _NEEDED_FOR_MAILS if options["smtp_url"] is None else None


def _warn_of_password(name, url):
    """Warn of a password in the option with this name, if it was given as one."""
    source = click.get_current_context().get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE and sqlalchemy.make_url(url).password:
        _log.warning("whoever lists processes sees the password in --%s: keep it in PGPASSWORD, PGPASSFILE or "
                     "PYMDC_BRIDGE_%s", name.replace("_", "-"), name.upper())


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


def _end_with(damaged):
    if damaged:
        raise SystemExit(1)


def _raise_descriptor_limit():
    """Allow as many connections as the system allows at all: the usual limit of 1024 is for who uses select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
