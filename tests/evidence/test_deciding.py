"""What decides: any metric of the plan, its unit and direction; groups of test images; what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistarena import load_run
from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.evidence.pairs import compare
from mnistarena.evidence.recipe import gather
from mnistarena.stats.crossed import Crossed
from mnistarena.store.trial_folder import TrialFolder

from ..report.synthetic import MODELS, build_run

Arena = Callable[..., Any]

PLUGIN = """
import numpy as np
from mnistarena import Dataset, DatasetDef, MetricDef, ModelDef, NoValue, Params, hookimpl


class Nothing(Params):
    pass


def load(params, context):
    from sklearn.datasets import load_digits

    found = load_digits()
    images = (found.images[:, None] * 15.9).astype(np.uint8)
    labels = found.target.astype(np.int64)
    return Dataset(
        images[:300], labels[:300], test_images=images[300:480], test_labels=labels[300:480],
        class_names=tuple("0123456789"), test_groups=np.arange(180) // 12,
    )


def build(params, task):
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier()


def doubtful(predictions, params):
    return float(np.quantile(predictions.probabilities.max(axis=1), 0.1))


def wrong_parts(predictions, params):
    return np.zeros(len(predictions.labels))


@hookimpl
def arena_datasets():
    return [DatasetDef("written", "digits of 15 writers", params=Nothing, load=load)]


@hookimpl
def arena_models():
    return [ModelDef("ridge", "a linear model", params=Nothing, build=build, deterministic=True)]


@hookimpl
def arena_metrics():
    return [
        MetricDef("doubtful", "the least sure tenth", params=Nothing, compute=doubtful, higher_is_better=True),
        MetricDef(
            "broken", "its parts are not its own", params=Nothing, compute=doubtful, higher_is_better=True,
            per_image=wrong_parts,
        ),
    ]
"""

SPEC = """
plugins = ["plugin.py"]

[benchmark]
name = "deciding"
seeds = [0, 1]
metrics = ["log_loss", "doubtful", "broken", "f1_macro", "accuracy"]
decide = "log_loss"
margin = 0.01

[[dataset]]
name = "written"

[[model]]
name = "random-forest"
label = "small"
params = { n_estimators = 5 }

[[model]]
name = "random-forest"
label = "large"
params = { n_estimators = 60 }

[[model]]
name = "ridge"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mnistarena import run

    folder = tmp_path_factory.mktemp("deciding")
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "spec.toml").write_text(SPEC)
    return run(folder / "spec.toml", out=folder / "out").path


def test_a_run_is_decided_by_its_log_loss(ran: Path) -> None:
    run = load_run(ran)
    assert (run.plan["decide"], run.plan["margin"]) == ("log_loss", 0.01)
    assert run.view.figure == Figure("log_loss", higher_is_better=False, share=False)
    recipes = {recipe.label: recipe for recipe in gather(run, run.plan["datasets"][0])}
    large = recipes["large"].decided
    stored = [trial.metrics["log_loss"] for trial in run.of("large", "written")]
    assert large.values == pytest.approx(stored)
    assert large.interval is not None
    assert large.interval.low < large.mean < large.interval.high
    (pair,) = [pair for pair in run.view.comparisons[0].pairs if {pair.a, pair.b} == {"small", "large"}]
    turned = pair.seen_from("large")
    assert turned.difference is not None
    assert turned.difference.estimate < 0, "less loss"
    assert turned.superiority == 1.0
    board = run.leaderboard()
    assert board["label"].tolist() == ["large", "small", "ridge"], "the lowest loss first"
    assert board["figure"].tolist()[:2] == pytest.approx([large.mean, recipes["small"].decided.mean])
    assert (board["figure_low"] < board["figure"])[:2].all()


def test_a_model_without_probabilities_is_not_compared_by_them(ran: Path) -> None:
    run = load_run(ran)
    pairs = [pair for pair in run.view.comparisons[0].pairs if "ridge" in (pair.a, pair.b)]
    assert {pair.verdict for pair in pairs} == {"not compared"}
    assert all("ridge has no log loss: the model gives labels, no probabilities" in pair.reason for pair in pairs)
    assert all(pair.mcnemar is None for pair in pairs), "which is of accuracy"
    row = next(row for row in run.view.comparisons[0].rows if row.label == "ridge")
    assert (row.place, row.decided) == (None, None)
    assert row.accuracy is not None


def test_every_metric_of_the_leaderboard_has_its_interval_where_its_images_are_known(ran: Path) -> None:
    run = load_run(ran)
    names = [metric["label"] for metric in run.view.metrics]
    row = next(row for row in run.view.comparisons[0].rows if row.label == "large")
    intervals = dict(zip(names, row.intervals, strict=True))
    values = dict(zip(names, row.metrics, strict=True))
    for name in ("log_loss", "doubtful", "f1_macro"):
        assert intervals[name].low < values[name] < intervals[name].high, name
        assert intervals[name].estimate == pytest.approx(values[name])
    assert intervals["broken"] is None
    assert "per_image returned values" in dict(zip(names, row.reasons, strict=True))["broken"]
    trial = run.of("large", "written")[0]
    assert "per_image returned values whose mean is 0" in trial.no_interval["broken"]
    # By a jackknife over blocks of whole writers.
    blocks = trial.contributions()["doubtful"].blocks
    assert blocks is not None
    assert all(len(set(blocks[writer : writer + 12])) == 1 for writer in range(0, 180, 12))


