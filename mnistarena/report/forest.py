"""The drawings in a leaderboard: intervals, means and seeds on one axis, differences on another.

Each row is an SVG of its own whose places are shares of its width, so that a table draws them as wide as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

from markupsafe import Markup

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import Pair
from mnistarena.evidence.recipe import IntervalOf
from mnistarena.report import format as text, wording
from mnistarena.report.charts.axes import Scale, difference_scale, value_scale
from mnistarena.report.sections import ranking
from mnistarena.stats.intervals import Interval

INSET = 0.03
"""What an axis leaves free at each end, as a share of the width."""
LEAST_GAP = 0.2
"""Ticks are so far apart, as a share of the width."""


class Row(Protocol):
    """What is drawn of a row: the interval of the figure that decides, its seeds, and the pair with the reference."""

    @property
    def decided(self) -> Interval | None:
        """The interval of the figure that decides."""

    @property
    def seed_values(self) -> tuple[float, ...]:
        """That figure of each seed."""

    @property
    def interval_of(self) -> IntervalOf:
        """What the interval is about."""

    @property
    def against(self) -> Pair | None:
        """The row against the reference."""


@dataclass(frozen=True)
class Forest:
    """The two axes of a leaderboard: of the figure that decides, and of differences to the reference."""

    figure: Figure
    margin: float
    _: KW_ONLY
    values: Scale | None
    differences: Scale | None


def forest(rows: Sequence[Row], figure: Figure, margin: float, *, published: Sequence[float] = ()) -> Forest:
    """The axes that all rows of a leaderboard share, and figures from elsewhere that are `published`."""
    known = [(row.decided, row.seed_values) for row in rows if row.decided is not None]
    every = [value for one, seeds in known for value in (one.low, one.high, *seeds)]
    every += published if every else ()
    pairs = [row.against.difference for row in rows if row.against and row.against.difference]
    ends = [end for one in pairs for end in (one.low, one.high)]
    return Forest(
        figure,
        margin,
        values=value_scale(every, figure) if every else None,
        differences=difference_scale([*ends, margin, -margin], margin, figure) if ends else None,
    )


def header(found: Forest, *, differences: bool = False) -> Markup:
    """The ticks of an axis, for the head of its column."""
    scale = found.differences if differences else found.values
    if scale is None:
        return Markup("")
    labels = "".join(
        Markup('<text x="{}" y="12" text-anchor="middle">{}</text>').format(_written(share), label)
        for share, label in scale.spaced(LEAST_GAP)
    )
    return _svg("ticks", 16, labels)


def interval(row: Row, found: Forest, colour: str) -> Markup:
    """A row's interval, mean and seeds; the mean of one trained model is an open mark."""
    scale, known = found.values, row.decided
    if scale is None or known is None:
        return Markup("")
    low, mean, high = (_at(scale, value) for value in (known.low, known.estimate, known.high))
    seeds = "".join(
        f'<circle class="seed" cx="{_at(scale, value)}" cy="27" r="2.2" fill="{colour}"/>'
        for value in row.seed_values
        if len(row.seed_values) > 1
    )
    open_mark = row.interval_of == "one trained model"
    fill = f'fill="none" stroke="{colour}" stroke-width="2"' if open_mark else f'fill="{colour}"'
    grid = (_written(share) for share, _ in scale.spaced(LEAST_GAP))
    return _svg(
        "forest",
        34,
        "".join(f'<line class="grid" x1="{at}" x2="{at}" y1="0" y2="34"/>' for at in grid)
        + f'<line x1="{low}" x2="{high}" y1="14" y2="14" stroke="{colour}" stroke-width="5" opacity=".45"/>'
        + f'<circle class="mean" cx="{mean}" cy="14" r="5" {fill}/>{seeds}',
    )


def dashed(value: float, found: Forest) -> Markup:
    """A figure from elsewhere, of which nothing but its value is known: a dashed line."""
    if found.values is None:
        return Markup("")
    at = _at(found.values, value)
    line = f'<line x1="{at}" x2="{at}" y1="2" y2="32" stroke="currentColor" stroke-dasharray="4 3"/>'
    return _svg("forest", 34, line)


def difference(row: Row, found: Forest) -> Markup:
    """A row's difference to the reference with its interval; the margin is shaded."""
    scale = found.differences
    if scale is None:
        return Markup("")
    left, right = sorted(inset(scale.share(end)) for end in (-found.margin, found.margin))
    zero = _at(scale, 0)
    drawn = (
        f'<rect class="margin" x="{100 * left:.2f}%" width="{100 * (right - left):.2f}%" y="0" height="34"/>'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="34"/>'
    )
    known = row.against.difference if row.against else None
    if known is not None:
        low, mean, high = (_at(scale, value) for value in (known.low, known.estimate, known.high))
        drawn += (
            f'<line class="own" x1="{low}" x2="{high}" y1="17" y2="17"/><circle class="own" cx="{mean}" cy="17" r="4"/>'
        )
    return _svg("forest", 34, drawn)


def _svg(kind: str, height: int, content: str) -> Markup:
    return Markup(f'<svg class="{kind}" width="100%" height="{height}" aria-hidden="true">{content}</svg>')


def inset(share: float) -> float:
    """Where a share of an axis is drawn, as a share of the width: both ends have room."""
    return INSET + (1 - 2 * INSET) * share


def _written(share: float) -> str:
    return f"{100 * inset(share):.2f}%"


def _at(scale: Scale, value: float) -> str:
    return _written(scale.share(value))


def lead(rows: Sequence[ranking.Row], found: Forest, *, timed: bool) -> str:
    """What the first of the leaderboard has before the second, with its price; empty where they are not compared."""
    if len(rows) < 2 or rows[0].ahead is None:
        return ""
    first, second, ahead = rows[0], rows[1], rows[0].ahead
    low, high = (wording.difference(end, found.figure) for end in (ahead.low, ahead.high))
    said = f"{wording.difference(ahead.estimate, found.figure)} against {second.label} (95 % interval {low} to {high})"
    if timed and first.train_seconds and second.train_seconds:
        ratio = first.train_seconds / second.train_seconds
        said += f", for {text.ratio(ratio)} times its training time"
    return f"{said}."
