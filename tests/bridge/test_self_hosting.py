"""docs/self-hosting.md is true: its commands are executed in order, and its units and rules looked at."""

import contextlib
import io
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest
import requests

import pymdc
import pymdc.testing
import seaweedfs
import systemd_stand_in
from needed import is_missing
from ports import lasting_port
from postgresql import PASSWORD
from pymdc.bridge.serving.app import ROUTES
from waiting import eventually

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "self-hosting.md").read_text("utf-8")
CERTIFICATES = ROOT / "tests" / "certificates"
MOST_EXPOSED = 3.0

#: A block, with the file that it is, if it is one, and whether it is said not to be executed.
BLOCK = re.compile(
    r"(?:`(/[^`]+)`[^`\n]*(?:\(`[^`]*`\))?:\n\n)?(<!-- not executed -->\n)?```(\w+)\n(.*?)```", re.DOTALL,
)

NGINX = """
[Service]
ExecStart={nginx} -c {root}/etc/nginx/nginx.conf
"""
NGINX_SETTINGS = """
daemon off;
pid {root}/run/nginx-own.pid;
error_log {root}/run/nginx-error.log;
{user}
events {{}}
http {{
    access_log {root}/run/nginx-access.log;
    client_body_temp_path {root}/run/body;
    proxy_temp_path {root}/run/proxy;
    fastcgi_temp_path {root}/run/fastcgi;
    uwsgi_temp_path {root}/run/uwsgi;
    scgi_temp_path {root}/run/scgi;
    include {root}/etc/nginx/conf.d/*.conf;
    include {root}/etc/nginx/sites-enabled/*;
}}
"""
RUNUSER = """#!/bin/sh
user=$2; shift 3
[ "$user" != postgres ] || export PGHOST=127.0.0.1 PGPORT={port} PGUSER=postgres PGPASSWORD={password}
exec "$@"
"""


def blocks(kind):
    """Return file and text of each block of a kind."""
    return [(path, text) for path, _, found, text in BLOCK.findall(PAGE) if found == kind]


def units():
    return {Path(path).name: text for path, text in blocks("ini") if path.endswith(".service")}


class Machine:
    """
    A machine for the page, in a folder: paths and ports are others, and systemctl and runuser are stand-ins.

    :ivar url: where the bridge is for everybody.
    """

    def __init__(self, folder, postgresql):
        self.root = folder
        self._ports = {number: str(lasting_port()) for number in ("443", "6382", "6383", "8333")}
        self._ports["5432"] = str(postgresql.port)
        self.url = f"https://localhost:{self._ports['443']}"
        for name in ("run", "bin", "var/tmp", "etc/systemd/system", "etc/pymdc", "etc/nginx/conf.d", "etc/prometheus",
                     "etc/nginx/sites-enabled", "etc/ssl/bridge.example", "opt/pymdc-1.0.0/bin", "opt/pymdc-1.0.1/bin"):
            (folder / name).mkdir(parents=True)
        python = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n'
        for version in ("1.0.0", "1.0.1"):
            self._program(f"opt/pymdc-{version}/bin/python", python)
            (folder / f"opt/pymdc-{version}/bin/weed").symlink_to(seaweedfs.program())
        (folder / "opt/pymdc").symlink_to("pymdc-1.0.0")
        stand_in = f'"{sys.executable}" "{systemd_stand_in.__file__}" "{folder}"'
        self._program("bin/systemctl", f'#!/bin/sh\nexec {stand_in} "$@"\n')
        self._program("bin/runuser", RUNUSER.format(port=postgresql.port, password=PASSWORD))
        for name, copy in (("localhost.crt", "fullchain.pem"), ("localhost.key", "privkey.pem")):
            shutil.copy(CERTIFICATES / name, folder / "etc/ssl/bridge.example" / copy)
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        (folder / "etc/systemd/system/nginx.service").write_text(NGINX.format(nginx=program, root=folder))
        user = "" if os.getuid() else "user root;"
        (folder / "etc/nginx/nginx.conf").write_text(NGINX_SETTINGS.format(root=folder, user=user))
        systemd_stand_in.main(folder, "start", "nginx")

    def close(self):
        for path in (self.root / "run").glob("*.pid"):
            if path.stem != "nginx-own":
                systemd_stand_in.Unit(self.root, path.stem).kill()

    def port(self, number):
        return self._ports[number]

    def go_through(self, section):
        """Write the files of a section, and execute its commands."""
        text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
        for path, not_executed, kind, block in BLOCK.findall(text):
            block = self._moved(block)
            if path:
                Path(self._moved(path)).write_text(block)
            elif kind == "sh" and not not_executed:
                self._execute(block)

    def _execute(self, commands):
        path = os.pathsep.join([str(self.root / "bin"), os.environ["PATH"]])
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG", "PYMDC_"))}
        ended = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=self.root, timeout=120, text=True,
                               env={**bare, "PATH": path}, capture_output=True)
        logs = "".join(path.read_text()[-2000:] for path in (self.root / "run").glob("*.log"))
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}\n{ended.stderr}\n{logs}"

    def _moved(self, text):
        """Let a text be about this machine."""
        text = re.sub(r"(?<![\w.])/(?=(etc|var|opt)/)", f"{self.root}/", text)
        text = text.replace("https://bridge.example", self.url)
        text = text.replace("server_name bridge.example", "server_name localhost")
        text = re.sub(r"-s3\.port=8333", f"-s3.port=8333 {_other_ports_of_seaweedfs()}", text)
        return re.sub(r"(?<![\w.])(443|6382|6383|8333|5432)(?!\w)", lambda found: self._ports[found[1]], text)

    def _program(self, name, text):
        path = self.root / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _other_ports_of_seaweedfs():
    names = [f"{each}.port" for each in ("master", "volume", "filer")]
    names += [f"{each}.grpc" for each in ("s3.port", *names)]
    return " ".join(f"-{name}={lasting_port()}" for name in names)


