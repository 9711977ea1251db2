"""Searches: what is tried and chosen, that only results decide it, and that no trial of one sees the test images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mnistarena

from ..conftest import within
from ..helpers import bits, records, wait_for

PLUGIN = """
from mnistarena import Between, ModelDef, Params, Parameter, hookimpl


class NetParams(Params):
    width: int = 8
    refuses: bool = False


def build(params, task):
    from torch import nn

    if params.width == 13:
        raise ArithmeticError("thirteen units")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, params.width), nn.ReLU(), nn.Linear(params.width, 10))


def check(params, task):
    return "it refuses" if params.refuses else None


@hookimpl
def arena_models():
    space = (Parameter("training.optimizer.lr", Between(0.01, 1.0, log=True)),)
    return [ModelDef("net", "two linear layers", params=NetParams, build=build, check=check, search=space)]
"""

SPEC = """
plugins = ["net.py"]

[benchmark]
name = "tuned"
seeds = [0, 1]
metrics = ["accuracy", "log_loss"]

[[dataset]]
name = "digits"
train_limit = 300
validation = 100
test_limit = 100

[training]
epochs = 3
batch_size = 50
optimizer = { name = "sgd", lr = 0.1 }

[search]
trials = 7
at_once = 3
searcher = "random"
pruner = { name = "median", least = 3 }

[[model]]
name = "net"
search.training.optimizer.lr = { low = 0.001, high = 1.0, log = true }
search.params.width = [13, 16, 32]

[[model]]
name = "net"
label = "own space"
seeds = [5]

[[model]]
name = "net"
label = "as it stands"
search = false
"""


def put(folder: Path, spec: str = SPEC) -> Path:
    (folder / "net.py").write_text(PLUGIN)
    (folder / "tuned.toml").write_text(spec)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not disturbed, with one trial at a time, and what it printed."""
    folder = put(tmp_path_factory.mktemp("tuned"))
    done = within(folder, "run", "tuned.toml", "--out", "run", "--jobs", "1", "--threads", "1")
    assert done.status == 0, done.out + done.err
    return folder / "run", done.out


def searches(run: Path) -> dict[str, list[dict[str, Any]]]:
    """The repeats of each search, without what the clock says."""
    found = json.loads((run / "searches.json").read_text())["searches"]
    for search in found:
        for repeat in search["repeats"]:
            for trial in repeat["trials"]:
                trial.pop("seconds", None)
    return {search["label"]: search["repeats"] for search in found}


def searched(run: Path) -> list[dict[str, Any]]:
    """The records of all trials of searches."""
    return [json.loads(path.read_text()) for path in sorted(run.glob("searches/*/trial.json"))]


def test_what_is_best_on_validation_images_is_trained_anew_with_other_seeds(whole):
    run, printed = whole
    (repeat,) = searches(run)["net"]
    trials = repeat["trials"]
    assert len(trials) == 7
    assert repeat["ended"]
    values = {i: trial["value"] for i, trial in enumerate(trials) if trial["value"] is not None}
    assert repeat["chosen"] == min(values, key=values.__getitem__)
    point = trials[repeat["chosen"]]["point"]
    assert trials[repeat["chosen"]]["value"] == trials[repeat["chosen"]]["validation_loss"]
    judged = [record for record in records(run) if record["label"] == "net"]
    assert sorted(record["seed"] for record in judged) == [0, 1]
    for record in judged:
        assert record["identity"]["model"]["params"]["width"] == point["params.width"]
        assert record["identity"]["training"]["optimizer"] == {"name": "sgd", "lr": point["training.optimizer.lr"]}
        assert "search" not in record["identity"]
    assert all(record["seed"] >= 2**31 for record in searched(run))
    assert len({record["seed"] for record in searched(run) if record["label"] == "net"}) == len(trials)
    assert "search trial 1" in printed
    assert "validation_loss" in printed


def test_a_plan_says_what_was_chosen_and_what_was_not_searched(whole):
    run, _ = whole
    plan = json.loads((run / "plan.json").read_text())
    net, own, plain = plan["entries"]
    (chosen,) = net["chosen"]
    trials = searches(run)["net"][0]["trials"]
    assert chosen["point"] == trials[chosen["number"]]["point"]
    assert net["params"]["width"] == chosen["point"]["params.width"]
    assert net["seeds"] == [0, 1]
    assert own["seeds"] == [5]
    assert "chosen" not in plain
    first, second = plan["searches"]
    assert first["own"] is False
    assert second["own"] is True
    assert second["space"] == [
        {"name": "training.optimizer.lr", "low": 0.01, "high": 1.0, "log": True, "integer": False}
    ]
    assert first["budget"] == second["budget"] == {"trials": 7}
    read = mnistarena.load_run(run)
    assert read.complete
    assert [search["label"] for search in read.searches["searches"]] == ["net", "own space"]
    assert "own space" in read.view.comparisons[0].answers["search"]


def test_no_trial_of_a_search_holds_anything_of_the_test_images(whole):
    run, _ = whole
    found = searched(run)
    assert found
    for path in run.glob("searches/*"):
        assert {file.name for file in path.iterdir()} <= {"trial.json", "history.jsonl", "log.txt"}
    for record in found:
        assert record.get("metrics", {}) == {}
        assert record["files"].keys() <= {"history.jsonl"}


