"""The site's drawings, as SVG that takes its colours from the style sheet: intervals on one axis, and histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from mnistarena.report.format import percent
from mnistarena.report.site.board import Board, Row
from mnistarena.report.site.history import Line
from mnistarena.stats.intervals import Interval

FOREST_WIDTH, FOREST_HEIGHT = 260, 26
PANEL_WIDTH, PANEL_HEIGHT = 312, 150
_EDGE = 14
"""Room (pixels) at both ends of an axis, for half of a tick's label."""
_APART, _ABOVE = 44, 20
"""How far (pixels) ticks are from one another, side by side and one above the other."""


_MISTAKES = (0.0, *(part * 10.0**power for power in range(-5, 0) for part in (1, 2, 5)), 1.0)
"""The shares of mistakes at which an axis of shares may have a tick."""

_DENSE = 30
"""With more points than this in a panel, their intervals are drawn as one area."""


@dataclass(frozen=True)
class Axis:
    """An axis: `low` is drawn at `start`, `high` at `end` (pixels); `ticks` lie between them.

    A share is drawn by the square root of its mistakes, so that 99.0 % and 99.5 % are as far apart as they are in
    practice, and 100 % has its place. Other figures are drawn as they are.
    """

    low: float
    high: float
    _: KW_ONLY
    start: float
    end: float
    share: bool

    def at(self, value: float) -> float:
        """Where a value is drawn, in pixels; what lies outside is drawn at the end of the axis."""
        low, high, inside = map(self._stretched, (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (self.end - self.start) * (inside - low) / (high - low)

    def _stretched(self, value: float) -> float:
        return -math.sqrt(max(0.0, 1 - value)) if self.share else value

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, gap: float) -> tuple[float, ...]:
        """Round values on the axis, `gap` pixels or more apart."""
        found: list[float] = []
        for mistakes in _MISTAKES if self.share else ():
            value = 1 - mistakes
            if self.holds(value) and (not found or abs(self.at(found[-1]) - self.at(value)) >= gap):
                found.append(value)
        return tuple(found) if len(found) > 1 else self._even(gap)

    def _even(self, gap: float) -> tuple[float, ...]:
        """Round values at even distances; at least one."""
        step = 10.0 ** math.floor(math.log10(self.high - self.low))
        for part in (0.1, 0.2, 0.5, 1, 2, 5, 10):
            first, last = (
                math.ceil(self.low / (step * part) - 1e-9),
                math.floor(self.high / (step * part) + 1e-9),
            )
            found = tuple(number * step * part for number in range(first, last + 1))
            places = [self.at(value) for value in found]
            if all(abs(b - a) >= gap for a, b in pairwise(places)):
                return found
        return ((self.low + self.high) / 2,)


def axis(intervals: Sequence[Interval], values: Sequence[float], *, share: bool, start: float, end: float) -> Axis:
    """An axis that holds every value and estimate, and of the intervals as much as is not far away from these.

    The interval of two seeds may be a hundred times as wide as everything else: it is cut, and drawn with an arrow.
    """
    inner = [*values, *(one.estimate for one in intervals)] or [0.0, 1.0]
    least, most = min(inner), max(inner)
    room = max(0.6 * (most - least), 0.01 * abs(most), 1e-4)
    ends = [end for one in intervals for end in (one.low, one.high)]
    low, high = max(least - room, min([least, *ends])), min(most + room, max([most, *ends]))
    pad = 0.04 * (high - low) or room
    low, high = low - pad, high + pad
    if share:
        low, high = max(0.0, low), min(1.0, high)
    return Axis(low, high, start=start, end=end, share=share)


def _written(ticks: Sequence[float], share: bool) -> list[str]:
    """The ticks as text, shares in percent."""
    return [f"{round(100 * tick if share else tick, 6):g}" for tick in ticks]


def forest_axis(board: Board) -> Axis:
    """The axis that the intervals of a board's rows share."""
    intervals = [row.interval for row in board.rows if row.interval]
    values = [value for row in board.rows for value in row.values]
    return axis(intervals, values, share=board.figure.share, start=_EDGE, end=FOREST_WIDTH - _EDGE)


def forest_head(board: Board, along: Axis) -> Markup:
    """The shared axis, for the head of the column."""
    places = along.ticks(_APART)
    texts = _written(places, board.figure.share)
    ticks = "".join(
        f'<text x="{along.at(tick):.2f}" y="12" text-anchor="middle">{text}</text>'
        f'<path class="axis" d="M{along.at(tick):.2f} 17v5"/>'
        for tick, text in zip(places, texts, strict=True)
    )
    line = f'<path class="axis" d="M{along.start:g} 22H{along.end:g}"/>'
    return _svg(FOREST_WIDTH, 23, ticks + line, "aria-hidden", "true")


def forest(row: Row, along: Axis) -> Markup:
    """A row's interval, mean and seeds on the shared axis; the figures stand beside it as text."""
    middle = FOREST_HEIGHT / 2
    grid = "".join(f'<path class="grid" d="M{along.at(tick):.2f} 0v{FOREST_HEIGHT}"/>' for tick in along.ticks(_APART))
    if row.interval is None or row.mean is None:
        return _svg(FOREST_WIDTH, FOREST_HEIGHT, grid, "aria-hidden", "true")
    low, high = row.interval.low, row.interval.high
    parts = [grid, f'<path class="interval" d="M{along.at(low):.2f} {middle:g}H{along.at(high):.2f}"/>']
    for end, way in ((low, 1), (high, -1)):
        if not along.holds(end):
            parts.append(f'<path class="cut" d="M{along.at(end):.2f} {middle:g}l{way * 6} -4v8z"/>')
    parts += [f'<path class="seed" d="M{along.at(value):.2f} {middle + 4:g}v6"/>' for value in row.values]
    hollow = " hollow" if row.interval_of == "one trained model" else ""
    parts.append(f'<circle class="mean{hollow}" cx="{along.at(row.mean):.2f}" cy="{middle:g}" r="4"/>')
    return _svg(FOREST_WIDTH, FOREST_HEIGHT, "".join(parts), "aria-hidden", "true")


def history_axis(lines: Sequence[Line]) -> Axis:
    """The axis of accuracies that all histories of a board share."""
    intervals = [point.accuracy for line in lines for point in line.points]
    return axis(intervals, [], share=True, start=PANEL_HEIGHT - 24, end=10)


def panel(line: Line, up: Axis, columns: int) -> Markup:
    """A label's accuracy from run to run: runs side by side in the order of their times, each with its interval."""
    left, right = 46, PANEL_WIDTH - 14

    def x(column: int) -> float:
        return (left + right) / 2 if columns < 2 else left + 8 + (right - left - 16) * column / (columns - 1)

    marks = up.ticks(_ABOVE)
    texts = _written(marks, True)
    parts = [
        f'<path class="grid" d="M{left} {up.at(tick):.2f}H{right}"/>'
        f'<text x="{left - 8}" y="{up.at(tick) + 4:.2f}" text-anchor="end">{text}</text>'
        for tick, text in zip(marks, texts, strict=True)
    ]
    places = [(x(point.column), up.at(point.accuracy.estimate)) for point in line.points]
    line_of = " ".join(f"{a:.2f},{b:.2f}" for a, b in places)
    parts.append(f'<polyline class="way" points="{line_of}"/>')
    dense = len(line.points) > _DENSE
    parts += [_band(line, places, up)] if dense else _intervals(line, places, up)
    radius = 1.5 if dense else 4
    parts += [
        f'<circle class="mean{" changed" if point.changed else ""}" cx="{a:.2f}" cy="{b:.2f}" r="{radius}"/>'
        for point, (a, b) in zip(line.points, places, strict=True)
    ]
    first, last = line.points[0], line.points[-1]
    for point, anchor, place in ((first, "start", left), (last, "end", right)):
        if point.day:
            parts.append(f'<text x="{place}" y="{PANEL_HEIGHT - 4}" text-anchor="{anchor}">{point.day}</text>')
    ends = f"{percent(first.accuracy.estimate)} in {first.run}, {percent(last.accuracy.estimate)} in {last.run}"
    told = f"Accuracy of {line.label} in {len(line.points)} runs: {ends}. The table below has all figures."
    return _svg(PANEL_WIDTH, PANEL_HEIGHT, "".join(parts), "aria-label", told)


def _intervals(line: Line, places: Sequence[tuple[float, float]], up: Axis) -> list[str]:
    """The interval of each point, with an arrow where it goes on."""
    found = []
    for point, (across, _) in zip(line.points, places, strict=True):
        ends = [(point.accuracy.low, -1), (point.accuracy.high, 1)]
        low, high = (up.at(end) for end, _ in ends)
        found.append(f'<path class="interval" d="M{across:.2f} {low:.2f}V{high:.2f}"/>')
        found += [
            f'<path class="cut" d="M{across:.2f} {up.at(end):.2f}l-4 {way * 6}h8z"/>'
            for end, way in ends
            if not up.holds(end)
        ]
    return found


def _band(line: Line, places: Sequence[tuple[float, float]], up: Axis) -> str:
    """The intervals of many points as one area."""
    over = [(across, point.accuracy) for point, (across, _) in zip(line.points, places, strict=True)]
    edge = [(across, up.at(one.high)) for across, one in over] + [
        (across, up.at(one.low)) for across, one in over[::-1]
    ]
    return f'<path class="band" d="M{"L".join(f"{a:.2f} {b:.2f}" for a, b in edge)}z"/>'


def _svg(width: int, height: int, content: str, attribute: str, value: str) -> Markup:
    role = ' role="img"' if attribute == "aria-label" else ""
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}"{role} {attribute}="{escape(value)}">'
        f"{content}</svg>"
    )


Drawings = dict[str, Callable[..., object]]
"""The drawings by the names that templates call them by."""

DRAWINGS: Drawings = {
    "forest_axis": forest_axis,
    "forest_head": forest_head,
    "forest": forest,
    "history_axis": history_axis,
    "panel": panel,
}
