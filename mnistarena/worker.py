"""Starting worker processes. Torch is imported in them, never here."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from mnistarena.job import Job


class Workers:
    """Fresh processes for trials.

    forkserver where there is one: it loads torch once, and each worker starts from it in about 0.1 s,
    clean of this process's threads and locks. spawn elsewhere.
    """

    def __init__(self) -> None:
        forkserver = "forkserver" in multiprocessing.get_all_start_methods()
        self.context: Any = multiprocessing.get_context("forkserver" if forkserver else "spawn")
        if forkserver:
            self.context.set_forkserver_preload(["mnistarena.trial"])

    def start(self, job: Job) -> tuple[BaseProcess, Connection]:
        """A worker on a job, and the end of the pipe its events arrive at."""
        return self._start(_work, job)

    def probe(self, device: str) -> dict[str, Any]:
        """Which device a name (or `auto`) stands for: `{"device", "device_name"}` or `{"error"}`."""
        process, connection = self._start(_probe, device)
        try:
            return dict(connection.recv())
        except EOFError:
            return {"error": f"the device {device!r} cannot be used: the process that tried it died"}
        finally:
            connection.close()
            process.join()

    def _start(self, target: Callable[[Any, Connection], None], argument: Any) -> tuple[BaseProcess, Connection]:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=target, args=(argument, theirs))
        with _without_main():
            process.start()
        theirs.close()
        return process, ours


def end(process: BaseProcess) -> None:
    """Kill a worker and everything it started, and wait for it."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    # multiprocessing would import the caller's script anew in each worker, which a script that calls
    # mnistarena.run() at its top level does not survive. Our workers need nothing from it.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(job: Job, connection: Connection) -> None:
    from mnistarena import trial

    trial.work(job, connection)


def _probe(device: str, connection: Connection) -> None:
    from mnistarena import trial

    trial.probe(device, connection)
