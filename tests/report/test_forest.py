"""The drawings in the page's leaderboard: each coordinate is the number that stands beside it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from mnistarena.evidence.figure import Figure
from mnistarena.report.charts.axes import difference_scale, value_scale
from mnistarena.report.view import build
from mnistarena.store.results import read_run

NUMBER = r"-?[\d.]+"


def fitted(ticks: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope and start of the line through the ticks of an axis that is even in the second of each pair."""
    assert len(ticks) >= 2
    slope, start = np.polyfit(*zip(*ticks, strict=True), 1)
    return float(slope), float(start)


def test_the_page_draws_what_its_leaderboard_says(five: Path) -> None:
    view = build(read_run(five))
    (comparison,) = view.comparisons
    page = (five / "report.html").read_text("utf-8")
    board = page[page.index('<table class="board"') :]
    head, body = board[: board.index("<tbody")], board[board.index("<tbody") : board.index("</tbody>")]
    values, differences = head.split('<svg class="ticks"')[1:3]
    ticks = re.findall(rf'<text x="({NUMBER})%"[^>]*>({NUMBER}) %<', values)
    slope, start = fitted([(float(at), math.log(1 - float(value) / 100)) for at, value in ticks])
    written = [text.replace("−", "-") for text in re.findall(r"<text [^>]*>([^<]+)<", differences)]
    places = [float(at) for at in re.findall(rf'<text x="({NUMBER})%"', differences)]
    bent = [math.asinh(float(value) / 100 / (3 * view.margin)) for value in written]
    bend, zero = fitted(list(zip(places, bent, strict=True)))
    compared = 0
    for row, text in zip(comparison.rows, body.split("<tr ")[1:], strict=True):
        if row.decided is None:
            continue
        drawn = re.findall(rf'<line x1="({NUMBER})%" x2="({NUMBER})%" y1="14"', text)[0]
        drawn += tuple(re.findall(rf'class="(?:mean|seed)" cx="({NUMBER})%"', text))
        errors = [math.exp(slope * float(at) + start) for at in drawn]
        tabled = [row.decided.low, row.decided.high, row.decided.estimate]
        tabled += row.seed_values if len(row.seed_values) > 1 else []
        assert errors == pytest.approx([1 - value for value in tabled], rel=2e-3), row.label
        if row.against and row.against.difference:
            own = re.findall(rf'class="own" x1="({NUMBER})%" x2="({NUMBER})%"', text)[0]
            own += tuple(re.findall(rf'class="own" cx="({NUMBER})%"', text))
            found = [3 * view.margin * math.sinh(bend * float(at) + zero) for at in own]
            one = row.against.difference
            assert found == pytest.approx([one.low, one.high, one.estimate], rel=1e-2, abs=1e-4), row.label
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize(("share", "higher"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("values", [[0.987, 0.988], [0.5], [0.0, 1.0], [0.0], [0.3, 0.99999]])
def test_every_axis_has_two_ticks_or_more_where_its_values_are(values: list[float], share: bool, higher: bool) -> None:
    scale = value_scale(values, Figure("f", higher_is_better=higher, share=share))
    assert len(scale.ticks) >= 2
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in [*values, *(tick for tick, _ in scale.ticks)])
    for tick, label in scale.ticks:
        assert float(label.removesuffix(" %")) == pytest.approx(100 * tick if share else tick)
    places = [scale.share(value) for value in sorted(values)]
    assert places == sorted(places, reverse=not higher), "better to the right"


def test_negative_values_and_differences_have_their_places() -> None:
    below = value_scale([-2.5, -0.25], Figure("f", higher_is_better=True, share=False))
    assert len(below.ticks) >= 2
    apart = difference_scale([-0.2, 0.01], 0.001, Figure("f", higher_is_better=True, share=True))
    assert apart.spaced(0.0)[0] == (pytest.approx(apart.share(0)), "0")
    assert apart.share(-0.2) == 0
    assert apart.share(0.01) == 1
