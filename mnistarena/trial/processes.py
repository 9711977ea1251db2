"""A trial's processes: finding all of them, their memory, and ending every one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

import psutil

MARK = "ARENA_TRIAL"
"""The environment variable that a trial's worker and everything it starts carry; its value is the worker's pid."""

_PR_SET_CHILD_SUBREAPER = 36


def begin_session() -> None:
    """Leave the terminal's group of processes: a Ctrl-C there is for the process that started this one."""
    if hasattr(os, "setsid"):
        os.setsid()
    if not hasattr(signal, "pthread_sigmask"):  # nothing that this process could have inherited
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def lead(pid: int) -> None:
    """Mark this process so that all of a trial's processes can be found: a session, a mark, and adopted orphans."""
    begin_session()
    os.environ[MARK] = str(pid)
    if sys.platform == "linux":
        # A daemon that the trial starts becomes a child of the trial, instead of the machine's first process.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def members(pid: int) -> list[psutil.Process]:
    """The worker and whatever it started: its descendants, its session, and all that carry its mark."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.Error):
        worker = psutil.Process(pid)
        found = {process.pid: process for process in (worker, *worker.children(recursive=True))}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            in_session = hasattr(os, "getsid") and os.getsid(process.pid) == pid
            if in_session or process.environ().get(MARK) == str(pid):
                found[process.pid] = process
    return list(found.values())


def end_all(pid: int) -> None:
    """Kill a worker and everything it started."""
    for _ in range(3):  # a process that is being started meanwhile is found the next time
        alive = [process for process in members(pid) if process.pid != os.getpid()]
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        if not any(process.pid != pid for process in alive):
            break
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # type: ignore[attr-defined]


def memory(pid: int) -> int:
    """Resident bytes of a worker and its descendants together."""
    total = 0
    with suppress(psutil.Error):
        worker = psutil.Process(pid)
        for process in (worker, *worker.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total
