"""Mean ranks across datasets on one axis, with bars over the recipes that are not told apart (Demšar 2006)."""

from __future__ import annotations

from typing import Any

from mnistarena.report import format as text
from mnistarena.report.across import MOST, Across
from mnistarena.report.drawing import Figure, end_layers, finish, look, short
from mnistarena.report.style import INK, RULE
from mnistarena.report.view import View

_ROW, _BAR = 26, 11
"""Height (pixels) of a recipe's row, and of a group's bar above them."""


def ranking(key: str, found: Across, view: View) -> Figure:
    """Each recipe's mean rank, its rank on each dataset, and the groups."""
    import altair as alt

    shown = [row for row in found.rows if row.ranks][:MOST]
    labels = [row.label for row in shown]
    means = {row.label: row.mean_rank or 0.0 for row in shown}
    worst = max(value for row in shown for value in row.ranks)
    top = _BAR * len(found.groups) + 12
    height = top + _ROW * len(shown)
    rows: list[dict[str, Any]] = []
    ticks: list[dict[str, Any]] = []
    for place, row in enumerate(shown):
        at = top + _ROW * (place + 0.5)
        mean = round(means[row.label], 4)
        rows.append({"model": row.label, "name": short(row.label), "rank": mean, "at": at})
        ticks += [{"model": row.label, "rank": value, "at": at} for value in sorted(set(row.ranks))]
    bars = [
        {"group": number, "from": min(ends), "to": max(ends), "at": _BAR * (number + 0.7)}
        for number, group in enumerate(found.groups)
        for ends in [[round(means[label], 4) for label in group]]
    ]
    dots = [
        {"rank": round(means[label], 4), "at": bar["at"]}
        for bar, group in zip(bars, found.groups, strict=True)
        for label in group
    ]
    axis = alt.Axis(
        orient="top", title="mean rank, 1 is best", grid=False, tickMinStep=1, format="d", values=_whole(worst)
    )
    x_scale = alt.Scale(domain=[0.85, worst + 0.15], nice=False)
    x = alt.X("rank:Q", scale=x_scale, axis=axis)
    y = alt.Y("at:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    colour, _, shape = look(labels, view)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [alt.Tooltip("model:N"), alt.Tooltip("rank:Q", title="mean rank", format=".2f")]
    layers: list[Any] = [
        base.mark_rule(color=RULE, strokeDash=[2, 3]).encode(x, y, y2=alt.value(0)),
        alt.Chart(alt.InlineData(values=ticks)).mark_tick(thickness=2, size=9, opacity=0.45).encode(x, y, colour),
        base.mark_point(size=90, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
    ]
    if bars:
        layers += [
            alt.Chart(alt.InlineData(values=bars))
            .mark_rule(color=INK, strokeWidth=3)
            .encode(alt.X("from:Q", scale=x_scale, axis=axis), y, x2="to:Q"),
            alt.Chart(alt.InlineData(values=dots)).mark_point(size=34, filled=True, opacity=1, color=INK).encode(x, y),
        ]
    layers += end_layers(rows, y, colour, shape)
    said = "; ".join(f"{label} {means[label]:.2f}" for label in labels[:12])
    head, table = _table(found)
    joined = "".join(f" Not told apart: {text.series(group)}." for group in found.groups[:6])
    return finish(
        alt.layer(*layers).properties(height=height, padding={"left": 4, "top": 4, "right": 4, "bottom": 4}),
        key,
        "ranks",
        None,
        subject="",
        title="Mean rank over the datasets",
        description=f"Mean ranks over {text.plural(len(found.datasets), 'dataset')}, 1 the best: {said}.{joined}",
        head=head,
        table=table,
    )


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


def _whole(worst: float) -> list[int]:
    """The ranks that the axis names, ten or so."""
    step = max(1, round(worst / 10))
    return [1, *range(1 + step, int(worst) + 1, step)]
