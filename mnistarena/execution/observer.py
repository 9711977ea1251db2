"""What a run tells while it goes on."""

from __future__ import annotations

from pathlib import Path

from mnistarena.environment import Conditions
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import Event
from mnistarena.store.records import TrialRecord


class Observer:
    """Base of whoever wants to follow a run: override what is of interest. By default nothing is done.

    A run calls, from the thread that started it: `planned` once; then for each trial `started`, `event` again and
    again, `ended`; `notice` and `stopping` at any time.
    """

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """Before the first trial; `waiting` are those that will run."""

    def started(self, trial: Trial, host: str | None) -> None:
        """A worker has begun a trial, on another machine where there is a `host`."""

    def event(self, trial: Trial, event: Event) -> None:
        """News from a worker: `StageBegan`, `StepsDone` or `RowAdded`."""

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """A trial's record is stored."""

    def notice(self, sentence: str) -> None:
        """Something that the user should know, such as a damaged file that is computed again."""

    def stopping(self) -> None:
        """A stop was asked for; running trials are writing their checkpoints."""
