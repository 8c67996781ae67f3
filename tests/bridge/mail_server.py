"""An SMTP server for tests: aiosmtpd on a free loopback port, in a thread."""

import asyncio
import queue
import socket
import ssl
import threading
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

CERTIFICATE = Path(__file__).parents[1] / "certificates" / "localhost.crt"
USER, PASSWORD = "bridge@example.com", "hunter2/@:%"


class MailServer:
    """
    It is bound when it is made, and answers once it was started.

    :param tls: None, "starttls" or "smtps".
    :param login: whether it takes mails only from who logs in.
    :param replies: by command (MAIL, RCPT, DATA, AUTH), what to say before it says yes, one after another.
    :ivar taken: a queue of the envelopes it took.
    :ivar seen: a queue of the commands, each with whether it came encrypted.
    """

    def __init__(self, tls=None, login=False, replies=None, **options):
        self._replies = {command: list(each) for command, each in (replies or {}).items()}
        self._tls = tls
        self._options = {"enable_SMTPUTF8": True, "auth_require_tls": False, **options}
        self._login = login
        self._thread = None
        self._held = None
        self.taken, self.seen = queue.Queue(), queue.Queue()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def url(self, login=None):
        scheme = "smtps" if self._tls == "smtps" else "smtp"
        return f"{scheme}://{login + '@' if login else ''}localhost:{self.port}"

    def start(self):
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening.set)))
        self._thread.start()
        assert listening.wait(30)

    def listen_only(self):
        """Let the system accept connections that nobody serves."""
        self._listener.listen()

    def stop(self):
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(30)
        self._listener.close()

    def hold(self):
        """Answer no RCPT until ``release``."""
        self._held = threading.Event()

    def release(self):
        self._held.set()

    def commands(self):
        """Return what came so far."""
        return [self.seen.get() for _ in range(self.seen.qsize())]

    async def _serve(self, listening):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            self._protocol, sock=self._listener, ssl=server_context() if self._tls == "smtps" else None,
        )
        listening()
        await self._ended.wait()
        server.close()
        if self._held is not None:
            self._held.set()

    def _protocol(self):
        context = server_context() if self._tls == "starttls" else None
        return SMTP(self, tls_context=context, authenticator=self._log_in, loop=self._loop, **self._options)

    def _reply(self, command, session, otherwise):
        self.seen.put((command, session.ssl is not None or self._tls == "smtps"))
        return (self._replies.get(command) or [otherwise]).pop(0)

    def _log_in(self, server, session, envelope, mechanism, login):
        right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
        said = self._reply("AUTH", session, None)
        return AuthResult(success=right and not said, handled=False, message=said)

    async def handle_MAIL(self, server, session, envelope, address, options):
        welcome = session.authenticated or not self._login
        said = self._reply("MAIL", session, "250 OK" if welcome else "530 5.7.0 Authentication required")
        if said.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said

    async def handle_RCPT(self, server, session, envelope, address, options):
        said = self._reply("RCPT", session, "250 OK")
        if self._held is not None:
            await self._loop.run_in_executor(None, self._held.wait, 60)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server, session, envelope):
        said = self._reply("DATA", session, "250 OK")
        if said.startswith("250"):
            self.taken.put(envelope)
        return said


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_suffix(".key"))
    return context
