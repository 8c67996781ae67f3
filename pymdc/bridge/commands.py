"""The command line."""

import logging
import sys
from pathlib import Path

import click
import platformdirs
import sqlalchemy

from .server import Server
from .settings import LOG_LEVELS, Settings


class _Serving(click.Group):
    """Serves, unless another command is named."""

    def parse_args(self, context, arguments):
        if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
            arguments = ["serve", *arguments]
        return super().parse_args(context, arguments)


@click.group(cls=_Serving, context_settings={"help_option_names": ["-h", "--help"]})
def main():
    """A Metadisk bridge: accounts, keys, buckets and files over HTTP.  Without a command it serves."""


@main.command(context_settings={"auto_envvar_prefix": "PYMDC_BRIDGE", "show_default": True})
@click.option("--host", default=Settings.host, help="Address to listen on.")
@click.option("--port", default=Settings.port, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks one.")
@click.option("--data-dir", default=lambda: platformdirs.user_data_dir("pymdc-bridge", appauthor=False),
              type=click.Path(file_okay=False, path_type=Path), help="Folder of database, shards and mails.")
@click.option("--public-url", help="What links and pointers lead to.  [default: the address listened on]")
@click.option("--log-level", default=Settings.log_level, type=click.Choice(LOG_LEVELS))
def serve(**options):
    """Listen and serve, until SIGTERM or Ctrl-C.  Each option is also an environment variable, PYMDC_BRIDGE_..."""
    try:
        settings = Settings(**options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _log_to_stderr(settings.log_level.upper())
    try:
        server = Server(settings, ready=lambda: print(f"listening on {server.url}", flush=True))
    except (OSError, sqlalchemy.exc.DBAPIError) as error:
        raise click.ClickException(f"cannot serve {settings.host}:{settings.port} from {settings.data_dir}: {error}")
    try:
        server.run()
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is stopped


def _log_to_stderr(level):
    # Only ours goes below: what other libraries tell when they debug holds tokens.
    logging.basicConfig(
        level=max(logging.INFO, logging.getLevelName(level)), stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("pymdc.bridge").setLevel(level)
