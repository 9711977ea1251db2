"""`arena plan` says what a spec will cost before it costs it, and a run warns of what takes hours."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from mnistarena import ArenaError
from mnistarena.cli import progress
from mnistarena.execution.capacity import choose_conditions
from mnistarena.execution.estimate import Estimate, PlanEstimate, advice
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.executor import ExecutorContext, Workload
from mnistarena.plugin.messages import Device, StepsDone
from mnistarena.plugin.registry import installed
from mnistarena.spec.load import load_spec

BROKEN = """
    from mnistarena import ModelDef, Params, hookimpl

    class Nothing(Params):
        pass

    def build(params, task):
        raise RuntimeError("built on sand")

    @hookimpl
    def arena_models():
        return [ModelDef("broken", "cannot be built", params=Nothing, build=build)]
"""


def test_each_trial_has_a_time_and_a_memory_from_real_steps(arena, write_spec, distribution, tiny_text):
    site = distribution("arena-broken", BROKEN)
    spec = write_spec(tiny_text + '\n[[model]]\nname = "broken"\n')
    result = arena("plan", spec, "--json", "--jobs", 2, plugins=site)
    assert result.status == 0, result.err
    plan = json.loads(result.out)
    found = {f"{trial['label']}-{trial['seed']}": trial["estimate"] for trial in plan["trials"]}
    for name in ("cnn-0", "cnn-1", "logistic-regression-0"):
        assert 0.1 < found[name]["seconds"] < 60
        assert 1e8 < found[name]["memory_bytes"] < 1e10
    assert found["cnn-0"]["memory_bytes"] == found["cnn-1"]["memory_bytes"], "seeds of a recipe cost the same"
    assert found["cnn-0"]["seconds"] > found["cnn-1"]["seconds"], "but for the latency, which one of them measures"
    assert found["broken-0"]["seconds"] is None
    assert "built on sand" in found["broken-0"]["problem"]
    assert plan["conditions"]["jobs"] == 2
    together = sum(one["seconds"] for one in found.values() if one["seconds"])
    assert plan["estimate"]["seconds"] == pytest.approx(together / 2)
    assert not (spec.parent / "runs").exists(), "nothing is run"


def test_the_table_ends_with_the_total_and_the_command(arena, write_spec):
    result = arena("plan", write_spec(), "--jobs", 1, "--only", "logistic-regression")
    assert result.status == 0, result.err
    assert "1 trial, about" in result.out
    assert "1 at a time" in result.out
    assert "arena run" in result.out
    assert "warning" not in result.out
    listed = arena("plan", write_spec(), "--no-estimate")
    assert "about" not in listed.out
    assert "normalize" in listed.out


@pytest.fixture
def plan(write_spec):
    return resolve(load_spec(write_spec()), installed())


def estimate(plan, seconds, memory=2**30, jobs=2):
    conditions = {"jobs": jobs, "threads": 1, "device": "cpu", "device_name": "a processor"}
    return PlanEstimate(conditions, {t.id: Estimate(seconds.get(t.recipe.label, 1.0), memory) for t in plan.trials()})


def test_what_takes_hours_is_warned_of_with_what_to_change(plan):
    assert advice(estimate(plan, {}), plan) == []
    (said,) = advice(estimate(plan, {"cnn": 9 * 3600.0}), plan)
    assert '100% of it for "cnn"' in said
    for change in ("steps", "resize", "train_limit", "--device cuda", "--only"):
        assert change in said


def test_more_memory_than_there_is_is_warned_of(plan):
    (said,) = advice(estimate(plan, {}, memory=2**50), plan)
    assert "2 at a time would need" in said
    assert "--jobs 1" in said


def test_the_longest_trial_bounds_the_total(plan):
    assert estimate(plan, {"cnn": 10.0, "logistic-regression": 1.0}).seconds == pytest.approx(10.5)
    assert estimate(plan, {"cnn": 0.1, "logistic-regression": 50.0}).seconds == 50


def test_a_run_warns_once_its_pace_is_known(plan, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    observer = progress.TerminalObserver(console)
    trials = plan.trials()
    conditions = {"jobs": 1, "threads": 1, "device": "cpu", "device_name": "a processor", "torch": "2"}
    observer.planned(plan, trials, folder=Path("runs/x"), conditions=conditions)
    for step in range(1, 9):
        clock.now = 60.0 * step
        for trial in (trials[0], trials[1]):
            observer.event(trial, StepsDone(step, 120, loss=1.0))
    told = console.export_text()
    assert told.count("cnn takes about 2:00:00 a trial at this pace, 4:00:00 for all 2") == 1


def test_recipes_take_turns_where_times_are_judged(write_spec, tiny_text):
    text = (
        tiny_text.replace("[benchmark]", '[benchmark]\ntiming = "exclusive"') + '\n[[model]]\nname = "random-forest"\n'
    )
    loaded = load_spec(write_spec(text))
    plan = resolve(loaded, installed())
    at = [(trial.recipe.label, trial.seed) for trial in plan.in_turns()]
    assert at == [
        ("cnn", 0), ("logistic-regression", 0), ("random-forest", 0), ("random-forest", 1), ("cnn", 1),
    ]  # fmt: skip
    assert sorted(at) == sorted((trial.recipe.label, trial.seed) for trial in plan.trials())
    shared = resolve(load_spec(write_spec(text), ['benchmark.timing="shared"']), installed())
    assert shared.in_turns() == shared.trials()
    models = [{"name": name} for name in ("random-forest", "knn", "svm-rbf")]
    spec = {"benchmark": {"name": "a", "timing": "exclusive"}, "dataset": [{"name": "digits", "folds": 2}]}
    folded = resolve(load_spec({**spec, "model": models}), installed())
    assert [trial.split for trial in folded.in_turns()] == [0] * 3 + [1] * 3, "each split is a round"
    labels = [trial.recipe.label for trial in folded.in_turns()]
    assert labels[:3] == labels[3:][::-1]


class Known:
    """Workers whose probe knows the device already."""

    def probe(self, device):
        return Device("cpu" if device == "auto" else device)


@pytest.mark.parametrize(
    ("asked", "before", "wanted"),
    [
        ({}, {}, (5, 1)),  # as many as memory takes
        ({"jobs": 2}, {}, (2, 4)),
        ({"threads": 4}, {}, (2, 4)),
        ({}, {"jobs": 1, "threads": 3}, (1, 3)),  # a run continues as it was started
        ({"jobs": 8}, {"jobs": 1, "threads": 3}, (8, 1)),
        ({"device": "cuda"}, {}, (1, 8)),
        ({"exclusive": True}, {}, (1, 8)),
        ({"exclusive": True}, {"jobs": 4, "threads": 2}, (1, 8)),
        ({"exclusive": True, "threads": 2}, {}, (1, 2)),
    ],
)
def test_jobs_and_threads_are_chosen_by_cores_memory_and_what_was_chosen_before(asked, before, wanted, monkeypatch):
    monkeypatch.setattr("mnistarena.environment.cores", lambda: 8)
    monkeypatch.setattr("mnistarena.environment.memory_available", lambda: 11 << 30)
    exclusive = asked.get("exclusive", False)
    context = ExecutorContext(**{key: value for key, value in asked.items() if key != "exclusive"})
    found = choose_conditions(Known(), Workload(40, exclusive, before=before), context)
    assert (found["jobs"], found["threads"]) == wanted


def test_exclusive_timing_refuses_trials_side_by_side():
    with pytest.raises(ArenaError, match="one trial at a time; --jobs 3 does not fit"):
        choose_conditions(Known(), Workload(4, exclusive=True), ExecutorContext(jobs=3))
