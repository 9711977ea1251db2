"""What a searcher takes to propose a point, with few and with many trials told."""

from __future__ import annotations

import statistics
import time

from benchmarks.rows import Row, spread
from mnistarena import Between, OneOf, Parameter, SearchTask, Tried
from mnistarena.plugin.registry import installed
from mnistarena.plugin.search import Searcher

SPACE = (
    Parameter("training.optimizer.lr", Between(1e-4, 1.0, log=True)),
    Parameter("training.label_smoothing", Between(0.0, 0.2)),
    Parameter("params.width", Between(4, 256, log=True, integer=True)),
    Parameter("params.batch_norm", OneOf((False, True))),
    Parameter("params.hidden", OneOf(([], [32], [64, 32]))),
)
AT_ONCE = 4
TOLD = (10, 100, 1000)
ASKS = 5
LIMIT = 10.0
SEARCHERS = {"random": ("random", {}), "optuna, TPE": ("optuna", {"sampler": "tpe"})}


def run(rounds: int) -> list[Row]:
    """A search for each searcher and round; its proposals are timed when it has been told so many trials."""
    registry = installed()
    rows = []
    for title, (name, given) in SEARCHERS.items():
        if name not in registry.names("searcher"):
            rows.append(Row(f"`{name}`", "", measured="not installed", met=None))
            continue
        definition = registry.get("searcher", name).definition
        params = definition.params(**given)
        took: dict[int, list[float]] = {told: [] for told in TOLD}
        for seed in range(rounds):
            search(definition.start(params, SearchTask(SPACE, seed, higher_is_better=True)), took)
        rows += [row(title, told, took[told]) for told in TOLD]
    return rows


def row(title: str, told: int, values: list[float]) -> Row:
    """A line of the table; the target is that of the most trials."""
    last = told == max(TOLD)
    return Row(
        f"{title}: a proposal after {told:,} trials, {AT_ONCE} at once, {len(SPACE)} parameters",
        f"≤ {LIMIT:g} ms" if last else "",
        measured=spread(values, 2, " ms"),
        met=statistics.median(values) <= LIMIT if last else None,
        detail="processor time of ask and tell",
    )


def search(searcher: Searcher, took: dict[int, list[float]]) -> None:
    """A search; adds the milliseconds of processor time of a proposal, from each number of trials on."""
    told = 0
    while told < max(TOLD) + ASKS * AT_ONCE:
        began = time.process_time()
        points = searcher.ask(AT_ONCE)
        asked = time.process_time() - began
        tried = [Tried(point, -abs(point["training.optimizer.lr"] - 0.1)) for point in points]
        began = time.process_time()
        searcher.tell(tried)
        spent = 1000 * (asked + time.process_time() - began) / AT_ONCE
        for at, values in took.items():
            if at <= told < at + ASKS * AT_ONCE:
                values.append(spent)
        told += AT_ONCE
