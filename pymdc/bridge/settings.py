"""What an operator can set."""

import dataclasses
import os
import re

from . import address
from .mail.message import check_sender
from .mail.relay import Relay
from .metadata import check_url
from .storage.objects import check_url as check_store_url

MAX_TOKEN_LIFE = 7 * 24 * 60 * 60  # seconds
LOG_LEVELS = ("debug", "info", "warning", "error")

_PUBLIC_URL = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:[1-9]\d{0,4})?/?", re.ASCII)
_METRICS_TOKEN = re.compile(r"[\x21-\x7e]{8,}")
_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


def _number(default, least, most, help):
    return dataclasses.field(default=default, metadata={"least": least, "most": most, "help": help})


@dataclasses.dataclass(frozen=True)
class Settings:
    """
    The options of a bridge; each is ``--option`` of ``python -m pymdc.bridge`` and ``PYMDC_BRIDGE_OPTION``.

    :ivar data_dir: the folder of database, shards and mails; None where all of them are elsewhere.
    :ivar database_url: a PostgreSQL database that any number of bridges share, ``postgresql+psycopg://user@host/name``;
        by default it is SQLite, in the data folder.
    :ivar store_url: the bucket of the shards, ``s3://bucket/prefix``, on a server that the environment, ``AWS_…``,
        tells; by default they are in the data folder.
    :ivar new: whether to begin a new bridge where shards lie that its database does not name.
    :ivar host: the address to listen on.
    :ivar public_url: what links and pointers lead to; by default the address listened on.
    :ivar smtp_url: the server that sends the mails, ``smtp://user:password@host:port`` or ``smtps://…``; None leaves
        them in the outbox, in the data folder.
    :ivar mail_from: who sends the mails; by default ``bridge@`` the host of the public URL.
    :ivar tls_cert: a PEM file, the certificate and what leads from it to a known one; *tls_key*: its private key.
    :ivar behind_proxy: the addresses of reverse proxies, whose ``X-Forwarded-For`` is believed.
    :ivar rates: whether wrong passwords, registrations and mails are slowed: "on" or "off".
    :ivar redirect_host: names of the hosts to which an activation may redirect.
    :ivar metrics_token: what ``/metrics`` asks for from anywhere but loopback.
    :ivar log_level: debug, info, warning or error.

    What is a number says itself what it is.
    """

    data_dir: str | os.PathLike | None
    new: bool = False
    host: str = "127.0.0.1"
    port: int = _number(6382, 0, 65535, "Port to listen on; 0 picks one.")
    database_url: str | None = dataclasses.field(default=None, repr=False)  # it may hold a password
    store_url: str | None = None
    public_url: str | None = None
    smtp_url: str | None = dataclasses.field(default=None, repr=False)  # it holds a password
    mail_from: str | None = None
    tls_cert: str | os.PathLike | None = None
    tls_key: str | os.PathLike | None = None
    behind_proxy: tuple[str, ...] = ()
    workers: int = _number(1, 1, 1000, "Processes that serve.")
    rates: str = "on"
    redirect_host: tuple[str, ...] = ()
    metrics_token: str | None = dataclasses.field(default=None, repr=False)
    log_level: str = "info"
    account_storage: float = _number(100.0, 0, 10**9, "What all buckets of one account may hold, in GB.")
    account_tokens: int = _number(100_000, 1, 10**9, "Live tokens of one account, and as many live pointers.")
    free_space: float = _number(1.0, 0, 10**9, "What stays free on the disk, in GB.")
    keep_deleted: float = _number(0.0, 0, 10**6, "How long objects are kept that nothing holds any more, in hours.")
    inline: int = _number(16 * 1024, 0, 2**20, "Up to how many bytes a file lies in the database; 0 for never.")
    token_life: int = _number(5 * 60, 1, MAX_TOKEN_LIFE, "Life of a token, in seconds.")
    shard_token_life: int = _number(24 * 60 * 60, 1, 10**8, "Life of a shard token, in seconds.")
    shard_token_uses: int = _number(3, 1, 1000, "How often a shard token works.")
    nonce_window: int = _number(60_000, 1, 10**9, "How far below a key's highest nonce one may be, in milliseconds.")
    wrong_passwords: int = _number(10, 1, 10**6, "Wrong passwords in a row, before it is one a minute.")
    wrong_passwords_hourly: int = _number(100, 1, 10**6, "Wrong passwords an hour from one address.")
    registrations: int = _number(60, 1, 10**6, "Registrations a minute from one address.")
    mails: int = _number(1, 1, 10**6, "Mails a minute to one address.")
    resets: int = _number(5, 1, 10**6, "Mails a day to one address with a link to another password, for one network.")
    passwords_at_once: int = _number(2, 1, 1000, "Passwords that one process hashes at once; each takes 19 MiB.")
    connections: int = _number(500, 1, 10**6, "Connections that one process serves at a time.")
    uploads_at_once: int = _number(64, 1, 10**6, "Uploads of one account at a time.")
    silence: float = _number(60.0, 0.1, 10**6, "How long a sender or a reader may do nothing, in seconds.")

    def __post_init__(self):
        object.__setattr__(self, "behind_proxy", tuple(map(address.plain, self.behind_proxy)))
        for field in numbers():
            _check_number(field, getattr(self, field.name))
        _check(self.log_level in LOG_LEVELS, "log-level", "one of " + ", ".join(LOG_LEVELS), self.log_level)
        _check(self.rates in ("on", "off"), "rates", "on or off", self.rates)
        _check(self.public_url is None or _matches(_PUBLIC_URL, self.public_url), "public-url",
               "like https://bridge.example, without a path", self.public_url)
        _check(isinstance(self.host, str) and self.host, "host", "an address, such as 127.0.0.1", self.host)
        if address.UNKNOWN in self.behind_proxy:
            raise ValueError("behind-proxy must be addresses, such as 127.0.0.1")
        _check(isinstance(self.redirect_host, tuple) and all(_matches(_HOST_NAME, name) for name in self.redirect_host),
               "redirect-host", "names, such as www.example.com", ", ".join(map(str, self.redirect_host)))
        if self.database_url is not None:
            check_url(self.database_url)
        if self.store_url is not None:
            check_store_url(self.store_url)
        if self.smtp_url is not None:
            Relay.parse(self.smtp_url)
        if self.mail_from is not None:
            check_sender(self.mail_from)
        if self.metrics_token is not None and not _matches(_METRICS_TOKEN, self.metrics_token):
            raise ValueError("metrics-token must be at least 8 characters of ASCII, without spaces")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls-cert and tls-key belong together")
        if not (self.tls_cert or self.behind_proxy or is_loopback(self.host)):
            raise ValueError(
                f"passwords must not travel in the clear: to listen on {self.host}, give --tls-cert and --tls-key, "
                "or --behind-proxy when a reverse proxy does the TLS"
            )


def numbers() -> list[dataclasses.Field]:
    """Return the fields that are numbers.  Their metadata tells the least and the most that each may be."""
    return [field for field in dataclasses.fields(Settings) if "least" in field.metadata]


def is_loopback(host: str) -> bool:
    """Return whether *host*, an address or a name, is this very machine."""
    return host == "localhost" or address.is_loopback(address.plain(host))


def _check_number(field, value):
    kinds = int if isinstance(field.default, int) else (int, float)
    least, most = field.metadata["least"], field.metadata["most"]
    fits = isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most
    _check(fits, field.name.replace("_", "-"), f"a number from {least} to {most}", value)


def _check(fits, option, wanted, value):
    if not fits:
        raise ValueError(f"{option} must be {wanted}, not {value!r}")


def _matches(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None
