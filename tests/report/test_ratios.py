"""Time and memory against the reference: judged where trials took turns, described everywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnistarena import load_run
from mnistarena.report.view import build
from mnistarena.store.run_folder import RunFolder

from .synthetic import CONDITIONS, MODELS, build_run

RATIOS = {
    "cnn": [1.0] * 5,
    "slow": [1.06, 1.05, 1.06, 1.07, 1.06],
    "quick": [0.25, 0.26, 0.25, 0.24, 0.25],
    "alike": [1.0, 1.001, 0.999, 1.0, 1.0],
    "open": [0.9, 1.3, 1.0, 1.2, 0.95],
}
DRIFT = [100.0, 110.0, 140.0, 180.0, 200.0]
"""Seconds of the reference in each round: they do not matter."""


def in_turns(at: int, seed: int) -> int:
    """When a model's trial began, in seconds: every other round goes backwards."""
    return 10 * seed + (9 - at if seed % 2 else at)


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Path]:
    """A run of five rounds in which each model takes what RATIOS and DRIFT say."""

    def make(
        name: str = "run",
        *,
        timing: str = "exclusive",
        jobs: int = 1,
        began: Callable[[int, int], int] = in_turns,
        factor: float = 1.0,
    ) -> Path:
        models = {label: {**MODELS["cnn"], "spread": 0.001} for label in (*RATIOS, "once")}
        alone = {label: {"jobs": jobs} for label in models}
        run = build_run(
            tmp_path / name, models=models, seeds=5, n=200, baseline="cnn", conditions=alone,
            failures={("once", seed): {"status": "pending"} for seed in range(1, 5)},
        )  # fmt: skip
        folder = RunFolder(run)
        plan = json.loads((run / "plan.json").read_text())
        plan["timing"] = timing
        plan["conditions"] = {**CONDITIONS, "jobs": jobs}
        (run / "plan.json").write_text(json.dumps(plan))
        for at, label in enumerate(models):
            for seed in range(5):
                trial = next(t for t in plan["trials"] if (t["label"], t["seed"]) == (label, seed))
                files = folder.trial(label, "mnist", seed=seed, identity=trial["id"])
                if (record := files.read()) is None:
                    continue
                taken = factor * DRIFT[seed] * RATIOS.get(label, [1.0] * 5)[seed]
                memory = 2**29 if label != "slow" else 2**30
                record["measurements"] |= {"train_seconds": taken, "peak_memory_bytes": memory}
                record["started"] = f"2026-01-01T00:00:{began(at, seed):02d}+00:00"
                files.write(record)
        return run

    return make


def test_times_that_were_measured_in_turns_are_judged(arena: Callable[..., Any], measured: Callable[..., Path]) -> None:
    run = measured()
    comparison = build(load_run(run)).comparisons[0]
    (table,) = comparison.time_ratios
    rows = {row.label: row for row in table.rows}
    assert {label: row.verdict for label, row in rows.items()} == {
        "slow": "more", "quick": "less", "alike": "same", "open": "undecided", "once": "not compared",
    }  # fmt: skip
    assert rows["slow"].text == "takes 5 to 7 % longer"
    assert rows["quick"].text == "takes 74 to 76 % less time"
    assert rows["once"].text == "not compared: one measurement only"
    assert rows["slow"].ratio is not None
    assert rows["slow"].ratio.rounds == 5
    assert table.answer == (
        "Training time: slow takes longer than cnn; quick takes less time than cnn; alike takes practically the same "
        "as cnn (±2 %); open cannot be told from cnn by so few rounds; once not compared."
    )
    memory = next(table for table in comparison.cost_ratios if table.title == "Memory")
    constant = {row.label: row.ratio for row in memory.rows}
    # Figures that never differ are not certain: there are five of them.
    assert constant["quick"] is not None
    assert constant["quick"].low == pytest.approx(0.9938, abs=1e-4)
    assert constant["slow"] is not None
    assert constant["slow"].low == pytest.approx(1.9877, abs=1e-4)
    assert "slow needs more than cnn" in memory.answer
    assert arena("report", run).status == 0
    for page in ("report.md", "report.html"):
        assert "takes 5 to 7 % longer" in (run / page).read_text()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"timing": "shared"}, 'the spec does not ask for timing = "exclusive"'),
        ({"jobs": 2}, "not all trials ran one at a time"),
        ({"began": lambda at, seed: 10 * at + seed}, "not measured in turns"),
        ({"began": lambda at, seed: 10 * seed + at}, "always measured in the same order"),
    ],
)
def test_other_times_are_described(measured: Callable[..., Path], how: dict[str, Any], why: str) -> None:
    (table,) = build(load_run(measured(**how))).comparisons[0].time_ratios
    assert why in table.answer or all(why in row.text for row in table.rows if row.label != "once")
    assert all(row.ratio is None for row in table.rows)


def test_times_of_two_runs_have_an_interval_and_no_verdict(
    arena: Callable[..., Any], measured: Callable[..., Path]
) -> None:
    first, second, shared = measured("a"), measured("b", factor=1.1), measured("c", timing="shared", factor=1.1)
    row = json.loads(arena("compare", first, second, "--json").out)["changes"][0]
    ratio = row["time_ratio"]
    assert ratio["estimate"] == pytest.approx(1.1)
    # The drift within each run is 100 to 200 s: without rounds to compare in, the interval has to hold it.
    assert ratio["low"] < 0.8
    assert ratio["high"] > 1.5
    told = arena("compare", first, second)
    assert "so there is no verdict" in " ".join(told.out.split())
    assert json.loads(arena("compare", first, shared, "--json").out)["changes"][0]["time_ratio"] is None
