"""Searches: the best figure that is expected of fewer trials, and what each value of a parameter came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnistarena.evidence.figure import Figure as Decided
from mnistarena.report import format as text, wording
from mnistarena.report.charts.axes import Axis, accuracy_axis, error_of, loss_axis, significant
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import LABEL, Datum, chart_of, last_rows, line_layers, told
from mnistarena.report.charts.style import INK, Styles
from mnistarena.report.sections.search import Search, spoken
from mnistarena.report.sections.search_rows import Attempt, Row, setting
from mnistarena.stats.budgets import BestOf
from mnistarena.store.search_records import ParameterRecord
from mnistarena.text import plural

MOST_POINTS = 20
"""Of more trials than this the expected best is drawn at so many numbers of them, closer where there are few."""
MOST_SLICES = 6
"""How many parameters of a model are drawn."""
MOST_TOLD = 60
"""Of more trials no mark says which it is; the table has all."""
_PLAIN = "format(datum.value, '.4~g')"
"""A Vega expression: a tick's number without an exponent where it is neither large nor small."""
_SMALL = 328
"""The width (pixels) of a parameter's chart."""


def budget(key: str, dataset: str, found: Search, styles: Styles) -> Figure:
    """The expected best figure against the number of trials, or the time that so many train, a line a model."""
    shown = [row for row in found.rows if row.budgets and row.by == found.figure]
    labels = [row.label for row in shown]
    timed = all("seconds" in row.search["budget"] and row.seconds > 0 for row in shown)
    rows = [_expected(row, one, found.figure, timed=timed) for row in shown for one in _some(row.budgets)]
    y = _axis([row[field] for row in rows for field in ("y", "low", "high")], found.figure)
    height = max(300, LABEL * len(labels))
    layers = line_layers(
        told(rows, ("spent", "budget"), ("value", "expected best"), ("range", "8 in 10 choices")),
        labels,
        styles,
        x=_spent([row["x"] for row in rows], timed=timed),
        y=y,
        height=height,
        interval={"type": "area", "opacity": 0.14},
        point=26,
    )
    by = spoken(found.figure)
    return finish(
        layers,
        key,
        height=height,
        kind="budget",
        dataset=dataset,
        title=f"Best {by} expected of a smaller budget",
        description=f"Best {by} that is expected of fewer trials, of {plural(len(labels), 'model')}. "
        + "; ".join(f"{row['model']} has {row['value']} after {row['spent']}" for row in last_rows(rows, labels)[:12])
        + ".",
        head=("Model", "Trials", "Training time", "Expected best", "8 in 10 choices"),
        table=tuple((row["model"], row["trials"], row["took"], row["value"], row["range"]) for row in rows),
    )


def _some(found: Sequence[BestOf]) -> list[BestOf]:
    """All numbers of trials where they are few, else some, closer together where they are small."""
    n = len(found)
    if n <= MOST_POINTS:
        return list(found)
    return [found[at - 1] for at in sorted({round(n ** (i / (MOST_POINTS - 1))) for i in range(MOST_POINTS)})]


def _expected(row: Row, one: BestOf, figure: Decided, *, timed: bool) -> Datum:
    took = one.trials * row.seconds / row.tried
    shown, trials = (wording.value(at, figure) for at in (one.low, one.high)), plural(one.trials, "trial")
    return {
        "model": row.label,
        "x": significant(took) if timed else one.trials,
        "y": _place(one.expected, figure),
        "low": _place(one.low, figure),
        "high": _place(one.high, figure),
        "trials": str(one.trials),
        "took": text.seconds(took),
        "spent": f"{trials}, {text.seconds(took)}" if timed else trials,
        "value": wording.value(one.expected, figure),
        "range": " to ".join(shown),
    }


def _place(value: float, figure: Decided) -> float:
    """Where a value stands on its axis: a share by its error, as accuracy everywhere."""
    return error_of(value) if _by_error(figure) else significant(value)


def _by_error(figure: Decided) -> bool:
    return figure.share and figure.higher_is_better


def _axis(values: Sequence[float], figure: Decided) -> Axis:
    import altair as alt

    if _by_error(figure):
        return accuracy_axis(values, "")
    if not figure.higher_is_better and min(values) >= 0:
        return loss_axis(values)
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.5
    return Axis(alt.Axis(format="~g", title=""), (low - room, high + room), kind="linear")


