"""Who is told what a run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mnistarena.plan import Plan, Trial


class Observer:
    """Told what happens; the command line shows it, `mnistarena.run` stays silent."""

    def planned(self, plan: Plan, waiting: list[Trial], folder: Path, conditions: dict[str, Any]) -> None:
        """Before the first trial; `waiting` are those that will run."""

    def started(self, trial: Trial, host: str | None) -> None:
        """A worker has begun a trial, on another machine where there is a `host`."""

    def event(self, trial: Trial, event: dict[str, Any]) -> None:
        """News from a worker: `stage`, `step` or `row`."""

    def ended(self, trial: Trial, record: dict[str, Any]) -> None:
        """A trial's record is stored."""

    def notice(self, sentence: str) -> None:
        """Something that whoever runs this should know, such as a damaged file that is computed again."""

    def stopping(self) -> None:
        """A stop was asked for; running trials are writing their checkpoints."""