def test_test_images_of_one_writer_count_together(ran: Path) -> None:
    run = load_run(ran)
    assert run.test_split("written")["groups"].tolist() == (np.arange(180) // 12).tolist()
    for recipe in gather(run, run.plan["datasets"][0]):
        assert recipe.groups is not None
        alone = Crossed([recipe.correct], [recipe.deterministic]).mean(0)
        assert recipe.interval is not None
        assert alone is None or recipe.interval != alone
    answer = run.view.comparisons[0].answers["certainty"]
    assert "The 180 test images come in 15 groups" in answer
    assert "times as wide" in answer
    assert any("in 15 groups only" in sentence for sentence in run.view.caveats)


def test_contributions_that_were_altered_are_not_used(ran: Path, tmp_path: Path) -> None:
    import shutil

    from mnistarena import StoreError

    copy = tmp_path / "copy"
    shutil.copytree(ran, copy)
    path = next(copy.glob("trials/large-*/contributions.npz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="contributions.npz was altered"):
        _ = load_run(copy).view


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ('decide = "log_los"', 'no metric is labelled "log_los"; did you mean "log_loss"?'),
        ('decide = "log_loss"', '"log_loss" is no share, so its margin is a number in its own unit; set "margin"'),
        ('decide = "log_loss"\nmargin = "0.1 pp"', '"log_loss" is no share, so its margin is a number'),
        ("margin = 0.001", '"accuracy" is a share; give percentage points, such as margin = "0.1 pp"'),
        ('decide = "log_loss"\nmargin = 0', '"margin" must be percentage points with their unit'),
        ("margin = true", '"margin" must be percentage points with their unit'),
    ],
)
def test_a_margin_has_the_unit_of_what_decides(arena: Arena, tmp_path: Path, settings: str, problem: str) -> None:
    (tmp_path / "spec.toml").write_text(
        f'[benchmark]\nname = "x"\nseeds = [0]\n{settings}\n[[dataset]]\nname = "digits"\n[[model]]\nname = "knn"\n'
    )
    done = arena("validate", "spec.toml")
    assert done.status != 0
    assert problem in done.err


def decided(tmp_path: Path, decide: str, margin: float, **options: Any) -> Path:
    models = {label: MODELS[label] for label in ("cnn", "alexnet", "vit-8")}
    return build_run(tmp_path / decide, models=models, n=600, decide=decide, margin=margin, **options)


def test_each_figure_gives_its_own_verdicts_and_accuracy_keeps_its_bits(tmp_path: Path) -> None:
    by_accuracy = load_run(decided(tmp_path, "accuracy", 0.001))
    by_loss = load_run(decided(tmp_path, "log_loss", 0.02))
    assert by_accuracy.view.figure == ACCURACY
    for comparison in (by_accuracy.view.comparisons[0], by_loss.view.comparisons[0]):
        assert [row.label for row in comparison.rows] == ["cnn", "alexnet", "vit-8"]
        assert comparison.rows[-1].verdict == "worse"
    recipes = gather(by_accuracy, by_accuracy.plan["datasets"][0])
    assert all(recipe.decided.contributions is recipe.correct for recipe in recipes)
    differences = [run.view.comparisons[0].pair("vit-8", "cnn") for run in (by_accuracy, by_loss)]
    signs = [np.sign(pair.difference.estimate) for pair in differences if pair and pair.difference]
    assert signs == [-1, 1]
    assert by_loss.view.margin == 0.02
    # Another run that decides by log loss has a margin that is none of accuracy's.
    from mnistarena.evidence.changes import changes

    assert {change.kind for change in changes(by_accuracy, by_loss)} == {"identical"}


def test_groups_of_alike_images_widen_what_is_said(tmp_path: Path) -> None:
    groups = np.sort(np.random.default_rng(0).integers(0, 40, 600))
    plain, grouped = load_run(decided(tmp_path, "accuracy", 0.001)), None
    grouped = load_run(build_run(tmp_path / "g", models={"cnn": MODELS["cnn"]}, n=600, groups=groups))
    (recipe,) = gather(grouped, grouped.plan["datasets"][0])
    assert recipe.interval is not None
    assert recipe.interval != gather(plain, plain.plan["datasets"][0])[0].interval
    assert "600 test images come in 40 groups" in grouped.view.comparisons[0].answers["certainty"]
    assert not any("groups only" in sentence for sentence in grouped.view.caveats)


def test_what_is_stored_of_images_and_of_the_figure_must_agree(tmp_path: Path) -> None:
    path = decided(tmp_path, "log_loss", 0.02)
    folder = TrialFolder(next(path.glob("trials/cnn-*-s0-*")))
    record = json.loads((folder.path / "trial.json").read_text())
    record["metrics"]["log_loss"] += 0.5
    del record["digest"]
    folder.write(record)
    view = load_run(path).view
    assert any("its images' contributions give" in sentence for sentence in view.contradictions)


def test_recipes_of_which_one_has_no_such_figure_do_not_hide_the_others(tmp_path: Path) -> None:
    run = load_run(decided(tmp_path, "log_loss", 0.02))
    recipes = gather(run, run.plan["datasets"][0])
    lost = replace(recipes[1], decided=replace(recipes[1].decided, contributions=None, reason="lost"))
    pairs = compare([recipes[0], lost, recipes[2]], 0.02)
    assert [pair.verdict for pair in pairs] == ["not compared", "better", "not compared"]
    assert pairs[0].reason == "alexnet has no log loss: lost"
