"""The checks of an observer: it is told of a run that took place, as a run tells it."""

from __future__ import annotations

import copy
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

from mnistarena.execution import observers
from mnistarena.execution.events import Events, ending
from mnistarena.execution.observers import Follower
from mnistarena.execution.options import Options
from mnistarena.execution.run import execute
from mnistarena.plugin.observer import ObserverDef, RunEvent
from mnistarena.store.files import digest
from mnistarena.testing import executor_jobs
from mnistarena.testing.check import Check, Nonconformity
from mnistarena.testing.component import ComponentUnderTest

SPEC = {
    **executor_jobs.SPEC,
    "benchmark": {"name": "checks of an observer", "seeds": [0, 1]},
    "training": {"epochs": 2, "batch_size": 8},
}

Told = Sequence[Mapping[str, Any]]


class ObserverUnderTest(ComponentUnderTest):
    """An observer, started with its parameters."""

    kind = "observer"
    definition: ObserverDef

    def checks(self) -> list[Check]:
        """The checks of an observer."""
        return [
            *super().checks(),
            Check("events", "it takes all events of a run, in time", function=self.check_events),
            Check("again", "it takes those of the same run continued", function=self.check_again),
            Check("failed", "it takes those of trials that fail, and of a run that fails", function=self.check_failed),
            Check("later", "it leaves out events and keys that it does not know", function=self.check_later),
            Check("run-untouched", "no file of the trials is changed", function=self.check_run_untouched),
        ]

    @cached_property
    def folder(self) -> Path:
        """A run folder of two trials, which goes with this object."""
        folder = Path(tempfile.mkdtemp(prefix="arena-check-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder / "run"

    @cached_property
    def told(self) -> list[RunEvent]:
        """The events of the run."""
        found: list[RunEvent] = []
        events = Events(found.append)
        options = Options("cpu", 1, threads=1)
        with ending(events):
            execute(SPEC, out=self.folder, plugins=[executor_jobs.TINY], options=options, observer=events)
        return found

    def tell(self, told: Told) -> None:
        """Start the observer, and tell it of a run; raises `Nonconformity` where a run would leave it out."""
        follower = Follower(self.definition.name, partial(self.definition.start, self.params), lambda sentence: None)
        for event in copy.deepcopy(told):
            follower.put(cast(RunEvent, event))
        follower.finish(time.monotonic() + observers.END_SECONDS)
        if follower.problem:
            raise Nonconformity(follower.problem)

    def check_events(self) -> None:
        """Told of a run of two trials, it raises nothing, and has ended when a run would wait no longer."""
        self.tell(self.told)

    def check_again(self) -> None:
        """Started anew, it is told that the first trial is there already and the second is run."""
        first = next(event["trial"] for event in self.told if event["event"] == "started")
        self.tell([event for event in self.told if event.get("trial") != first])

    def check_failed(self) -> None:
        """A trial fails, one is interrupted, and the run ends with an error."""
        error = {"type": "ValueError", "message": "made up by arena check", "stage": None}
        ends: Iterator[Mapping[str, Any]] = iter(
            [{"event": "failed", "error": error}, {"event": "interrupted", "progress": None}]
        )
        *before, ended = self.told
        told: list[Mapping[str, Any]] = []
        for event in before:
            if event["event"] == "done":
                left = {key: value for key, value in event.items() if key not in ("metrics", "measurements")}
                told.append({**left, **next(ends)})
            else:
                told.append(event)
        problem = {"outcome": "error", "exit_status": 1, "trials": None, "error": error["message"]}
        self.tell([*told, dict(ended, **problem)])

    def check_later(self) -> None:
        """A later version may have further events, and further keys."""
        further = {key: self.told[-1][key] for key in ("version", "time")}
        *before, ended = (dict(event, **{"no-such-key": [1]}) for event in self.told)
        self.tell([*before, {**further, "event": "no-such-event"}, ended])

    def check_run_untouched(self) -> None:
        """The files of plan, data and trials are after all of this what they were."""
        before = self.digests()
        self.tell(self.told)
        changed = sorted(str(path) for path, digest in self.digests().items() if before.get(path) != digest)
        changed += sorted(str(path) for path in before.keys() - self.digests().keys())
        if changed:
            raise Nonconformity(f"it changed {', '.join(changed)} of the run folder; write into a folder of your own")

    def digests(self) -> dict[Path, str]:
        """SHA-256 of each file of the run that figures or the plan are read from."""
        files = [*self.folder.glob("*.json"), *self.folder.glob("trials/**/*"), *self.folder.glob("datasets/*")]
        return {path.relative_to(self.folder): digest(path) for path in files if path.is_file()}
