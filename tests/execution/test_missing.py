"""What goes wrong after the predictions are stored costs a figure, never a training; seeds that change nothing."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

import mnistarena
from mnistarena.evidence.recipe import gather
from mnistarena.store.findings import idle_seeds, missing_figures
from mnistarena.testing import checks
from tests.helpers import records

METRICS = """
from pathlib import Path
from mnistarena import MetricDef, NoValue, Params, TransformDef, hookimpl

class Nothing(Params):
    "No parameters."

def trouble():
    return Path({flag!r}).read_text()

def fragile(predictions, params):
    kind = trouble()
    if kind == "nan":
        return float("nan")
    if kind == "raises":
        raise ValueError("no class 3 here")
    if kind == "exits":
        import os
        os._exit(3)
    return 0.25

def meaningless(predictions, params):
    raise NoValue("there are no boxes")

def build(params, task):
    def apply(images, generator):
        if trouble() == "view":
            raise RuntimeError("no light")
        return images * 0.5
    return apply

@hookimpl
def arena_metrics():
    return [MetricDef("fragile", "x", params=Nothing, compute=fragile, higher_is_better=True),
            MetricDef("meaningless", "x", params=Nothing, compute=meaningless, higher_is_better=True)]

@hookimpl
def arena_transforms():
    return [TransformDef("dim", "darker", params=Nothing, build=build)]
