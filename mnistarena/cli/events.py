"""`arena run --json`: what a run does, an event a line on standard output. docs/events.md says what each holds."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from mnistarena.execution.events import Events, ending
from mnistarena.version import __version__

if TYPE_CHECKING:
    from mnistarena.plugin.observer import RunEvent


class JsonObserver(Events):
    """An observer that writes each event as a line of JSON, in ASCII, and at once."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(self.print)
        self.stream = stream

    def print(self, event: RunEvent) -> None:
        """Write a line; where the reader has ended, the run continues."""
        with contextlib.suppress(BrokenPipeError):
            self.stream.write(json.dumps(event, allow_nan=False) + "\n")
            self.stream.flush()

    def begun(self, spec: str) -> None:
        """The command has begun; nothing is read yet."""
        self.write("begun", spec=spec, process=os.getpid(), mnistarena=__version__)


@contextlib.contextmanager
def json_events(spec: str) -> Iterator[JsonObserver]:
    """The observer of a run of `spec`, which writes to standard output; its last line says how the block ended."""
    with _events_alone() as stream:
        observer = JsonObserver(stream)
        with ending(observer):
            observer.begun(spec)
            yield observer


@contextlib.contextmanager
def _events_alone() -> Iterator[IO[str]]:
    """Standard output as a stream for events; what a plugin or a library prints meanwhile goes to standard error."""
    out = sys.stdout
    out.flush()
    try:
        number, errors = out.fileno(), sys.stderr.fileno()
    except io.UnsupportedOperation:  # not files: the command was called within a Python program
        with contextlib.redirect_stdout(sys.stderr):
            yield out
        return
    kept = os.dup(number)
    os.dup2(errors, number)
    try:
        with contextlib.suppress(BrokenPipeError), os.fdopen(os.dup(kept), "w", encoding="utf-8") as stream:
            yield stream
    finally:
        os.dup2(kept, number)
        os.close(kept)
