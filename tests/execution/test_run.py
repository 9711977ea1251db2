"""What `arena run` promises: the same bits every time, nothing run twice, a fault costs one trial."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mnistarena

from ..helpers import bits, records


def trials(run: Path) -> dict[str, dict]:
    return {f"{record['label']}-{record['seed']}": record for record in records(run)}


def test_a_run_leaves_everything_that_its_figures_can_be_recomputed_from(tiny_run):
    found = trials(tiny_run)
    assert set(found) == {"cnn-0", "cnn-1", "logistic-regression-0"}, "one seed is enough for a deterministic model"
    for name, record in found.items():
        assert record["status"] == "done"
        folder = next(tiny_run.glob(f"trials/*-{record['id']}"))
        arrays = np.load(folder / "predictions.npz")
        correct = arrays["probabilities"].argmax(1) == arrays["labels"]
        assert record["metrics"]["accuracy"] == pytest.approx(correct.mean(), abs=1e-12)
        assert len(arrays["index"]) == 500
        measured = record["measurements"]
        assert measured["wall_seconds"] > measured["train_seconds"] > 0
        assert measured["train_cpu_seconds"] > 0
        # Of a recipe it is measured once.
        assert set(measured.get("latency_ms", ())) == (set() if name == "cnn-1" else {"1", "256"})
        assert measured["peak_memory_bytes"] > 1e6
        stages = measured["stage_seconds"]
        assert set(stages) == {"starting", "training", "testing", "measuring"}
        assert sum(stages.values()) == pytest.approx(measured["wall_seconds"], rel=0.05, abs=0.05)
    cnn = found["cnn-0"]["measurements"]
    assert cnn["parameters"] == cnn["trainable_parameters"] == 212_542
    # 2 × multiply-adds: conv 5×5 1→16 at 28², conv 5×5 16→32 at 14², three linear layers.
    multiply_adds = 28**2 * 16 * 25 + 14**2 * 32 * 25 * 16 + 1568 * 120 + 120 * 84 + 84 * 10
    assert cnn["flops_per_image"] == 2 * multiply_adds
    assert found["cnn-0"]["metrics"]["accuracy"] > 0.75


def test_the_same_spec_gives_the_same_bits_however_many_run_side_by_side(arena, write_spec, tmp_path, tiny_run):
    assert arena("run", write_spec(), "--out", "run", "--jobs", 1, "--threads", 1).status == 0
    assert json.loads((tiny_run / "plan.json").read_text())["conditions"]["jobs"] == 2
    assert bits(tmp_path / "run") == bits(tiny_run)
    assert len(bits(tiny_run)) == 3


def test_what_is_finished_is_not_run_again_and_force_runs_it(arena, write_spec, tmp_path, tiny_run):
    spec = write_spec()
    shutil.copytree(tiny_run, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("run/trials/*/predictions.npz")}
    again = arena("run", spec, "--out", "run")
    assert again.status == 0
    assert "3 finished before" in again.out
    assert {p: p.stat().st_mtime_ns for p in before} == before
    # An edited spec runs only what changed.
    more = arena("run", spec, "--out", "run", "--set", "model.cnn.seeds=[0, 1, 2]")
    assert "3 finished before" in more.out
    assert len(trials(tmp_path / "run")) == 4
    shutil.rmtree(next(tmp_path.glob("run/trials/cnn*-s2-*")))
    assert arena("run", spec, "--out", "run", "--only", "cnn", "--force").status == 0
    assert bits(tmp_path / "run") == bits(tiny_run), "as many side by side as then"
    assert all(p.stat().st_mtime_ns > before[p] for p in before if "cnn" in p.parent.name)


def test_a_new_metric_is_computed_from_the_stored_predictions_without_training(arena, write_spec, tmp_path, tiny_run):
    spec = write_spec()
    shutil.copytree(tiny_run, tmp_path / "run")
    history = {p: p.read_bytes() for p in tmp_path.glob("run/trials/*/history.jsonl")}
    metric = 'benchmark.metrics=["accuracy", { name = "ece", bins = 5, label = "ece-5" }]'
    assert arena("run", spec, "--out", "run", "--set", metric).status == 0
    for record in trials(tmp_path / "run").values():
        assert set(record["metrics"]) == {"accuracy", "ece-5"}
    assert {p: p.read_bytes() for p in history} == history


def test_only_keeps_what_was_run_before_of_the_others(arena, write_spec, tmp_path):
    spec = write_spec()
    assert arena("run", spec, "--out", "run", "--only", "cnn").status == 0
    assert arena("run", spec, "--out", "run", "--only", "logistic*").status == 0
    run = mnistarena.load_run(tmp_path / "run")
    assert [(t.label, t.status) for t in run.trials] == [
        ("cnn", "done"),
        ("cnn", "done"),
        ("logistic-regression", "done"),
    ]


def test_two_labels_of_one_recipe_are_trained_once_and_shown_twice(arena, write_spec, tmp_path):
    spec = write_spec(
        """
        [benchmark]
        name = "twins"
        [[dataset]]
        name = "digits"
        [training]
        epochs = 1
        [[model]]
        name = "cnn"
        [[model]]
        name = "cnn"
        label = "the same"
        """
    )
    assert arena("run", spec, "--out", "run").status == 0
    assert len(trials(tmp_path / "run")) == 1
    run = mnistarena.load_run(tmp_path / "run")
    assert [(t.label, t.done) for t in run.trials] == [("cnn", True), ("the same", True)]


def test_an_output_that_cannot_be_written_is_named(arena, write_spec, tmp_path):
    (tmp_path / "taken").write_text("a file")
    result = arena("run", write_spec(), "--out", "taken/run")
    assert result.status == 2
    assert "cannot make the run folder taken/run" in result.err


@pytest.mark.parametrize(
    ("option", "value", "answer"),
    [
        ("--memory-limit", "lots", "is not a size; write 500M"),
        ("--checkpoint-every", "soon", "must be a number and a unit"),
    ],
)
def test_a_size_or_a_time_that_is_none_is_refused(arena, write_spec, option, value, answer):
    result = arena("run", write_spec(), option, value)
    assert result.status == 2
    assert answer in result.err


def test_two_datasets_whose_labels_look_alike_as_file_names_are_kept_apart(arena, write_spec, tmp_path):
    table = "[[dataset]]\nname = 'digits'\nlabel = '{}'\ntest_limit = {}\n"
    tables = table.format("a/b", 100) + table.format("a-b", 200) + table.format("tmp", 50)
    spec = write_spec("[benchmark]\nname = 'twins'\n" + tables + "[[model]]\nname = 'logistic-regression'\n")
    assert arena("run", spec, "--out", "run").status == 0
    sizes = {t.dataset: len(t.predictions().labels) for t in mnistarena.load_run(tmp_path / "run").trials}
    assert sizes == {"a/b": 100, "a-b": 200, "tmp": 50}


def test_a_device_that_is_not_there_is_refused(arena, write_spec):
    result = arena("run", write_spec(), "--device", "cuda:99")
    assert result.status == 2
    assert "'cuda:99' cannot be used" in result.err


def test_python_runs_a_mapping_from_a_script_without_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        """
import mnistarena

