"""Contenders in processes of their own, so that no one's threads, allocator or imports touch another's."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _serve(connection: Any, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    while (asked := connection.recv()) is not None:
        module, function, arguments = asked
        connection.send(getattr(importlib.import_module(module), function)(*arguments))


class Place:
    """A process that computes what it is asked, and waits in between."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have `function(*arguments)` computed there; `answer` waits for it."""
        self.connection.send((function.__module__, function.__qualname__, arguments))

    def answer(self) -> Any:
        """What the last question gave."""
        return self.connection.recv()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Ask and wait."""
        self.ask(function, *arguments)
        return self.answer()


@contextmanager
def places(count: int, threads: int) -> Iterator[list[Place]]:
    """So many processes, ended afterwards."""
    found = [Place(threads) for _ in range(count)]
    try:
        yield found
    finally:
        for place in found:
            place.connection.send(None)
            place.process.join(10)
