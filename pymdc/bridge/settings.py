"""What an operator can set."""

import dataclasses
import ipaddress
import os
import re

from .mail import check_sender
from .relay import Relay

LOG_LEVELS = ("debug", "info", "warning", "error")

_PUBLIC_URL = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:[1-9]\d{0,4})?(/[\w.~-]+)*/?", re.ASCII)
_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Settings:
    """
    The options of a bridge; each is ``--option`` of ``python -m pymdc.bridge`` and ``PYMDC_BRIDGE_OPTION``.

    :ivar data_dir: the folder of database, shards and mails.
    :ivar host: the address to listen on.
    :ivar port: 0 picks a free one.
    :ivar public_url: what links and pointers lead to; by default the address listened on.
    :ivar smtp_url: the server that sends the mails, ``smtp://user:password@host:port`` or ``smtps://…``; None leaves
        them in the outbox.
    :ivar mail_from: who sends the mails; by default ``bridge@`` the host of the public URL.
    :ivar tls_cert: a PEM file, the certificate and what leads from it to a known one; *tls_key*: its private key.
    :ivar behind_proxy: the addresses of reverse proxies, whose ``X-Forwarded-For`` is believed.
    :ivar workers: processes that serve.
    :ivar rates: whether wrong passwords, registrations and mails are slowed: "on" or "off".
    :ivar account_storage: what all buckets of one account may hold, in GB.
    :ivar redirect_host: names of the hosts to which an activation may redirect.
    :ivar metrics_token: what ``/metrics`` asks for from anywhere but loopback.
    :ivar log_level: debug, info, warning or error.
    """

    data_dir: str | os.PathLike | None
    host: str = "127.0.0.1"
    port: int = 6382
    public_url: str | None = None
    smtp_url: str | None = dataclasses.field(default=None, repr=False)  # it holds a password
    mail_from: str | None = None
    tls_cert: str | os.PathLike | None = None
    tls_key: str | os.PathLike | None = None
    behind_proxy: tuple[str, ...] = ()
    workers: int = 1
    rates: str = "on"
    account_storage: float = 100
    redirect_host: tuple[str, ...] = ()
    metrics_token: str | None = dataclasses.field(default=None, repr=False)
    log_level: str = "info"

    def __post_init__(self):
        _check(_is_whole(self.port) and 0 <= self.port <= 65535, "port", "a number from 0 to 65535", self.port)
        _check(_is_whole(self.workers) and 1 <= self.workers <= 1000, "workers", "a number from 1 to 1000",
               self.workers)
        _check(self.log_level in LOG_LEVELS, "log-level", "one of " + ", ".join(LOG_LEVELS), self.log_level)
        _check(self.rates in ("on", "off"), "rates", "on or off", self.rates)
        _check(_is_number(self.account_storage) and 0 <= self.account_storage <= 10**9, "account-storage",
               "a number of GB from 0 to 1000000000", self.account_storage)
        _check(self.public_url is None or _matches(_PUBLIC_URL, self.public_url), "public-url",
               "like https://bridge.example", self.public_url)
        _check(isinstance(self.host, str) and self.host, "host", "an address, such as 127.0.0.1", self.host)
        _check(isinstance(self.behind_proxy, tuple) and all(map(_is_address, self.behind_proxy)), "behind-proxy",
               "addresses, such as 127.0.0.1", self.behind_proxy)
        _check(isinstance(self.redirect_host, tuple) and all(_matches(_HOST_NAME, name) for name in self.redirect_host),
               "redirect-host", "names, such as www.example.com", self.redirect_host)
        if self.smtp_url is not None:
            Relay.parse(self.smtp_url)
        if self.mail_from is not None:
            check_sender(self.mail_from)
        if self.metrics_token is not None and (not isinstance(self.metrics_token, str) or len(self.metrics_token) < 8):
            raise ValueError("metrics-token must be at least 8 characters long")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls-cert and tls-key belong together")
        if not (self.tls_cert or self.behind_proxy or is_loopback(self.host)):
            raise ValueError(
                f"passwords must not travel in the clear: to listen on {self.host}, give --tls-cert and --tls-key, "
                "or --behind-proxy when a reverse proxy does the TLS"
            )


def is_loopback(host: str) -> bool:
    """Return whether *host*, an address or a name, is this very machine."""
    return host == "localhost" or _is_address(host) and ipaddress.ip_address(host).is_loopback


def _check(fits, option, wanted, value):
    if not fits:
        raise ValueError(f"{option} must be {wanted}, not {value!r}")


def _matches(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_address(value):
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return isinstance(value, str)
