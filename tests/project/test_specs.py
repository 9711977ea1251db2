"""The shipped specs say what the documentation says of them."""

from __future__ import annotations

import json

import pytest

from ..helpers import ROOT

SPECS = ROOT / "specs"


@pytest.mark.parametrize("name", sorted(path.name for path in SPECS.glob("*.toml")))
def test_a_shipped_spec_is_valid(name, arena):
    result = arena("validate", SPECS / name)
    assert result.status == 0, result.err


def plan(arena, name, *arguments):
    result = arena("plan", SPECS / name, "--no-estimate", "--json", *arguments)
    assert result.status == 0, result.err
    return {entry["label"]: entry for entry in json.loads(result.out)["entries"]}


def test_the_seed_spec_is_the_notebooks_protocol(arena):
    none = ["--set", 'model.vgg16.params.weights=["none"]', "--set", 'model.alexnet.params.weights=["none"]']
    entries = plan(arena, "seed.toml", *none)
    for label in ("cnn", "faster-rcnn"):
        training = entries[label]["training"]
        assert (training["epochs"], training["batch_size"], training["select"]) == (10, 64, "last")
        assert training["optimizer"] == {"name": "adam", "lr": 0.001}
        assert training["schedule"]["name"] == "constant"
        assert training["schedule"]["warmup_steps"] == 0
    for label in ("vgg16", "alexnet"):
        assert entries[label]["training"]["optimizer"] == {"name": "sgd", "lr": 0.001, "momentum": 0.9}
        assert entries[label]["training"]["epochs"] == 5
        assert entries[label]["transforms"][0]["size"] == 224
    assert entries["vit"]["params"]["softmax_output"] is True
    assert entries["vit"]["transforms"] == []


def test_the_full_spec_compares_the_five_architectures_and_a_baseline(arena):
    none = ["--set", 'model.vgg16.params.weights=["none"]', "--set", 'model.alexnet.params.weights=["none"]']
    entries = plan(arena, "full.toml", *none)
    assert {"cnn", "faster-rcnn", "vgg16", "alexnet", "vit", "logistic-regression"} <= {
        entry["model"] for entry in entries.values()
    }
    assert entries["vgg16"]["notes"], "which weights were used is said"
    assert sum(entry["model"] == "vit" for entry in entries.values()) == 2
