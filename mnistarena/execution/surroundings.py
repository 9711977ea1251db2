"""What the process that workers start from begins with, whatever the user's environment, folder and TMPDIR are."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mnistarena.errors import ArenaError

BINDINGS = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that bind threads to cores, as OpenMP reads them when torch is loaded: all workers would be on one core."""

FIXED = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
"""The order of a set of strings must not differ from run to run, and a `random.py` or a `torch.py` in the user's folder
must not be imported in place of the real one. A worker removes the second again: see trial/isolation.py."""

SPIN, WAITING = ("GOMP_SPINCOUNT", "10000"), ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""How often a thread looks for work before it sleeps, about 30 µs instead of a millisecond, unless the user says so by
one of the second: a library that starts more threads than it has cores else waits for itself, ten times as long."""

SOCKET_CHARACTERS = 107
"""The longest path of a Unix socket; 103 on macOS."""


@contextmanager
def fixed_environment() -> Iterator[None]:
    """This process's environment as one that it starts is to find it; restored afterwards."""
    fixed = FIXED if any(name in os.environ for name in WAITING) else {**FIXED, SPIN[0]: SPIN[1]}
    before = {name: os.environ.pop(name, None) for name in (*BINDINGS, *fixed)}
    os.environ.update(fixed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def neutral_folder() -> Iterator[None]:
    """Be in the root folder where Python (before 3.11) knows no PYTHONSAFEPATH: it imports from where it is started."""
    if sys.version_info >= (3, 11):
        yield
        return
    before = os.getcwd()
    os.chdir(os.sep)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def short_temporary_folder() -> Iterator[None]:
    """Make `tempfile` use a folder whose path is short enough for a Unix socket, where the usual one is not.

    Raises `ArenaError` where there is no such folder.
    """
    usual = tempfile.gettempdir()
    longest = SOCKET_CHARACTERS - (4 if sys.platform == "darwin" else 0)
    needed = len(os.sep + "pymp-12345678" + os.sep + "listener-12345678")
    if len(os.fsencode(usual)) + needed <= longest:
        yield
        return
    before = tempfile.tempdir
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        with suppress(OSError), tempfile.TemporaryFile(dir=folder):
            tempfile.tempdir = folder
            break
    else:
        raise ArenaError(
            f"the folder for temporary files, {usual}, has a path of {len(os.fsencode(usual))} bytes, too long for the "
            f"sockets that workers use, and /tmp cannot be written; set TMPDIR to a path of at most {longest - needed}"
        )
    try:
        yield
    finally:
        tempfile.tempdir = before
