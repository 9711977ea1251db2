"""A training that starts from what another run trained, and modules with learning rates of their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import mnistarena
from mnistarena import ArenaError
from mnistarena.engine.optimizer import make_optimizer
from mnistarena.errors import TrialError
from mnistarena.spec.schema import Training

CPU = torch.device("cpu")
ALONE = mnistarena.Options(jobs=1, threads=1)


def spec(*models, **benchmark):
    return {
        "benchmark": {"name": "transfer", **benchmark},
        "dataset": [{"name": "digits", "train_limit": 200, "test_limit": 100, "transforms": ["normalize"]}],
        "training": {"steps": 2, "batch_size": 32},
        "model": list(models),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past") / "run"
    mnistarena.run(spec({"name": "cnn"}), out=folder, options=ALONE)
    return folder


def later(name, out, **params):
    return mnistarena.run(spec({"name": "cnn", "params": {"weights": [name], **params}}), out=out, options=ALONE)


def weights(trial):
    from safetensors.torch import load_file

    return load_file(trial.folder.path / "model.safetensors")


def test_a_frozen_backbone_is_the_other_runs_and_the_last_layer_is_new(trained, tmp_path):
    before = weights(mnistarena.load_run(trained).trials[0])
    run = later(f"run:{trained}/cnn", tmp_path / "a", freeze="backbone")
    after = weights(run.trials[0])
    assert torch.equal(after["backbone.convolutions.0.weight"], before["convolutions.0.weight"])
    assert not torch.equal(after["head.weight"], before["linears.2.weight"])
    assert "starts from the weights" in run.trials[0].notes[0]
    # What was trained with a frozen backbone is a start as well, under the names of the whole network.
    again = weights(later(f"run:{tmp_path / 'a'}/cnn/s0", tmp_path / "b", freeze="backbone").trials[0])
    assert torch.equal(again["backbone.linears.1.bias"], before["linears.1.bias"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("run:{past}/cnm", 'has no model "cnm"; did you mean "cnn"'),
        ("run:{past}/cnn/s7", "it has not finished"),
        ("run:nowhere/cnn", "nowhere/cnn is not in a run folder; run the spec that trains it first"),
        ("imagenet", "nobody has trained this architecture on ImageNet"),
    ],
)
def test_what_no_run_trained_is_named(trained, tmp_path, name, message):
    with pytest.raises(ArenaError, match=message):
        later(name.format(past=trained), tmp_path / "run")


def test_weights_that_were_not_kept_leave_the_next_choice_its_turn(tmp_path):
    mnistarena.run(spec({"name": "cnn"}, keep_models=False), out=tmp_path / "past", options=ALONE)
    name = f"run:{tmp_path / 'past'}/cnn"
    run = mnistarena.run(
        spec({"name": "cnn", "params": {"weights": [name, "none"]}}), out=tmp_path / "a", options=ALONE
    )
    assert "its weights were not kept (keep_models)" in run.trials[0].notes[0]


def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))


def rates(factors, **optimizer):
    recipe = Training(epochs=1, optimizer={"name": "adam", "lr": 0.1, **optimizer}, lr_factors=factors)
    made = make_optimizer(network(), recipe, CPU)
    return [(group["lr"], sum(p.numel() for p in group["params"])) for group in made.param_groups]


def test_the_innermost_factor_of_a_module_counts():
    assert rates({}) == [(0.1, 32)]
    assert rates({"0": 0.5}) == [(0.1, 12), (0.05, 20)]
    assert rates({"1": 0.0, "1.1": 10.0}) == [(0.1, 20), (0.0, 6), (1.0, 6)]


def test_a_factor_for_no_module_is_an_error_that_names_what_there_is():
    with pytest.raises(TrialError, match='no parameter that is trained belongs to "features"; the model has 0, 1'):
        rates({"features": 0.1})


def test_a_lower_rate_moves_a_module_less(tmp_path, trained):
    factors = (0.0, 0.1, 1.0)
    same = {"name": "cnn", "params": {"weights": [f"run:{trained}/cnn"]}}
    models = [{**same, "label": str(f), "training": {"lr_factors": {"convolutions": f}}} for f in factors]
    run = mnistarena.run(spec(*models), out=tmp_path / "run", options=ALONE)
    after = {trial.label: weights(trial)["convolutions.0.weight"] for trial in run.trials}
    before = weights(mnistarena.load_run(trained).trials[0])["convolutions.0.weight"]
    none, little, whole = ((after[str(factor)] - before).abs().sum() for factor in factors)
    assert none == 0 < little < whole
