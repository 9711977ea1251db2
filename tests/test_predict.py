"""A trained model used again: restored from its run folder, it says what it said, and of new pictures too."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from mnistarena import origin
from mnistarena.errors import StoreError
from mnistarena.pretrained import FineTunedParams, without_weights
from mnistarena.restore import restore
from mnistarena.results import load_run


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def no_warning(sentence):
    raise AssertionError(sentence)


@pytest.mark.parametrize("label", ["cnn", "logistic-regression"])
def test_a_restored_model_predicts_what_is_stored(tiny_run, label):
    run = load_run(tiny_run)
    trial = origin.find(run, label)
    restored = restore(run, trial, warn=no_warning)
    found = restored.probabilities(run.test_split("mnist")["images"])
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-6)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_altered_weights_are_refused(run):
    path = next(run.glob("trials/cnn-*-s0-*/model.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    found = load_run(run)
    with pytest.raises(StoreError, match="was altered"):
        restore(found, origin.find(found, "cnn"))


def test_a_plan_without_statistics_says_to_run_the_spec_again(run):
    edit(run / "plan.json", lambda plan: plan["datasets"][0].pop("mean"))
    found = load_run(run)
    with pytest.raises(StoreError, match="run the spec again"):
        restore(found, origin.find(found, "cnn"))


def test_another_plugin_code_is_a_warning(run, monkeypatch):
    found, said = load_run(run), []
    trial = origin.find(found, "cnn")
    asked = origin.identity(trial)
    source = next(name for name in asked["sources"] if name.startswith("mnistarena-cnn:"))
    asked["sources"][source] = "another"
    monkeypatch.setattr(origin, "identity", lambda trial: asked)
    restore(found, trial, warn=said.append)
    assert len(said) == 1
    assert f"the code of {source} has changed since cnn on mnist, seed 0 ran" in said[0]


def test_a_file_of_trained_weights_is_not_needed_again():
    params = without_weights(FineTunedParams(weights=["/gone.safetensors"], weights_digest="0" * 64))
    assert (params.weights, params.weights_digest) == (["none"], None)
