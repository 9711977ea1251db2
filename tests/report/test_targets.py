"""How soon does a model reach the target? On validation images, with those counted that never do."""

from __future__ import annotations

import json

import pytest

import mnistarena
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.sections.targets import answer, reached
from mnistarena.report.view import build
from mnistarena.report.write import write_report

from .synthetic import build_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Targets that one model always, one sometimes and one never reaches."""
    path = build_run(tmp_path_factory.mktemp("target"), target=0.985, n=500)
    return mnistarena.load_run(path)


def test_the_time_to_the_target_is_the_first_epoch_that_reaches_it(run):
    trial = run.of("cnn", "mnist")[0]
    rows = trial.history()
    first = next(row for row in rows if row["validation_accuracy"] >= 0.9)
    assert trial.time_to(0.9) == first["train_seconds"] < rows[-1]["train_seconds"]
    assert trial.time_to(0.9999) is None
    times = run.frame()
    assert times[times.label == "vit-8"].time_to_target.isna().all()
    assert "time_to_target" not in mnistarena.load_run(build_run(run.path.parent / "none", n=100)).frame()


class Trial:
    """Reaches the target after so many seconds, or never."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.done = True

    def time_to(self, target):
        return self.seconds


def recipe(label, *seconds):
    found = object.__new__(RecipeEvidence)
    for name, value in (("label", label), ("entry", {}), ("trials", tuple(map(Trial, seconds)))):
        object.__setattr__(found, name, value)
    return found


@pytest.mark.parametrize(
    ("seconds", "median", "text"),
    [
        ((3.0, 1.0, 2.0), 2.0, "2.0"),
        ((1.0, None, 2.0), 2.0, "(2 of 3)"),
        ((1.0, None), None, "(1 of 2)"),
        ((None, None), None, "(0 of 2)"),
        ((1.0, 2.0, 3.0, None), 2.5, "(3 of 4)"),
    ],
)
def test_a_seed_that_misses_counts_as_later_than_any(seconds, median, text):
    found = reached(recipe("cnn", *seconds), 0.99)
    assert found.median == median
    assert text in found.text
    assert found.reached == sum(value is not None for value in seconds)


def test_the_answer_names_the_first_the_next_and_those_that_never_do():
    found = [reached(recipe("a", 5.0, 6.0), 0.99), reached(recipe("b", 2.0, 3.0), 0.99), reached(recipe("c", None), 1)]
    said = answer(found, 0.99, ())
    assert said.startswith("In this run b reaches 99")
    assert "next is a" in said
    assert said.endswith("Never: c.")
    assert "not ranked" in answer(found, 0.99, ("threads: 1; 2",)), "times of unlike conditions"
    assert "No model" in answer(found[2:], 0.99, ())


def test_page_markdown_and_data_tell_of_the_target(run):
    (comparison,) = build(run).comparisons
    assert [one.label for one in comparison.reached] == [row.label for row in comparison.rows]
    write_report(run.path)
    page, markdown = (run.path / "report.html").read_text(), (run.path / "report.md").read_text()
    assert "How soon is the target reached?" in page
    assert comparison.answers["target"] in markdown
    assert "Seeds that reach" in markdown


def test_a_run_has_a_column_for_its_target(arena, write_spec, tmp_path):
    spec = write_spec()
    only = ("--only", "cnn", "--set", "benchmark.seeds=[0]", "--jobs", 1, "--threads", 1)
    result = arena("run", spec, "--out", "run", *only, "--set", 'benchmark.target="30 %"')
    assert result.status == 0, result.err
    assert "to 30\N{NARROW NO-BREAK SPACE}%" in result.out
    (time,) = mnistarena.load_run(tmp_path / "run").frame().time_to_target
    rows = [json.loads(line) for line in next(tmp_path.glob("run/trials/*/history.jsonl")).read_text().splitlines()]
    assert time in [row["train_seconds"] for row in rows]


def test_a_target_needs_validation_images_and_a_percentage(arena, write_spec, tiny_text):
    spec = write_spec(tiny_text.replace("validation = 200\n", "").replace("baseline", 'target = "99"\nbaseline'))
    result = arena("validate", spec)
    assert result.status == 2
    assert 'must be a percentage above 0 with its sign, such as "99 %"' in result.err
    spec.write_text(spec.read_text().replace('"99"', '"99 %"'))
    result = arena("validate", spec)
    assert result.status == 2
    assert 'dataset[1] "mnist": the benchmark\'s "target" needs validation images' in result.err
