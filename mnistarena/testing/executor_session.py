"""An executor at work, in a thread of its own: one that never ends must not keep the checks from ending."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil

from mnistarena.environment import Conditions
from mnistarena.plugin.executor import Executor, ExecutorContext, ExecutorDef, Reports, Submission, Workload
from mnistarena.plugin.messages import Event, Result, RowAdded, StepsDone
from mnistarena.testing.check import Nonconformity, NotApplicable, describe

PATIENCE = 180.0
"""Seconds that an executor may take to start, to run all jobs of a session, and to close."""

CLOSE_SECONDS = 10.0
"""Seconds that close may take to end what still runs of an executor that has not ended in time."""

Rounds = Callable[[Conditions], list[list[Submission]]]
"""The submissions of each call of `results`, under the conditions that the executor chose."""


class Session:
    """An executor from its start to its close, and what it did.

    `events` and `results` are by key. With `interrupt`, a stop is asked for once a training reports that it goes on:
    `asked` says whether that was so. `ended` is False where it had to be given up; `elsewhere` are the functions of
    `Reports` that were called in another thread.
    """

    def __init__(self, definition: ExecutorDef, params: Any, rounds: Rounds, *, interrupt: bool = False) -> None:
        self.definition, self.params, self.rounds, self.interrupt = definition, params, rounds, interrupt
        self.executor: Executor | None = None
        self.conditions = Conditions()
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.results: dict[str, Result] = {}
        self.elsewhere: set[str] = set()
        self.asked, self.ended = False, False
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._given_up = False
        before = _descendants()
        self._thread.start()
        self._thread.join(PATIENCE)
        self.ended = not self._thread.is_alive()
        if not self.ended:
            self._give_up(before)

    def sound(self, check: str) -> Session:
        """This session; raises what the executor raised, and `NotApplicable` where it did not end, as `check` says."""
        if not self.ended:
            raise NotApplicable(f'it did not end: see "{check}"')
        if self._problem is not None and not isinstance(self._problem, Exception):
            raise Nonconformity(f"{describe(self._problem)}; it must not end the process that uses it")
        if self._problem is not None:
            raise self._problem
        return self

    def check_end(self, doing: str) -> None:
        """Raise `Nonconformity` where the executor did not end."""
        if not self.ended:
            raise Nonconformity(
                f"{doing}, it had not ended after {PATIENCE:g} s, and was given up; results must yield each submission "
                "with its result, return when there are no more, and look at reports.stopping() while it waits"
            )

    # ---- In the thread

    def _work(self) -> None:
        try:
            self.executor = self.definition.start(self.params, ExecutorContext(jobs=2, threads=1, device="cpu"))
            try:
                self.conditions = self.executor.choose(Workload(1))
                for submissions in self.rounds(self.conditions):
                    reports = Reports(self._tell, self._stopping)
                    for submission, result in self.executor.results(self._given(submissions), reports):
                        self._leave_if_given_up()
                        self.results[submission.key] = result
            finally:
                self.executor.close()
        except BaseException as problem:
            self._problem = problem

    def _given(self, submissions: list[Submission]) -> Iterator[Submission]:
        for submission in submissions:
            if self._stopping():
                return
            yield submission

    def _tell(self, key: str, event: Event) -> None:
        self._note_thread("tell")
        self.events[key].append(event)
        self.asked = self.asked or (self.interrupt and isinstance(event, (RowAdded, StepsDone)))

    def _stopping(self) -> int:
        self._note_thread("stopping")
        return int(self.asked)

    def _note_thread(self, function: str) -> None:
        self._leave_if_given_up()
        if threading.current_thread() is not self._thread:
            self.elsewhere.add(function)

    def _leave_if_given_up(self) -> None:
        if self._given_up:
            raise SystemExit

    # ---- Where it does not end

    def _give_up(self, before: set[psutil.Process]) -> None:
        """Close the executor from here, and kill what it leaves."""
        self._given_up = True
        closing = threading.Thread(target=self._close, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        for process in _descendants() - before:
            with suppress(psutil.Error):
                process.kill()

    def _close(self) -> None:
        with suppress(BaseException):
            if self.executor is not None:
                self.executor.close()


SHARED = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")
"""Helpers of this process itself, which it starts once and whoever comes later uses as well."""


def _descendants() -> set[psutil.Process]:
    """The processes that this one started, directly or not, without the helpers that are not an executor's own."""
    found = set()
    with suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                helper = process.ppid() == os.getpid() and any(name in " ".join(process.cmdline()) for name in SHARED)
                found |= set() if helper else {process}
    return found
