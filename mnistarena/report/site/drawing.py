"""The site's drawing of a history, as SVG that takes its colours from the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from mnistarena.evidence.figure import ACCURACY
from mnistarena.report.charts.axes import Scale, value_scale
from mnistarena.report.format import percent
from mnistarena.report.site.history import Line

WIDTH, HEIGHT = 312, 150
_TOP, _BOTTOM = 10, HEIGHT - 24
"""Where the axis ends, in pixels."""
_ABOVE = 20
"""How far (pixels) ticks are from one another."""
_DENSE = 30
"""With more points than this in a panel, their intervals are drawn as one area."""


def history_scale(lines: Sequence[Line]) -> Scale:
    """The scale of accuracies that all histories of a board share."""
    every = [point.accuracy for line in lines for point in line.points]
    return value_scale([end for one in every for end in (one.low, one.high)], ACCURACY)


def height(up: Scale, accuracy: float) -> float:
    """Where an accuracy is drawn, in pixels from above."""
    return _above(up.share(accuracy))


def _above(share: float) -> float:
    return _BOTTOM + (_TOP - _BOTTOM) * share


def panel(line: Line, up: Scale, columns: int) -> Markup:
    """A label's accuracy from run to run: runs side by side in the order of their times, each with its interval."""
    left, right = 56, WIDTH - 14

    def x(column: int) -> float:
        return (left + right) / 2 if columns < 2 else left + 8 + (right - left - 16) * column / (columns - 1)

    parts = [
        f'<path class="grid" d="M{left} {_above(share):.2f}H{right}"/>'
        f'<text x="{left - 8}" y="{_above(share) + 4:.2f}" text-anchor="end">{text}</text>'
        for share, text in up.spaced(_ABOVE / (_BOTTOM - _TOP))
    ]
    places = [(x(point.column), height(up, point.accuracy.estimate)) for point in line.points]
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
            parts.append(f'<text x="{place}" y="{HEIGHT - 4}" text-anchor="{anchor}">{point.day}</text>')
    ends = f"{percent(first.accuracy.estimate)} in {first.run}, {percent(last.accuracy.estimate)} in {last.run}"
    told = f"Accuracy of {line.label} in {len(line.points)} runs: {ends}. The table below has all figures."
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def _intervals(line: Line, places: Sequence[tuple[float, float]], up: Scale) -> list[str]:
    """The interval of each point."""
    ends = [(across, point.accuracy) for point, (across, _) in zip(line.points, places, strict=True)]
    return [
        f'<path class="interval" d="M{across:.2f} {height(up, one.low):.2f}V{height(up, one.high):.2f}"/>'
        for across, one in ends
    ]


def _band(line: Line, places: Sequence[tuple[float, float]], up: Scale) -> str:
    """The intervals of many points as one area."""
    over = [(across, point.accuracy) for point, (across, _) in zip(line.points, places, strict=True)]
    edge = [(across, height(up, one.high)) for across, one in over] + [
        (across, height(up, one.low)) for across, one in over[::-1]
    ]
    return f'<path class="band" d="M{"L".join(f"{a:.2f} {b:.2f}" for a, b in edge)}z"/>'
