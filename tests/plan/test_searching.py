"""What is wrong with a search is said at its line; what is right becomes a space, a budget and recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnistarena.plan.grid import variants
from mnistarena.plan.space import at, corners, space_of
from mnistarena.plugin.space import Between, OneOf, has_point
from mnistarena.spec.problems import Problems, Source
from mnistarena.spec.schema import ModelTable

SPEC = """\
[benchmark]
name = "tuned"
[[dataset]]
name = "digits"
validation = 100
transforms = [{ name = "pad", size = 12 }]
[training]
epochs = 1
[search]
trials = 4
searcher = "random"
[[model]]
name = "cnn"
search.training.optimizer.lr = { low = 0.001, high = 0.1, log = true }
search.transforms.pad.size = [12, 16]
"""

WRONG = {
    "a name that nothing has": ("params.chanels = [4, 8]", 'unknown parameter "chanels"; did you mean'),
    "a key of the training that there is not": ("training.epoch = [1, 2]", 'unknown key "epoch"'),
    "a value that it cannot have": ("params.kernel_size = [3, 99]", "99"),
    "a section that there is not": ("parms.kernel_size = [3]", "is nothing that a search can choose in"),
    "a transform that the model has not": ("transforms.resize.size = [3]", 'is called "resize"'),
    "bounds upside down": (
        "training.optimizer.lr = { low = 1.0, high = 0.1 }",
        '"low" must be below "high"',
    ),
    "the logarithm of 0": ("training.optimizer.lr = { low = 0, high = 1.0, log = true }", "no logarithm"),
    "half a range": ("training.optimizer.lr = { low = 0.1 }", '"high" is missing'),
    "a space without points": ("training.optimizer.lr = []", "at least 1"),
    "a whole table": ("training = [1, 2]", "is a whole table"),
    "a condition on nothing": (
        'training.optimizer.lr = { low = 0.1, high = 0.2, when = { training.loss = "mse" } }',
        '"training.loss" is no parameter of this search',
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_space_that_is_wrong_is_said_at_its_line(what, arena, tmp_path):
    text, said = WRONG[what]
    lines = SPEC.splitlines()
    lines[13] = f"search.{text}"
    (tmp_path / "s.toml").write_text("\n".join(lines))
    done = arena("validate", "s.toml")
    assert done.status == 2
    assert said in done.err
    assert "s.toml:14:" in done.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trials = 4\n", "", "s.toml:9: search: a search needs a budget"),
        ("trials = 4\n", 'trials = 4\ntime = "1m"\n', "a search has one budget: give trials or time"),
        ("trials = 4\n", "trials = 0\n", "s.toml:10: search: "),
        ("trials = 4\n", "steps = 3\n", 'a trial of "cnn" takes 21 steps; give at least as many'),
        ("validation = 100\n", "", 's.toml:3: dataset[1] "digits": a search needs validation images'),
        ("validation = 100\n", "folds = 3\n", "are test images of another split"),
        ('searcher = "random"', 'searcher = "grid"', "give a list of values, or use another searcher"),
        ('searcher = "random"', 'searcher = "randm"', 'unknown searcher "randm"; did you mean "random"?'),
        ('searcher = "random"', 'searcher = "random"\nby = "f1_macr"', 'unknown metric "f1_macr"'),
        ('searcher = "random"', 'searcher = "random"\nrepeats = 3', "3 repeats need 3 seeds, one for each search"),
        (
            'searcher = "random"',
            'searcher = "random"\nby = "f1_macro"\npruner = { name = "median" }',
            "a pruner looks at what is known after each epoch",
        ),
        ("search.transforms.pad.size = [12, 16]", 'choose = "validation"', 'give "choose" with a grid, or "search"'),
        ("search.transforms.pad.size = [12, 16]", '[[model]]\nname = "knn"\nchoose = "validation"', "needs a grid"),
        (
            "trials = 4\n",
            'trials = 4\npruner = { name = "asha" }\n',
            None,
        ),
        (
            'trials = 4\nsearcher = "random"\n[[model]]\nname = "cnn"',
            'trials = 4\npruner = { name = "asha" }\nsearcher = "random"\n[[model]]\nname = "knn"',
            'a pruner has no meaning for "knn", which is fitted at once',
        ),
    ],
)
def test_a_search_that_cannot_be_is_said_at_its_line(old, new, said, arena, tmp_path):
    assert old in SPEC
    text = SPEC.replace(old, new)
    if "knn" in new and "asha" in new:
        text = text.replace("search.training.optimizer.lr = { low = 0.001, high = 0.1, log = true }", "").replace(
            "search.transforms.pad.size = [12, 16]", "search.params.n_neighbors = [1, 3]"
        )
    (tmp_path / "s.toml").write_text(text)
    done = arena("validate", "s.toml")
    if said is None:
        assert done.status == 0, done.err
        return
    assert done.status == 2
    assert said in done.err


def test_a_table_without_a_use_is_said(arena, tmp_path):
    (tmp_path / "s.toml").write_text(SPEC[: SPEC.index("search.training")] + "search = false\n")
    assert "s.toml:9: search: there is nothing to search" in arena("validate", "s.toml").err
    without = SPEC.replace('[search]\ntrials = 4\nsearcher = "random"\n', "")
    (tmp_path / "s.toml").write_text(without)
    assert "a search needs the table [search]" in arena("validate", "s.toml").err


def spaced(raw: dict[str, object]):
    problems = Problems(Source("s.toml", "", base_dir=Path()), {})
    found = space_of(raw, ("model", 0, "search"), problems)
    return found, list(problems.found)


def test_paths_may_be_nested_or_in_quotes_and_conditions_put_parameters_in_order():
    space, problems = spaced(
        {
            "training.optimizer.momentum": {
                "low": 0.5,
                "high": 0.99,
                "when": {"training": {"optimizer": {"name": "sgd"}}},
            },
            "training": {"optimizer": {"name": ["adam", "sgd"]}, "batch_size": {"low": 16, "high": 128, "log": True}},
            "params": {"low": [1, 2]},
        }
    )
    assert not problems
    names = [parameter.name for parameter in space]
    assert names.index("training.optimizer.name") < names.index("training.optimizer.momentum")
    domains = {parameter.name: parameter.domain for parameter in space}
    assert domains["training.batch_size"] == Between(16, 128, log=True, integer=True)
    assert domains["params.low"] == OneOf((1, 2))
    points = list(corners(space))
    assert all(has_point(space, point) for point in points)
    assert {point.get("training.optimizer.momentum") for point in points} == {None, 0.5, 0.99}
    assert {point["training.batch_size"] for point in points} == {16, 128}


def test_parameters_that_depend_on_each_other_are_refused():
    _, problems = spaced(
        {
            "params.a": {"values": [1, 2], "when": {"params.b": 1}},
            "params.b": {"values": [1, 2], "when": {"params.a": 1}},
        }
    )
    assert any("depend on each other" in problem for problem in problems)


def test_a_point_sets_nested_keys_and_leaves_the_others():
    table = ModelTable.model_validate({"name": "cnn", "params": {"kernel_size": 3}, "training": {"epochs": 2}})
    (variant,) = variants(table, ("model", 0), Problems(Source("s", "", base_dir=Path()), {}))
    found = at(variant, {"training.optimizer.lr": 0.5, "params.hidden": [8], "transforms.pad.size": 9}, "search")
    assert found.training == {"optimizer": {"lr": 0.5}}
    assert found.params == {"hidden": [8]}
    assert found.transforms == {"pad": {"size": 9}}
