"""A mistake in one place of a spec hides none in another: all are told at once, and nothing follows from them."""

from __future__ import annotations

import pytest

TEN = """\
[benchmrk]
title = "a table that nobody knows"

[benchmark]
name = "ten mistakes"
seeds = [0, -1]
metrics = ["accuracy", "acuracy"]
baseline = "a"

[training]
epochs = "3"
optimizer = { name = "adan" }

[dataset]
name = "mnits"
transforms = ["normalise"]

[[model]]
name = "cnn"
label = "a"
tranforms = ["normalize"]
params = { widht = 3 }

[[model]]
name = "knn"
label = "b"

[[model]]
name = "nope"
label = "b"

[evaluation]
name = "blurred"
transforms = ["blurr"]
"""

FOUND = """\
1: benchmrk: unknown table "benchmrk"
6: benchmark: "seeds.1" must be greater than or equal to 0, not -1
7: benchmark: unknown metric "acuracy"
11: training: "epochs" must be a valid integer, not "3"
12: training: unknown optimizer "adan"
14: dataset: must be an array of tables: write [[dataset]], with two brackets
15: dataset: unknown dataset "mnits"
16: dataset: unknown transform "normalise"
21: model[1] "a": unknown key "tranforms"
22: model[1] "a": unknown parameter "widht"
28: model[3] "b": two models are labelled "b"
29: model[3] "b": unknown model "nope"
32: evaluation: must be an array of tables: write [[evaluation]], with two brackets
34: evaluation: unknown transform "blurr"
"""


def told(arena, spec):
    """The problems of a spec, as lines without its name."""
    done = arena("validate", spec)
    assert done.status == 2
    return [line.partition(f"{spec}:")[2] for line in done.err.splitlines()]


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(arena, write_spec):
    lines = told(arena, write_spec(TEN))
    expected = FOUND.splitlines()
    assert len(lines) == len(expected), lines
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


HEAD = "[benchmark]\nname = 'x'\nmetrics = ['accuracy', 'log_loss']\n"
DATA = "[[dataset]]\nname = 'digits'\nvalidation = 100\n"

ALONE = {
    "a misspelt label, which the baseline names": (
        HEAD + "baseline = 'a'\n" + DATA + "[[model]]\nname = 'cnn'\nlabl = 'a'\n",
        ['10: model[1] "cnn": unknown key "labl"; did you mean "label"?'],
    ),
    "one bracket, and what the baseline names": (
        HEAD + "baseline = 'cnn'\n" + DATA + "[model]\nname = 'cnn'\n",
        ["8: model: must be an array of tables: write [[model]], with two brackets"],
    ),
    "a misspelt chain, which the model needs": (
        HEAD + DATA + "transfroms = ['to-rgb']\n[[model]]\nname = 'vgg16'\nparams = { weights = ['none'] }\n",
        ['7: dataset[1] "digits": unknown key "transfroms"; did you mean "transforms"?'],
    ),
    "a misspelt table of parameters, which the dataset needs": (
        HEAD + "[[dataset]]\nname = 'image-folder'\nparms = { path = 'here' }\n[[model]]\nname = 'cnn'\n",
        ['6: dataset[1] "image-folder": unknown key "parms"; did you mean "params"?'],
    ),
    "misspelt metrics, of which one decides": (
        "[benchmark]\nname = 'x'\nmetrcs = ['log_loss']\ndecide = 'log_loss'\nmargin = 0.01\n"
        + DATA
        + "[[model]]\nname = 'cnn'\n",
        ['3: benchmark: unknown key "metrcs"; did you mean "metrics"?'],
    ),
    "a misspelt optimizer, whose group has an argument of its own": (
        HEAD
        + "[training]\noptimzer = { name = 'sgd' }\ngroups = [{ match = '*', momentum = 0.9 }]\n"
        + DATA
        + "[[model]]\nname = 'cnn'\n",
        ['5: training: unknown key "optimzer"; did you mean "optimizer"?'],
    ),
    "two brackets": (
        "[" + HEAD.replace("]\n", "]]\n", 1) + "[[training]]\noptimizer = { name = 'sgd', lr = 0.1 }\n" + DATA
        + "[[model]]\nname = 'cnn'\ntraining = { optimizer = { momentum = 0.9 } }\n",
        [
            "1: benchmark: must be one table: write [benchmark], with one bracket on each side",
            "4: training: must be one table: write [training], with one bracket on each side",
        ],
    ),
    "no table at all": (
        "benchmark = 'x'\ntraining = 3\nmodel = ['cnn']\n" + DATA,
        [
            '1: benchmark: must be a table, not "x"',
            "2: training: must be a table, not 3",
            '3: model[1]: must be a table, not "cnn"',
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALONE)
def test_nothing_is_concluded_from_a_mistake(case, arena, write_spec):
    text, expected = ALONE[case]
    assert told(arena, write_spec(text)) == expected


def test_without_a_sound_dataset_models_are_checked_all_the_same(arena, write_spec):
    models = (
        "[[model]]\nname = 'cnn'\ntransforms = ['resze']\n[[model]]\nname = 'vit'\ntraining = { loss = 'cross' }\n"
        "grid = { params.blocks = [0] }\n"
    )
    lines = told(arena, write_spec(HEAD + "[[dataset]]\nname = 'nothing'\n" + models))
    assert [line.partition(";")[0] for line in lines] == [
        '5: dataset[1] "nothing": unknown dataset "nothing"',
        '8: model[1] "cnn": unknown transform "resze"',
        '11: model[2] "vit": unknown loss "cross"',
        '12: model[2] "vit": "blocks" must be greater than or equal to 1, not 0',
    ]
