"""A Metadisk of several bridges on PostgreSQL and an S3 store, behind nginx: every part real, on loopback."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import requests

from ports import lasting_port
from postgresql import PostgreSQL
from running_bridge import RunningBridge
from waiting import eventually

SERVERS = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream bridges {{
        {bridges}
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        proxy_request_buffering off;
        proxy_buffering off;
        location / {{
            proxy_pass http://bridges;
            proxy_http_version 1.1;
            proxy_next_upstream off;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 75s;
            proxy_send_timeout 75s;
        }}
    }}
}}
"""


class Nginx:
    """
    A balancer.

    :param ports: of the bridges.
    :ivar url: where it listens.
    """

    def __init__(self, ports):
        self._folder, port = tempfile.mkdtemp(prefix="pymdc-nginx-"), lasting_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = os.path.join(self._folder, "nginx.conf")
        with open(settings, "w") as file:
            file.write(SERVERS.format(
                folder=self._folder, port=port, user="" if os.getuid() else "user root;",
                bridges="\n        ".join(f"server 127.0.0.1:{port} fail_timeout=1s;" for port in ports),
            ))
        self._process = subprocess.Popen([shutil.which("nginx"), "-c", settings, "-p", self._folder],
                                         stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def _answers(self):
        assert self._process.poll() is None
        with contextlib.suppress(requests.RequestException):
            return bool(requests.get(self.url, timeout=5).status_code)  # 502 as long as no bridge is there

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._folder)


class Cluster:
    """
    :param s3: a :class:`seaweedfs.SeaweedFS`, whom the environment leads to.
    :ivar url: of the balancer; *outbox*: the folder of all mails.
    :ivar postgresql: the server of the database; *bridges*: the processes, each a :class:`RunningBridge`.
    """

    def __init__(self, s3, count=3):
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.s3, self.postgresql = s3, stack.enter_context(contextlib.closing(PostgreSQL()))
            self._ports = [lasting_port() for _ in range(count)]
            self._balancer = stack.enter_context(contextlib.closing(Nginx(self._ports)))
            self.url = self._balancer.url
            shared = ["--database-url", self.postgresql.new_database(), "--store-url", s3.new_store_url(),
                      "--public-url", self.url, "--behind-proxy"]
            self.bridges = []
            for port in self._ports:
                folder = ["--data-dir", self.bridges[0].data_dir] if self.bridges else []
                bridge = RunningBridge(*shared, *folder, "--port", str(port))
                self.bridges.append(stack.enter_context(contextlib.closing(bridge)))
            self.outbox = self.bridges[0].outbox
            self._stack = stack.pop_all()

    def activation_token(self, address):
        return self.bridges[0].activation_token(address)

    def close(self):
        self._stack.close()
