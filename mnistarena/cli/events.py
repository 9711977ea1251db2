"""`arena run --json`: what a run does, an event a line on standard output. docs/events.md says what each holds."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mnistarena.errors import ArenaError
from mnistarena.execution.observer import Observer
from mnistarena.version import __version__

if TYPE_CHECKING:
    from mnistarena.environment import Conditions
    from mnistarena.plan.contents import Plan
    from mnistarena.plan.recipe import Trial
    from mnistarena.plugin.messages import Event
    from mnistarena.store.records import LookedAt, TrialRecord

VERSION = 1
"""Another one where a key of an event goes or means something else; keys and events may be added to this one."""


class JsonObserver(Observer):
    """An observer that writes each event as a line of JSON, in ASCII, and at once."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.folder: Path | None = None
        self.labels: set[str] = set()
        self.began: dict[str, float] = {}

    def write(self, event: str, **fields: Any) -> None:
        """Write a line; where the reader has ended, the run continues."""
        when = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps(_finite({"version": VERSION, "event": event, "time": when, **fields}), allow_nan=False)
        with contextlib.suppress(BrokenPipeError):
            self.stream.write(line + "\n")
            self.stream.flush()

    def begun(self, spec: str) -> None:
        """The command has begun; nothing is read yet."""
        self.write("begun", spec=spec, process=os.getpid(), mnistarena=__version__)

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """What is planned, and what of it will run."""
        self.folder, self.labels = folder, plan.run_labels
        self.write(
            "planned",
            name=plan.benchmark.name,
            folder=str(folder.absolute()),
            trials=len(plan.trials()),
            waiting=[_trial(trial) for trial in waiting],
            conditions=conditions,
        )

    def started(self, trial: Trial, host: str | None) -> None:
        """A trial has begun."""
        self.began[trial.id] = time.monotonic()
        self.write("started", **_trial(trial), host=host)

    def event(self, trial: Trial, event: Event) -> None:
        """News of a trial."""
        from mnistarena.plugin.messages import RowAdded, StageBegan, StepsDone

        if isinstance(event, StageBegan):
            self.write("stage", **_trial(trial), stage=event.stage)
        elif isinstance(event, StepsDone):
            self.write("steps", **_trial(trial), step=event.step, total=event.total, loss=event.loss)
        elif isinstance(event, RowAdded):
            self.write("row", **_trial(trial), row=event.row)

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """What became of a trial: the event's name is its status."""
        began = self.began.pop(trial.id, None)
        fields: dict[str, Any] = {"seconds": None if began is None else time.monotonic() - began}
        if record["status"] == "done":
            fields |= {"metrics": record.get("metrics", {}), "measurements": record.get("measurements", {})}
        elif record["status"] == "interrupted":
            fields["progress"] = record.get("progress")
        else:
            fields["error"] = {key: record.get("error", {}).get(key) for key in ("type", "message", "stage")}
        self.write(record["status"], **_trial(trial), **fields)

    def looked(self, dataset: str, look: LookedAt, sentence: str) -> None:
        """What a look found."""
        self.write("look", dataset=dataset, **look, sentence=sentence)

    def further(self, waiting: list[Trial]) -> None:
        """The trials of a further round."""
        self.write("further", waiting=[_trial(trial) for trial in waiting])

    def notice(self, sentence: str) -> None:
        """A note for people."""
        self.write("notice", sentence=sentence)

    def stopping(self) -> None:
        """A stop was asked for."""
        self.write("stopping")

    def end(self, outcome: str, exit_status: int, error: str | None = None) -> None:
        """The last line: how the run ended, and how many of its trials have which status in the run folder."""
        folder = None if self.folder is None else str(self.folder.absolute())
        self.write("ended", outcome=outcome, exit_status=exit_status, folder=folder, trials=self.counts(), error=error)

    def counts(self) -> dict[str, int] | None:
        """The statuses of the trials of this start's recipes, from the run folder; None where it cannot be read."""
        if self.folder is None:
            return None
        from mnistarena.store.results import read_run

        with contextlib.suppress(ArenaError):
            return dict(Counter(t.status for t in read_run(self.folder).trials if t.label in self.labels))
        return None


@contextlib.contextmanager
def json_events(spec: str) -> Iterator[JsonObserver]:
    """The observer of a run of `spec`, which writes to standard output; its last line says how the block ended."""
    with _events_alone() as stream:
        observer = JsonObserver(stream)
        try:
            observer.begun(spec)
            yield observer
        except KeyboardInterrupt:
            observer.end("interrupted", 130)
            raise
        except SystemExit as ending:
            status = int(ending.code or 0)
            observer.end("interrupted" if status == 130 else "incomplete", status)
            raise
        except ArenaError as problem:
            observer.end("error", problem.exit_status, str(problem))
            raise
        except BaseException as problem:
            observer.end("error", 1, f"{type(problem).__name__}: {problem}")
            raise
        observer.end("complete", 0)


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


def _trial(trial: Trial) -> dict[str, Any]:
    split = {} if trial.split is None else {"split": trial.split}
    search = {} if trial.search is None else {"search": {"repeat": trial.search.repeat, "number": trial.search.number}}
    return {
        "trial": trial.id,
        "label": trial.recipe.label,
        "dataset": trial.recipe.data.label,
        "seed": trial.seed,
        **split,
        **search,
    }


def _finite(value: Any) -> Any:
    """A value for JSON, which has no number that is not finite: None in its place."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value
