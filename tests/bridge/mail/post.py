"""The mails of a bridge, and who brings them to a server."""

import contextlib
import dataclasses
import urllib.parse

import sqlalchemy

from mail_server import PASSWORD, USER
from pymdc.bridge.mail.message import activation_mail
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay
from pymdc.bridge.metadata import Metadata, tables

TOKEN = "5ec2e7" * 10 + "abcd"
LINK = f"https://bridge.example/activations/{TOKEN}"
SENDER = "Metadisk Bridge <bridge@bridge.example>"
SOON = Schedule(first=0.01, longest=0.05, lifetime=60, look=0.01)
ONCE = Schedule(look=0.01)  # a mail that failed is not tried again as long as the test lasts
LOGIN = f"{urllib.parse.quote(USER, safe='')}:{urllib.parse.quote(PASSWORD, safe='')}"


class Post:
    """The mails of a bridge, and the postmen of this process."""

    def __init__(self, url):
        self.url = url
        self._stack = contextlib.ExitStack()
        self.memory = self._open()
        self.postmen = []

    def hire(self, url, schedule=SOON, timeout=30):
        """Make a postman with a database connection of his own, as another process has, and start him."""
        memory = self._open()
        relay = dataclasses.replace(Relay.parse(url), timeout=timeout)
        self.postmen.append(Postman(memory.mails, memory.clock, relay, schedule))
        self.postmen[-1].start()
        return self.postmen[-1]

    def send(self, mail, told=None):
        """
        Write a mail, as a handler does; return its name.

        :param told: the postmen that learn of it; by default all.
        """
        row = Postman(self.memory.mails, self.memory.clock, Relay("localhost", 1)).write(mail)
        self.memory.mails.add(row)
        for postman in self.postmen if told is None else told:
            postman.take(row)
        return row["name"]

    def rows(self):
        """Return what waits, by name."""
        with self.memory._database.read() as db:
            return db.execute(sqlalchemy.select(tables.mails).order_by(tables.mails.c.name)).mappings().all()

    def given_up(self):
        return [row["name"] for row in self.rows() if row["due"] is None]

    def close(self):
        for postman in self.postmen:
            postman.close()
        self._stack.close()

    def _open(self):
        return self._stack.enter_context(contextlib.closing(Metadata(self.url)))

    def make_old(self):
        with self.memory._database.write() as db:
            db.execute(sqlalchemy.update(tables.mails).values(created=1))


def mail_to(name):
    return activation_mail(f"{name}@example.com", LINK, SENDER)


def next_of(server):
    """Return the recipient of the next mail that the server takes."""
    recipient, = server.taken.get(timeout=30).rcpt_tos
    return recipient
