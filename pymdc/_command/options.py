"""The commands, and what they can be told."""

from __future__ import absolute_import, division, print_function

import argparse
import re

from .. import __version__
from .get import get
from .links import invite, share
from .listing import ls
from .login import login
from .put import put
from .remove import rm

__all__ = ["parser"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "kB": 10 ** 3, "MB": 10 ** 6, "GB": 10 ** 9}
_DAY = 86400


def parser():
    """Return the parser of the command line; what it returns has the command as ``run``."""
    top = argparse.ArgumentParser(
        prog="python -m pymdc", description="Files to and from a bucket of a Metadisk bridge.",
        epilog="Exit codes: 0 done, 1 not done or not all of it, 2 wrong use, 130 interrupted.",
    )
    top.add_argument("--version", action="version", version="pymdc " + __version__)
    commands = top.add_subparsers(metavar="COMMAND", dest="command")
    commands.required = True
    for declare in (_login, _ls, _put, _get, _rm, _share, _invite):
        declare(commands)
    return top


def _login(commands):
    command = _command(commands, login, "use an account, or register it, from now on",
                       "Asks for the password, makes a key for this machine, and remembers the key, never the "
                       "password. Where standard input is no terminal, its first line is the password.")
    command.add_argument("email", nargs="?", metavar="EMAIL", help="the address of the account")
    command.add_argument("--register", action="store_true", help="make the account first")
    command.add_argument("--bridge", metavar="URL", help="where the bridge is; else as PYMDC_API_URL says, or as "
                         "before, or on this machine")
    command.add_argument("--bucket", metavar="NAME", help="the bucket to use, by name or id; a new name makes a new "
                         "one; else as before, or one called files")
    command.add_argument("--storage", type=float, metavar="GB", help="room in the bucket; 10 in a new one")
    command.add_argument("--transfer", type=float, metavar="GB", help="allowance for downloads; 100 in a new one")


def _ls(commands):
    command = _command(commands, ls, "list what is in the bucket, or in a folder of it")
    command.add_argument("name", nargs="?", default="/", metavar="NAME", help="a folder, or a file")
    command.add_argument("-l", "--long", action="store_true", help="tell size in bytes and time of arrival, too")
    command.add_argument("-r", "--recursive", action="store_true", help="list what is in folders, too")


def _put(commands):
    command = _command(commands, put, "store files and folders",
                       "What is there already with the same content is not moved; other content is replaced. Prints "
                       "the name of what was stored.")
    command.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or - for standard input")
    command.add_argument("--to", default="", metavar="FOLDER", help="the folder of the bucket to store them in")
    command.add_argument("--as", dest="name", metavar="NAME", help="the name to have there, for one PATH")


def _get(commands):
    command = _command(commands, get, "fetch files and folders",
                       "What is here already with the same content is not moved; other content is replaced. Prints "
                       "the path of what was fetched.")
    command.add_argument("names", nargs="+", metavar="NAME", help="a file, or a folder: photos/; / is all there is")
    command.add_argument("--to", default="", metavar="FOLDER", help="the folder of this machine to write them to")
    command.add_argument("--as", dest="name", metavar="PATH", help="the path to have here, for one NAME; - for "
                         "standard output")


def _rm(commands):
    command = _command(commands, rm, "remove files and folders from the bucket")
    command.add_argument("names", nargs="+", metavar="NAME", help="a file, or with -r a folder")
    command.add_argument("-r", "--recursive", action="store_true", help="remove folders with all that is in them")


def _share(commands):
    command = _command(commands, share, "make a link for anybody to download a file by, once")
    command.add_argument("name", metavar="NAME", help="a file")
    _add_life(command)


def _invite(commands):
    command = _command(commands, invite, "make a link for anybody to upload a file by, once")
    _add_life(command)
    command.add_argument("--max-size", type=_size, metavar="SIZE", help="how large the file may be: 100MB")


def _command(commands, run, help, more=""):
    summary = help[0].upper() + help[1:] + "."
    command = commands.add_parser(run.__name__, help=help, description=" ".join([summary, more]).rstrip())
    command.set_defaults(run=run, misused=command.error)
    return command


def _add_life(command):
    command.add_argument("--for", dest="life", type=_life, default=_DAY, metavar="TIME",
                         help="how long it is good: 30m, 12h, at most 7d; a day if this is not said")


def _life(text):
    seconds = _quantity(text, _SECONDS, "a time is like 30m, 12h or 7d")
    if not 0 < seconds <= 7 * _DAY:
        raise argparse.ArgumentTypeError("a link is good for a second at least, and for 7d at most")
    return seconds


def _size(text):
    return _quantity(text, _BYTES, "a size is like 500kB, 100MB or 2GB")


def _quantity(text, units, rule):
    found = re.match(r"([0-9]{1,15})([A-Za-z]*)\Z", text)
    if not found or found.group(2) not in units:
        raise argparse.ArgumentTypeError(rule)
    return int(found.group(1)) * units[found.group(2)]
