"""Families of recipes, simulated and drawn from real seeds; power, beside that of the procedure before this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from benchmarks.cells import Cells, table
from benchmarks.coverage import REGIMES, compared, named, two
from benchmarks.simulate import SPREAD, Recipe, draw, former_p, read_pool
from mnistarena.stats.crossed import Correct, Crossed, differences
from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.power import need
from mnistarena.stats.verdicts import MARGIN, Verdict, holm, judge

RECIPES = 10
SETTINGS = ((10_000, 0.99, 0.003), (1000, 0.9, 0.02), (300, 0.99, 0.01))
"""Images, accuracy, and how far one recipe is above and another below the rest: the margin of "equal" too."""
SEEDS: dict[str, tuple[int, ...]] = {"2": (2,), "3": (3,), "4": (4,), "5": (5,), "2 and 5": (2, 5), "3 and 10": (3, 10)}
KINDS = ("stable", "unstable", "half unstable", "one unstable", "deterministic baseline")


def family(kind: str, seeds: tuple[int, ...], accuracy: float, gap: float) -> list[Recipe]:
    """Ten recipes of which the second is better and the last worse than the others, which are equal."""
    spread = SPREAD[accuracy]
    unstable = {
        "stable": [0.0] * RECIPES,
        "half unstable": [spread * (m % 2) for m in range(RECIPES)],
        "one unstable": [0.0] * 2 + [spread] + [0.0] * (RECIPES - 3),
    }.get(kind, [spread] * RECIPES)
    found = [Recipe(seeds[m // 2 % len(seeds)], accuracy, unstable[m]) for m in range(RECIPES)]
    found[1] = replace(found[1], accuracy=min(accuracy + gap, 1.0))
    found[-1] = replace(found[-1], accuracy=accuracy - gap)
    if kind == "deterministic baseline":
        found[0] = Recipe(1, accuracy)
    return found


def called_before(crossed: Crossed, family: Sequence[tuple[int, int]], found: Sequence[Difference]) -> list[Verdict]:
    """Which pairs were called before."""
    adjusted = holm([former_p(crossed, a, b, pair) for (a, b), pair in zip(family, found, strict=True)])
    return [
        ("better" if pair.estimate > 0 else "worse") if p < ALPHA / 2 and abs(pair.estimate) > MARGIN else "undecided"
        for pair, p in zip(found, adjusted, strict=True)
    ]


def _outcomes(
    n: int, recipes: Sequence[Recipe], margin: float, baseline: bool, rng: np.random.Generator, repeats: int
) -> list[float]:
    """False calls and equals in a benchmark, and the share of true differences called; the first and last of both."""
    asked = [(a, b) for a, b in combinations(range(RECIPES), 2) if not baseline or a == 0]
    gaps = np.array([round(recipes[a].truth - recipes[b].truth, 9) for a, b in asked])
    totals = np.zeros(5)
    for crossed, _ in draw(rng, repeats, n, recipes):
        found = [pair for pair in differences((crossed, a, b) for a, b in asked) if pair is not None]
        called = _signs([one.verdict for one in judge(found)])
        before = np.array(
            [{"better": 1, "worse": -1}.get(verdict, 0) for verdict in called_before(crossed, asked, found)]
        )
        equal = np.array([one.verdict == "equal" for one in judge(found, margin=margin)])
        totals += (
            ((called != 0) & (called != np.sign(gaps))).any(),
            ((before != 0) & (before != np.sign(gaps))).any(),
            (equal & (np.abs(gaps) >= margin - 1e-9)).any(),
            (called == np.sign(gaps))[gaps != 0].mean(),
            (before == np.sign(gaps))[gaps != 0].mean(),
        )
    return list(totals)


def _signs(verdicts: Sequence[Verdict]) -> np.ndarray:
    return np.array([{"better": 1, "worse": -1}.get(verdict, 0) for verdict in verdicts])


def families(cells: Cells) -> Iterator[str]:
    """At least one false verdict among ten recipes of which two differ, and true differences called, %"""
    rows = []
    for n, accuracy, gap in SETTINGS:
        for kind in KINDS:
            for number, (seeds, given) in enumerate(SEEDS.items()):
                for baseline in (False, True) if kind == "deterministic baseline" else (False,):
                    of = "9 pairs with it" if baseline else "45 pairs"
                    row = [f"{n:,} images, {100 * accuracy:g} %, {kind}, {seeds} seeds, {of}"]
                    recipes = family(kind, given, accuracy, gap)
                    measure = partial(_outcomes, n, recipes, gap, baseline)
                    key = (4, n, len(kind), number, baseline)
                    row += cells.measure(key, measure, ["most", "", "most", "", ""], row[0])
                    rows.append(row)
    return table(["", "called falsely", "before", "equal falsely", "power", "power before"], rows)


def pool(cells: Cells) -> Iterator[str]:
    """Recipes that are one and the same, of real seeds: at least one of them is called better or worse, %

    Draws are from 48 trained seeds of each; so the errors that are given are too small. `vit` is heavy: beside.
    """
    rows = []
    for name, correct in read_pool().items():
        for k in (2, 3, 4, 5):
            count = min(RECIPES, len(correct) // k)
            row = [f"{name}, {count} recipes, {k} seeds"]
            measure = partial(_drawn, correct, count, k)
            row += cells.measure(
                (5, k, len(name) + ord(name[0])), measure, ["most" if name == "cnn" else "", "", ""], row[0]
            )
            row += cells.measure(
                (6, k, len(name) + ord(name[0])),
                partial(_drawn, correct, 2, k),
                ["", "", "least"] if name == "cnn" else [""] * 3,
                row[0],
            )
            rows.append(row)
    head = [
        "",
        "called, of all",
        "before",
        "pairs whose interval holds 0",
        "called, of two",
        "before",
        "interval holds 0",
    ]
    return table(head, rows)


def _drawn(correct: Correct, count: int, k: int, rng: np.random.Generator, repeats: int) -> list[float]:
    asked = list(combinations(range(count), 2))
    totals = np.zeros(3)
    for _ in range(repeats):
        order = rng.permutation(len(correct))
        crossed = Crossed([correct[order[m * k : (m + 1) * k]] for m in range(count)])
        found = [pair for pair in differences((crossed, a, b) for a, b in asked) if pair is not None]
        before = called_before(crossed, asked, found)
        totals += (
            any(one.verdict in ("better", "worse") for one in judge(found)),
            any(verdict != "undecided" for verdict in before),
            np.mean([pair.low <= 0 <= pair.high for pair in found]),
        )
    return list(totals)


def power(cells: Cells) -> Iterator[str]:
    """A difference of two recipes of about 99 % is called, 10,000 images, %; without one, "equal" within ±0.3 pp"""
    rows = []
    for regime in list(REGIMES)[:3]:
        for k in (2, 3, 5, 10):
            row = [f"{regime}, {named((k, k))}"]
            for number, gap in enumerate((0.001, 0.002, 0.005)):
                measure = partial(_called, two((k, k), regime, 0.99, gap))
                row += cells.measure((7, k, len(regime), number), measure, ["", ""], row[0])
            row += cells.measure((8, k, len(regime)), partial(_equal, two((k, k), regime, 0.99, 0.0)), [""], row[0])
            rows.append(row)
    head = [f"{gap}{before}" for gap in ("0.1 pp", "0.2 pp", "0.5 pp") for before in ("", " before")]
    return table(["", *head, "equal"], rows)


def _called(recipes: Sequence[Recipe], rng: np.random.Generator, repeats: int) -> list[int]:
    totals = np.zeros(2, np.int64)
    for crossed, _ in draw(rng, repeats, 10_000, recipes):
        pair = crossed.difference(0, 1)
        assert pair is not None
        totals += (judge([pair])[0].verdict == "better", called_before(crossed, [(0, 1)], [pair]) == ["better"])
    return list(totals)


def _equal(recipes: Sequence[Recipe], rng: np.random.Generator, repeats: int) -> list[int]:
    found = compared(rng, repeats, 10_000, recipes)
    return [sum(judge([pair], margin=0.003)[0].verdict == "equal" for pair in found)]


def promises(cells: Cells) -> Iterator[str]:
    """A pair is decided with as many seeds as are said to do so with probability 0.8 if the estimate is true, %"""
    rows = []
    for number, (accuracy, gap, margin, n) in enumerate(
        ((0.9, 0.02, 0.001, 1000), (0.9, 0.011, 0.01, 10_000), (0.9, 0.0, 0.01, 3000), (0.99, 0.004, 0.001, 10_000))
    ):
        many = next(compared(np.random.default_rng([9, number]), 1, n, two((200, 200), "unstable", accuracy, gap)))
        parts = tuple(replace(part, seeds=2, df=1) for part in many.components)
        lasting = many.image_variance - sum(part.interaction for part in many.components) / 200
        images = lasting + sum(part.interaction for part in parts) / 2
        pilot = replace(many, estimate=gap, centre=gap, image_variance=images, components=parts)
        wanted = need(pilot, margin=margin)
        row = [
            f"{n:,} images, {100 * accuracy:g} %, {100 * gap:g} pp apart, margin {100 * margin:g} pp",
            str(wanted.seeds),
        ]
        if wanted.seeds is None:
            rows.append([*row, f"{wanted.images:,} images" if wanted.images else "–"])
            continue
        recipes = two((wanted.seeds, wanted.seeds), "unstable", accuracy, gap)
        goal: Verdict = "better" if gap > margin else "equal"
        row += cells.measure((10, number), partial(_decided, n, recipes, margin, goal), [""], row[0])
        rows.append(row)
    return table(["", "seeds of each", "decided"], rows)


def _decided(
    n: int, recipes: Sequence[Recipe], margin: float, goal: Verdict, rng: np.random.Generator, repeats: int
) -> list[int]:
    return [sum(judge([pair], margin=margin)[0].verdict == goal for pair in compared(rng, repeats, n, recipes))]
