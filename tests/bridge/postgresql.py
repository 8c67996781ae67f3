"""A PostgreSQL server for tests, on a free loopback port and in a folder of its own, and databases on it."""

import contextlib
import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile

import psycopg
from sqlalchemy import URL

from ports import lasting_port
from pymdc.bridge.metadata import migrate_postgresql
from waiting import eventually

PASSWORD = "pg-s3cret-w0rd"


def find(program):
    """Return the path of a program of PostgreSQL's, which Debian keeps out of the way; None without one."""
    return shutil.which(program) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), default=None)


class PostgreSQL:
    """
    :ivar port: that it listens on.
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pymdc-postgresql-")
        self._data = os.path.join(self.folder, "data")
        self._count = itertools.count()
        self._user = unprivileged()
        self.port = lasting_port()
        self._initialize()
        self.start()
        self._template = "template_of_a_bridge"
        self._run(f"CREATE DATABASE {self._template}")
        migrate_postgresql(self.url(self._template))

    def start(self):
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "max_connections": 300, "shared_buffers": "64MB", "deadlock_timeout": "50ms",
        }
        arguments = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
        self._log = open(os.path.join(self.folder, "log"), "a")
        self._process = subprocess.Popen(
            [find("postgres"), "-D", self._data, *arguments], stdout=self._log, stderr=self._log, **self._user,
        )
        eventually(self._answers)

    def stop(self, signal):
        """Let it end: by SIGTERM when all have left, by SIGINT at once, by SIGQUIT as in a crash."""
        self._process.send_signal(signal)
        self._process.wait(60)
        self._log.close()

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.send_signal(2)
            self._process.wait(60)
        shutil.rmtree(self.folder)

    def url(self, database) -> URL:
        return URL.create("postgresql+psycopg", "postgres", PASSWORD, "127.0.0.1", self.port, database)

    def new_database(self, empty=False) -> str:
        """Make a database, as a new bridge has it or *empty*, and return its URL."""
        name = f"bridge{next(self._count)}"
        self._run(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {self._template}"))
        return self.url(name).render_as_string(hide_password=False)

    def _run(self, statement):
        with self.connect("postgres") as connection:
            connection.execute(statement)

    def connect(self, database):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname=database, autocommit=True,
        )

    def _answers(self):
        assert self._process.poll() is None, open(self._log.name).read()
        with contextlib.suppress(psycopg.OperationalError), self.connect("postgres"):
            return True

    def _initialize(self):
        secret = os.path.join(self.folder, "password")
        with open(secret, "w") as file:
            file.write(PASSWORD)
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
            os.chown(secret, self._user["user"], self._user["group"])
        subprocess.run(
            [find("initdb"), "-D", self._data, "-U", "postgres", "--auth=scram-sha-256", "--pwfile", secret,
             "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, **self._user,
        )


def unprivileged():
    """Return what makes a process another user's where this one is root, whom PostgreSQL serves not."""
    if os.getuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
