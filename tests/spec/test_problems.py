"""Every problem of a spec is reported at once: file, line, place, and what was probably meant."""

from __future__ import annotations

import pytest

HEAD = """\
[benchmark]
name = "x"

[[dataset]]
name = "digits"
validation = 100

"""

CASES = {
    "broken TOML": ("[benchmark\nname = 1\n", [":1: not valid TOML"]),
    "backslashes of Windows": (
        HEAD + 'params = { path = "C:\\Users\\me" }\n',
        [":8: not valid TOML: Invalid hex value; in double quotes a backslash begins an escape; write a path in"],
    ),
    "backslashes that are no escape": (
        HEAD + 'params = { path = "pics\\my" }\n',
        [":8: not valid TOML: Unescaped", "write a path in single quotes, or with forward slashes"],
    ),
    "backslashes that are another escape": (
        HEAD + "params = { path = \"C:\\temp\" }\n[[model]]\nname = 'cnn'\n",
        [':8: dataset[1] "digits": C: is followed by a control character (\\t); in double quotes a backslash begins'],
    ),
    "unknown table": (
        HEAD + "[trainning]\nepochs = 1\n[[model]]\nname = 'cnn'\n",
        [':8: trainning: unknown table "trainning"; did you mean "training"?'],
    ),
    "unknown key": (
        HEAD + "[[model]]\nname = 'cnn'\ntranforms = []\n",
        [':10: model[1] "cnn": unknown key "tranforms"; did you mean "transforms"?'],
    ),
    "unknown parameter": (
        HEAD + "[[model]]\nname = 'cnn'\n[[model]]\nname = 'vit'\nparams = { widht = 8 }\n",
        [':12: model[2] "vit": unknown parameter "widht"; did you mean "width"?'],
    ),
    "unknown model": (
        HEAD + "[[model]]\nname = 'cn'\n",
        [':9: model[1] "cn": unknown model "cn"; did you mean "cnn"?'],
    ),
    "unknown dataset": (
        "[benchmark]\nname='x'\n[[dataset]]\nname='mnits'\n[[model]]\nname='cnn'\n",
        [':4: dataset[1] "mnits": unknown dataset "mnits"; did you mean "mnist"?'],
    ),
    "unknown transform": (
        HEAD + "[[model]]\nname = 'cnn'\ntransforms = ['normalise']\n",
        [':10: model[1] "cnn": unknown transform "normalise"; did you mean "normalize"?'],
    ),
    "unknown metric": (
        "[benchmark]\nname='x'\nmetrics=['acuracy']\n[[dataset]]\nname='digits'\n[[model]]\nname='cnn'\n",
        [':3: benchmark: unknown metric "acuracy"; did you mean "accuracy"?'],
    ),
    "unknown optimizer": (
        HEAD + "[training]\noptimizer = { name = 'adan' }\n[[model]]\nname = 'cnn'\n",
        [':9: training: unknown optimizer "adan"; did you mean "adam"?'],
    ),
    "unknown optimizer argument": (
        HEAD + "[training]\noptimizer = { name = 'sgd', lr = 0.1, momentun = 0.9 }\n[[model]]\nname = 'cnn'\n",
        [':9: training: unknown argument "momentun" of the optimizer "sgd"; did you mean "momentum"?'],
    ),
    "wrong type": (
        HEAD + "[training]\nepochs = '3'\n[[model]]\nname = 'cnn'\n",
        [':9: training: "epochs" must be a valid integer, not "3"'],
    ),
    "out of bounds": (
        HEAD + "[training]\nbatch_size = 0\n[[model]]\nname = 'cnn'\n",
        [':9: training: "batch_size" must be greater than or equal to 1, not 0'],
    ),
    "parameter out of bounds": (
        HEAD + "[[model]]\nname = 'vit'\n[model.params]\nblocks = 0\n",
        [':11: model[1] "vit": "blocks" must be greater than'],
    ),
    "duplicate labels": (
        HEAD + "[[model]]\nname = 'cnn'\n[[model]]\nname = 'cnn'\n",
        ['model[2] "cnn": two models are labelled "cnn"'],
    ),
    "no model": (HEAD, ["there is no [[model]]"]),
    "empty seeds": (
        "[benchmark]\nname='x'\nseeds=[]\n[[dataset]]\nname='digits'\n[[model]]\nname='cnn'\n",
        [':3: benchmark: "seeds" must'],
    ),
    "seeds until what": (
        "[benchmark]\nname='x'\nseeds={until='decided', mots=8}\n[[dataset]]\nname='digits'\n[[model]]\nname='cnn'\n",
        [
            ':3: benchmark: "seeds.most" is missing',
            ':3: benchmark: unknown key "seeds.mots"; did you mean "most"?',
        ],
    ),
    "more seeds at first than at most": (
        "[benchmark]\nname='x'\nseeds={until='decided', least=9, most=8}\n[[dataset]]\nname='digits'\n"
        "[[model]]\nname='cnn'\n",
        ['"least" is 9, and "most" is 8; "most" must not be below "least"'],
    ),
    "one bracket": (
        "[benchmark]\nname='x'\n[dataset]\nname='digits'\n[[model]]\nname='cnn'\n",
        ["write [[dataset]], with two brackets"],
    ),
    "epochs and steps": (
        HEAD + "[training]\nepochs = 1\nsteps = 5\n[[model]]\nname = 'cnn'\n",
        ['give "epochs" or "steps", not both'],
    ),
    "unknown baseline": (
        "[benchmark]\nname='x'\nbaseline='ccn'\n[[dataset]]\nname='digits'\n[[model]]\nname='cnn'\n",
        [':3: benchmark: no model is labelled "ccn"; did you mean "cnn"?'],
    ),
    "margin without its unit": (
        "[benchmark]\nname='x'\nmargin='0.1'\n[[dataset]]\nname='digits'\n[[model]]\nname='cnn'\n",
        [':3: benchmark: "margin" must be percentage points above 0 with their unit, such as "0.1 pp"'],
    ),
    "bad duration": (
        HEAD + "[training]\ntime_limit = '5 parsecs'\n[[model]]\nname = 'cnn'\n",
        [':9: training: "time_limit" must be a number and a unit'],
    ),
    "grid without a list": (
        HEAD + "[[model]]\nname = 'vit'\ngrid = { params.blocks = 2 }\n",
        ['"grid.params.blocks" must be a list'],
    ),
    "grid over a bad value": (
        HEAD + "[[model]]\nname = 'vit'\ngrid = { params.blocks = [2, 0] }\n",
        [':10: model[1] "vit": "blocks" must be greater'],
    ),
    "too much validation": (
        "[benchmark]\nname='x'\n[[dataset]]\nname='digits'\nvalidation=5000\n[[model]]\nname='cnn'\n",
        ['"validation" = 5000 leaves no image to train on'],
    ),
    "too large a limit": (
        "[benchmark]\nname='x'\n[[dataset]]\nname='digits'\ntest_limit=5000\n[[model]]\nname='cnn'\n",
        ['"test_limit" = 5000 is more than'],
    ),
    "best without validation": (
        "[benchmark]\nname='x'\n[[dataset]]\nname='digits'\n[training]\nselect='best'\n[[model]]\nname='cnn'\n",
        ['select = "best" needs validation images'],
    ),
    "input too small": (
        HEAD + "[[model]]\nname = 'vgg16'\nparams = { weights = ['none'] }\n",
        ['model[1] "vgg16": does not fit "digits"', "to-rgb"],
    ),
    "input that does not divide": (
        HEAD + "[[model]]\nname = 'vit'\n",
        ['model[1] "vit": does not fit "digits"', "resize"],
    ),
    "several at once": (
        HEAD + "[training]\nepochs = -1\n[[model]]\nname = 'cnn'\nseed = 3\n[[model]]\nname = 'nope'\n",
        ['"epochs" must', 'unknown key "seed"; did you mean "seeds"?', 'unknown model "nope"'],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_spec_is_refused_with_the_place_and_a_suggestion(case, arena, write_spec):
    text, expected = CASES[case]
    spec = write_spec(text, "bad.toml")
    result = arena("validate", spec)
    assert result.status == 2
    for message in expected:
        assert message in result.err, result.err
    located = [line for line in result.err.splitlines() if line.strip()]
    assert all("bad.toml:" in line for line in located), result.err
    assert not (spec.parent / "runs").exists()


def test_a_missing_file_suggests_the_one_beside_it(arena, write_spec):
    write_spec(name="quick.toml")
    result = arena("run", "quik.toml")
    assert result.status == 2
    assert 'quik.toml: no such file; did you mean "quick.toml"?' in result.err


def test_bytes_that_are_no_text_are_refused(arena, tmp_path):
    (tmp_path / "noise.toml").write_bytes(b"[benchmark]\nname = '\xff\xfe'\n")
    result = arena("validate", "noise.toml")
    assert result.status == 2
    assert "noise.toml:2: not UTF-8" in result.err


def test_an_override_is_checked_like_the_file_and_named_as_the_culprit(arena, write_spec):
    result = arena("validate", write_spec(), "--set", "training.epoch=1")
    assert result.status == 2
    assert '--set training.epoch=1: training: unknown key "epoch"; did you mean "epochs"?' in result.err
    result = arena("validate", write_spec(), "--set", "model.cn.seeds=[3]")
    assert result.status == 2
    assert 'no model is called "cn"; there are: cnn, logistic-regression' in result.err


def test_a_pattern_that_selects_nothing_lists_the_labels(arena, write_spec):
    result = arena("run", write_spec(), "--only", "resnet*")
    assert result.status == 2
    assert "selects none of: cnn, logistic-regression" in result.err


def test_a_bad_spec_runs_nothing(arena, write_spec, tmp_path):
    result = arena("run", write_spec(HEAD + "[[model]]\nname='cnn'\nparams={ x = 1 }\n"))
    assert result.status == 2
    assert not (tmp_path / "runs").exists()
