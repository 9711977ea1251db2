"""What changed between two runs, and what a pipeline is told about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistarena import load_run
from mnistarena.evidence.changes import changes
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import TrialFolder

from ..report.synthetic import FAILED, MODELS, build_run

Arena = Callable[..., Any]

CNN, RCNN = MODELS["cnn"], MODELS["faster-rcnn"]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five models, three seeds, all done."""
    return build_run(tmp_path_factory.mktemp("five"))


def pair(tmp_path: Path, before: dict[str, Any], after: dict[str, Any], **options: Any) -> tuple[Path, Path]:
    """Two runs; the second one's trials are other ones, as if code had changed."""
    options = {"n": 1500, **options}
    first = build_run(tmp_path / "a", models=before, **options)
    second = build_run(tmp_path / "b", models=after, **options, salt="changed")
    return first, second


def flat(out: str) -> str:
    """Output without its line breaks."""
    return " ".join(out.split())


def kinds(first: Path, second: Path) -> dict[str, str]:
    return {change.label: change.kind for change in changes(load_run(first), load_run(second))}


def test_a_run_against_itself_has_changed_nothing(arena: Arena, five: Path) -> None:
    assert set(kinds(five, five).values()) == {"identical"}
    done = arena("compare", five, five, "--fail-on-regression")
    assert done.status == 0
    assert "Nothing changed" in done.out
    assert "Passed: of 5 recipes, each by its 95 % interval, none loses 0.1 pp or more." in flat(done.out)


def test_a_recipe_that_got_worse_is_a_regression(arena: Arena, tmp_path: Path) -> None:
    first, second = pair(
        tmp_path, {"cnn": CNN, "faster-rcnn": RCNN}, {"cnn": {**CNN, "accuracy": 0.95}, "faster-rcnn": RCNN}
    )
    assert kinds(first, second)["cnn"] == "worse"
    assert kinds(second, first)["cnn"] == "better"
    assert arena("compare", first, second).status == 0
    failed = arena("compare", first, second, "--fail-on-regression", "--margin", "2pp")
    assert failed.status == 1
    assert "1 regression: cnn." in failed.out
    assert "of 2 recipes of the first run, 1 is not shown to lose less than 2 pp." in flat(failed.out)
    assert re.search(r"- cnn: the difference is −4\.\d\d pp, a loss of 2 pp or more\.", flat(failed.out))
    assert arena("compare", second, first, "--fail-on-regression", "--margin", "2pp").status == 0


def test_runs_are_compared_by_what_decides_in_the_second(arena: Arena, tmp_path: Path) -> None:
    worse = {"cnn": {**CNN, "accuracy": 0.9}}
    first, second = pair(tmp_path, {"cnn": CNN}, worse, decide="log_loss", margin=0.02)
    (change,) = changes(load_run(first), load_run(second))
    losses = [
        np.mean([trial.metrics["log_loss"] for trial in load_run(run).of("cnn", "mnist")]) for run in (first, second)
    ]
    assert [change.before, change.after] == pytest.approx(losses)
    assert losses[0] < losses[1], "the lower one is the better one"
    assert (change.kind, change.no_worse) == ("worse", False)
    assert kinds(second, first) == {"cnn": "better"}
    failed = arena("compare", first, second, "--fail-on-regression")
    assert failed.status == 1
    assert "a loss of 0.02 or more" in flat(failed.out)
    assert f"{losses[0]:.4f}" in failed.out
    assert arena("compare", second, first, "--fail-on-regression").status == 0
    assert arena("compare", first, second, "--margin", "0.1pp").status == 2
    assert arena("compare", second, first, "--margin", "0.5", "--fail-on-regression").status == 0

    without = build_run(tmp_path / "c", models={"cnn": CNN}, n=1500, salt="other")
    plan = json.loads((without / "plan.json").read_text())
    plan["metrics"] = [metric for metric in plan["metrics"] if metric["label"] != "log_loss"]
    (without / "plan.json").write_text(json.dumps(plan))
    (change,) = changes(load_run(without), load_run(second))
    assert (change.kind, change.no_worse) == ("not compared", False)
    assert "no log_loss in the first run: it is no metric of this run" in change.note


