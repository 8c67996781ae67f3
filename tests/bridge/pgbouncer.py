"""pgbouncer between bridges and PostgreSQL: it gives each transaction whichever connection is free."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

import psycopg
from sqlalchemy import make_url

from ports import lasting_port
from postgresql import PASSWORD, unprivileged
from waiting import eventually

CONNECTIONS = 4  # to the server, for each database: fewer than one bridge would like

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
server_login_retry = 1
query_wait_timeout = 10
logfile = {folder}/log
"""


class PgBouncer:
    """
    :param postgresql: the server, a :class:`postgresql.PostgreSQL`.
    """

    def __init__(self, postgresql):
        self._folder, self._port = tempfile.mkdtemp(prefix="pymdc-pgbouncer-"), lasting_port()
        self._user = unprivileged()
        self._write("users", f'"postgres" "{PASSWORD}"\n')
        self._write("settings", SETTINGS.format(
            server=postgresql.port, port=self._port, folder=self._folder, connections=CONNECTIONS,
        ))
        if self._user:
            os.chown(self._folder, self._user["user"], self._user["group"])
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"), "-q", f"{self._folder}/settings"],
            stderr=subprocess.DEVNULL, **self._user,
        )
        eventually(self._answers)

    def stop(self):
        """As in a crash."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def close(self):
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, url: str) -> str:
        """Return the URL of a database that leads through here."""
        return make_url(url).set(port=self._port).render_as_string(hide_password=False)

    def _answers(self):
        assert self._process.poll() is None, open(f"{self._folder}/log").read()
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=self._port, user="postgres", password=PASSWORD,
                            dbname="postgres").close()
            return True

    def _write(self, name, text):
        path = os.path.join(self._folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)
