"""`precision = "auto"` is settled once, by the device and the model; what it is decides the identity of trials."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

import mnistarena
from mnistarena import environment
from mnistarena.plan.lookup import registry_for
from mnistarena.plan.precision import settled
from mnistarena.plan.resolve import resolve
from mnistarena.spec.load import load_spec

PLUGIN = """
from mnistarena import ModelDef, Params, hookimpl


class NetParams(Params):
    wide: bool = True
    broken: bool = False


def build(params, task):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def gains(params, device):
    if params.broken:
        raise ArithmeticError("no word")
    return params.wide or device != "cpu"


@hookimpl
def arena_models():
    return [
        ModelDef("net", "one linear layer", params=NetParams, build=build, bf16=gains),
        ModelDef("silent", "says nothing of bf16", params=NetParams, build=build),
    ]
"""

SPEC = """
plugins = ["net.py"]

[benchmark]
name = "precisions"

[[dataset]]
name = "digits"
train_limit = 200
validation = 50
test_limit = 100

[training]
epochs = 1
precision = "auto"

[[model]]
name = "net"

[[model]]
name = "net"
label = "narrow"
params = { wide = false }

[[model]]
name = "silent"

[[model]]
name = "logistic-regression"
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "net.py").write_text(PLUGIN)
    file = tmp_path / "precisions.toml"
    file.write_text(SPEC)
    return file


def planned(spec, overrides=()):
    loaded = load_spec(spec, overrides)
    return resolve(loaded, registry_for(loaded))


def on(plan, device, bf16):
    """The plan as it is on a device that computes in bf16, or does not."""
    return settled(plan, None, lambda: {"device": device, "device_name": "this one", "bf16": bf16})


def precisions(plan):
    return {recipe.label: recipe.training.precision for recipe in plan.recipes}


def test_the_device_and_the_models_word_decide(spec):
    plan = planned(spec)
    linear = {"logistic-regression": "float32"}  # nothing is decided for it: it has no precision
    wanted = {"net": "bf16", "narrow": "float32", "silent": "bf16"}
    assert precisions(on(plan, "cpu", True)) == wanted | linear
    assert precisions(on(plan, "cuda:0", True)) == dict.fromkeys(wanted, "bf16") | linear
    assert precisions(on(plan, "cpu", False)) == dict.fromkeys(wanted, "float32") | linear
    notes = {recipe.label: recipe.notes for recipe in on(plan, "cpu", True).recipes}
    assert notes["net"] == ('precision "auto" is bf16: this one computes in it itself',)
    assert notes["narrow"] == ('precision "auto" is float32: the model "net", as it is here, gains nothing by bf16',)
    assert notes["logistic-regression"] == ()


def test_other_decisions_are_other_trials_and_equal_ones_are_those_of_the_named_precision(spec):
    def ids(plan):
        return {trial.recipe.label: trial.id for trial in plan.trials()}

    plan = planned(spec)
    fast, slow = ids(on(plan, "cpu", True)), ids(on(plan, "cpu", False))
    assert {label for label in fast if fast[label] != slow[label]} == {"net", "silent"}
    named = ids(planned(spec, ['training.precision="bf16"']))
    assert (fast["net"], fast["silent"]) == (named["net"], named["silent"])
    assert slow == ids(planned(spec, ['training.precision="float32"']))


def test_a_search_may_try_auto(spec):
    text = spec.read_text().replace('"auto"', '"float32"').replace("[[model]]", "[search]\ntrials = 2\n\n[[model]]", 1)
    spec.write_text(
        text.replace('label = "narrow"', 'label = "narrow"\nsearch = { training.precision = ["auto", "bf16"] }')
    )
    search = next(one for one in on(planned(spec), "cpu", True).searches if one.key[0] == "narrow")
    assert search.at({"training.precision": "auto"}).training.precision == "float32", "the model's word counts"


def test_a_model_whose_word_cannot_be_had_is_named(spec):
    plan = planned(spec, ["model.net.params.broken=true"])
    with pytest.raises(mnistarena.ArenaError, match=r'bf16 of "net" .* raised ArithmeticError: no word'):
        on(plan, "cpu", True)


def test_a_run_keeps_what_was_decided_at_its_first_start(arena, spec, tmp_path):
    here, there = ("bf16", "float32") if environment.computes_bf16() else ("float32", "bf16")
    for jobs in (1, 2):
        run = tmp_path / f"run-{jobs}"
        result = arena(
            "run", spec, "--out", run, "--jobs", jobs, "--device", "cpu", "--only", "silent", "--only", "net"
        )
        assert result.status == 0, result.err
        assert f'precision "auto" is {here}' in result.out
    first, second = (json.loads((tmp_path / f"run-{jobs}" / "plan.json").read_text()) for jobs in (1, 2))
    assert first["trials"] == second["trials"], "--jobs decides nothing"
    assert {entry["training"]["precision"] for entry in first["entries"]} == {here}
    assert arena("report", tmp_path / "run-1").status == 0
    said = (tmp_path / "run-1" / "report.md").read_text()
    assert re.search(rf'(net and silent|silent and net): precision "auto" is {here}', said), "one sentence for both"
    shown = arena("plan", spec, "--no-estimate", "--json", "--device", "cpu", "--only", "silent", "--only", "net")
    assert json.loads(shown.out)["trials"] == first["trials"]

    # As if the first start had been on another machine.
    file = run / "plan.json"
    file.write_text(json.dumps({**second, "auto_precision": {**second["auto_precision"], "bf16": here != "bf16"}}))
    assert arena("run", spec, "--out", run, "--device", "cpu", "--only", "silent").status == 0
    (entry,) = (e for e in json.loads(file.read_text())["entries"] if e["label"] == "silent")
    assert entry["training"]["precision"] == there
    trials = {trial.id: trial for trial in mnistarena.load_run(run).trials}
    assert not trials.keys() & {trial["id"] for trial in first["trials"] if trial["label"] == "silent"}
    assert arena("report", run).status == 0
    assert f'precision "auto" is {there}' in (run / "report.md").read_text()


def test_a_model_is_trained_in_bf16_and_evaluated_in_float32(arena, spec, tmp_path):
    tables = "".join(
        f'[[model]]\nname = "silent"\nlabel = "{precision}"\ntraining = {{ precision = "{precision}" }}\n'
        for precision in ("float32", "bf16")
    )
    spec.write_text(spec.read_text().partition("[[model]]")[0] + tables)
    result = arena("run", spec, "--out", tmp_path / "run", "--device", "cpu")
    assert result.status == 0, result.err
    run, weights = mnistarena.load_run(tmp_path / "run"), {}
    images = run.test_split("digits")["images"].reshape(100, 64).astype(np.float32) / 255
    for trial in run.trials:
        state = load_file(trial.folder.path / "model.safetensors")
        weights[trial.label] = state["1.weight"]
        scores = np.exp(images @ state["1.weight"].T + state["1.bias"])
        wanted = scores / scores.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(trial.predictions().probabilities, wanted, rtol=0, atol=1e-6)
    assert 1e-6 < np.abs(weights["bf16"] - weights["float32"]).max() < 1e-2
