"""The SMTP server that takes the bridge's mail."""

import base64
import contextlib
import dataclasses
import ipaddress
import re
import smtplib
import socket
import ssl
import threading
import time
import urllib.parse
from email import message_from_bytes

from .carrier import Delayed, Refused, Unreachable
from .message import PLAIN

_CREDENTIAL = re.compile(r"(?:[^%@/?#\s]|%[0-9a-fA-F]{2})+")
_HOST = re.compile(r"\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]+)", re.ASCII)
_ADDRESS = re.compile(r"(\[[^]]*\]|[^:]*)(?::(.*))?", re.DOTALL)
_PORT = re.compile("[0-9]{1,5}")
_SECRET = re.compile(r"\S*/(?:activations|resets)/\S*|[0-9a-fA-F]{32,}")
_ABOUT_US = (530, 534, 535, 538)  # we should have logged in, or otherwise than we did: RFC 4954, section 6
_LONGEST = 300  # characters of a server's answer that are worth a log


@dataclasses.dataclass(frozen=True)
class Relay:
    """
    A :class:`Carrier`.

    :ivar smtps: whether TLS begins with the connection; else it begins with STARTTLS, if the server offers it.
    :ivar user: None when nobody logs in.
    :ivar timeout: how long each step of a delivery may take, in seconds.
    """

    at_once = False

    host: str
    port: int
    smtps: bool = False
    user: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    timeout: float = 30

    @classmethod
    def parse(cls, url: str) -> "Relay":
        """
        Read ``smtp://[user:password@]host[:port]``, or ``smtps://…``; user and password are percent-encoded.

        :raises ValueError: says what is wrong, and repeats nothing of the URL, since the password could be anywhere.
        """
        scheme, separator, rest = str(url).partition("://")
        if scheme not in ("smtp", "smtps") or not separator:
            raise ValueError("smtp-url must begin with smtp:// or smtps://")
        credentials, at, address = rest.rpartition("@")
        user, password = _credentials(credentials) if at else (None, None)
        host, port = _address(address.removesuffix("/"))
        default = 465 if scheme == "smtps" else 587 if user else 25
        return cls(host, port or default, scheme == "smtps", user, password)

    def deliver(self, mail, deadline: float) -> str:
        """As :meth:`Carrier.deliver`.  A server that says a little again and again is cut off at the deadline."""
        message = message_from_bytes(mail["content"], policy=PLAIN)
        connection = self._connect(message["From"].addresses[0].domain)
        try:
            with self._cut_off(connection, deadline):
                self._hand_over(connection, message, mail["recipient"])
        finally:
            _leave(connection)
        return "sent"

    @contextlib.contextmanager
    def _cut_off(self, connection, deadline):
        """Let a connection break at a moment, if the block lasts until then."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{self.host}:{self.port}: took too long")
        timer = threading.Timer(left, _break, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _connect(self, name):
        # Without a name of ours, smtplib would ask the DNS for one, with no timeout.
        try:
            if self.smtps:
                connection = smtplib.SMTP_SSL(self.host, self.port, name, timeout=self.timeout, context=_tls())
            else:
                connection = smtplib.SMTP(self.host, self.port, name, self.timeout)
        except (OSError, ValueError) as error:
            raise Unreachable(self._reason(error)) from None
        try:
            self._introduce(connection)
        except (OSError, ValueError) as error:
            connection.close()
            raise Unreachable(self._reason(error)) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _introduce(self, connection):
        connection.ehlo_or_helo_if_needed()
        if not self.smtps and connection.has_extn("starttls"):
            connection.starttls(context=_tls())
            connection.ehlo_or_helo_if_needed()
        if self.user is None:
            return
        if not may_log_in(isinstance(connection.sock, ssl.SSLSocket), connection.sock.getpeername()[0]):
            raise Unreachable(f"{self.host}:{self.port} offers no TLS, and the password is not sent without it")
        connection.login(self.user, self.password)

    def _hand_over(self, connection, mail, recipient):
        sender = mail["From"].addresses[0].addr_spec  # smtplib's own idea of it is empty for some
        try:
            connection.send_message(mail, sender, [recipient])
        except smtplib.SMTPNotSupportedError:
            raise Refused(f"{self.host}:{self.port} does not take addresses that are not ASCII") from None
        except smtplib.SMTPRecipientsRefused as error:
            (code, text), = error.recipients.values()
            raise self._refusal(smtplib.SMTPResponseException(code, text)) from None
        except smtplib.SMTPDataError as error:
            raise self._refusal(error) from None
        except OSError as error:
            raise Delayed(self._reason(error)) from None

    def _refusal(self, error):
        final = error.smtp_code >= 500 and error.smtp_code not in _ABOUT_US
        return (Refused if final else Delayed)(self._reason(error))

    def _reason(self, error):
        """Say what happened, without what the exception may quote: smtplib's repeat the server, and that repeats us."""
        if isinstance(error, smtplib.SMTPResponseException):
            answer = error.smtp_error
            text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
            return f"{self.host}:{self.port} said {error.smtp_code} {self._clean(text)}"
        return f"{self.host}:{self.port}: {self._clean(str(error))}"

    def _clean(self, text):
        for secret in self._secrets():
            text = text.replace(secret, "…")
        text = _SECRET.sub("…", text)
        return "".join(character if character.isprintable() else " " for character in text)[:_LONGEST]

    def _secrets(self):
        if self.user is None:
            return []
        login = f"\0{self.user}\0{self.password}", self.password
        return [*(base64.b64encode(secret.encode()).decode() for secret in login), self.password]


def may_log_in(encrypted: bool, peer: str) -> bool:
    """Whether a password may go to the address *peer*."""
    return encrypted or ipaddress.ip_address(peer.partition("%")[0]).is_loopback


def _tls():
    """Settings that check the server's certificate, against what SSL_CERT_FILE names or else the system's."""
    return ssl.create_default_context()


def _break(connected):
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not that of TLS, which another thread is using


def _leave(connection):
    """Say goodbye, but do not wait for the answer: what had to be said is said."""
    with contextlib.suppress(OSError):
        connection.putcmd("QUIT")
    connection.close()


def _credentials(text):
    user, colon, password = text.partition(":")
    if not user or not password:
        raise ValueError("smtp-url must name both user and password, or neither")
    if not _CREDENTIAL.fullmatch(user) or not _CREDENTIAL.fullmatch(password):
        raise ValueError("smtp-url must have user and password percent-encoded, such as %40 for @")
    decoded = [urllib.parse.unquote(each, errors="replace") for each in (user, password)]
    if not all(each.isascii() and each.isprintable() for each in decoded):
        raise ValueError("smtp-url must have user and password of printable ASCII characters")
    return decoded


def _address(text):
    host, port = _ADDRESS.fullmatch(text).groups()
    match = _HOST.fullmatch(host)
    if not match:
        raise ValueError("smtp-url must name a host, such as mail.example or [::1]")
    if port is not None and not (_PORT.fullmatch(port) and 1 <= int(port) <= 65535):
        raise ValueError("smtp-url must have a port from 1 to 65535")
    return match["v6"] or match["name"], port and int(port)
