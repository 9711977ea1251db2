"""Predictions of models that were trained elsewhere: the same figures and verdicts as those of models trained here."""

from __future__ import annotations

import re
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mnistarena
from mnistarena import ArenaError, Options, Run

from ..helpers import records

DATA = {"name": "digits", "train_limit": 300, "test_limit": 150}
BENCHMARK = {"name": "both", "seeds": [3, 4], "metrics": ["accuracy", "f1_weighted", "log_loss", "roc_auc"]}
TRAINED = {
    "benchmark": BENCHMARK,
    "dataset": [DATA],
    "training": {"epochs": 1},
    "model": [{"name": "cnn"}, {"name": "logistic-regression"}],
}
BROUGHT = """
[benchmark]
name = "both"
metrics = ["accuracy", "f1_weighted", "log_loss", "roc_auc"]
[[dataset]]
name = "digits"
train_limit = 300
test_limit = 150
[[model]]
label = "cnn"
predictions = "cnn-*.csv"
[[model]]
label = "logistic-regression"
predictions = "logistic-regression-3.csv"
deterministic = true
[[model]]
label = "a paper"
published = 0.9911
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Models that were trained here, and a CSV file of each trial's probabilities beside the run folder."""
    folder = tmp_path_factory.mktemp("brought")
    run = mnistarena.run(TRAINED, out=folder / "trained", options=Options(jobs=1, threads=1))
    assert run.complete
    for trial in run.trials:
        stored = np.load(trial.folder.path / "predictions.npz")
        table = pd.DataFrame(stored["probabilities"].astype(float), columns=[f"p_{number}" for number in range(10)])
        table.insert(0, "index", stored["index"])
        table.sample(frac=1, random_state=0).to_csv(folder / f"{trial.label}-{trial.seed}.csv", index=False)
    return run


@pytest.fixture(scope="module")
def brought(trained: Run) -> Run:
    """The same models, of which there are only the files."""
    folder = trained.path.parent
    (folder / "brought.toml").write_text(BROUGHT)
    return mnistarena.run(folder / "brought.toml", out=folder / "brought", options=Options(jobs=1, threads=1))


def test_figures_and_contributions_are_those_of_the_trained_models(trained, brought):
    assert brought.complete
    assert [(trial.label, trial.seed) for trial in brought.trials] == [
        ("cnn", 3),
        ("cnn", 4),
        ("logistic-regression", 3),
    ]
    for own, other in zip(trained.trials, brought.trials, strict=True):
        assert own.metrics == other.metrics
        mine, theirs = own.contributions(), other.contributions()
        assert mine.keys() == theirs.keys() == set(BENCHMARK["metrics"])
        for label, one in mine.items():
            np.testing.assert_array_equal(one.values, theirs[label].values)


def test_verdicts_are_those_of_the_trained_models_to_the_digit(trained, brought):
    pd.testing.assert_frame_equal(trained.pairs(), brought.pairs(), check_exact=True)
    columns = trained.leaderboard().columns.difference(["train_seconds", "parameters"])
    pd.testing.assert_frame_equal(trained.leaderboard()[columns], brought.leaderboard()[columns], check_exact=True)


def test_what_was_not_measured_is_missing_and_the_report_says_where_they_come_from(brought):
    assert brought.leaderboard()[["train_seconds", "parameters"]].isna().all(axis=None)
    page, text = (path.read_text() for path in brought.report())
    assert "predictions brought from outside" in page
    note = "cnn: predictions brought from outside: cnn-3.csv (seed 3), cnn-4.csv (seed 4); how it was trained"
    assert note in text.replace("\\", "")
    assert "images were trained on" not in text, "nothing was trained"
    said = "no whole number of the 360 test images gives 0.9911"
    assert said in text
    assert f"⚠ published, without predictions; {said}" in page
    assert "| a paper (published) | – | 99.11 | no verdict |" in text


def test_a_published_figure_stands_in_every_leaderboard_without_a_verdict(brought, arena):
    note = "published, without predictions; no whole number of the 360 test images gives 0.9911"
    printed = arena("run", "brought.toml", "--out", brought.path, cwd=brought.path.parent).out
    assert re.search(r"(?m)^a paper \(published\) +–  +–  +99\.11%( +–)+$", printed)
    assert f"\na paper: {note}" in printed
    (paper,) = brought.report(html=False, markdown=False, latex=True)
    assert "    a paper$^{\\circ}$ & -- & 99.11 & -- & -- \\\\\n    \\bottomrule" in paper.read_text()
    assert "$^{\\circ}$ published, without predictions." in paper.read_text()
    row = brought._repr_html_().partition(">a paper</th>")[2].partition("</tr>")[0]
    assert row.startswith("<td>–</td><td>99.11&#8239;%</td><td>–</td><td>published, without predictions; no whole")
    short = arena("report", brought.path, "--summary", "--markdown").out
    assert "| a paper | – | 99.11\u202f% | – | published, without predictions | – |" in short
    assert "a paper" not in set(brought.leaderboard()["label"]), "a frame is computed with"
    decided = '[benchmark]\ndecide = "log_loss"\nmargin = 0.1'
    (brought.path.parent / "other.toml").write_text(BROUGHT.replace("[benchmark]", decided))
    printed = arena("run", "other.toml", "--out", "other", cwd=brought.path.parent).out
    assert re.search(r"(?m)^a paper \(published\) +–  +–  +–  +–  +99\.11%( +–)+$", printed)
    found = mnistarena.load_run(brought.path.parent / "other")
    (paper,) = found.report(html=False, markdown=False, latex=True)
    assert "    a paper$^{\\circ}$ & -- & -- & 99.11 & -- & -- \\\\\n" in paper.read_text()
    assert "<td>–</td><td>–</td><td>–</td><td>99.11&#8239;%</td><td>–</td>" in found._repr_html_()
    (page,) = found.report(markdown=False)
    _, _, further = page.read_text().partition("Further figures of each model")
    assert '<th scope="row">a paper</th><td>–</td><td>99.11</td>' in further, "beside the other accuracies"