def test_what_is_only_undecided_is_not_shown_to_be_no_regression(arena: Arena, tmp_path: Path) -> None:
    first, second = pair(tmp_path, {"cnn": CNN}, {"cnn": CNN})
    assert kinds(first, second) == {"cnn": "undecided"}
    plain = arena("compare", first, second)
    assert plain.status == 0
    assert "No regression is seen. Not decided: cnn." in plain.out
    failed = arena("compare", first, second, "--fail-on-regression")
    assert failed.status == 1
    assert "a loss of 0.1 pp or more is not ruled out" in flat(failed.out)
    told = json.loads(arena("compare", first, second, "--json").out)
    change = told["changes"][0]
    assert (told["not_shown"], change["no_worse"]) == (1, False)
    # The test is that of the 95 % interval: what is ruled out at its lower end has p = 0.05.
    assert change["p_no_worse"] > 0.05
    assert change["difference"]["low"] < -told["margin"]
    enough = -change["difference"]["low"] + 1e-6
    assert changes(load_run(first), load_run(second), enough)[0].p_no_worse == pytest.approx(0.05, abs=1e-3)
    assert changes(load_run(first), load_run(second), enough)[0].no_worse


def test_every_recipe_of_the_first_run_must_be_shown(arena: Arena, tmp_path: Path) -> None:
    lost = {("vgg16", 1): FAILED}
    models = {"cnn": CNN, "faster-rcnn": RCNN, "vgg16": MODELS["vgg16"]}
    first = build_run(tmp_path / "a", models=models, n=300, failures={})
    second = build_run(
        tmp_path / "b", models={"cnn": CNN, "vgg16": MODELS["vgg16"], "new": CNN}, n=300, failures=lost, salt="changed"
    )
    told = json.loads(arena("compare", first, second, "--json", "--margin", "5pp").out)
    assert {row["label"]: row["no_worse"] for row in told["changes"]} == {
        "cnn": True, "vgg16": False, "new": None, "faster-rcnn": False,
    }  # fmt: skip
    failed = arena("compare", first, second, "--fail-on-regression", "--margin", "5pp")
    assert failed.status == 1
    assert "1 regression: vgg16. Gone: faster-rcnn." in flat(failed.out)
    assert "- faster-rcnn: the second run does not have it" in flat(failed.out)
    assert "- vgg16: 1 of 3 seeds has no result in the second run; its report says why" in flat(failed.out)
    assert "- cnn" not in failed.out
    assert "- new" not in failed.out


def test_trials_with_other_ids_and_the_same_predictions_pass(arena: Arena, tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300, seeds=1)
    second = build_run(tmp_path / "b", models={"cnn": CNN}, n=300, seeds=1)
    rename_trials(second)
    change = changes(load_run(first), load_run(second))[0]
    assert (change.kind, change.note) == ("identical", "other trials, the same predictions")
    assert arena("compare", first, second, "--fail-on-regression").status == 0


def rename_trials(run: Path) -> None:
    """Give every trial another id, as changed code does."""
    plan = json.loads((run / "plan.json").read_text())
    folder = RunFolder(run)
    for trial in plan["trials"]:
        old, trial["id"] = trial["id"], trial["id"][::-1]
        files = folder.trial(trial["label"], trial["dataset"], seed=trial["seed"], identity=old)
        record = files.read()
        moved = files.path.with_name(files.path.name.replace(old, trial["id"]))
        files.path.rename(moved)
        TrialFolder(moved).write({**record, "id": trial["id"]})
    (run / "plan.json").write_text(json.dumps(plan))