"""

SPEC = """
[benchmark]
name = "missing"
seeds = [0, 1]
metrics = ["accuracy", "fragile", "meaningless"]
[[dataset]]
name = "digits"
transforms = ["normalize"]
validation = 100
[training]
steps = 20
[[model]]
name = "cnn"
[[model]]
name = "random-forest"
params = { n_estimators = 10 }
[[evaluation]]
name = "bright"
transforms = [{ name = "scale", factor = 1.0 }]
[[evaluation]]
name = "dark"
transforms = ["dim"]
"""


@pytest.fixture
def bench(tmp_path, write_spec, arena):
    """A function that sets what goes wrong, runs the spec, and returns what was printed."""
    flag, plugin = tmp_path / "flag", tmp_path / "fragile.py"
    plugin.write_text(METRICS.format(flag=str(flag)))
    spec = write_spec(SPEC, "spec.toml")

    def call(trouble, *more):
        flag.write_text(trouble)
        done = arena("run", spec, "--out", "run", "--plugin", plugin, "--jobs", 2, "--threads", 1, *more)
        assert done.status == 0, done.out + done.err
        return done.out

    return call


def written(run):
    return [path.stat().st_mtime_ns for path in sorted(run.glob("trials/*/predictions.npz"))]


@pytest.mark.parametrize(
    ("trouble", "reason"), [("nan", "it is nan"), ("raises", "ValueError: no class 3 here"), ("exits", "status 3")]
)
def test_a_metric_that_fails_is_missing_and_the_next_run_computes_it(trouble, reason, bench, arena, tmp_path):
    out = bench(trouble)
    run = mnistarena.load_run(tmp_path / "run")
    assert run.complete
    for record in records(tmp_path / "run"):
        assert "error" not in record
        assert reason in record["metric_problems"]["fragile"]
        assert record["metrics"]["fragile"] is None
        if trouble != "exits":
            assert record["metrics"]["accuracy"] > 0.2
            assert record["metric_problems"].keys() == {"fragile"}
            assert record["no_values"] == {"meaningless": "there are no boxes"}
            assert "view_problems" not in record or record["view_problems"] == {}
    # Said once a recipe, though both seeds miss it.
    said = [line for line in out.splitlines() if "missing for cnn" in line and reason in line]
    assert ["seeds 0 and 1" in line for line in said] == [True]
    assert all(row.accuracy is not None and row.verdict for row in run.view.comparisons[0].rows)
    assert arena("report", "run").status == 0
    assert reason in (tmp_path / "run" / "report.md").read_text()
    assert re.search(f'title="[^"]*{reason}[^"]*">–<', (tmp_path / "run" / "report.html").read_text())
    exported = json.loads(arena("export", "run", "--json").out)
    assert all(row["fragile"] is None and reason in row["missing"] for row in exported)

    before = written(tmp_path / "run")
    assert "missing for cnn" in bench("fine")  # what has no meaning is still told of those that were scored again
    assert written(tmp_path / "run") == before, "nothing was trained"
    for record in records(tmp_path / "run"):
        assert record["metrics"]["fragile"] == 0.25
        assert "metric_problems" not in record or record["metric_problems"] == {}
    assert "4 finished before" in bench("fine"), "nothing is left to do; what has no meaning is not asked again"


def test_a_view_that_fails_is_a_column_that_is_missing(bench, arena, tmp_path):
    out = bench("view")
    run = mnistarena.load_run(tmp_path / "run")
    assert run.complete
    assert (
        "dark and meaningless" in out
        or "dark is missing for cnn on digits, seeds 0 and 1: RuntimeError: no light" in out
    )
    for trial in run.trials:
        assert [view["name"] for view in trial.views] == ["bright"]
        assert np.array_equal(trial.views_predicted()[0], trial.predictions().predicted)
    found = run.view.comparisons[0].robustness
    assert [one.by[1] for one in found.recipes] == [None, None]
    assert all(one.mean is None and one.by[0] == pytest.approx(one.clean.estimate) for one in found.recipes)
    assert arena("report", "run").status == 0
    assert "RuntimeError: no light" in (tmp_path / "run" / "report.md").read_text()
    rows = list(run.rows("views"))
    assert {row["view"] for row in rows} == {"bright"}

    before = written(tmp_path / "run")
    bench("fine")
    assert written(tmp_path / "run") == before, "nothing was trained"
    run = mnistarena.load_run(tmp_path / "run")
    assert [[view["name"] for view in trial.views] for trial in run.trials] == [["bright", "dark"]] * 4
    assert all(one.mean is not None for one in run.view.comparisons[0].robustness.recipes)


def test_a_view_without_a_stored_model_is_not_trained_for(bench, tmp_path):
    lean = ("--set", "benchmark.keep_models=false", "--only", "cnn")
    bench("view", *lean)
    before = written(tmp_path / "run")
    assert "2 finished before" in bench("fine", *lean)
    assert written(tmp_path / "run") == before


def test_weights_that_cannot_be_loaded_cost_the_views_only(bench, tmp_path):
    bench("view", "--only", "cnn")
    for path in (tmp_path / "run").glob("trials/*/model.safetensors"):
        path.write_bytes(path.read_bytes()[:-8])
    before = written(tmp_path / "run")
    out = bench("fine", "--only", "cnn")
    for seed in (0, 1):  # the reason names the file
        assert f"bright and dark are missing for cnn on digits, seed {seed}: StoreError" in out
    assert written(tmp_path / "run") == before
    assert all(
        trial.done and trial.metrics["fragile"] == 0.25 for trial in mnistarena.load_run(tmp_path / "run").trials
    )


IDLE = '''
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    "No parameters."

class Forest:
    """A forest whose seed is called otherwise."""
    def __init__(self, name):
        self.name, self.params = name, {name: 7, "trees": 5}
    def get_params(self):
        return dict(self.params)
    def set_params(self, **new):
        self.params.update(new)
        return self
    def fit(self, x, y):
        from sklearn.ensemble import RandomForestClassifier
        seed = self.params[self.name]
        self.model = RandomForestClassifier(self.params["trees"], random_state=seed).fit(x, y)
        self.classes_ = self.model.classes_
        return self
    def predict_proba(self, x):
        return self.model.predict_proba(x)

def make(name, **more):
    return ModelDef(name.replace("_", "-"), "forest", params=Nothing, build=lambda p, t: Forest(name), **more)

def small_pca(params, task):
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    return make_pipeline(PCA(60), RandomForestClassifier(n_estimators=20, random_state=None))

def broken(params, task):
    raise ImportError("no module named gradient_magic")

@hookimpl
def arena_models():
    return [make("random_seed"), make("seed"), make("inner__seed"), make("entropy"),
            ModelDef("sure", "forest", params=Nothing, build=lambda p, t: Forest("entropy"), deterministic=True),
            ModelDef("pca", "forest on components", params=Nothing, build=small_pca),
            ModelDef("broken", "cannot be built", params=Nothing, build=broken)]
'''


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    path = tmp_path_factory.mktemp("idle") / "idle.py"
    path.write_text(IDLE)
    return path


def test_seeds_that_change_nothing_count_as_one(idle, arena, tmp_path, write_spec):
    names = ("random-seed", "seed", "inner--seed", "entropy")
    models = "".join(f'[[model]]\nname = "{name}"\n' for name in names)
    spec = write_spec(f'[benchmark]\nname = "idle"\nseeds = [0, 1, 2]\n[[dataset]]\nname = "digits"\n{models}')
    done = arena("run", spec, "--out", "run", "--plugin", idle)
    assert done.status == 0, done.out + done.err
    run = mnistarena.load_run(tmp_path / "run")
    bits = {name: {t.predictions().values.tobytes() for t in run.of(name, "digits")} for name in names}
    assert {name: len(found) for name, found in bits.items()} == dict(zip(names, (3, 3, 3, 1), strict=True))
    (said,) = idle_seeds(run)
    assert said.startswith("entropy on digits: 2 seeds of 3 changed nothing")
    assert done.out.count(f"note: {said}") == 1
    assert f"{said}." in run.view.caveats
    recipes = {recipe.label: recipe for recipe in gather(run, run.plan["datasets"][0])}
    assert (len(recipes["entropy"].trials), len(recipes["entropy"].correct)) == (1, 1)
    assert recipes["entropy"].interval_of == "one trained model"
    assert not recipes["entropy"].comparable
    assert (recipes["random-seed"].interval_of, len(recipes["random-seed"].correct)) == ("seeds", 3)
    row = next(row for row in run.view.comparisons[0].rows if row.label == "entropy")
    assert (row.seeds, row.finished) == (1, 1)
    pair = run.view.comparisons[0].pair("entropy", "seed")
    assert (pair.difference, pair.reason) == (
        None,
        "entropy has one seed only, since the others changed nothing",
    )
    one = next(text for text in run.view.caveats if text.startswith("One seed: "))
    assert "entropy" in one


def test_equal_predictions_of_different_models_are_two_seeds(tiny_run):
    run = mnistarena.load_run(tiny_run)
    first, second = run.of("cnn", "mnist")
    alike = dataclasses.replace(second, files={**second.files, "predictions.npz": first.files["predictions.npz"]})
    changed = dataclasses.replace(run, trials=(first, alike))
    assert not [said for said in idle_seeds(changed) if said.startswith("cnn")]
    files = {**alike.files, "model.safetensors": first.files["model.safetensors"]}
    changed = dataclasses.replace(run, trials=(first, dataclasses.replace(alike, files=files)))
    assert [said for said in idle_seeds(changed) if said.startswith("cnn on mnist: 1 seed of 2 changed nothing")]
    assert idle_seeds(run) == [], "logistic regression says that it is deterministic"
    assert missing_figures(run.trials) == []


def outcomes(name, plugin):
    return {check.name: check.outcome() for check in checks(name, kind="model", plugins=[plugin])}


def test_the_kit_finds_a_seed_that_does_nothing_and_takes_what_is_right(idle):
    found = outcomes("entropy", idle)
    assert found["seed-matters"].status == "failed"
    assert "say deterministic=True" in found["seed-matters"].message
    for name, skipped in (("random-seed", "deterministic-as-said"), ("sure", "seed-matters"), ("pca", "x")):
        found = outcomes(name, idle)
        assert not {key: one.message for key, one in found.items() if one.status == "failed"}
        assert skipped not in found or found[skipped].status == "skipped"


def test_the_kit_calls_a_cause_by_its_name(idle):
    found = outcomes("broken", idle)
    assert found["builds"].status == "failed"
    assert "no module named gradient_magic" in found["builds"].message
    assert found["check"].status == "skipped"
    assert "no module named gradient_magic" in found["check"].message
    assert not any("do not fit" in one.message for one in found.values())
