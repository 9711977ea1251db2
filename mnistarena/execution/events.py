"""What a run does as events, each plain data that belongs to whoever receives it. docs/events.md says what each holds.

`arena run --json` writes them as lines; the observers of plugins are told them.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistarena.errors import ArenaError
from mnistarena.execution.observer import Observer

if TYPE_CHECKING:
    from mnistarena.environment import Conditions
    from mnistarena.plan.contents import Plan
    from mnistarena.plan.recipe import Trial
    from mnistarena.plugin.messages import Event
    from mnistarena.plugin.observer import RunEvent, TrialName
    from mnistarena.plugin.settings import Settings
    from mnistarena.store.records import LookedAt, TrialRecord
    from mnistarena.store.results import StoredRun

VERSION = 1
"""Another one where a key of an event goes or means something else; keys and events may be added to this one."""


class Events(Observer):
    """An observer that gives each event to `take`, at once."""

    def __init__(self, take: Callable[[RunEvent], None]) -> None:
        self.take = take
        self.folder: Path | None = None
        self.labels: set[str] = set()
        self.began: dict[str, float] = {}

    def write(self, event: str, **fields: Any) -> None:
        """Give an event: a copy, of values that JSON has."""
        when = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self.take(_plain({"version": VERSION, "event": event, "time": when, **fields}))

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
        fields: Settings = {"seconds": None if began is None else time.monotonic() - began}
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
        """The last event: how the run ended, and how many of its trials have which status in the run folder."""
        found = self.read()
        if outcome == "complete" and found is not None and unfinished(found, self.labels):
            outcome, exit_status = "incomplete", 1
        counts = None if found is None else dict(Counter(t.status for t in found.trials if t.label in self.labels))
        folder = None if self.folder is None else str(self.folder.absolute())
        self.write("ended", outcome=outcome, exit_status=exit_status, folder=folder, trials=counts, error=error)

    def read(self) -> StoredRun | None:
        """The run; None where there is none yet, or it cannot be read."""
        from mnistarena.store.results import read_run

        with contextlib.suppress(ArenaError):
            return None if self.folder is None else read_run(self.folder)
        return None


def unfinished(run: StoredRun, labels: Set[str]) -> bool:
    """Whether a trial of one of these recipes is asked for and has no results, or a search has found nothing."""
    missing = {trial.label for trial in run.trials if trial.unfinished} | {entry["label"] for entry in run.unchosen}
    return not labels.isdisjoint(missing)


@contextlib.contextmanager
def ending(events: Events) -> Iterator[None]:
    """Tell at the end of the block how it ended."""
    try:
        yield
    except KeyboardInterrupt:
        events.end("interrupted", 130)
        raise
    except SystemExit as leaving:
        status = int(leaving.code or 0)
        events.end("interrupted" if status == 130 else "incomplete", status)
        raise
    except ArenaError as problem:
        events.end("error", problem.exit_status, str(problem))
        raise
    except BaseException as problem:
        events.end("error", 1, f"{type(problem).__name__}: {problem}")
        raise
    events.end("complete", 0)


def _trial(trial: Trial) -> TrialName:
    found: TrialName = {
        "trial": trial.id,
        "label": trial.recipe.label,
        "dataset": trial.recipe.data.label,
        "seed": trial.seed,
    }
    if trial.split is not None:
        found["split"] = trial.split
    if trial.search is not None:
        found["search"] = {"repeat": trial.search.repeat, "number": trial.search.number}
    return found


def _plain(value: Any) -> Any:
    """A copy for JSON, which has no number that is not finite: None in its place."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
