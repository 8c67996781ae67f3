"""What an operator does with accounts: ``python -m pymdc.bridge accounts``."""

import functools
import hashlib
import math
import sys

import click

from . import parameters
from .clock import iso
from .metadata import GIGABYTE
from .passwords import Passwords
from .refusal import Refusal

_MOST = 10**9  # GB
_COLUMNS = "{:<8}  {:<10}  {:>7}  {:>14}  {:>10}  {}"


@click.group()
def accounts():
    """
    List, look at, change and delete accounts; their bridge may be running.

    All of it is done in the database: the shards may lie anywhere, and no mail tells of it.
    """


def _command(name):
    """Declare a command that is given what the bridge knows."""
    def declare(function):
        @accounts.command(name=name, context_settings=parameters.CONTEXT)
        @parameters.data_dir
        @parameters.database_url
        @functools.wraps(function)
        def run(data_dir, database_url, **arguments):
            with parameters.failures(), parameters.memory_of_a_bridge(data_dir, database_url) as memory:
                function(memory, **arguments)
        return run
    return declare


def _of_one(name):
    """Declare a command that is given an account too, by its row."""
    def declare(function):
        @_command(name)
        @click.argument("email")
        @functools.wraps(function)
        def run(memory, email, **arguments):
            account = memory.census.find(email.lower())
            if account is None:
                raise click.ClickException(f'no account {_shown(email)} is here: see "accounts list"')
            try:
                function(memory, account, **arguments)
            except Refusal as refusal:
                if refusal.status != 401:
                    raise
                raise _gone(account) from None
        return run
    return declare


@_command("list")
def list_command(memory):
    """List all accounts, by their e-mail."""
    click.echo(_COLUMNS.format("STATE", "CREATED", "BUCKETS", "STORED, GB", "OF, GB", "E-MAIL"))
    after = ""
    while after is not None:
        page, after = memory.census.page(after)
        for row in page:
            room = "-" if row["storage"] is None else f"{row['storage']:.10g}"
            created, stored = iso(row["created"])[:10], _gigabytes(row["stored"])
            click.echo(_COLUMNS.format(_state(row), created, row["buckets"], stored, room, _name(row)))


@_of_one("show")
def show_command(memory, account):
    """Tell what is known of an account."""
    room = "what --account-storage allows"
    if account["storage"] is not None:
        room = f"{account['storage']:.10g} GB, its own figure"
    since = f", since {iso(account['disabled'])}" if account["disabled"] is not None else ""
    click.echo(
        f"{_name(account)}\n"
        f"  state    {_state(account)}{since}\n"
        f"  created  {iso(account['created'])}\n"
        f"  keys     {account['keys']}\n"
        f"  buckets  {account['buckets']}\n"
        f"  files    {account['files']}\n"
        f"  stored   {_gigabytes(account['stored'])} GB, of {room}"
    )


@_of_one("activate")
def activate_command(memory, account):
    """
    Activate an account by hand, as when no mail arrives.

    It has the password that was registered last, by whoever did that: nobody has proved to read its mail.
    """
    if account["activated"]:
        click.echo(f"{_name(account)} is active already")
        return
    registered = memory.accounts.activate_newest(account["email"])
    if registered is not None:
        click.echo(f"{_name(account)} is active, with the password that was registered last, {iso(registered)}")
        return
    account = memory.census.find(account["email"]) or account
    if not account["activated"]:
        raise _gone(account)
    click.echo(f"{_name(account)} was activated meanwhile")


@_of_one("password")
def password_command(memory, account):
    """
    Let an account have another password.

    That is asked for, or is the first line of standard input.  Its keys stay; tokens and links end that were made by
    the old password.
    """
    if not account["activated"]:
        raise click.ClickException(f'{_name(account)} waits for its activation: say "accounts activate" first')
    password = _password()
    hashed = Passwords(1).hash(hashlib.sha256(password).hexdigest())
    memory.accounts.set_password(account["email"], hashed)
    click.echo(f"{_name(account)} has another password; what was asked for by the old one has ended")


@_of_one("disable")
def disable_command(memory, account):
    """
    Refuse an account until it is enabled again.

    Neither its password nor its keys are good for anything meanwhile, and nothing leads to its buckets.  Nothing of it
    goes, but its tokens and links expire as ever.
    """
    if not account["activated"]:
        raise click.ClickException(f'{_name(account)} waits for its activation: "accounts delete" ends that')
    if account["disabled"] is not None:
        click.echo(f"{_name(account)} is disabled already, since {iso(account['disabled'])}")
        return
    memory.accounts.change(account["email"], disabled=memory.clock.now())
    click.echo(f'{_name(account)} is disabled; "accounts enable" undoes it')


@_of_one("enable")
def enable_command(memory, account):
    """Let an account that was disabled be as it was."""
    if account["disabled"] is None:
        click.echo(f"{_name(account)} is not disabled")
        return
    memory.accounts.change(account["email"], disabled=None)
    click.echo(f"{_name(account)} is enabled")


@_of_one("storage")
@click.argument("storage", metavar="GB|default")
def storage_command(memory, account, storage):
    """
    Say how much an account may hold, in GB.

    That is what all its buckets hold together, in place of what --account-storage says to the bridge, which "default"
    stands for.  What is there already stays, if it is more.
    """
    own = None if storage == "default" else _number(storage)
    memory.accounts.change(account["email"], storage=own)
    may = "what --account-storage allows" if own is None else f"{own:.10g} GB"
    click.echo(f"{_name(account)} may store {may}, and stores {_gigabytes(account['stored'])} GB")


@_of_one("delete")
@click.option("--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask.")
def delete_command(memory, account, yes):
    """
    Delete an account with all that it has.

    Its keys, buckets and files are gone at once.  The bridge deletes the shards that nobody else has within a minute,
    or when it runs next.
    """
    what = (f"{_name(account)}, its {account['keys']} keys, {account['buckets']} buckets and {account['files']} files, "
            f"{_gigabytes(account['stored'])} GB")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("say --yes, since nobody can be asked here")
        click.confirm(f"Delete {what}?", abort=True)
    memory.accounts.delete(account["email"])
    click.echo(f"deleted {what}")


def _gone(account):
    return click.ClickException(f"{_name(account)} has gone meanwhile")


def _password() -> bytes:
    """Return a new password, as UTF-8, or in whatever encoding it comes from standard input."""
    if sys.stdin.isatty():
        text = click.prompt("New password", hide_input=True, confirmation_prompt="The same again")
        return text.encode("utf-8", "surrogateescape")
    line = sys.stdin.buffer.readline().rstrip(b"\r\n")
    if not line:
        raise click.UsageError("no password is on standard input: its first line is to be one")
    return line


def _number(text):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MOST:
        raise click.UsageError(f'the storage is a number of GB from 0 to {_MOST}, or "default", not {_shown(text)}')
    return number


def _state(account):
    if not account["activated"]:
        return "waiting"
    return "active" if account["disabled"] is None else "disabled"


def _gigabytes(size):
    return f"{int(size) / GIGABYTE:.6f}"


def _name(account):
    return _shown(account["email"])


def _shown(text):
    """Return a text of somebody else's as a terminal may be given it."""
    return text if text.isprintable() else ascii(text)
