"""The JSON Schema accepts what the loader accepts, and refuses the mistakes that an editor should show."""

from __future__ import annotations

import json

import jsonschema
import pytest
import tomli

from mnistarena.plugin.registry import installed
from mnistarena.spec.jsonschema import json_schema
from mnistarena.spec.load import load_spec

from ..helpers import ROOT

SCHEMA = json_schema(installed())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

GOOD = """
[benchmark]
name = "x"
metrics = ["accuracy", { name = "ece", bins = 5, label = "ece-5" }]
[[dataset]]
name = "mnist"
transforms = ["normalize", { name = "resize", size = 32 }]
[training]
epochs = 2
optimizer = { name = "AdamW", lr = 0.001, weight_decay = 0.1 }
[[model]]
name = "cnn"
params = { channels = [8, 16] }
grid = { params.hidden = [[10], [20]] }
training = { optimizer = { lr = 0.1 } }
[[model]]
label = "jax"
predictions = "jax-*.csv"
deterministic = true
[[model]]
label = "paper"
published = 0.99
[[evaluation]]
name = "blur"
transforms = ["blur"]
severities = { sigma = [1.0, 2.0] }
"""


def problems(text, validator=VALIDATOR):
    return [error.message for error in validator.iter_errors(tomli.loads(text))]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("spec", sorted(ROOT.glob("specs/*.toml")), ids=lambda path: path.stem)
def test_every_shipped_spec_is_valid(spec):
    # With the components of its single-file plugins.
    schema = json_schema(installed(load_spec(spec).plugins))
    assert problems(spec.read_text(), jsonschema.Draft202012Validator(schema)) == []


def test_what_the_loader_accepts_is_valid():
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('name = "x"', 'nam = "x"'),
        ('name = "x"', "name = 7"),
        ("epochs = 2", 'epochs = "two"'),
        ("epochs = 2", "epochs = 0"),
        ("epochs = 2", 'loss = "hinge"'),
        ('name = "cnn"', 'name = "cnnn"'),
        ("channels = [8, 16]", "chanels = [8, 16]"),
        ("channels = [8, 16]", 'channels = "many"'),
        ("size = 32", 'siz = "32"'),
        ('"normalize"', '"normalise"'),
        ('"accuracy"', '"acuracy"'),
        ("bins = 5", "bin = 5"),
        ("weight_decay = 0.1", "wait_decay = 0.1"),
        ("lr = 0.001", "lr = -1"),
        ("params.hidden", "parms.hidden"),
        ("[[evaluation]]", "[[evaluations]]"),
        ('[[dataset]]\nname = "mnist"', '[[dataset]]\nlabel = "mnist"'),
        ("sigma = [1.0, 2.0]", "sigma = 1.0"),
        ("deterministic = true", "deterministic = 1"),
        ("published = 0.99", "published = 99"),
    ],
)
def test_a_mistake_is_shown(right, wrong):
    assert right in GOOD
    assert problems(GOOD.replace(right, wrong, 1))


def test_the_command_writes_it(arena, tmp_path):
    done = arena("schema", "--output", "arena.schema.json")
    assert done.status == 0
    assert "#:schema arena.schema.json" in done.err
    assert json.loads((tmp_path / "arena.schema.json").read_text()) == SCHEMA
