"""The display of a run in a Jupyter notebook: how far it is and the trials that run, in one place below the cell."""

from __future__ import annotations

import contextlib
import contextvars
import html
import queue
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module

from mnistarena.execution.events import Events
from mnistarena.execution.observer import Observer
from mnistarena.plugin.observer import RunEvent
from mnistarena.text import clock, drawn, visible

PERIOD = 0.25
"""Seconds between two drawings."""

LINES = 10
"""Lines that are shown at most."""

END_SECONDS = 2.0
"""How long a run waits at its end for the display to go."""


def in_kernel() -> bool:
    """Whether this process is the kernel of a notebook. IPython is not imported for that."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


@contextlib.contextmanager
def shown(observer: Observer | None) -> Iterator[Observer | None]:
    """Within, who follows a run: `observer`; without one, in a notebook, a display that goes at the end."""
    if observer is not None or not in_kernel():
        yield observer
        return
    # All that is shown is made in another thread, so that no fault there can reach the run.
    events: queue.SimpleQueue[RunEvent] = queue.SimpleQueue()
    over = threading.Event()
    # The output belongs to the cell by a variable of the context.
    work = contextvars.copy_context().run
    thread = threading.Thread(target=work, args=(_show, events, over), name="display of a run", daemon=True)
    thread.start()
    try:
        yield Events(events.put)
    finally:
        over.set()
        thread.join(END_SECONDS)


def _show(events: queue.SimpleQueue[RunEvent], over: threading.Event) -> None:
    """Draw what the events tell until the run is over; nothing where no trial runs, or where that fails."""
    with contextlib.suppress(Exception):
        display = import_module("IPython.display").display  # a kernel has it
        board, place, before = Board(), None, ""
        while not over.wait(PERIOD):
            while not events.empty():
                board.told(events.get())
            lines = board.lines(time.monotonic())
            text = "".join(f"<div>{html.escape(visible(line))}</div>" for line in lines)
            if text == before:
                continue
            before = text
            data = {"text/html": f'<div style="font-variant-numeric: tabular-nums">{text}</div>'}
            data["text/plain"] = "\n".join(map(visible, lines))
            if place is None:
                place = display(data, raw=True, display_id=True)
            else:
                place.update(data, raw=True)
        if place is not None:
            place.update({"text/html": "", "text/plain": ""}, raw=True)


class Board:
    """What the events of a run, as docs/events.md has them, say of how far it is."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.total = self.finished = self.failed = 0
        self.datasets: set[str] = set()
        self.running: dict[str, tuple[RunEvent, str]] = {}
        """Each trial that runs, by id: an event of it, and how far it is."""

    def told(self, event: RunEvent) -> None:
        """Take an event."""
        kind = event["event"]
        if kind in ("planned", "further"):
            self.total += len(event["waiting"])
            self.datasets |= {trial["dataset"] for trial in event["waiting"]}
        elif kind == "started":
            self.running[event["trial"]] = event, "starting"
        elif kind in ("done", "failed", "timeout", "interrupted"):
            self.running.pop(event["trial"], None)
            self.finished += kind == "done"
            self.failed += kind in ("failed", "timeout")
        elif (place := _place(event)) is not None:
            self.running[event["trial"]] = event, place

    def lines(self, now: float) -> list[str]:
        """A line for all trials, and one for each that runs; none where there is nothing to run."""
        if not self.total:
            return []
        failed = f", {self.failed} failed" if self.failed else ""
        lines = [f"{self.finished} of {self.total} trials finished{failed} · {clock(now - self.began)}"]
        lines += [f"{self._name(event)}: {place}" for event, place in self.running.values()]
        hidden = len(lines) - LINES
        return [*lines[: LINES - 1], f"and {hidden + 1} more"] if hidden > 0 else lines

    def _name(self, event: RunEvent) -> str:
        which = drawn(event["seed"], event.get("split"))
        if (search := event.get("search")) is not None:
            which = f"search trial {search['number'] + 1}"
            which += f", repeat {search['repeat'] + 1}" if search["repeat"] else ""
        dataset = f" on {event['dataset']}" if len(self.datasets) > 1 else ""
        return f"{event['label']}{dataset}, {which}"


def _place(event: RunEvent) -> str | None:
    """How far a trial is by this event of it; None where the event does not say."""
    if event["event"] == "stage":
        return str(event["stage"])
    if event["event"] == "steps":
        return f"step {event['step']} of {event['total']}" + _loss(event["loss"])
    if event["event"] == "row":
        return f"epoch {event['row']['epoch']:g}" + _loss(event["row"].get("train_loss"))
    return None


def _loss(loss: float | None) -> str:
    return "" if loss is None else f", loss {loss:.4f}"
