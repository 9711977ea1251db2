"""Requests to stop, from a terminal, a supervisor or another thread: counted, so that the process can react."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any


class Interrupts:
    """While entered, SIGINT and SIGTERM are counted, and `wake`, the end of a pipe, becomes readable at each.

    In another thread than the main one, no signal is caught, and `ask` is the only way.
    """

    def __init__(self) -> None:
        self.count = 0
        self.wake, self._poke = os.pipe()
        os.set_blocking(self._poke, False)
        os.set_blocking(self.wake, False)
        self._before: dict[int, Any] = {}

    def ask(self) -> None:
        """Add a request; from any thread."""
        self.count += 1
        with suppress(BlockingIOError):  # the pipe is full of requests already
            os.write(self._poke, b".")

    def heard(self) -> None:
        """Empty the pipe."""
        with suppress(BlockingIOError):
            os.read(self.wake, 1024)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # One that is ignored stays ignored, as nohup and background shells want it.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, lambda number, frame: self.ask())
        return self

    def __exit__(self, *problem: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def __del__(self) -> None:
        for end in (self.wake, self._poke):
            with suppress(OSError):
                os.close(end)
