"""What a run tells while it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnistarena.environment import Conditions
    from mnistarena.plan.contents import Plan
    from mnistarena.plan.recipe import Trial
    from mnistarena.plugin.messages import Event
    from mnistarena.store.records import LookedAt, TrialRecord


class Observer:
    """Base of whoever wants to follow a run: override what is of interest. By default nothing is done.

    A run calls, from the thread that started it: `planned` once; then for each trial `started`, `event` again and
    again, `ended`; `notice` and `stopping` at any time. Where seeds are added until all is decided, it calls `looked`
    after each look, and `further` where that asks for trials; looks at what an earlier start finished come first.
    """

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """Before the first trial; `waiting` are those that will run."""

    def started(self, trial: Trial, host: str | None) -> None:
        """A worker has begun a trial, on another machine where there is a `host`."""

    def event(self, trial: Trial, event: Event) -> None:
        """News from a worker: `StageBegan`, `StepsDone` or `RowAdded`."""

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """A trial's record is stored."""

    def looked(self, dataset: str, look: LookedAt, sentence: str) -> None:
        """All trials of a look have ended: what was found, as figures and as a sentence."""

    def further(self, waiting: list[Trial]) -> None:
        """Before the first trial of a further round; `waiting` are those that will run."""

    def notice(self, sentence: str) -> None:
        """Something that the user should know, such as a damaged file that is computed again."""

    def stopping(self) -> None:
        """A stop was asked for; running trials are writing their checkpoints."""


class Observers(Observer):
    """Tells several observers, one after the other."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """Before the first trial."""
        for one in self.observers:
            one.planned(plan, waiting, folder=folder, conditions=conditions)

    def started(self, trial: Trial, host: str | None) -> None:
        """A worker has begun a trial."""
        for one in self.observers:
            one.started(trial, host)

    def event(self, trial: Trial, event: Event) -> None:
        """News from a worker."""
        for one in self.observers:
            one.event(trial, event)

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """A trial's record is stored."""
        for one in self.observers:
            one.ended(trial, record)

    def looked(self, dataset: str, look: LookedAt, sentence: str) -> None:
        """All trials of a look have ended."""
        for one in self.observers:
            one.looked(dataset, look, sentence)

    def further(self, waiting: list[Trial]) -> None:
        """Before the first trial of a further round."""
        for one in self.observers:
            one.further(waiting)

    def notice(self, sentence: str) -> None:
        """Something that the user should know."""
        for one in self.observers:
            one.notice(sentence)

    def stopping(self) -> None:
        """A stop was asked for."""
        for one in self.observers:
            one.stopping()
