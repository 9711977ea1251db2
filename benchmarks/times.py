"""How often ratios of times that were measured in turns hold the truth, and how often their verdicts are false."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import Cells, table
from mnistarena.stats.ratios import SAME, judge_ratios, paired

RECIPES = 10
"""Measured in a round; the first is the reference."""


@dataclass(frozen=True)
class Session:
    """A machine: what the logarithms of its times vary by.

    `drift`: from the first trial to the last, in a straight line; `walk`: a step from each to the next. One trial in
    `rare` takes half as long again; `one_sided`: only those of the last recipe. `turning`: every other round goes
    backwards, as in a run.
    """

    noise: float
    _: KW_ONLY
    drift: float = 0.0
    walk: float = 0.0
    rare: int = 0
    one_sided: bool = False
    turning: bool = True


SESSIONS = {
    "noise 0.2 %": Session(0.002),
    "noise 1 %": Session(0.01),
    "noise 10 %": Session(0.1),
    "noise 1 %, drift of 20 %": Session(0.01, drift=0.2),
    "noise 1 %, random walk of 2 % a trial": Session(0.01, walk=0.02),
    "noise 2 %, one trial in 20 takes half as long again": Session(0.02, rare=20),
    "noise 2 %, the same of one recipe only": Session(0.02, rare=20, one_sided=True),
    "noise 1 %, drift of 20 %, rounds all in one order": Session(0.01, drift=0.2, turning=False),
}


def times(cells: Cells) -> Iterator[str]:
    """Times measured in turns: intervals that hold the true ratio, and false verdicts, %

    Ten recipes a round; a pair is the first and the last of a round, and the family the nine pairs with the first.
    Rounds that all go in one order are shown beside, and do not count: a run turns every other one round.
    """
    rows = []
    for number, (name, session) in enumerate(SESSIONS.items()):
        for rounds in (3, 5, 10):
            row = [f"{name}, {rounds} rounds"]
            counted = session.turning
            limits = ["least" if counted else "", *["most" if counted else ""] * 3]
            row += cells.measure((31, number, rounds), partial(_judged, session, rounds), limits, row[0])  # type: ignore[arg-type]
            rows.append(row)
    head = ["", "held, of 1.05", "called, though equal", f"same at 1 + {SAME:g}", "any of nine called, though equal"]
    return table(head, rows)


def _draw(session: Session, rounds: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Logarithms of the times of recipes that are all the same, `(rounds, recipes)`."""
    position = np.arange(rounds * RECIPES).reshape(rounds, RECIPES)
    if session.turning:
        position[1::2] = position[1::2, ::-1]
    found = session.noise * rng.standard_normal((rounds, RECIPES))
    found += session.drift * position / (rounds * RECIPES - 1)
    found += (session.walk * rng.standard_normal(rounds * RECIPES)).cumsum()[position]
    if session.rare:
        late = rng.random((rounds, RECIPES)) < 1 / session.rare
        late[:, : RECIPES - 1 if session.one_sided else 0] = False
        found += math.log(1.5) * late
    return found


def _judged(session: Session, rounds: int, rng: np.random.Generator, repeats: int) -> list[int]:
    held = called = same = any_called = 0
    for _ in range(repeats):
        drawn = np.exp(_draw(session, rounds, rng))
        base, last = drawn[:, 0], drawn[:, -1]
        pair = paired(list(1.05 * last), list(base))
        assert pair is not None
        held += pair.low <= 1.05 <= pair.high
        family = [paired(list(drawn[:, at]), list(base)) for at in range(1, RECIPES)]
        called += judge_ratios(family[-1:])[0].verdict in ("more", "less")
        same += judge_ratios([paired(list((1 + SAME) * last), list(base))])[0].verdict == "same"
        any_called += any(one.verdict in ("more", "less") for one in judge_ratios(family))
    return [held, called, same, any_called]