def test_they_verify_and_are_not_trained_again(brought, arena):
    findings = list(brought.verify(sample=None))
    assert [(finding.check, finding.ok) for finding in findings] == [("stored", True)] * 3
    with pytest.raises(ArenaError, match="brought from outside, so there is no model to restore"):
        brought.trials[0].restore()
    planned = arena("plan", "brought.toml", cwd=brought.path.parent)
    assert planned.status == 0, planned.err
    assert planned.out.count("predictions brought from outside") >= 3


def test_another_file_is_another_trial_and_the_same_file_the_same(brought):
    folder = brought.path.parent
    ids = {record["id"] for record in records(brought.path)}
    again = mnistarena.run(folder / "brought.toml", out=brought.path)
    assert {trial.id for trial in again.trials} == ids
    file = folder / "cnn-4.csv"
    text = file.read_text()
    try:
        file.write_text(text + "\n")
        changed = mnistarena.run(folder / "brought.toml", out=brought.path)
    finally:
        file.write_text(text)
    assert len({trial.id for trial in changed.trials} & ids) == 2


def test_exported_probabilities_come_back_as_the_same_model(trained, arena, tmp_path):
    again = []
    for label, more in (("cnn", {}), ("logistic-regression", {"deterministic": True})):
        file = tmp_path / f"{label}.csv"
        done = arena("export", trained.path, "--what", "probabilities", "--only", label, "--output", file)
        assert done.status == 0, done.err
        again.append({"label": f"{label} again", "predictions": str(file), **more})
    folder = shutil.copytree(trained.path, tmp_path / "run")
    spec = {**TRAINED, "benchmark": {**BENCHMARK, "margin": "5pp"}, "model": [*TRAINED["model"], *again]}
    found = mnistarena.run(spec, out=folder, options=Options(jobs=1, threads=1))
    pairs = {frozenset((row.a, row.b)): row for row in found.pairs().itertuples()}
    for label, seeds, verdict in (("cnn", [3, 4], "undecided"), ("logistic-regression", [3], "equal")):
        mine, theirs = found.of(label, "digits"), found.of(f"{label} again", "digits")
        assert [trial.seed for trial in theirs] == seeds
        for own, other in zip(mine, theirs, strict=True):
            assert own.metrics == other.metrics
            np.testing.assert_array_equal(own.predictions().probabilities, other.predictions().probabilities)
        pair = pairs[frozenset((label, f"{label} again"))]
        # Of the network there are two seeds only, and further ones could differ by more.
        assert (pair.difference, pair.verdict) == (0, verdict)


def test_classes_without_probabilities_beside_a_trained_model(trained, arena):
    """Exported predictions come back as classes: no log loss, no further views, no verdict without a second seed."""
    folder = trained.path.parent
    rows = trained.frame("predictions")
    rows[rows.label == "cnn"].to_csv(folder / "exported.csv", index=False)
    spec: dict[str, Any] = {
        **TRAINED,
        "model": [*TRAINED["model"], {"label": "exported", "predictions": [str(folder / "exported.csv")]}],
        "evaluation": [{"name": "blurred", "transforms": ["blur"]}],
    }
    spec["benchmark"] = {**BENCHMARK, "target": "50 %"}
    spec["dataset"] = [{**DATA, "validation": 50}]
    options = Options(jobs=1, threads=1)
    found = mnistarena.run(spec, out=folder / "mixed", options=options, only=["logistic-regression", "exported"])
    theirs = [trial for trial in found.trials if trial.label == "exported"]
    assert [trial.seed for trial in theirs] == [3, 4], "by the column of the file"
    for own, other in zip(trained.trials, theirs, strict=False):
        assert other.metrics["accuracy"] == own.metrics["accuracy"]
        assert other.metrics["log_loss"] is None
        assert "gives labels" in other.missing["log_loss"]
        assert "no model" in other.missing["blurred"]
    (text,) = found.report(html=False)
    assert "Never: exported" not in text.read_text(), "nothing is known of its training"
    probabilities = arena("export", found.path, "--what", "probabilities")
    assert "left out: exported gives no probabilities; --what predictions has the classes" in probabilities.err
    assert "\nexported," not in probabilities.out
    nothing = arena("export", found.path, "--what", "probabilities", "--only", "exported")
    assert nothing.status == 2
    assert nothing.err == "error: exported gives no probabilities; --what predictions has the classes\n"
    written = [(trial.folder.path / "trial.json").stat().st_mtime_ns for trial in theirs]
    mnistarena.run(spec, out=folder / "mixed", options=options, only=["exported"])
    again = [(trial.folder.path / "trial.json").stat().st_mtime_ns for trial in theirs]
    assert again == written, "a view that no model can predict is not tried again"