def _spent(values: Sequence[float], *, timed: bool) -> Any:
    """The horizontal axis: logarithmic, since the first trials matter most."""
    import altair as alt

    low, high = min(values), max(values)
    low, high = (low, high) if high > low else (low / 1.5, high * 1.5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [tick for power in powers for digit in (1, 2, 5) if low <= (tick := float(f"{digit}e{power}")) <= high]
    title = "training time of the search, s" if timed else "trials"
    axis = alt.Axis(values=ticks, labelExpr=_PLAIN, title=title, grid=False, labelOverlap=True)
    return alt.X("x:Q", scale=alt.Scale(type="log", domain=[low, high], nice=False), axis=axis)


def slices(key: str, dataset: str, row: Row, styles: Styles) -> list[Figure]:
    """A small chart for each parameter of a model: its values against the figure; pruned trials have open marks."""
    seen = [one for one in row.attempts if one.value is not None]
    found = []
    for number, parameter in enumerate(row.search["space"][:MOST_SLICES], 1):
        those = [one for one in seen if parameter["name"] in one.point]
        if len({setting(one.point[parameter["name"]]) for one in those}) > 1:
            found.append(_slice(f"{key}-{number}", dataset, row, parameter, those, styles))
    return found


def _slice(
    key: str, dataset: str, row: Row, parameter: ParameterRecord, seen: Sequence[Attempt], styles: Styles
) -> Figure:
    import altair as alt

    name, numeric = row.names[parameter["name"]], "low" in parameter
    rows = [_tried(row, one, parameter["name"], numeric=numeric) for one in seen]
    x = _values(parameter, name) if numeric else _ordered(parameter, name)
    y = _axis([one["y"] for one in rows], row.by)
    colour = styles[row.label].colour
    layers = []
    for kind, look in (
        ("done", {"filled": True, "color": colour, "opacity": 0.6, "size": 40}),
        ("pruned", {"filled": False, "color": colour, "opacity": 1, "size": 40}),
        ("chosen", {"filled": True, "color": colour, "opacity": 1, "size": 130, "stroke": INK, "strokeWidth": 1.5}),
    ):
        if those := [one for one in rows if one["kind"] == kind]:
            base = chart_of(those)
            told_of = [alt.Description("told:N")] if len(rows) <= MOST_TOLD else []
            marks = base.mark_point(shape=styles[row.label].shape, aria=bool(told_of), **look)
            layers.append(marks.encode(x, y.y("y"), *told_of))
    return finish(
        layers,
        key,
        height=220,
        kind="slice",
        dataset=dataset,
        subject=row.label,
        title=f"{row.label}: {name}",
        description=f"{spoken(row.by).capitalize()} of {row.label} by {name}, {plural(len(rows), 'trial')}.",
        head=("Trial", name, spoken(row.by).capitalize(), "Status"),
        table=tuple((one["trial"], one["set"], one["value"], one["kind"]) for one in rows),
        width=_SMALL,
    )


def _tried(row: Row, one: Attempt, name: str, *, numeric: bool) -> Datum:
    value, at = one.value, one.point[name]
    assert value is not None
    kind = "chosen" if one.chosen else "done" if one.status == "done" else "pruned"
    trial, shown = row.name(one), wording.value(value, row.by)
    return {
        "x": significant(float(at)) if numeric else setting(at),
        "y": _place(value, row.by),
        "kind": kind,
        "trial": trial,
        "set": setting(at),
        "value": shown,
        "told": f"trial {trial}\n{row.names[name]}: {setting(at)}\n{spoken(row.by)}: {shown}",
    }


def _values(parameter: ParameterRecord, name: str) -> Any:
    """The axis of a parameter between two numbers."""
    import altair as alt

    low, high, log = parameter["low"], parameter["high"], parameter.get("log", False)
    edge = (high / low) ** 0.04 if log else 0.04 * (high - low)
    ends = [low / edge, high * edge] if log else [low - edge, high + edge]
    scale = alt.Scale(type="log" if log else "linear", domain=ends, nice=False)
    ticks = (
        [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)] if log else []
    )
    ticks = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    given = {"values": ticks} if len(ticks) > 1 else {"tickCount": 5}
    axis = alt.Axis(title=name, labelExpr=_PLAIN, grid=False, **given)
    return alt.X("x:Q", scale=scale, axis=axis)


def _ordered(parameter: ParameterRecord, name: str) -> Any:
    """The axis of a parameter that is one of some values, in the order of the space."""
    import altair as alt

    domain = list(dict.fromkeys(map(setting, parameter.get("values", ()))))
    scale = alt.Scale(type="point", domain=domain, padding=0.5)
    return alt.X("x:N", scale=scale, axis=alt.Axis(title=name, grid=False, labelAngle=0, labelLimit=90))