@pytest.fixture
def machine(tmp_path, postgresql):
    if any(map(is_missing, ("nginx", "rclone", "curl", "openssl", "psql"))) or seaweedfs.program() is None:
        pytest.skip("needs nginx, rclone, curl, openssl, PostgreSQL and SeaweedFS, which .ci/run installs")
    with contextlib.closing(Machine(tmp_path, postgresql)) as machine:
        yield machine


class Customer:
    """Somebody with an account and some files."""

    def __init__(self, machine):
        client = pymdc.Client(machine.url, raise_errors=True, verify=str(CERTIFICATES / "localhost.crt"))
        made = pymdc.testing.account(machine.url, client)
        created = pymdc.api.Buckets(made.key_pair, client=client).create("b", 1, 100, [made.key_pair])
        self._files = pymdc.api.Bucket(created, made.key_pair, client=client).files
        self._stored = {}

    def store(self, content):
        self._stored[self._files.upload(io.BytesIO(content))["hash"]] = content

    def check(self):
        """Read everything, and the newest by a link too."""
        for file_hash, content in self._stored.items():
            target = io.BytesIO()
            self._files.download(file_hash, target)
            assert target.getvalue() == content
        link = self._files.share(file_hash)["link"]
        assert requests.post(link, verify=str(CERTIFICATES / "localhost.crt"), timeout=30).content == content

    @contextlib.contextmanager
    def storing(self):
        """Store without pause meanwhile; what fails is raised in the end."""
        over, failures = threading.Event(), []

        def run():
            try:
                while not over.is_set():
                    self.store(os.urandom(20_000))
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        before = len(self._stored)
        thread.start()
        try:
            yield
            eventually(lambda: len(self._stored) > before + 3 or failures)
        finally:
            over.set()
            thread.join()
        assert not failures


def test_the_page_is_executed_in_order_and_nothing_is_lost_on_the_way(machine, monkeypatch):
    monkeypatch.setenv("PYMDC_TEST_OUTBOX", str(machine.root / "var/lib/pymdc/outbox"))
    for section in ("A service", "nginx"):
        machine.go_through(section)
    eventually(lambda: listens(machine.url))  # nginx opens its port some time after it was told to
    customer = Customer(machine)
    customer.store(b"small")
    customer.store(os.urandom(9_000_000))

    for section in ("A backup, and a drill", "PostgreSQL and S3", "Moving", "Backups of a cluster"):
        machine.go_through(section)
        customer.store(section.encode() * 10_000)
        customer.check()
    with customer.storing():
        machine.go_through("Upgrades")
    machine.go_through("Watching it")

    customer.check()
    logs = [(machine.root / "run" / name).read_text() for name in ("nginx-access.log", "nginx-error.log")]
    assert "/buckets/" in logs[0]
    assert not re.search("/(links|activations|resets)/", "".join(logs))
    addresses = [f"http://127.0.0.1:{machine.port(number)}" for number in ("6382", "6383")]
    requests.get(f"{addresses[0]}/keys", auth=("nobody@example.com", "wrong"), timeout=30)
    assert not undefined("".join(requests.get(f"{each}/metrics", timeout=30).text for each in addresses))


def listens(url):
    """Return whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urllib.parse.urlsplit(url).port)) == 0


def undefined(told):
    """Return the metrics, labels, routes and reasons of the rules that no bridge tells."""
    rules = "".join(text for _, text in blocks("yaml"))
    wanted = set(re.findall(r"\b(?:pymdc|process)_\w+", rules))
    found = set(re.findall(r"^(\w+)(?:\{| )", told, re.MULTILINE))
    labels = {(name, label) for name, inside in re.findall(r"(pymdc_\w+)\{([^}]*)\}", rules)
              for label in re.findall(r"(\w+)=", inside)}
    there = {(name, label) for name, inside in re.findall(r"^(pymdc_\w+)\{([^}]*)\}", told, re.MULTILINE)
             for label in re.findall(r"(\w+)=", inside)}
    routes = set(re.findall(r'route="([^"]*)"', rules)) - {path for _, path, _ in ROUTES}
    reasons = {reason for reason in re.findall(r'reason="([^"]*)"', rules) if f'reason="{reason}"' not in told}
    return wanted - found | labels - there | routes | reasons


@pytest.mark.parametrize("name", units())
def test_a_unit_is_shut_in(name, tmp_path):
    if is_missing("systemd-analyze"):
        pytest.skip("needs systemd-analyze, which .ci/run installs")
    path = tmp_path / name
    path.write_text(units()[name])

    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
                          capture_output=True, text=True, timeout=60)

    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout + said.stderr)
    assert exposure, said.stdout + said.stderr
    assert float(exposure[1]) < MOST_EXPOSED


@pytest.mark.parametrize("name", units())
def test_a_unit_holds_nothing_that_systemd_does_not_know(name, tmp_path):
    if is_missing("systemd-analyze"):
        pytest.skip("needs systemd-analyze, which .ci/run installs")
    path = tmp_path / name.replace("@.", "@1.")
    path.write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", units()[name], flags=re.MULTILINE))

    said = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True,
                          timeout=60)

    assert "Unknown" not in said.stderr and "Failed to parse" not in said.stderr, said.stderr
