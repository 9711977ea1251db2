"""Worker processes: started, ended, and none left behind. Torch is imported in them, never here."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from mnistarena.execution.preload import ALWAYS, EVERYTHING
from mnistarena.execution.surroundings import fixed_environment, neutral_folder, short_temporary_folder
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import Device


class Workers:
    """Fresh processes for trials.

    forkserver where there is one: it loads torch once, and each worker starts from it in about 0.1 s,
    without this process's threads and locks. spawn elsewhere. A guard, which runs no plugin's code and
    so cannot be blocked by one, ends the workers should this process die. `preload` are the modules, beside those that
    every trial needs, that it loads once instead of each worker.
    """

    def __init__(self, preload: Sequence[str] = EVERYTHING) -> None:
        forkserver = "forkserver" in multiprocessing.get_all_start_methods()
        self.context: Any = multiprocessing.get_context("forkserver" if forkserver else "spawn")
        if forkserver:
            self.context.set_forkserver_preload([*ALWAYS, *preload])
        self.guard: tuple[BaseProcess, Connection] | None = None
        self.preloading: list[psutil.Process] = []
        self.running: set[int] = set()

    def get_ready(self) -> None:
        """Begin to load torch in the background; without this, the first start does it."""
        if self.context.get_start_method() == "forkserver":
            with _isolated():
                before = psutil.Process().children()
                self._ensure_forkserver()
                self.preloading = [child for child in psutil.Process().children() if child not in before]

    def start(self, job: Job, cores: frozenset[int] = frozenset()) -> tuple[BaseProcess, Connection]:
        """A worker on a job, and the end of the pipe its events arrive at; it stays on processor `cores`, if any."""
        process, connection = self._start(_work, absolute(job), cores)
        assert process.pid is not None
        self.running.add(process.pid)
        self._tell_guard(process.pid)
        return process, connection

    def end(self, process: BaseProcess) -> None:
        """Kill a worker and everything it started, and wait for it."""
        from mnistarena.trial.processes import end_all

        assert process.pid is not None
        end_all(process.pid)
        process.join()
        self.running.discard(process.pid)
        self._tell_guard(-process.pid)

    def close(self) -> None:
        """End the guard, and a forkserver that `get_ready` began and nothing needed."""
        for process in self.preloading:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.preloading = []
        if self.guard is not None:
            process, connection = self.guard
            connection.close()
            process.join()
            self.guard = None

    def probe(self, device: str) -> Device:
        """The device that a name (or `auto`) stands for, or why it cannot be used."""
        process, connection = self._start(_probe, device)
        try:
            found: Device = connection.recv()
            return found
        except EOFError:
            return Device(problem=f"the device {device!r} cannot be used: the process that tried it died")
        except KeyboardInterrupt:
            process.kill()
            raise
        finally:
            process.join()
            connection.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
        self.preloading = []  # now it is needed
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=target, args=(*arguments, theirs))
        with _isolated():
            self._ensure_forkserver()
            process.start()
        theirs.close()
        return process, ours

    def _ensure_forkserver(self) -> None:
        """Start the process that workers are forked from, where it does not run and there is to be one."""
        if self.context.get_start_method() == "forkserver":
            from multiprocessing.forkserver import ensure_running

            with neutral_folder(), short_temporary_folder():
                ensure_running()

    def _tell_guard(self, pid: int) -> None:
        try:
            self._guard().send(pid)
        except OSError:  # it was killed: start another
            self.guard = None
            for one in self.running:
                self._guard().send(one)

    def _guard(self) -> Connection:
        if self.guard is None:
            theirs, ours = self.context.Pipe(duplex=False)
            # A daemon, so that an exit of this process that skips close() does not wait for it.
            process = self.context.Process(target=_stand_guard, args=(theirs,), daemon=True)
            with _isolated():
                self._ensure_forkserver()
                process.start()
            theirs.close()
            self.guard = process, ours
        return self.guard[1]


@contextlib.contextmanager
def _isolated() -> Iterator[None]:
    # multiprocessing would import the caller's script anew in each worker, which would start another run where the
    # script calls mnistarena.run() at its top level. Our workers need nothing from it.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        with fixed_environment(), _interrupts_blocked():
            yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    # A terminal's Ctrl-C goes to all its processes. A process that is started here inherits the mask and ignores it;
    # this process handles it as soon as the mask is lifted.
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started first: its start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # type: ignore[attr-defined]
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # type: ignore[attr-defined]


def absolute(job: Job) -> Job:
    """The job with absolute paths: a worker is in a folder of its own."""
    return replace(
        job,
        folder=job.folder.absolute(),
        data=job.data.absolute(),
        temporary=job.temporary.absolute(),
        files={digest: path.absolute() for digest, path in job.files.items()},
        plugins=tuple(replace(plugin, path=plugin.path.absolute()) for plugin in job.plugins),
    )


def _work(job: Job, cores: frozenset[int], connection: Connection) -> None:
    from mnistarena.trial import process

    process.work(job, cores, connection)


def _probe(device: str, connection: Connection) -> None:
    from mnistarena.trial import process

    process.probe(device, connection)


def _stand_guard(connection: Connection) -> None:
    """Receive which workers run (their pids) and which have ended (negative); end the rest when the parent is gone."""
    from mnistarena.trial.processes import begin_session, end_all

    begin_session()
    running: set[int] = set()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pid = connection.recv()
            running.add(pid) if pid > 0 else running.discard(-pid)
    for pid in running:
        end_all(pid)