def test_failed_and_pruned_trials_count_and_are_never_chosen(whole):
    run, _ = whole
    trials = searches(run)["net"][0]["trials"]
    failed = [trial for trial in trials if trial["point"]["params.width"] == 13]
    assert failed
    assert {trial["status"] for trial in failed} == {"failed"}
    assert all("thirteen units" in trial["error"] for trial in failed)
    every = [trial for repeats in searches(run).values() for trial in repeats[0]["trials"]]
    pruned = [trial for trial in every if trial["status"] == "pruned"]
    assert pruned
    for trial in pruned:
        record = next(record for record in searched(run) if record["id"] == trial["id"])
        assert trial["value"] is None
        assert trial["epoch"] < 3
        stops = dict(map(tuple, record["identity"]["search"]["stops"]))
        # Worse than the median of all trials of the rounds before.
        assert trial["validation_loss"] > stops[trial["epoch"]]


def test_jobs_and_interruptions_change_no_proposal_and_no_bit(whole, forked, arena, tmp_path):
    run, _ = whole
    put(tmp_path)
    command = ("run", "tuned.toml", "--out", "run", "--jobs", "2", "--threads", "1")
    for more in (2, 5):
        process = forked(*command)
        wait_for(lambda n=more: len([*tmp_path.glob("run/searches/*/trial.json")]) >= n)
        process.kill()
        process.join()
    done = arena(*command)
    assert done.status == 0, done.out + done.err
    assert searches(tmp_path / "run") == searches(run)
    assert bits(tmp_path / "run") == bits(run)
    again = arena(*command)
    assert "finished before" in again.out


def test_a_grid_that_is_chosen_from_is_one_recipe(tmp_path, arena):
    spec = (
        SPEC[: SPEC.index("[search]")]
        + """
[[model]]
name = "net"
choose = "validation"
grid.params.width = [4, 16]
grid.training.epochs = [1, 2]
"""
    )
    put(tmp_path, spec)
    done = arena("run", "tuned.toml", "--out", "run")
    assert done.status == 0, done.out + done.err
    (repeat,) = searches(tmp_path / "run")["net"]
    points = [(t["point"]["params.width"], t["point"]["training.epochs"]) for t in repeat["trials"]]
    assert points == [(4, 1), (4, 2), (16, 1), (16, 2)]
    assert {record["label"] for record in records(tmp_path / "run")} == {"net"}
    assert len(records(tmp_path / "run")) == 2


def test_with_repeats_each_seed_has_a_search_of_its_own(tmp_path, arena):
    spec = (
        SPEC.replace("trials = 7", 'trials = 2\nrepeats = 2\nby = "accuracy"')
        .replace('pruner = { name = "median", least = 3 }', "")
        .replace("[13, 16", "[16")
        .replace("seeds = [5]", "seeds = [5, 6]")
    )
    put(tmp_path, spec)
    done = arena("run", "tuned.toml", "--out", "run", "--only", "net")
    assert done.status == 0, done.out + done.err
    repeats = searches(tmp_path / "run")["net"]
    assert len(repeats) == 2
    assert repeats[0]["trials"] != repeats[1]["trials"]
    judged = {record["seed"]: record for record in records(tmp_path / "run")}
    for seed, repeat in enumerate(repeats):
        assert repeat["trials"][repeat["chosen"]]["value"] == max(trial["value"] for trial in repeat["trials"])
        point = repeat["trials"][repeat["chosen"]]["point"]
        assert judged[seed]["identity"]["model"]["params"]["width"] == point["params.width"]
    # A metric that is looked at is one of the validation images.
    for record in searched(tmp_path / "run"):
        assert record["metrics"]["accuracy"] == pytest.approx(record["measurements"]["validation_accuracy"])
    entry = json.loads((tmp_path / "run" / "plan.json").read_text())["entries"][0]
    assert entry["seeds"] == [0, 1]
    assert [one["repeat"] for one in entry["chosen"]] == [0, 1]
    assert arena("report", "run", "--html").status == 0
    verified = arena("verify", "run", "--sample", "all", "--plugin", "net.py")
    assert verified.status == 0, verified.out + verified.err


def test_a_search_that_finds_nothing_is_said_and_the_others_are_judged(tmp_path, arena):
    spec = SPEC.replace("[13, 16, 32]", "[13]").replace("trials = 7", "steps = 36")
    put(tmp_path, spec)
    done = arena("run", "tuned.toml", "--out", "run")
    assert done.status == 1
    found = searches(tmp_path / "run")
    assert found["net"][0]["chosen"] is None
    assert found["net"][0]["ended"]
    # 300 images in batches of 50, three epochs: 18 steps a trial, three at once.
    assert [trial["steps"] for trial in found["own space"][0]["trials"]] == [18, 18, 18]
    assert {record["label"] for record in records(tmp_path / "run")} == {"own space", "as it stands"}
    assert arena("report", "run", "--html").status == 0


def test_two_labels_of_one_search_are_tried_once_and_its_own_seeds_are_those_judged(tmp_path, arena):
    table = '\n[[model]]\nname = "net"\nlabel = "{}"\nsearch.params.width = [4, 16]\n'
    head = (
        SPEC[: SPEC.index("[[model]]")]
        .replace("seeds = [0, 1]\n", "")
        .replace("trials = 7", "trials = 2\nseeds = [3, 4]")
    )
    put(tmp_path, head + table.format("one") + table.format("other"))
    done = arena("run", "tuned.toml", "--out", "run")
    assert done.status == 0, done.out + done.err
    found = searches(tmp_path / "run")
    assert found["one"] == found["other"]
    assert {trial["status"] for trial in found["one"][0]["trials"]} == {"done"}
    assert len(searched(tmp_path / "run")) == 2
    assert [record["seed"] for record in records(tmp_path / "run")] == [3, 4]
    again = put(tmp_path, head.replace("[3, 4]", "[3, 3]") + table.format("one"))
    assert "a seed is given twice: [3, 3]" in arena("validate", again / "tuned.toml").err
