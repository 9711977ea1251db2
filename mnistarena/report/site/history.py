"""A label's accuracy from run to run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.pooled import Part
from mnistarena.evidence.recipe import IntervalOf
from mnistarena.report.site.runs import day, in_time, last_started
from mnistarena.stats.intervals import Interval


@dataclass(frozen=True)
class Point:
    """A label in one run: its mean accuracy there, over that run's seeds alone.

    `day` is when its last trial was started, empty where that is not known. `column` is the run's place among those of
    the board, by time. `changed` says whether it is another recipe than at the point before: other parameters, data or
    code under the same label.
    """

    run: str
    day: str
    _: KW_ONLY
    column: int
    accuracy: Interval
    interval_of: IntervalOf
    seeds: int
    changed: bool


@dataclass(frozen=True)
class Line:
    """The points of a label, by time."""

    label: str
    points: tuple[Point, ...]


def history(parts: Sequence[Part]) -> tuple[Line, ...]:
    """Every label that two runs or more have a result of, in the order in which runs have them."""
    began = {
        part.source.name: last_started(part.source.run.trials) for part in parts
    }  # the order of the runs, whichever recipe is looked at
    columns = {name: at for at, name in enumerate(sorted(began, key=lambda name: (in_time(began[name]), name)))}
    by_label: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        if part.evidence.interval is not None:
            by_label[part.evidence.label].append(part)
    lines = []
    for label, of in by_label.items():
        ordered = sorted(of, key=lambda part: columns[part.source.name])
        if len({part.source.name for part in of}) > 1:
            lines.append(Line(label, tuple(_points(ordered, columns))))
    return tuple(lines)


def _points(ordered: Sequence[Part], columns: dict[str, int]) -> list[Point]:
    found: list[Point] = []
    before = ""
    for part in ordered:
        evidence = part.evidence
        assert evidence.interval is not None
        found.append(
            Point(
                part.source.name,
                day(last_started(evidence.trials)),
                column=columns[part.source.name],
                accuracy=evidence.interval,
                interval_of=evidence.interval_of,
                seeds=len(evidence.correct),
                changed=bool(before) and part.recipe != before,
            )
        )
        before = part.recipe
    return found
