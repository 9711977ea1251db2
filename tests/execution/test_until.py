"""Seeds until decided: who gets more seeds, when it ends, and that nothing but the results decides it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mnistarena
from mnistarena.engine.seeds import derive

from ..conftest import within
from ..helpers import bits, records, wait_for

PLUGIN = '''
from mnistarena import ModelDef, Params, hookimpl


class GuessParams(Params):
    wrong: float = 0.1
    spread: float = 0.0
    failing: int = -1


def build(params, task):
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.neighbors import KNeighborsClassifier

    class Guess(ClassifierMixin, BaseEstimator):
        """The nearest image's class, or for a share of the images, by the seed, the one that follows it."""

        def __init__(self, wrong=0.1, spread=0.0, failing=-1, random_state=None):
            self.wrong, self.spread, self.failing, self.random_state = wrong, spread, failing, random_state

        def fit(self, X, y):
            if self.random_state == self.failing:
                raise ArithmeticError("this seed fails")
            self.nearest_, self.classes_ = KNeighborsClassifier(1).fit(X, y), np.unique(y)
            return self

        def predict_proba(self, X):
            rng = np.random.default_rng(self.random_state)
            share = np.clip(self.wrong + self.spread * rng.standard_normal(), 0.0, 1.0)
            wrong = np.array([np.random.default_rng([self.random_state, int(x.sum() * 1e3)]).random() for x in X])
            answers = (self.nearest_.predict(X) + (wrong < share)) % len(self.classes_)
            return np.eye(len(self.classes_))[answers]

    return Guess(params.wrong, params.spread, params.failing)


@hookimpl
def arena_models():
    return [ModelDef("guess", "as good as it is told to be", params=GuessParams, build=build, uses=[])]
