"""The store tells the truth: what was altered is found, moved aside and computed again."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import mnistarena
from mnistarena.errors import StoreError
from mnistarena.report.view import build
from mnistarena.store.checkpoint_files import CheckpointFiles
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_log import LOG_BYTES, TrialLog


def probabilities(run):
    return {p.parent.name: np.load(p)["probabilities"].tobytes() for p in run.glob("trials/*/predictions.npz")}


def truncate(folder):
    path = folder / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-100])
    return "predictions.npz was altered or truncated"


def alter_one_probability(folder):
    path = folder / "predictions.npz"
    arrays = dict(np.load(path))
    arrays["probabilities"][7, 3] += np.float32(1e-6)
    np.savez_compressed(path, **arrays)
    return "predictions.npz was altered or truncated"


def alter_the_accuracy(folder):
    record = json.loads((folder / "trial.json").read_text())
    record["metrics"]["accuracy"] += 0.001
    (folder / "trial.json").write_text(json.dumps(record))
    return "trial.json was altered"


def tear_the_record(folder):
    path = folder / "trial.json"
    path.write_text(path.read_text()[:200])
    return "not JSON"


def lose_the_history(folder):
    (folder / "history.jsonl").unlink()
    return "history.jsonl is missing"


@pytest.mark.parametrize(
    "spoil", [truncate, alter_one_probability, alter_the_accuracy, tear_the_record, lose_the_history]
)
def test_a_damaged_trial_is_found_moved_aside_and_computed_again_to_the_same_bits(arena, run, tiny_run, spoil):
    folder = next(run.glob("trials/logistic*"))
    cause = spoil(folder)
    with pytest.raises(StoreError, match="run the spec again") as refused:
        build(mnistarena.load_run(run))
    assert cause in str(refused.value)
    again = arena("run", "tiny.toml", "--out", "run")
    assert again.status == 0, again.out + again.err
    assert "2 finished before" in again.out
    assert "note: logistic-regression on mnist, seed 0 is computed again: " in again.out
    assert cause in again.out
    assert f"moved to run/damaged/{folder.name}" in again.out
    assert (run / "damaged" / folder.name).is_dir()
    assert probabilities(run) == probabilities(tiny_run)
    assert build(mnistarena.load_run(run)).finished == 3


def test_a_damaged_plan_is_made_again_from_the_spec(arena, run):
    (run / "plan.json").write_text("{}")
    again = arena("run", "tiny.toml", "--out", "run")
    assert again.status == 0
    assert "plan.json is not a plan" in again.out
    assert "3 finished before" in again.out


def test_what_a_killed_process_left_half_written_is_swept_away(arena, run):
    left = [run / ".plan.json.1234.tmp", next(run.glob("trials/cnn*")) / ".predictions.npz.1234.tmp"]
    for path in left:
        path.write_text("half")
    assert arena("run", "tiny.toml", "--out", "run").status == 0
    assert not any(path.exists() for path in left)


def test_trials_that_left_the_spec_stay_on_disk_out_of_the_report_until_they_are_cleaned(arena, run):
    models = list(run.glob("trials/*/model.safetensors"))
    assert len(models) == 2
    assert arena("run", "tiny.toml", "--out", "run", "--set", "benchmark.seeds=[1]").status == 0
    assert len(list(run.glob("trials/cnn*"))) == 2
    assert [t.seed for t in mnistarena.load_run(run).trials if t.label == "cnn"] == [1]
    dry = arena("clean", run, "--dry-run")
    assert "would be freed" in dry.out
    assert len(list(run.glob("trials/cnn*"))) == 2
    assert arena("clean", run, "--dropped").status == 0
    assert len(list(run.glob("trials/cnn*"))) == 1
    cleaned = arena("clean", run)
    assert "model.safetensors" in cleaned.out
    assert "freed" in cleaned.out
    assert not list(run.glob("trials/*/model.safetensors"))
    assert "nothing to remove" in arena("clean", run).out
    # What the report needs is still there, and counts as undamaged.
    assert arena("report", run).status == 0
    assert "2 finished before" in arena("run", "tiny.toml", "--out", "run", "--set", "benchmark.seeds=[1]").out


def test_models_are_not_kept_where_the_spec_says_so(arena, write_spec, tmp_path):
    assert arena("run", write_spec(), "--only", "cnn", "--set", "benchmark.keep_models=false").status == 0
    assert not list(tmp_path.glob("runs/tiny/trials/*/model.safetensors"))


def test_a_folder_that_only_may_be_read_is_named(arena, write_spec):
    result = arena("run", write_spec(), "--out", "/proc/arena")
    assert result.status == 2
    assert "cannot make the run folder /proc/arena" in result.err


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.create()
    folder.write_report("report.md", "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*report\.md: No space left on device"):
        folder.write_report("report.md", "new")
    assert (tmp_path / "report.md").read_text() == "old"
    assert not list(tmp_path.glob(".*.tmp"))


def test_no_training_continues_from_a_damaged_checkpoint(tmp_path):
    files = CheckpointFiles(tmp_path)
    files.write({"step": 3}, {"weights": np.arange(1000.0)})
    files.write({"step": 6}, {"weights": np.arange(1000.0)})
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-6.npz"]
    with files.arrays() as arrays:
        assert arrays["weights"][999] == 999
    path = tmp_path / "checkpoint-6.npz"
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="altered"), files.arrays():
        pass


def test_the_middle_of_a_long_output_is_cut_out(tmp_path):
    log = TrialLog(tmp_path / "log.txt")
    log.path.write_bytes(b"first\n" + b"x" * (3 * LOG_BYTES) + b"\nlast")
    log.trim()
    content = log.path.read_bytes()
    assert len(content) < LOG_BYTES + 100
    assert content.startswith(b"first\n")
    assert content.endswith(b"\nlast")
    assert b"bytes of output left out" in content
