"""A run's tables, from the command and from Python."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mnistarena

from .synthetic import build_run

Arena = Callable[..., Any]


def test_csv_has_a_row_a_trial(arena: Arena, troubled: Path) -> None:
    rows = list(csv.DictReader(arena("export", troubled).out.splitlines()))
    assert len(rows) == 15
    assert {row["status"] for row in rows} == {"done", "failed", "timeout", "pending"}
    failed = next(row for row in rows if row["status"] == "failed")
    assert failed["accuracy"] == ""


def test_json_and_parquet_hold_the_same_figures(arena: Arena, five: Path, tmp_path: Path) -> None:
    told = pd.DataFrame(json.loads(arena("export", five, "--json").out))
    done = arena("export", five, "--parquet", "--output", tmp_path / "new" / "trials.parquet")
    assert done.status == 0
    stored = pd.read_parquet(tmp_path / "new" / "trials.parquet")
    pd.testing.assert_series_equal(told["accuracy"], stored["accuracy"])
    assert list(stored["label"]) == [trial.label for trial in mnistarena.load_run(five).trials]


def test_predictions_give_the_accuracy_again(arena: Arena, five: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    assert arena("export", five, "--what", "predictions", "-o", out).status == 0
    frame = pd.read_csv(out)
    found = frame.groupby(["label", "seed"])["correct"].mean()
    for trial in mnistarena.load_run(five).trials:
        assert found[trial.label, trial.seed] == pytest.approx(trial.metrics["accuracy"])


def test_probabilities_have_a_column_for_each_class_of_one_dataset(arena: Arena, tmp_path: Path) -> None:
    names = ["label", "index", "seed", *"abcdefg"]
    run = build_run(
        tmp_path / "run", datasets=("a", "b"), data={"b": {"class_names": names}}, n=50, seeds=1, epochs=1, validation=0
    )
    both = arena("export", run, "--what", "probabilities")
    assert both.status == 2
    assert "a and b have different classes, so their probabilities are not one table; choose a dataset:" in both.err
    one = arena("export", run, "--what", "probabilities", "--dataset", "b", "--only", "vit*", "--only", "cnn")
    rows = list(csv.DictReader(one.out.splitlines()))
    assert list(rows[0]) == ["label", "dataset", "seed", "index", "true", *(f"p_{name}" for name in names)]
    assert {row["label"] for row in rows} == {"cnn", "vit-8"}
    found = mnistarena.load_run(run)
    stored = found.of("cnn", "b")[0].predictions(as_stored=True)
    frame = found.frame("probabilities", only=["cnn"], dataset="b")
    assert (frame[[f"p_{name}" for name in names]].to_numpy() == stored.values).all()
    assert [names[label] for label in stored.labels] == list(frame["true"])


def test_what_is_exported_may_be_chosen_by_label(arena: Arena, five: Path) -> None:
    pairs = json.loads(arena("export", five, "--json", "--what", "pairs", "--only", "cnn", "--only", "v*").out)
    assert {pair[side] for pair in pairs for side in "ab"} == {"cnn", "vgg16", "vit-8"}
    assert len(list(csv.DictReader(arena("export", five, "--only", "vgg16").out.splitlines()))) == 3
    assert 'no model labelled "vgg61"; did you mean "vgg16"?' in arena("export", five, "--only", "vgg61").err
    assert 'no dataset labelled "nist"; did you mean "mnist"?' in arena("export", five, "--dataset", "nist").err


def test_pairs_and_history_are_tables_too(arena: Arena, five: Path) -> None:
    pairs = json.loads(arena("export", five, "--json", "--what", "pairs").out)
    assert len(pairs) == 10
    assert {pair["verdict"] for pair in pairs} <= {"better", "worse", "equal", "undecided"}
    history = list(csv.DictReader(arena("export", five, "--what", "history").out.splitlines()))
    assert len(history) == 15 * 8


def test_parquet_needs_a_file_to_write(arena: Arena, five: Path) -> None:
    done = arena("export", five, "--parquet")
    assert done.status == 2
    assert "--output" in done.err


def test_a_notebook_shows_the_verdict_and_the_leaderboard(five: Path) -> None:
    run = mnistarena.load_run(five)
    shown = run._repr_html_()
    assert "No single winner: faster-rcnn" in shown
    assert shown.count("<tr>") == 6
    assert "<script" not in shown


def test_frames_are_tidy(five: Path) -> None:
    run = mnistarena.load_run(five)
    board, pairs = run.leaderboard(), run.pairs()
    assert list(board["accuracy"]) == sorted(board["accuracy"], reverse=True)
    assert (board["low"] < board["accuracy"]).all()
    assert len(pairs) == 10
    assert len(run.frame("history")) == 15 * 8
    assert set(run.frame("predictions").columns) == {
        "label", "dataset", "seed", "index", "true", "predicted", "probability", "correct",
    }  # fmt: skip
    with pytest.raises(ValueError, match="is not a table"):
        run.frame("nonsense")
