"""What is printed of a run while it goes on: a line a trial. On a terminal cli/live.py shows more."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mnistarena.environment import Conditions
from mnistarena.execution.estimate import HOURS
from mnistarena.execution.observer import Observer
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import Event, StepsDone
from mnistarena.store.records import LookedAt, TrialRecord
from mnistarena.text import clock, plural, visible

PACE_SECONDS = 5.0
"""Seconds that a recipe's steps are timed before its pace is used."""


def duration(seconds: float) -> str:
    """Seconds for people: 4.2 s, 3:07, 1:02:09."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def figures_of(trial: Trial, record: TrialRecord) -> dict[str, float | None]:
    """The figures of a trial that is done: its metrics, or of a trial of a search the one that this looks at."""
    metrics = record.get("metrics", {})
    if trial.search is None or trial.search.metric is not None:
        return metrics
    return {trial.search.by: record.get("measurements", {}).get(trial.search.by)}  # type: ignore[dict-item]


class TerminalObserver(Observer):
    """An observer that prints a line for each trial that ends."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.labels: set[str] = set()
        self.total = self.ended_count = 0
        self.records: list[TrialRecord] = []
        self.began: dict[str, float] = {}
        self.waiting: Counter[str] = Counter()
        self.jobs = 1
        self.first_step: dict[str, tuple[float, int]] = {}
        self.paced: set[str] = set()

    def say(self, *what: Any) -> None:
        """Print; where the reader has ended (`| head`, or a `| tee` that Ctrl-C ended), the run continues."""
        with suppress(BrokenPipeError, SystemExit):  # rich turns a broken pipe into the latter
            self.console.print(*what)

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """Print what will be done, where, and on which device."""
        self.labels = plan.run_labels
        self.total = len(waiting)
        self.waiting, self.jobs = Counter(trial.recipe.label for trial in waiting), conditions["jobs"]
        trials, searching = len(plan.trials()), bool(plan.searches) and not plan.chosen
        finished = 0 if plan.looks or searching else trials - len(waiting)
        threads = plural(conditions["threads"], "thread")
        self.say(
            f"[bold]{escape(plan.benchmark.name)}[/]  "
            + (plural(len(plan.searches), "search", "searches") + ", and then " if searching else "")
            + ("the trials of what they choose" if searching else plural(trials, "trial"))
            + (f" at most, {len(waiting)} of them now" if plan.looks and waiting and not searching else "")
            + (f", {finished} finished before" if finished else "")
            + f" → {escape(str(folder))}"
        )
        self.say(
            f"[dim]{escape(str(conditions['device_name']))} ({conditions['device']}), {conditions['jobs']} "
            f"at a time, {threads} each, torch {conditions['torch']}[/]"
        )
        for note in dict.fromkeys(note for recipe in plan.recipes for note in recipe.notes):
            self.notice(note)

    def looked(self, dataset: str, look: LookedAt, sentence: str) -> None:
        """Print what the look found."""
        self.say(Text(visible(sentence), style="cyan"))

    def further(self, waiting: list[Trial]) -> None:
        """Count the trials of the round."""
        self.total += len(waiting)
        self.waiting.update(trial.recipe.label for trial in waiting)

    def notice(self, sentence: str) -> None:
        """Print a note."""
        self.say(Text(f"note: {visible(sentence)}", style="yellow"))

    def stopping(self) -> None:
        """Print what Ctrl-C did, and what another one will do."""
        self.say(Text("stopping: running trials save a checkpoint; Ctrl-C again stops at once", style="yellow"))

    def started(self, trial: Trial, host: str | None) -> None:
        """Note when the trial began."""
        self.began[trial.id] = time.monotonic()

    def event(self, trial: Trial, event: Event) -> None:
        """Warn once a recipe has shown its pace, if all of its trials will take hours."""
        label = trial.recipe.label
        if not isinstance(event, StepsDone) or label in self.paced:
            return
        began, first = self.first_step.setdefault(trial.id, (time.monotonic(), event.step))
        passed, steps = time.monotonic() - began, event.step - first
        if passed < PACE_SECONDS or not steps:
            return
        self.paced.add(label)
        one = passed / steps * event.total
        everyone = one * self.waiting[label] / min(self.jobs, self.waiting[label] or 1)
        if everyone > HOURS:
            number = self.waiting[label]
            self.notice(
                f"{label} takes about {duration(one)} a trial at this pace"
                + (f", {duration(everyone)} for all {number}" if number > 1 else "")
                + "; Ctrl-C keeps finished trials, and arena plan says what to change"
            )

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """Print the trial's line."""
        self.ended_count += 1
        self.records.append(record)
        count = f"[dim]{self.ended_count:>{len(str(self.total))}}/{self.total}[/]"
        name = escape(trial.name)
        took = duration(time.monotonic() - self.began.pop(trial.id, time.monotonic()))
        if record["status"] == "done":
            known = [(k, v) for k, v in figures_of(trial, record).items() if v is not None]
            figures = "  ".join(f"{escape(k)} {v:.4f}" for k, v in known[:3])
            self.say(f"{count} [green]done[/]   {name}  {figures}  [dim]{took}[/]")
        elif record["status"] == "interrupted":
            progress = record.get("progress")
            place = f"at step {progress['step']} of {progress['total']}" if progress else "will start again"
            self.say(f"{count} [yellow]stopped[/] {name}  {place}  [dim]{took}[/]")
        else:
            cause = escape(visible(record["error"]["message"].strip().partition("\n")[0]))
            self.say(f"{count} [red]{record['status']}[/] {name}  {cause}  [dim]{took}[/]")

    def close(self) -> None:
        """Stop any live display."""
