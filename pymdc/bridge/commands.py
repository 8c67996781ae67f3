"""The command line."""

import logging
import sys
from pathlib import Path

import click
import platformdirs

from .server import Server
from .settings import Settings


@click.group(invoke_without_command=True, context_settings={
    "auto_envvar_prefix": "PYMDC_BRIDGE", "show_default": True, "help_option_names": ["-h", "--help"],
})
@click.option("--host", default=Settings.host, help="Address to listen on.")
@click.option("--port", default=Settings.port, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks one.")
@click.option("--data-dir", default=lambda: platformdirs.user_data_dir("pymdc-bridge", appauthor=False),
              type=click.Path(file_okay=False, path_type=Path), help="Folder of database, shards and mails.")
@click.option("--public-url", help="What links and pointers lead to.  [default: the address listened on]")
@click.option("--log-level", default=Settings.log_level, type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def main(context, **options):
    """A Metadisk bridge: accounts, keys, buckets and files over HTTP."""
    try:
        context.obj = Settings(**options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if context.invoked_subcommand is None:
        context.invoke(serve)


@main.command()
@click.pass_obj
def serve(settings: Settings):
    """Listen and serve, until SIGTERM or Ctrl-C.  This is what happens without a command."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        server = Server(settings, ready=lambda: print(f"listening on {server.url}", flush=True))
    except OSError as error:
        raise click.ClickException(f"cannot serve {settings.host}:{settings.port} from {settings.data_dir}: {error}")
    try:
        server.run()
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is stopped
