"""What the index shows of each run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timezone

from mnistarena.report.site.find import Found
from mnistarena.report.site.proven import Mark
from mnistarena.report.view import ReportData
from mnistarena.store.results import StoredRun, StoredTrial

MOST_VERDICTS = 4
"""Of how many datasets a run's verdict stands on the index; the report has all."""


@dataclass(frozen=True)
class RunEntry:
    """A run on the index. `began` is when its last trial was started, None where it does not say; `day` the day in UTC.

    `verdicts` are pairs of a dataset's label and the headline on it; `others` is how many more there are. A run that
    cannot be read has a `problem` and nothing else.
    """

    name: str
    _: KW_ONLY
    address: str = ""
    title: str = ""
    began: datetime | None = None
    datasets: tuple[str, ...] = ()
    verdicts: tuple[tuple[str, str], ...] = ()
    others: int = 0
    finished: int = 0
    trials: int = 0
    mark: Mark | None = None
    problem: str = ""

    @property
    def day(self) -> str:
        """The day on which its last trial was started, in UTC; empty where that is not known."""
        return day(self.began)

    @property
    def report(self) -> str:
        """The address of its report, from the index."""
        return f"runs/{self.address}/report.html"


def entry_of(found: Found, run: StoredRun, data: ReportData, mark: Mark | None) -> RunEntry:
    """A run on the index, from its report's data."""
    verdicts = [(comparison.label, comparison.headline) for comparison in data.comparisons]
    if data.across and len(verdicts) > 1:
        verdicts = [("All datasets", data.across.headline), *verdicts]
    return RunEntry(
        found.shown,
        address=found.address,
        title=data.name,
        began=last_started(run.trials),
        datasets=tuple(comparison.label for comparison in data.comparisons),
        verdicts=tuple(verdicts[:MOST_VERDICTS]),
        others=len(verdicts) - len(verdicts[:MOST_VERDICTS]),
        finished=data.finished,
        trials=data.trials,
        mark=mark,
    )


def last_started(trials: Iterable[StoredTrial]) -> datetime | None:
    """When the last of these trials was started, in UTC; None where no record says so."""
    return max(filter(None, map(_moment, trials)), default=None)


def _moment(trial: StoredTrial) -> datetime | None:
    try:
        found = datetime.fromisoformat(trial.started or "")
        aware = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # a stranger's record may say anything
        return None


def day(moment: datetime | None) -> str:
    """A moment's day, as 2026-11-29; empty where it is not known."""
    return "" if moment is None else moment.date().isoformat()


def in_time(moment: datetime | None) -> tuple[bool, datetime]:
    """A key that sorts by time, what has none first."""
    return moment is not None, moment or datetime.min.replace(tzinfo=timezone.utc)
