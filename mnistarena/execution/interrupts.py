"""Requests to stop: SIGINT and SIGTERM, counted, so that a run can react. Nothing else here knows of signals."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

UNHEARD_SECONDS = 5.0
"""How long after a second signal a further one ends this process's work by an exception: nobody has reacted."""


class SignalReceived(KeyboardInterrupt):
    """What a signal raises, in place of a plain `KeyboardInterrupt`.

    Where that one leaves code compiled from a string, CPython ends the process by SIGINT, whoever caught it and
    whatever the exit status was to be. Imports execute such code: `dataclass` and others make their functions so.
    """


@contextmanager
def raising(number: int) -> Iterator[None]:
    """Within, the signal raises `SignalReceived`; not in another thread, nor where it is ignored or has a handler."""
    before = signal.getsignal(number)
    usual = before in (signal.SIG_DFL, signal.default_int_handler)
    if threading.current_thread() is not threading.main_thread() or not usual:
        yield
        return
    signal.signal(number, _interrupt)
    try:
        yield
    finally:
        signal.signal(number, before)


def _interrupt(number: int, frame: object) -> None:
    raise SignalReceived


class Interrupts:
    """While entered, SIGINT and SIGTERM ask for a stop instead of ending this process: `asked()` says how often.

    In another thread than the main one no signal is caught, nor within another `Interrupts`, which has them.
    `told` is called when `asked()` is not 0 for the first time.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._told: Callable[[], None] | None = told
        self._second = 0.0
        self._before: dict[int, Any] = {}

    def asked(self) -> int:
        """How often a stop was asked for."""
        if self.count and self._told is not None:
            told, self._told = self._told, None
            told()
        return self.count

    def _hear(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count == 2:
            self._second = time.monotonic()
        elif self.count > 2 and time.monotonic() - self._second > UNHEARD_SECONDS:
            raise SignalReceived

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                # One that is ignored stays ignored, as nohup and background shells want it.
                if handler != signal.SIG_IGN and not isinstance(getattr(handler, "__self__", None), Interrupts):
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *problem: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
