"""A bridge whose system calls are written down by strace."""

import re
from dataclasses import dataclass
from pathlib import Path

from running_bridge import RunningBridge
from waiting import eventually

CALLS = (
    "write,writev,pwrite64,pwritev,sendfile,copy_file_range,sendto,sendmsg,fsync,fdatasync,sync,"
    "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat"
)
STRACE = ["strace", "-f", "--seccomp-bpf", "-yy", "-s", "200", "-e", "trace=" + CALLS]

_LINE = re.compile(r"(\d+) +(.*)")
_UNFINISHED = re.compile(r"(.*?) *<unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (\d+)")
_DESCRIPTOR = re.compile(r"\d+<(.*?)>(?:\(deleted\))?(?:,|$)")


class TracedBridge(RunningBridge):
    """
    A bridge whose system calls are written to a file by strace, which stands beside it and ends after it.

    :param options: of the bridge.
    :param strace: options of that.
    :ivar folder: of its data, which it has to make, and the one above it too.  It stays when the bridge is closed.
    """

    def __init__(self, trace, *options, strace=()):
        self._trace = Path(trace)
        self._strace = [*STRACE, *strace]
        self.folder = self._trace.parent / "new" / "data"
        super().__init__("--data-dir", self.folder, *options)
        self.outbox = self.folder / "outbox"

    def calls(self):
        """Stop, and return what was called."""
        self.close()
        end = re.compile(rf"^{self._process.pid} +\+\+\+ ", re.MULTILINE)
        eventually(lambda: end.search(self._trace.read_text()))
        return self.calls_so_far()

    def calls_so_far(self):
        """Return what was called; all that is over before an answer is written down when that comes."""
        return read_trace(self._trace.read_text().rpartition("\n")[0].splitlines())

    def _command(self, port):
        return [*self._strace, "-D", "-o", self._trace, *super()._command(port)]


@dataclass
class SystemCall:
    """
    One that has succeeded.

    :ivar began, ended: lines of the trace.
    :ivar result: the number it returned.
    """

    name: str
    arguments: str
    result: int
    began: int
    ended: int

    @property
    def target(self):
        """The file or the connection that it writes or syncs."""
        descriptor = _DESCRIPTOR.match(self.arguments)
        return descriptor and descriptor.group(1)

    @property
    def paths(self):
        """The name of what it makes or unlinks; the old and the new one of what it renames."""
        return re.findall(r'"(.*?)"', self.arguments)

    @property
    def changed(self):
        """The files and folders that have to be synced if it is not to be undone by a power cut."""
        if self.renames():
            return [Path(path).parent for path in self.paths]
        if "mkdir" in self.name:
            return [Path(self.paths[0]).parent]
        return [Path(self.written)] if (self.written or "").startswith("/") else []

    @property
    def written(self):
        """The file or the connection that it writes."""
        if self.name == "copy_file_range":
            return _DESCRIPTOR.match(self.arguments.split(", ", 2)[2]).group(1)
        return self.target if "write" in self.name or self.name == "sendfile" else None

    def writes(self, path):
        return self.written == str(path)

    def syncs(self, path):
        return self.name == "sync" or "sync" in self.name and self.target == str(path)

    def says(self, text):
        return self.name == "write" and text in self.arguments and self.target.startswith("pipe")

    def unlinks(self, path):
        return "unlink" in self.name and self.paths == [str(path)]

    def renames(self):
        return "rename" in self.name

    def answers(self):
        return bool(self.target) and self.target.startswith("TCP")


def read_trace(lines):
    """Return the calls in the order in which they ended."""
    calls, unfinished = [], {}
    for number, line in enumerate(lines):
        thread, text = _LINE.fullmatch(line).groups()
        began, interrupted, resumed = number, _UNFINISHED.fullmatch(text), _RESUMED.fullmatch(text)
        if interrupted:
            unfinished[thread] = number, interrupted.group(1)
            continue
        if resumed:
            began, beginning = unfinished.pop(thread)
            text = beginning + resumed.group(1)
        call = _CALL.match(text)
        if call:
            calls.append(SystemCall(call.group(1), call.group(2), int(call.group(3)), began, number))
    return calls
