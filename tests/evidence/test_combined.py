"""Folds, groups, other figures and comparisons of runs together: what each is by itself must hold of them, too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena import load_run
from mnistarena.evidence import timing
from mnistarena.evidence.changes import changes
from mnistarena.evidence.recipe import gather
from mnistarena.report.shortfall import shortfall

from ..report.folded import as_folds
from ..report.synthetic import FAILED, MODELS, build_run, contributed

CNN = MODELS["cnn"]


def folded(path: Path, models: dict[str, dict[str, Any]], **options: Any) -> Path:
    return as_folds(build_run(path, models=models, **{"n": 300, "seeds": 4, **options}))


def test_one_fold_with_the_same_predictions_does_not_make_a_run_the_same(tmp_path: Path) -> None:
    first, second = (folded(tmp_path / at, {"cnn": CNN}, salt=at) for at in "ab")
    theirs = {trial.split: trial for trial in load_run(first).trials}
    for trial in load_run(second).trials:
        if trial.split == 3:
            trial.folder.write_predictions(theirs[3].predictions())
            trial.folder.write({**trial.record(), "metrics": theirs[3].metrics})
    (change,) = changes(load_run(first), load_run(second))
    assert change.kind == "undecided"
    assert change.difference.splits == 4
    said = shortfall(change, 0.001)
    assert "seeds of each" not in said
    assert "images in all would show it" in said or "a loss of" in said


def test_the_same_classes_with_other_probabilities_are_not_the_same_log_loss(tmp_path: Path) -> None:
    first, second = (
        build_run(tmp_path / at, models={"cnn": CNN}, n=300, decide="log_loss", margin=0.01) for at in "ab"
    )
    for trial in load_run(second).trials:
        found = trial.predictions()
        blunt = replace(found, values=(found.values + 0.05) / (found.values + 0.05).sum(axis=1, keepdims=True))
        assert np.array_equal(blunt.predicted, found.predicted)
        trial.folder.write_predictions(blunt)
        trial.folder.contributions.write(contributed(blunt))
        loss = float(contributed(blunt)["log_loss"].values.mean())
        trial.folder.write({**trial.record(), "metrics": {**trial.metrics, "log_loss": loss}})
    (change,) = changes(load_run(first), load_run(second))
    assert (change.kind, change.no_worse) == ("worse", False)
    assert "the same trials, but other predictions" in change.note


def test_two_metrics_of_one_label_are_not_compared(tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300, decide="f1_weighted")
    second = build_run(tmp_path / "b", models={"cnn": CNN}, n=300, decide="f1_weighted", salt="changed")
    plan = json.loads((first / "plan.json").read_text())
    next(metric for metric in plan["metrics"] if metric["label"] == "f1_weighted")["name"] = "f1_macro"
    (first / "plan.json").write_text(json.dumps(plan))
    (change,) = changes(load_run(first), load_run(second))
    assert (change.kind, change.before, change.no_worse) == ("not compared", None, False)
    assert "no f1_weighted in the first run: it is another metric there" in change.note


def test_groups_on_folds_widen_the_intervals_that_are_shown(tmp_path: Path) -> None:
    groups, models = np.arange(300) // 10, {"cnn": CNN, "vgg16": MODELS["vgg16"]}
    comparison = load_run(folded(tmp_path / "a", models, groups=groups)).view.comparisons[0]
    alone = load_run(folded(tmp_path / "b", models)).view.comparisons[0]
    wider = [
        (row.accuracy.high - row.accuracy.low) / (other.accuracy.high - other.accuracy.low)
        for row, other in zip(comparison.rows, alone.rows, strict=True)
    ]
    assert "The 1,200 test images come in 120 groups" in comparison.answers["certainty"]
    assert f"makes intervals {np.median(wider):.1f} times as wide" in comparison.answers["certainty"]
    pair = comparison.pairs[0]
    assert (pair.difference.groups, pair.difference.splits) == (120, 4)


def test_a_metric_over_folds_of_unlike_size_is_the_mean_that_its_interval_is_about(tmp_path: Path) -> None:
    run = folded(tmp_path / "a", {"cnn": CNN, "vgg16": MODELS["vgg16"]})
    for trial in load_run(run).trials:
        if trial.split == 0:
            part = trial.predictions().of(np.arange(100))
            trial.folder.write_predictions(part)
            trial.folder.contributions.write(contributed(part))
            figures = {label: float(one.values.mean()) for label, one in contributed(part).items()}
            figures["accuracy"] = float((part.labels == part.predicted).mean())
            trial.folder.write({**trial.record(), "metrics": figures})
    view = load_run(run).view
    assert view.contradictions == ()
    for row in view.comparisons[0].rows:
        assert row.metrics == tuple(interval.estimate for interval in row.intervals)


def test_a_recipe_that_lacks_a_fold_is_said_to(tmp_path: Path) -> None:
    run = folded(tmp_path / "a", {"cnn": CNN, "vgg16": MODELS["vgg16"]}, decide="log_loss", margin=0.01)
    lost = load_run(run).of("cnn", "mnist")[1]
    kept = {key: value for key, value in lost.record().items() if key in ("id", "label", "dataset", "seed", "split")}
    lost.folder.write({**kept, **FAILED})
    comparison = load_run(run).view.comparisons[0]
    assert "cnn (1 of 4 trials did not finish)" in comparison.headline


def test_each_fold_is_a_measurement_of_time(tmp_path: Path) -> None:
    run = load_run(folded(tmp_path / "a", {"cnn": CNN, "vgg16": MODELS["vgg16"]}))
    recipes = gather(run, run.plan["datasets"][0])
    assert [len(timing.measured(recipe, timing.train_seconds)) for recipe in recipes] == [4, 4]
    order = [("cnn", "vgg16"), ("vgg16", "cnn"), ("cnn", "vgg16"), ("vgg16", "cnn")]
    for trial in run.trials:
        second = 10 * trial.split + order[trial.split].index(trial.label)
        trial.folder.write({**trial.record(), "started": f"2026-01-01T00:00:{second:02}+00:00"})
    run = load_run(run.path)
    (ratio,) = timing.against(gather(run, run.plan["datasets"][0]), "cnn", timing.train_seconds)
    assert (ratio.reason, ratio.verdict) == ("", "more")
    assert ratio.ratio.low < 310 / 96 < ratio.ratio.high