'''

SPEC = """
plugins = ["guess.py"]

[benchmark]
name = "until"
seeds = { until = "decided", most = 5 }
metrics = ["accuracy"]
baseline = "knn"
margin = "4.5 pp"

[[dataset]]
name = "digits"
train_limit = 300

[[model]]
name = "knn"

[[model]]
name = "guess"
label = "far"
params = { wrong = 0.7 }

[[model]]
name = "guess"
label = "near"
params = { wrong = 0.02, spread = 0.02 }
"""


def put(folder: Path) -> Path:
    (folder / "guess.py").write_text(PLUGIN)
    (folder / "until.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not disturbed, with one trial at a time, and what it printed."""
    folder = put(tmp_path_factory.mktemp("until"))
    done = within(folder, "run", "until.toml", "--out", "run", "--jobs", "1", "--threads", "1")
    assert done.status == 0, done.out + done.err
    return folder / "run", done.out


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of that run that may be spoilt."""
    put(tmp_path)
    return Path(shutil.copytree(whole[0], tmp_path / "run"))


def seeds_of(run: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for record in records(run):
        found.setdefault(record["label"], []).append(record["seed"])
    return {label: sorted(seeds) for label, seeds in found.items()}


def test_only_a_recipe_of_an_undecided_pair_gets_further_seeds(whole, arena):
    folder, printed = whole
    assert seeds_of(folder) == {"knn": [0], "far": [0, 1, 2], "near": [0, 1, 2, 3, 4]}
    assert "11 trials at most, 7 of them now" in printed
    assert "after 3 seeds, 2 of 3 comparisons decided; further seeds for near" in printed
    assert "after 5 seeds, 2 of 3 comparisons decided; no further seeds" in printed
    assert "9/9 done" in printed
    run = mnistarena.load_run(folder)
    assert run.complete
    assert repr(run).endswith("9 of 9 trials done>")
    rows = [row for row in run.rows() if row["label"] == "far"]
    assert [row["status"] for row in rows] == ["done"] * 3 + ["not needed"] * 2
    assert {row["label"]: row["seeds"] for row in run.leaderboard().to_dict("records")} == {
        "knn": 1,
        "far": 3,
        "near": 5,
    }
    said = run.view.comparisons[0].answers["looks"]
    assert said.startswith("2 of 3 comparisons decided after 5 of at most 5 seeds: 2 of 11 trials were not needed.")
    assert "1.8\u202f% and 3.2\u202f% after 3 and 5 seeds" in said
    assert said in printed
    assert not run.view.contradictions
    assert not run.view.failures
    assert (run.view.trials, run.view.finished) == (9, 9)
    assert "Do not add seeds" not in run.view.comparisons[0].answers["certainty"]
    assert arena("report", folder, "--markdown", cwd=folder.parent).status == 0
    assert said in (folder / "report.md").read_text().replace("\\", "")


def test_killed_in_the_second_round_it_comes_to_the_same_end_with_other_jobs(whole, forked, arena, tmp_path):
    put(tmp_path)
    running = forked("run", "until.toml", "--out", "run", "--jobs", "2", "--threads", "1")
    wait_for(lambda: len(list(tmp_path.glob("run/trials/near-*"))) > 3)
    running.kill()
    running.join()
    assert len(records(tmp_path / "run")) < 9
    done = arena("run", "until.toml", "--out", "run", "--jobs", "1")
    assert done.status == 0, done.out + done.err
    assert done.out.index("after 3 seeds") < done.out.index("after 5 seeds")
    assert bits(tmp_path / "run") == bits(whole[0])
    assert (tmp_path / "run" / "looks.json").read_bytes() == (whole[0] / "looks.json").read_bytes()
    verdicts = [mnistarena.load_run(run).pairs().to_dict("records") for run in (tmp_path / "run", whole[0])]
    assert verdicts[0] == verdicts[1]


def test_where_all_is_decided_at_once_no_further_seed_is_trained(arena, tmp_path):
    put(tmp_path)
    done = arena("run", "until.toml", "--only", "knn", "--only", "far", "--out", "run")
    assert done.status == 0, done.out + done.err
    assert seeds_of(tmp_path / "run") == {"knn": [0], "far": [0, 1, 2]}
    assert "Decided after 3 of at most 5 seeds: 2 of 6 trials were not needed." in done.out


def test_a_failed_seed_takes_its_recipe_out_and_no_further_seeds_follow(arena, copy):
    failing = derive(3, "fit") % 2**32
    changes = ("--set", f"model.near.params.failing={failing}", "--set", "benchmark.seeds.most=8")
    done = arena("run", "until.toml", "--out", "run", *changes)
    assert done.status == 1, done.out + done.err
    run = mnistarena.load_run(copy)
    near = [trial for trial in run.trials if trial.label == "near"]
    assert [trial.status for trial in near] == ["done"] * 3 + ["failed", "done"] + ["not needed"] * 3
    assert [pair["verdict"] for pair in run.pairs().to_dict("records")] == ["better", "not compared", "not compared"]
    assert len(run.view.failures) == 1
    assert "1 of 9 trials has no result: 1 failed" in run.view.failure_answer


def test_seeds_that_are_changed_after_results_were_there_are_told(arena, copy, whole):
    said = mnistarena.load_run(copy).view.comparisons[0].answers
    assert "added or taken away" not in said["looks"]
    done = arena("run", "until.toml", "--out", "run", "--set", "benchmark.seeds=[0, 1, 2, 3, 4]")
    assert done.status == 0, done.out + done.err
    expected = "Seeds were added or taken away after results were there: far (when 3 had ended)."
    assert expected in done.out
    answers = mnistarena.load_run(copy).view.comparisons[0].answers
    assert answers["looks"].startswith(expected)
    assert "Do not add seeds to this run until something is decided" in answers["certainty"]
    again = arena("run", "until.toml", "--out", "run", "--set", "benchmark.seeds=[0, 1, 2, 3, 4]")
    assert expected in again.out


def test_a_record_of_looks_that_the_predictions_do_not_give_is_a_contradiction(copy):
    path = copy / "looks.json"
    record = json.loads(path.read_text())
    record["datasets"]["digits"]["looks"][0]["further"] = []
    record["datasets"]["digits"]["looks"][1:] = []
    record["datasets"]["digits"]["asked"]["near"] = 1
    path.write_text(json.dumps(record))
    run = mnistarena.load_run(copy)
    assert [trial.status for trial in run.trials if trial.label == "near"] == ["done"] * 3 + ["not needed"] * 2
    (told,) = run.view.contradictions
    assert told.startswith("digits: looks.json says which recipes got how many seeds")


def test_verify_takes_the_looks_again(whole, copy, arena):
    unchanged = arena("verify", whole[0], "--sample", "0", "--plugin", whole[0].parent / "guess.py")
    assert unchanged.status == 0, unchanged.out + unchanged.err
    looks = json.loads((copy / "looks.json").read_text())
    looks["datasets"]["digits"]["looks"][0]["decided"] = 3
    (copy / "looks.json").write_text(json.dumps(looks))
    verified = arena("verify", "run", "--sample", "0", "--plugin", "guess.py")
    assert verified.status == 1
    assert "what looks.json says of digits is not what the predictions give" in verified.out


def test_the_plan_says_what_it_costs_at_least_and_at_most(arena, tmp_path):
    put(tmp_path)
    assert "11 trials at most" in arena("validate", "until.toml").out
    said = arena("plan", "until.toml", "--no-estimate")
    assert "7 to 11 trials: seeds until all is decided, with looks after 3 and 5." in said.out
    plan = json.loads(arena("plan", "until.toml", "--no-estimate", "--json").out)
    assert plan["looks"] == {"until": "decided", "seeds": [3, 5], "shares": pytest.approx([0.36, 0.64])}
    assert [trial["look"] for trial in plan["trials"]] == [1] + [1, 1, 1, 2, 2] * 2


@pytest.mark.parametrize(
    ("seeds", "cause"),
    [([5, 3], "the seeds of its looks do not increase"), ([3], "a look that the plan does not have")],
)
def test_a_plan_whose_looks_cannot_be_is_refused(copy, seeds, cause):
    path = copy / "plan.json"
    plan = json.loads(path.read_text())
    plan["looks"]["seeds"] = seeds
    path.write_text(json.dumps(plan))
    with pytest.raises(mnistarena.StoreError, match=cause):
        mnistarena.load_run(copy)


def test_further_seeds_that_draw_their_own_images_get_them(tmp_path):
    run = mnistarena.run(
        {
            "benchmark": {
                "name": "drawn",
                "seeds": {"until": "decided", "most": 4, "least": 2},
                "metrics": ["accuracy", "log_loss"],
                "decide": "log_loss",
                "margin": 0.01,
                "timing": "exclusive",
            },
            "dataset": [{"name": "digits", "split_seed": "seed", "train_limit": 100, "test_limit": 300}],
            "model": [
                {"name": "random-forest", "label": f"of {trees}", "params": {"n_estimators": trees}}
                for trees in (3, 30)
            ],
        },
        out=tmp_path / "run",
    )
    assert run.complete, [trial.error for trial in run.trials]
    later = [trial for trial in run.trials if trial.look > 1]
    assert "done" in {trial.status for trial in later}
    assert run.looks["datasets"]["digits"]["looks"][0]["further"] == ["of 3", "of 30"]
    assert run.view.contradictions == ()
