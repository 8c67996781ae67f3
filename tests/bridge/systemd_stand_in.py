"""
``systemctl`` for where systemd does not run: it starts what the units under a root say, and stops it.  It follows what
of them is about the command and its environment; what shuts a service in, it does not do.

``python systemd_stand_in.py ROOT VERB [OPTIONS] UNIT...``
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 75  # seconds in which a process has to end


class Unit:
    """
    :ivar name: as it is called, ``pymdc-bridge@6382``.
    """

    def __init__(self, root, name):
        self.name = name = name.removesuffix(".service")
        template, at, self._instance = name.partition("@")
        self._root, self._pid_file = root, root / "run" / f"{name}.pid"
        text = (root / f"etc/systemd/system/{template}{at}.service").read_text()
        self._lines = re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)

    def start(self):
        if self.pid:
            return
        for folder in self._words("StateDirectory"):
            (self._root / "var/lib" / folder).mkdir(parents=True, exist_ok=True)
        once = self._all("Type") == ["oneshot"]
        for command in self._all("ExecStart"):
            with open(self._root / "run" / f"{self.name}.log", "ab") as log:
                process = subprocess.Popen(self._command(command), env=self._environment(), stdout=log, stderr=log,
                                           stdin=subprocess.DEVNULL, start_new_session=True)
            if once:
                if process.wait():
                    sys.exit(f"{self.name} has failed: {command}")
            else:
                self._pid_file.write_text(str(process.pid))

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            end = time.monotonic() + PATIENCE
            while self.pid and time.monotonic() < end:
                time.sleep(0.02)
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def kill(self):
        """End it at once, with what it has started."""
        if self.pid:
            os.killpg(self.pid, signal.SIGKILL)

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    @property
    def pid(self):
        """Of its process; None when that has ended."""
        try:
            pid = int(self._pid_file.read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return None
        return None if state == "Z" else pid

    def _all(self, key):
        return [value for name, value in self._lines if name == key]

    def _words(self, key):
        return [word for value in self._all(key) for word in value.split()]

    def _command(self, text):
        credentials = dict(each.split(":", 1) for each in self._words("LoadCredential"))
        text = re.sub(r"%d/([\w.-]+)", lambda found: credentials[found[1]], text.replace("%i", self._instance))
        return shlex.split(text.replace("$$", "$"))

    def _environment(self):
        """Nothing of whoever calls it but where programs are."""
        found = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        for path in self._words("EnvironmentFile"):
            found.update(line.split("=", 1) for line in Path(path).read_text().splitlines() if line)
        return found


def main(root, verb, *arguments):
    names = [each for each in arguments if not each.startswith("-") and not each.endswith(".timer")]
    units = [Unit(Path(root), name) for name in names]
    for unit in units:
        if verb in ("stop", "restart") or verb == "disable" and "--now" in arguments:
            unit.stop()
        if verb in ("start", "restart") or verb == "enable" and "--now" in arguments:
            unit.start()
        if verb == "reload":
            unit.reload()


if __name__ == "__main__":
    main(*sys.argv[1:])
