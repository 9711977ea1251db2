"""What is wrong with a training is a problem of the spec, with its line and what to do, before anything runs."""

from __future__ import annotations

import pytest

HEAD = """\
[benchmark]
name = "x"

[[dataset]]
name = "digits"
train_limit = 100
{validation}

[training]
"""
MODEL = '\n[[model]]\nname = "cnn"\ntransforms = [{ name = "resize", size = 28 }]\n'

CASES = {
    "unknown loss": ('loss = "focl"', ':10: training: unknown loss "focl"; did you mean "focal"?'),
    "a loss's parameter": (
        'loss = { name = "focal", gama = 1 }',
        ':10: training: unknown parameter "gama"; did you mean "gamma"?',
    ),
    "smoothing": (
        'loss = "multi-margin"\nlabel_smoothing = 0.1',
        ':11: training: "label_smoothing" works with losses that have it, such as "cross-entropy"; "multi-margin" has '
        "not",
    ),
    "unknown schedule": (
        'schedule = { name = "cosin" }',
        ':10: training: unknown schedule "cosin"; did you mean "cosine"?',
    ),
    "another schedule's parameter": (
        'schedule = { name = "cosine", every = 3 }',
        ':10: training: unknown parameter "every"; known: final',
    ),
    "a length": (
        'schedule = { name = "step", every = "1 week" }',
        ':10: training: "every" must be a number of steps, such as 500, or a text such as "500 steps" or "1 epoch"',
    ),
    "a warm-up": (
        'schedule = { warmup_steps = "soon" }',
        ':10: training: "schedule.warmup_steps" must be a number of steps, such as 500, or a text such as',
    ),
    "unknown optimizer": (
        'optimizer = { name = "samm" }',
        ':10: training: unknown optimizer "samm"; did you mean "sam"?',
    ),
    "a plugin optimizer's argument": (
        'optimizer = { name = "sam", roh = 0.1 }',
        ':10: training: unknown parameter "roh"; did you mean "rho"?',
    ),
    "closure and accumulate": (
        'optimizer = { name = "LBFGS" }\naccumulate = 2',
        ':11: training: the optimizer "LBFGS" evaluates the loss several times a step, and "accumulate" does not go '
        "with that; use a larger batch_size",
    ),
    "closure and other optimizers": (
        'optimizer = { name = "sam" }\ngroups = [{ match = "*", optimizer = { name = "sgd" } }]',
        ':11: training: the optimizer "sam" evaluates the loss itself: no group may have another one',
    ),
    "closure in a group": (
        'groups = [{ match = "*", optimizer = { name = "sam" } }]',
        ':10: training: the optimizer "sam" evaluates the loss itself, which one of several optimizers cannot',
    ),
    "groups of lbfgs": (
        'optimizer = { name = "lbfgs" }\ndecayed = "weights"',
        ':11: training: the optimizer "lbfgs" treats all parameters alike; leave "decayed" out',
    ),
    "a group's argument": (
        'groups = [{ match = "*.bias", weight_deca = 0 }]',
        ':10: training: unknown argument "weight_deca" of the optimizer "adam"; did you mean "weight_decay"?',
    ),
    "a group's rate": (
        'groups = [{ match = "*", lr = -1 }]',
        ':10: training: "lr" must be a number greater than 0, not -1',
    ),
    "a group without a pattern": ("groups = [{ lr = 1.0 }]", ':10: training: "groups.0.match" is missing'),
    "nothing to exclude": (
        'optimizer = { name = "rprop" }\ndecayed = "weights"',
        ':11: training: the optimizer "rprop" has no weight decay; leave "decayed" out',
    ),
    "unknown augmentation": (
        'augmentations = ["mixpu"]',
        ':10: training: unknown augmentation "mixpu"; did you mean "mixup"?',
    ),
    "mixing and labels": (
        'loss = "multi-margin"\naugmentations = ["mixup"]',
        ':11: training: "mixup" mixes classes, and the loss "multi-margin" takes one class an image; use "brier" or '
        '"cross-entropy" or "focal"',
    ),
    "weights of a loss": (
        'loss = "brier"\nclass_weights = "balanced"',
        ':11: training: the loss "brier" takes no class weights; use "cross-entropy" or "focal" or "multi-margin", or '
        'sampling = "balanced"',
    ),
    "too few weights": (
        "class_weights = [1.0, 2.0]",
        ':10: training: "class_weights" has 2 entries, and "digits" has 10 classes',
    ),
    "weights of nothing": ("class_weights = [0.0, 0.0]", '"class_weights" are all 0; give at least one class a weight'),
    "weights and accumulate": (
        'class_weights = "balanced"\naccumulate = 2',
        '"class_weights" and "accumulate" do not go together',
    ),
    "nothing left": (
        "drop_last = true\nbatch_size = 64\naccumulate = 2",
        ':10: training: drop_last leaves nothing: a step takes 128 images, and "digits" has 100',
    ),
    "patience": ("patience = 3", ':10: training: "patience" needs validation images; set "validation" in the dataset'),
    "plateau": (
        'schedule = { name = "plateau" }',
        ':10: training: the schedule "plateau" needs validation images; set "validation" in the dataset "digits"',
    ),
    "unknown monitor": (
        'monitor = "f1_makro"\nselect = "best"',
        ':10: training: unknown metric "f1_makro"; did you mean "f1_macro"?',
    ),
    "average": ('average = { name = "mean" }', """:10: training: "average.name" must be 'ema' or 'swa', not "mean\""""),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_a_problem_with_its_line(name, arena, tmp_path):
    lines, words = CASES[name]
    (tmp_path / "spec.toml").write_text(HEAD.format(validation="") + lines + MODEL)
    result = arena("validate", "spec.toml")
    assert result.status == 2
    assert words in result.err


def test_a_models_own_table_is_named_where_it_is_what_is_wrong(arena, tmp_path):
    text = (
        HEAD.format(validation="validation = 50")
        + 'loss = "multi-margin"\n'
        + MODEL
        + "training = { label_smoothing = 0.1 }\n"
    )
    (tmp_path / "spec.toml").write_text(text)
    result = arena("validate", "spec.toml")
    assert result.status == 2
    assert ':15: model[1] "cnn": "label_smoothing" works with losses that have it' in result.err


def test_the_whole_vocabulary_is_valid_and_fits_the_json_schema(arena, tmp_path):
    text = HEAD.format(validation="validation = 50") + (
        "epochs = 3\nbatch_size = 16\naccumulate = 2\ndrop_last = true\nsampling = 'balanced'\n"
        "augmentations = ['mixup', { name = 'cutmix', alpha = 0.5 }]\n"
        "optimizer = { name = 'adamw', lr = 0.01 }\ndecayed = 'weights'\n"
        "groups = [{ match = '*.bias', weight_decay = 0 }, { match = '0.*', optimizer = { name = 'sgd', lr = 0.1 } }]\n"
        "schedule = { name = 'plateau', warmup_steps = '1 epoch', patience = 1 }\n"
        "loss = { name = 'focal', gamma = 1.0 }\naverage = { name = 'swa', start = 0.5 }\n"
        "select = 'best'\nmonitor = 'f1_macro'\npatience = 2\n"
    )
    (tmp_path / "spec.toml").write_text(text + MODEL)
    result = arena("validate", "spec.toml")
    assert result.status == 0, result.err
    import json

    import jsonschema
    import tomli

    schema = json.loads(arena("schema").out)
    jsonschema.validate(tomli.loads(text + MODEL), schema)
    for broken in (
        {"loss": {"name": "focal", "gama": 1}},
        {"schedule": {"name": "cosine", "every": 2}},
        {"augmentations": ["mixpu"]},
        {"optimizer": {"name": "sam", "roh": 1}},
        {"patience": 0},
    ):
        document = tomli.loads(text + MODEL)
        document["training"] |= broken
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)
