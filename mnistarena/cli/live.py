"""The display of a run on a terminal: how far it is, the trials that run, and the ranking as it grows."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from mnistarena.cli.lines import Row, columns
from mnistarena.cli.pace import Pace
from mnistarena.cli.progress import TerminalObserver, duration, figures_of
from mnistarena.cli.standing import LINES, Standing
from mnistarena.cli.tables import open_console
from mnistarena.environment import Conditions
from mnistarena.errors import StoreError
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import Event, RowAdded, StageBegan, StepsDone
from mnistarena.store.records import TrialRecord
from mnistarena.store.results import read_run
from mnistarena.text import drawn, visible

BAR = 20
"""Columns of a bar."""


@dataclass
class _Shown:
    """What is shown of a trial that runs."""

    trial: Trial
    host: str | None
    _: KW_ONLY
    share: float | None = None
    place: str = "starting"
    loss: str = ""
    score: str = ""


class LiveObserver(TerminalObserver):
    """An observer with a line for all trials, one for each that runs, and the ranking so far, below what is printed.

    It is never higher than the terminal: what has no room is counted.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.display = Live(self, console=console, transient=True, refresh_per_second=4)
        self.pace = Pace()
        self.standing: Standing | None = None
        self.running: dict[str, _Shown] = {}
        self.several = False
        self.opened = time.monotonic()
        self.display.start()

    def planned(self, plan: Plan, waiting: list[Trial], *, folder: Path, conditions: Conditions) -> None:
        """Print the plan; the display goes where there is nothing to run."""
        super().planned(plan, waiting, folder=folder, conditions=conditions)
        if not waiting:
            self.close()
            return
        self.pace.jobs = conditions["jobs"]
        self.pace.add(waiting)
        self.standing = Standing(plan)
        self.several = len(plan.datasets) > 1
        new = {trial.id for trial in waiting}
        if len(new) < len(plan.trials()):
            with suppress(StoreError):
                for stored in read_run(folder).trials:
                    if stored.done and stored.id not in new:
                        self.standing.add(stored.id, stored.metrics)
                        if "wall_seconds" in stored.measurements:
                            self.pace.measured((stored.label, stored.dataset), stored.measurements["wall_seconds"])

    def further(self, waiting: list[Trial]) -> None:
        """Count the trials of the round."""
        super().further(waiting)
        self.pace.add(waiting)
        if self.standing is not None:
            self.standing.expect(waiting)

    def started(self, trial: Trial, host: str | None) -> None:
        """Add a line; a trial that continues on another machine keeps the one it had."""
        super().started(trial, host)
        self.pace.started(trial, time.monotonic())
        shown = self.running.setdefault(trial.id, _Shown(trial, host))
        shown.host, shown.place = host, "starting"

    def event(self, trial: Trial, event: Event) -> None:
        """Move the trial's line on."""
        super().event(trial, event)
        shown = self.running[trial.id]
        uses = trial.recipe.model.definition.uses
        epochs = trial.recipe.training.epochs if uses is None or "epochs" in uses else None
        if isinstance(event, StepsDone):
            shown.share, shown.loss = event.step / event.total, f"loss {event.loss:.4f}"
            step = f"epoch {math.ceil(shown.share * epochs)}/{epochs}" if epochs else f"step {event.step}/{event.total}"
            shown.place = step
            self.pace.reached(trial, shown.share)
        elif isinstance(event, RowAdded):
            score, loss = event.row["validation_accuracy"], event.row["train_loss"]
            shown.place = f"epoch {event.row['epoch']:g}" + (f"/{epochs}" if epochs else "")
            shown.loss = f"loss {loss:.4f}" if loss is not None else ""
            shown.score = f"validation {score:.2%}" if score is not None else shown.score
            if epochs:
                shown.share = min(1.0, event.row["epoch"] / epochs)
                self.pace.reached(trial, shown.share)
        elif isinstance(event, StageBegan):
            shown.place = event.stage

    def ended(self, trial: Trial, record: TrialRecord) -> None:
        """Replace the trial's line by one that stays."""
        self.running.pop(trial.id, None)
        done = record["status"] == "done"
        self.pace.ended(trial, time.monotonic(), done=done)
        if done and self.standing is not None and trial.search is not None:
            self.standing.tried(trial, next(iter(figures_of(trial, record).values()), None))
        elif done and self.standing is not None:
            self.standing.add(trial.id, record.get("metrics", {}))
        super().ended(trial, record)

    def close(self) -> None:
        """Remove the display."""
        self.display.stop()

    # ---- What is shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """At most one line for all, one for each of the trials side by side, and a few for the ranking."""
        width, now = max(20, options.max_width - 1), time.monotonic()
        if self.standing is None:
            yield Text(duration(now - self.opened), style="dim")
            return
        bars = "#-" if options.ascii_only else "━─"
        running, room = list(self.running.values()), max(2, console.height - 2)
        ranked = self.standing.lines(width, min(LINES, room // 3))
        shown = max(1, min(self.jobs, room - 1 - len(ranked)))
        rows = [self.line(one, bars, now) for one in running[:shown]]
        hidden = len(running) - shown
        if hidden > 0:
            rows[-1] = Row(f"and {hidden + 1} more", [])
        for line in [*columns([self.overall(bars, now)], width), *columns(rows, width), *ranked]:
            line.no_wrap = True
            yield line

    def overall(self, bars: str, now: float) -> Row:
        """All trials: how many have ended, how many of them without results, and the time left."""
        parts = sum(one.share or 0.0 for one in list(self.running.values()))
        share = (self.ended_count + parts) / max(1, self.total)
        statuses = Counter(record["status"] for record in self.records)
        failed = statuses["failed"] + statuses["timeout"]
        rest = self.pace.rest(now)
        news = [f"{self.ended_count}/{self.total} trials"]
        news += [f"{failed} without a result"] if failed else []
        news += [f"about {duration(rest)} left"] if rest is not None else []
        return Row("all trials", [Text(", ".join(news), style="bold"), _bar(share, bars)])

    def line(self, one: _Shown, bars: str, now: float) -> Row:
        """A trial that runs."""
        trial, left = one.trial, self.pace.left(one.trial, now)
        what = drawn(trial.seed, trial.split) if trial.search is None else str(trial.search)
        where = f"{trial.recipe.data.label}, " * self.several + what
        where += f", {visible(one.host)}" if one.host else ""
        bar = _bar(one.share, bars) if one.share is not None else Text("")
        time_left = Text(f"{duration(left)} left", style="dim") if left is not None and left >= 1 else ""
        return Row(f"{trial.recipe.label} ({where})", [one.place, time_left, one.loss, one.score, bar])


def _bar(share: float, bars: str) -> Text:
    done = min(BAR, math.floor(share * BAR + 1e-9))
    return Text.assemble((bars[0] * done, "green"), (bars[1] * (BAR - done), "dim"))


@contextmanager
def progress(*, stderr: bool = False) -> Iterator[TerminalObserver]:
    """The observer for standard output, or for standard error if so asked."""
    console = open_console(wide=False, stderr=stderr, soft_wrap=True)  # a live display stays within the terminal
    observer = LiveObserver(console) if console.file.isatty() else TerminalObserver(console)
    try:
        yield observer
    finally:
        observer.close()
