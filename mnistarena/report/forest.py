"""The drawings in the page's leaderboard: intervals, means and seeds on one axis, differences on another.

Each row is an SVG of its own whose places are shares of its width, so that a table draws them as wide as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from markupsafe import Markup

from mnistarena.evidence.figure import Figure
from mnistarena.report import format as text, wording
from mnistarena.report.charts.axes import Axis, error_scale, loss_scale
from mnistarena.report.charts.style import Style
from mnistarena.report.sections.ranking import Row

INSET = 0.03
"""What an axis leaves free at each end, as a share of its length."""
LEAST_GAP = 0.2
"""Ticks of an axis are so far apart, as a share of its length."""


@dataclass(frozen=True)
class Forest:
    """The two axes of a leaderboard: of the figure that decides, and of differences to the reference."""

    figure: Figure
    margin: float
    _: KW_ONLY
    values: Axis | None
    differences: Axis | None
    ticks: tuple[tuple[float, str], ...] = ()
    difference_ticks: tuple[tuple[float, str], ...] = ()


def forest(rows: Sequence[Row], figure: Figure, margin: float) -> Forest:
    """The axes that all rows of a leaderboard share."""
    known = [row for row in rows if row.decided is not None]
    every = [v for row in known if row.decided for v in (row.decided.low, row.decided.high, *row.seed_values)]
    axis = _axis([_placed(value, figure) for value in every], figure) if every else None
    pairs = [row.against.difference for row in rows if row.against and row.against.difference]
    ends = [end for one in pairs for end in (one.low, one.high)]
    apart = difference_axis([*ends, margin, -margin], margin) if ends else None
    return Forest(
        figure,
        margin,
        values=axis and axis[0],
        ticks=_thinned(axis[0], axis[1]) if axis else (),
        differences=apart,
        difference_ticks=ticks_of_differences(apart, figure) if apart else (),
    )


def header(found: Forest, *, differences: bool = False) -> Markup:
    """The ticks of an axis, for the head of its column."""
    axis = found.differences if differences else found.values
    if axis is None:
        return Markup("")
    ticks = found.difference_ticks if differences else found.ticks
    labels = "".join(
        Markup('<text x="{}" y="12" text-anchor="middle">{}</text>').format(_at(axis, place), label)
        for place, label in ticks
    )
    return _svg("ticks", 16, labels)


def interval(row: Row, found: Forest, style: Style) -> Markup:
    """A row's interval, mean and seeds; the mean of one trained model is an open mark."""
    axis, known = found.values, row.decided
    if axis is None or known is None:
        return Markup("")
    low, mean, high = (_at(axis, _placed(v, found.figure)) for v in (known.low, known.estimate, known.high))
    colour = style.colour
    seeds = "".join(
        f'<circle cx="{_at(axis, _placed(value, found.figure))}" cy="27" r="2.2" fill="{colour}"/>'
        for value in row.seed_values
        if len(row.seed_values) > 1
    )
    open_mark = row.interval_of == "one trained model"
    fill = f'fill="none" stroke="{colour}" stroke-width="2"' if open_mark else f'fill="{colour}"'
    return _svg(
        "forest",
        34,
        _grid(axis, found.ticks, 34)
        + f'<line x1="{low}" x2="{high}" y1="14" y2="14" stroke="{colour}" stroke-width="5" opacity=".45"/>'
        + f'<circle cx="{mean}" cy="14" r="5" {fill}/>{seeds}',
    )


def difference(row: Row, found: Forest) -> Markup:
    """A row's difference to the reference with its interval; the margin is shaded."""
    axis = found.differences
    if axis is None:
        return Markup("")
    left, right = sorted(share_of(axis, end) for end in (-found.margin, found.margin))
    zero = _at(axis, 0)
    drawn = (
        f'<rect class="margin" x="{100 * left:.2f}%" width="{100 * (right - left):.2f}%" y="0" height="34"/>'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="34"/>'
    )
    known = row.against.difference if row.against else None
    if known is not None:
        low, mean, high = (_at(axis, value) for value in (known.low, known.estimate, known.high))
        drawn += (
            f'<line class="own" x1="{low}" x2="{high}" y1="17" y2="17"/><circle class="own" cx="{mean}" cy="17" r="4"/>'
        )
    return _svg("forest", 34, drawn)


