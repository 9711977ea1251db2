"""Which trials of a recipe measure its latency."""

from __future__ import annotations

import shutil

import pytest

from tests.helpers import records

PLUGIN = """
from pathlib import Path

import mnistarena
from torch import nn

LATE = Path({late!r})


def build(params, task):
    if not LATE.exists():
        LATE.touch()
        raise RuntimeError("too early")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


@mnistarena.hookimpl
def arena_models():
    return [mnistarena.ModelDef("late", "the first of its trials fails", params=mnistarena.Params, build=build)]
"""

SPEC = """
plugins = ["late.py"]
[benchmark]
name = "latency"
seeds = [0, 1, 2]
metrics = ["accuracy"]
keep_models = false
[[dataset]]
name = "digits"
[training]
steps = 1
[[model]]
name = "late"
"""


@pytest.fixture
def measured(arena, tmp_path):
    """Run the spec; the status by seed and whether the trial measured its latency. All count their operations."""
    (tmp_path / "late.py").write_text(PLUGIN.format(late=str(tmp_path / "late")))
    (tmp_path / "late.toml").write_text(SPEC)

    def call(*arguments):
        arena("run", "late.toml", "--out", "run", "--threads", 1, *arguments)
        found = {record["seed"]: record for record in records(tmp_path / "run")}
        done = [one["measurements"]["flops_per_image"] for one in found.values() if one["status"] == "done"]
        assert set(done) == {2 * 640}
        return {
            seed: (one["status"], set(one.get("measurements", {}).get("latency_ms", ())))
            for seed, one in sorted(found.items())
        }

    return call


def test_one_trial_of_a_recipe_measures_where_times_are_not_judged(measured, tmp_path):
    with_latency, without = ("done", {"1", "256"}), ("done", set())
    # The first one fails, so the next does.
    assert measured("--jobs", 1) == {0: ("failed", set()), 1: with_latency, 2: without}
    # The recipe has its latency: no other trial measures, now or later.
    assert measured("--retry-failed") == {0: without, 1: with_latency, 2: without}
    # Without the one that measured, the first that runs does, however many run side by side.
    for seed in (1, 2):
        shutil.rmtree(next(tmp_path.glob(f"run/trials/*-s{seed}-*")))
    assert measured("--jobs", 2) == {0: without, 1: with_latency, 2: without}
    assert measured("--force", "--jobs", 2) == {0: with_latency, 1: without, 2: without}
    exclusive = measured("--force", "--jobs", 1, "--set", 'benchmark.timing="exclusive"')
    assert exclusive == {0: with_latency, 1: with_latency, 2: with_latency}
