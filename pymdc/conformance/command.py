"""The command ``python -m pymdc.conformance``."""

import argparse
import collections
import functools
import hashlib
import os
import sys
import urllib.parse

from . import (  # noqa: F401
    accounts, buckets, channel, direct, files, general, identity, keys, links, names, tokens, upload, users,
)
from .point import AS_IN_2016, AS_SAID, NOT_THERE, NOT_TRIED, OTHERWISE, POINTS, Otherwise
from .wire import AWAY, SHORT
from .world import World, mailed_token

WRONG_USE = 2
VERDICTS = (AS_SAID, AS_IN_2016, OTHERWISE, NOT_THERE, NOT_TRIED)
ROW = "{0.section:<20}  {0.rule:<72}  {1}"


def look(url, activation=None, account=None, only="", short=SHORT, away=AWAY):
    """
    Try a bridge, and yield an :class:`~pymdc.conformance.point.Outcome` for each point.

    :param activation: a function that returns the token in the mail to an e-mail address, to register and activate
        accounts; or None, and
    :param account: e-mail and password of an activated one.
    :param only: text that must be in a point's section or rule.
    :param short: seconds to wait for what servers of 2016 never sent.
    :param away: seconds to wait for a server that has crashed.
    """
    account = account and (account[0], hashlib.sha256(account[1].encode()).hexdigest())
    world = World(url, activation, account, short, away)
    try:
        for point in _chosen(only):
            yield point.look(world)
    finally:
        world.clean_up()


def main(arguments=None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if urllib.parse.urlsplit(options.url).scheme not in ("http", "https"):
        parser.error("URL must begin with http:// or https://")
    account = (options.email, options.password) if options.email and options.password else None
    if not (options.outbox or account):
        parser.error("an account is needed: --outbox, or --email and --password")
    if not _chosen(options.only):
        parser.error(f"no point has {options.only!r} in it")
    activation = functools.partial(mailed_token, options.outbox) if options.outbox else None
    verdicts = collections.Counter()
    try:
        for outcome in look(options.url, activation, account, options.only):
            print(ROW.format(outcome.point, outcome), flush=True)
            verdicts[outcome.verdict] += 1
    except Otherwise as error:
        print(f"{options.url} cannot be tried: {error}", file=sys.stderr)
        return WRONG_USE
    print("\n" + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS))
    return 1 if verdicts[OTHERWISE] else 0


def _chosen(only):
    points = sorted(POINTS, key=lambda point: int(point.section.partition(".")[0]))
    return [point for point in points if only.lower() in f"{point.section} {point.rule}".lower()]


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m pymdc.conformance", description="Say whether a bridge speaks the Metadisk protocol.",
        epilog="Ends with 0 when all holds, 1 when something does not, 2 when it cannot be tried.",
    )
    parser.add_argument("url", metavar="URL", help="of the bridge")
    parser.add_argument("--outbox", metavar="DIR", help="where the bridge puts its mails, to register accounts")
    parser.add_argument("--email", default=os.environ.get("PYMDC_CONFORMANCE_EMAIL"), help="of an activated account")
    parser.add_argument("--password", default=os.environ.get("PYMDC_CONFORMANCE_PASSWORD"), help="of that account")
    parser.add_argument("--only", metavar="TEXT", default="", help="only points with this text in section or rule")
    return parser