def _svg(kind: str, height: int, content: str) -> Markup:
    return Markup(f'<svg class="{kind}" width="100%" height="{height}" aria-hidden="true">{content}</svg>')


def _grid(axis: Axis, ticks: Sequence[tuple[float, str]], height: int) -> str:
    places = (_at(axis, place) for place, _ in ticks)
    return "".join(f'<line class="grid" x1="{at}" x2="{at}" y1="0" y2="{height}"/>' for at in places)


def _placed(value: float, figure: Figure) -> float:
    """Where a value stands on its axis: shares of which more is better by their error."""
    return max(0.0, 1 - value) if figure.share and figure.higher_is_better else value


def _axis(values: Sequence[float], figure: Figure) -> tuple[Axis, list[tuple[float, str]]]:
    """The axis of the figure that decides, better to the right, and its ticks with their labels."""
    if figure.share and figure.higher_is_better:
        axis, ticks = error_scale(values)
        return axis, [(tick, f"{100 * (1 - tick):.6g} %") for tick in ticks]
    if min(values) >= 0 and max(values) > 0:
        axis, ticks = loss_scale(values)
        ends = axis.domain if figure.higher_is_better else axis.domain[::-1]
        return Axis(None, ends, kind=axis.kind, constant=axis.constant), [(t, _written(t, figure)) for t in ticks]
    least, most = min(values), max(values)
    room = (most - least) / 20 or 1.0
    ends = (least - room, most + room)
    ticks = _even(*ends)
    return Axis(None, ends if figure.higher_is_better else ends[::-1], kind="linear"), [
        (tick, _written(tick, figure)) for tick in ticks
    ]


def _written(value: float, figure: Figure) -> str:
    return f"{100 * value:.6g} %" if figure.share else f"{value:.6g}"


def difference_axis(ends: Sequence[float], margin: float) -> Axis:
    """Differences, those near zero drawn larger: by asinh(x / c), c three times the margin."""
    return Axis(None, (min(ends), max(ends)), kind="asinh", constant=3 * margin or 1.0)


def ticks_of_differences(axis: Axis, figure: Figure) -> tuple[tuple[float, str], ...]:
    """Where an axis of differences has ticks, and their labels."""
    least, most = axis.domain
    reach = max(abs(least), abs(most))
    powers = [10.0**power for power in range(math.floor(math.log10(reach)) - 3, math.floor(math.log10(reach)) + 1)]
    ticks = [0.0, *(sign * power for power in powers for sign in (-1, 1) if least <= sign * power <= most)]
    # Zero comes first, then the largest: what is crowded out is what stands between.
    ticks.sort(key=lambda tick: (tick != 0, -abs(tick)))
    return _thinned(axis, [(tick, _signed(100 * tick if figure.share else tick)) for tick in ticks])


def _signed(value: float) -> str:
    return f"{value:+.6g}".replace("-", "−") if value else "0"


def _thinned(axis: Axis, ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The ticks that have room beside those before them."""
    kept: list[tuple[float, str]] = []
    for place, label in ticks:
        if all(abs(share_of(axis, place) - share_of(axis, other)) >= LEAST_GAP for other, _ in kept):
            kept.append((place, label))
    return tuple(kept)


def _even(least: float, most: float) -> list[float]:
    step = 10 ** math.floor(math.log10(most - least))
    return [step * at for at in range(math.ceil(least / step), math.floor(most / step) + 1)]


def share_of(axis: Axis, value: float) -> float:
    """Where a value is drawn, as a share of the width: both ends are inset."""
    return INSET + (1 - 2 * INSET) * axis.share(value)


def _at(axis: Axis, value: float) -> str:
    return f"{100 * share_of(axis, value):.2f}%"


def lead(rows: Sequence[Row], found: Forest, *, timed: bool) -> str:
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
