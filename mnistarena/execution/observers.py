"""The observers of plugins: each in a thread of its own, so that it can neither hold a run up nor end it."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from mnistarena.errors import ArenaError
from mnistarena.execution.events import Events, ending
from mnistarena.execution.observer import Observer, Observers
from mnistarena.execution.options import Options
from mnistarena.execution.start import checked_params
from mnistarena.plugin.observer import RunEvent, Tell
from mnistarena.plugin.registry import Registry

MOST_WAITING = 10_000
"""Events that may wait for an observer; one that is further behind is left out."""

END_SECONDS = 60.0
"""How long the observers of a run may take, all together, to be done with it once it has ended."""


@contextmanager
def followed(registry: Registry, options: Options, observer: Observer) -> Iterator[Observer]:
    """Within, whoever follows the run: `observer`, and the observers of plugins that the options name.

    At the end these are told how the block ended, and get some time to be done with it. Raises `ArenaError` where the
    options name an observer that there is not, or give it wrong parameters.
    """
    starts = {
        name: partial(definition.start, checked_params("observer", definition, params))
        for name, params in options.observers.items()
        for definition in [registry.get("observer", name).definition]
    }
    followers = [Follower(name, start, observer.notice) for name, start in starts.items()]
    events = [Events(follower.put) for follower in followers]
    try:
        with ExitStack() as stack:
            for one in events:
                stack.enter_context(ending(one))
            yield Observers(observer, *events) if events else observer
    finally:
        deadline = time.monotonic() + END_SECONDS
        for follower in followers:
            follower.finish(deadline)


class Follower:
    """An observer of a plugin in its thread, which begins once the run is planned.

    `put` and `finish` are for the thread of the run; there `notice` is told, once, why the observer is left out.
    """

    def __init__(self, name: str, start: Callable[[], Tell], notice: Callable[[str], None]) -> None:
        self.name, self.start, self.notice = name, start, notice
        self.problem, self.noticed = "", False
        self.waiting: queue.Queue[RunEvent] = queue.Queue(MOST_WAITING)
        self.thread = threading.Thread(target=self._work, name=f"observer {name}", daemon=True)

    def put(self, event: RunEvent) -> None:
        """An event for the observer; this does not wait."""
        begins = event["event"] == "planned"  # from then on the event is the observer's, which may change it
        if not self.problem:
            try:
                self.waiting.put_nowait(event)
            except queue.Full:
                self.problem = f"it is {MOST_WAITING:,} events behind"
        if begins:
            self.thread.start()
        self._tell_problem()

    def finish(self, deadline: float) -> None:
        """Wait until the observer has been told all, but no longer than until then (`time.monotonic`)."""
        if self.thread.ident is not None:
            self.thread.join(max(0.0, deadline - time.monotonic()))
        if self.thread.is_alive() and not self.problem:
            self.problem = f"{END_SECONDS:g} s after the run it had not taken all that it was told"
        self._tell_problem()

    def _tell_problem(self) -> None:
        if self.problem and not self.noticed:
            self.noticed = True
            self.notice(f'the observer "{self.name}" is told no more: {self.problem}. No result depends on it')

    def _work(self) -> None:
        try:
            tell = self.start()
            if not callable(tell):
                raise ArenaError(f"its start returned {tell!r}, and not a function of an event")
            last = False
            while not last and not self.problem:
                event = self.waiting.get()
                last = event["event"] == "ended"
                tell(event)
        except ArenaError as problem:
            self.problem = str(problem)
        except BaseException as problem:  # it may even call sys.exit()
            where = traceback.extract_tb(problem.__traceback__)[-1]
            self.problem = f"{type(problem).__name__}: {problem} ({Path(where.filename).name}, line {where.lineno})"
