"""Processes that are measured, and what they have taken of the machine."""

import contextlib
import glob
import os
import re
import select
import signal
import subprocess
import time

_PATIENCE = 3  # seconds to end in, before a process is killed: SeaweedFS would take its time, and nobody needs its data
_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)  # the columns "idle" and "iowait" of /proc/stat


def start(command, **options):
    """Start a process in a session of its own: Ctrl-C is then for this one alone, which ends the others in order."""
    return subprocess.Popen(command, start_new_session=True, **options)


@contextlib.contextmanager
def all_ended():
    """In the end, end every process that this one has started, with what they have started in turn."""
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_all(number)
            _reap(time.monotonic() + _PATIENCE)


def line(process, patience):
    """Return the next line that a process says; an empty one when it ends, as it has to after *patience* seconds."""
    if not select.select([process.stdout], [], [], patience)[0]:
        process.kill()
    return process.stdout.readline()


def end(process):
    """End one process, with what it has started."""
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def tree(pid):
    """Return *pid* and those of all processes below it."""
    return [pid] + [below for child in _children(pid) for below in tree(child)]


def cpu(pids):
    """Return the CPU seconds that the processes have taken until now."""
    return sum(time.clock_gettime(_clock(pid)) for pid in pids)


def cpu_with_ended(pids):
    """As :func:`cpu`, in steps of 10 ms, with what processes have taken that were theirs and have ended since."""
    return sum(map(_ticks, pids)) / _TICKS


def forget_peak(pids):
    """Let the peaks of the processes' memory begin anew."""
    for pid in pids:
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")


def peak(pids):
    """Return the peak of the processes' memory in bytes, as if all had theirs at once."""
    return sum(_high_water(pid) for pid in pids)


def cpu_of_all():
    """Return the CPU seconds that the whole machine has been busy for."""
    with open("/proc/stat") as file:
        ticks = [int(column) for column in file.readline().split()[1:9]]  # what guests take is in the first two already
    return sum(count for column, count in enumerate(ticks) if column not in _IDLE) / _TICKS


def _clock(pid):
    """Return the clock of a process's CPU time, as clock_getcpuclockid(3) does: /proc has it only to 10 ms."""
    return (~pid << 3) | 2


def _ticks(pid):
    """Return what a process has taken, and those that it has waited for; 0 if it is among these itself by now."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
    return 0


def _high_water(pid):
    with open(f"/proc/{pid}/status") as file:
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1))


def _children(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            found += map(int, file.read().split())
    return found


def _signal_all(number):
    for pid in _children(os.getpid()):
        _signal(pid, number)


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _reap(deadline):
    while _children(os.getpid()) and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.01)