def test_the_margin_says_what_matters(arena: Arena, tmp_path: Path) -> None:
    first, second = pair(tmp_path, {"cnn": CNN}, {"cnn": {**CNN, "accuracy": 0.96}})
    told = arena("compare", first, second, "--margin", "10pp", "--json", "--fail-on-regression")
    assert told.status == 0
    assert json.loads(told.out)["changes"][0]["kind"] == "equal"
    wrong = arena("compare", first, second, "--margin", "0.1")
    assert wrong.status == 2
    assert '"0.1 pp"' in wrong.err


def test_one_seed_speaks_of_the_trained_models(arena: Arena, tmp_path: Path) -> None:
    first, second = pair(tmp_path, {"cnn": CNN}, {"cnn": {**CNN, "accuracy": 0.9}}, seeds=1)
    change = changes(load_run(first), load_run(second))[0]
    assert change.kind == "model worse"
    assert change.regression
    assert change.difference is None
    assert "one seed" in change.note
    failed = arena("compare", second, first, "--fail-on-regression", "--margin", "20pp")
    assert failed.status == 1
    assert "- cnn: single trained models cannot show it" in failed.out


def test_a_seed_that_no_longer_finishes_is_a_regression(tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300)
    second = build_run(tmp_path / "b", models={"cnn": CNN}, n=300, failures={("cnn", 1): FAILED}, salt="changed")
    change = changes(load_run(first), load_run(second))[0]
    assert (change.kind, change.regression) == ("failing", True)
    assert "1 of 3 seeds" in change.note


def test_more_failures_than_before_are_a_regression_as_many_are_not(tmp_path: Path) -> None:
    lost = {("cnn", 1): FAILED}
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300, failures=lost)
    more = build_run(tmp_path / "b", models={"cnn": CNN}, n=300, failures={**lost, ("cnn", 2): FAILED}, salt="changed")
    alike = build_run(tmp_path / "c", models={"cnn": CNN}, n=300, failures=lost, salt="changed")
    assert kinds(first, more) == {"cnn": "failing"}
    same = changes(load_run(first), load_run(alike))[0]
    assert (same.regression, same.no_worse) == (False, False)


def test_the_same_trials_with_other_predictions_are_said_to_be(tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300)
    second = build_run(tmp_path / "b", models={"cnn": {**CNN, "accuracy": 0.97}}, n=300)
    change = changes(load_run(first), load_run(second))[0]
    assert change.kind != "identical"
    assert "the same trials, but other predictions" in change.note


def test_recipes_of_one_run_only_are_named(tmp_path: Path) -> None:
    first, second = pair(tmp_path, {"cnn": CNN}, {"faster-rcnn": RCNN}, n=300)
    assert kinds(first, second) == {"faster-rcnn": "new", "cnn": "gone"}


def test_other_test_images_are_not_paired(arena: Arena, tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300)
    second = build_run(tmp_path / "b", models={"cnn": CNN}, n=200, salt="changed")
    assert kinds(first, second) == {"cnn": "unpaired"}
    failed = arena("compare", first, second, "--fail-on-regression")
    assert failed.status == 1
    assert "no image can be paired" in failed.out


def test_times_of_unlike_conditions_have_no_ratio(tmp_path: Path) -> None:
    first = build_run(tmp_path / "a", models={"cnn": CNN}, n=300)
    alike = build_run(tmp_path / "b", models={"cnn": CNN}, n=300, salt="changed")
    other = build_run(tmp_path / "c", models={"cnn": CNN}, n=300, salt="changed", conditions={"cnn": {"threads": 9}})
    assert changes(load_run(first), load_run(alike))[0].time == pytest.approx(1, abs=0.1)
    assert changes(load_run(first), load_run(other))[0].time is None


def test_what_is_no_run_is_named(arena: Arena, five: Path, tmp_path: Path) -> None:
    done = arena("compare", five, tmp_path)
    assert done.status == 2
    assert "plan.json" in done.err
