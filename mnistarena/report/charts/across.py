"""Mean ranks across datasets on one axis, with bars over the recipes that are not told apart (Demšar 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import Axis
from mnistarena.report.charts.figure import PADDING, Figure, finish
from mnistarena.report.charts.layers import Datum, chart_of, edge_layers, look, told
from mnistarena.report.charts.style import INK, RULE, Styles
from mnistarena.report.sections.across import MOST, Across, RankRow
from mnistarena.text import plural

_ROW, _BAR = 26, 11
"""Height (pixels) of a recipe's row, and of a group's bar above them."""


def mean_ranks(key: str, found: Across, styles: Styles) -> Figure:
    """Each recipe's mean rank, its rank on each dataset, and the groups."""
    shown = [row for row in found.rows if row.ranks][:MOST]
    means = {row.label: round(row.mean_rank or 0.0, 4) for row in shown}
    top = _BAR * len(found.groups) + 12
    height = top + _ROW * len(shown)
    x = _rank_axis(max(value for row in shown for value in row.ranks))
    y = Axis(None, (height, 0), kind="linear")
    layers = [
        *_rank_layers(shown, means, top, x, y, styles),
        *(_group_layers(found.groups, means, x, y) if found.groups else []),
        *edge_layers(_places(shown, means, top), y.y("at"), look(list(means), styles)),
    ]
    said = "; ".join(f"{row.label} {row.mean_rank or 0.0:.2f}" for row in shown[:12])
    head, table = _table(found)
    joined = "".join(f" Not told apart: {text.series(group)}." for group in found.groups[:6])
    return finish(
        layers,
        key,
        height=height,
        padding={**PADDING, "top": 4},
        kind="ranks",
        title="Mean rank over the datasets",
        description=f"Mean ranks over {plural(len(found.datasets), 'dataset')}, 1 the best: {said}.{joined}",
        head=head,
        table=table,
    )


def _rank_axis(worst: float) -> Axis:
    """The axis of ranks, at the top, named at ten ranks or so."""
    import altair as alt

    step = max(1, round(worst / 10))
    values = [1, *range(1 + step, int(worst) + 1, step)]
    axis = alt.Axis(orient="top", title="mean rank, 1 is best", grid=False, tickMinStep=1, format="d", values=values)
    domain = (0.85, worst + 0.15)
    return Axis(axis, domain, kind="linear")


def _places(shown: Sequence[RankRow], means: dict[str, float], top: int) -> list[Datum]:
    """A row a recipe: its mean rank, and the height `at` which it is drawn."""
    return [
        {
            "model": row.label,
            "rank": means[row.label],
            "at": top + _ROW * (place + 0.5),
        }
        for place, row in enumerate(shown)
    ]


def _rank_layers(
    shown: Sequence[RankRow], means: dict[str, float], top: int, x: Axis, y: Axis, styles: Styles
) -> list[Any]:
    """A point a recipe at its mean rank, with a dotted line up to the axis, and a tick a rank."""
    import altair as alt

    rows = told(_places(shown, means, top), ("rank", "mean rank"))
    ticks = [
        {"model": row.label, "rank": rank, "at": place["at"]}
        for row, place in zip(shown, rows, strict=True)
        for rank in sorted(set(row.ranks))
    ]
    marks = look(list(means), styles)
    base = chart_of(rows)
    every = chart_of(ticks)
    rank, at = x.x("rank"), y.y("at")
    return [
        base.mark_rule(color=RULE, strokeDash=[2, 3]).encode(rank, at, alt.Y2Value(0)),
        every.mark_tick(thickness=2, size=9, opacity=0.45, aria=True).encode(
            rank, at, marks.colour, alt.Description("model:N")
        ),
        base.mark_point(size=90, filled=True, opacity=1, aria=True).encode(
            rank, at, marks.colour, marks.shape, alt.Description("told:N")
        ),
    ]


def _group_layers(groups: Sequence[Sequence[str]], means: dict[str, float], x: Axis, y: Axis) -> list[Any]:
    """A bar over each group of recipes that are not told apart, with a dot at each of them."""
    import altair as alt

    bars: list[Datum] = []
    dots: list[Datum] = []
    for number, group in enumerate(groups):
        ranks, at = [means[label] for label in group], _BAR * (number + 0.7)
        bars.append({"group": number, "from": min(ranks), "to": max(ranks), "at": at})
        dots += [{"rank": rank, "at": at} for rank in ranks]
    bar = chart_of(bars)
    dot = chart_of(dots)
    return [
        bar.mark_rule(color=INK, strokeWidth=3).encode(x.x("from"), y.y("at"), alt.X2("to:Q")),
        dot.mark_point(size=34, filled=True, opacity=1, color=INK).encode(x.x("rank"), y.y("at")),
    ]


def _table(found: Across) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Head and rows: the pairs of those that are drawn where they are tested, else the mean ranks."""
    if not found.pairs:
        ranked = [(row.label, f"{row.mean_rank:.2f}") for row in found.rows if row.mean_rank is not None]
        return ("Model", "Mean rank"), tuple(ranked)
    head = ("First", "Second", "Datasets won", "Lost", "Tied", "Signed-rank p", "Adjusted p")
    return head, tuple(
        (
            found.rows[pair.a].label,
            found.rows[pair.b].label,
            *map(str, (pair.wins, pair.losses, pair.ties)),
            *map(text.p_value, (pair.p, pair.p_adjusted)),
        )
        for pair in found.pairs
        if pair.b < MOST
    )