run = mnistarena.run({
    "benchmark": {"name": "from Python", "metrics": ["accuracy"]},
    "dataset": [{"name": "digits"}],
    "training": {"epochs": 1},
    "model": [{"name": "cnn"}],
}, out="run")
assert run.complete
print(run.frame()[["label", "seed", "status"]].to_string())
print(run.trials[0].predictions().probabilities.shape)
"""
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "(360, 10)" in done.stdout


def test_a_spec_with_a_grid_makes_a_labelled_recipe_of_each_point(arena, write_spec):
    spec = write_spec(
        """
        [benchmark]
        name = "grid"
        seeds = [0, 1]
        [[dataset]]
        name = "mnist"
        test_limit = 100
        [training]
        epochs = 3
        optimizer = { name = "sgd", lr = 0.1, momentum = 0.9 }
        [[model]]
        name = "vit"
        grid = { params.blocks = [1, 2], training.batch_size = [32, 64] }
        training = { steps = 7, optimizer = { name = "adam" } }
        """
    )
    plan = json.loads(arena("plan", spec, "--no-estimate", "--json").out)
    assert [e["label"] for e in plan["entries"]] == [
        "vit[blocks=1,batch_size=32]",
        "vit[blocks=1,batch_size=64]",
        "vit[blocks=2,batch_size=32]",
        "vit[blocks=2,batch_size=64]",
    ]
    assert len({t["id"] for t in plan["trials"]}) == 8
    first = plan["entries"][0]["training"]
    assert (first["steps"], first["epochs"]) == (7, None), "steps replace the default's epochs"
    assert first["optimizer"] == {"name": "adam"}, "another optimizer does not inherit the first one's arguments"
    assert [e["params"]["blocks"] for e in plan["entries"]] == [1, 1, 2, 2]
