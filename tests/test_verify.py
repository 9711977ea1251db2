"""`arena verify`: bit-identical, or what is not, and by how much."""

from __future__ import annotations

import json

import numpy as np

from mnistarena.plan.identity import identify
from mnistarena.store.trial_folder import TrialFolder


def contents(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def forge(folder, change):
    """Change stored probabilities as somebody would who knows how digests work."""
    trial = TrialFolder(folder)
    record, arrays = trial.read(), dict(np.load(folder / "predictions.npz"))
    change(arrays["probabilities"], arrays["labels"])
    np.savez_compressed(folder / "predictions.npz", **arrays)
    trial.write(record)


def test_every_trial_of_a_run_is_bit_identical_and_the_folder_stays_untouched(arena, run):
    before = contents(run)
    result = arena("verify", run, "--sample", "all", "--jobs", 2)
    assert result.status == 0, result.out
    assert result.out.count("3 metrics recomputed: bit-identical") == 3
    assert result.out.count("run again: predictions, history and weights bit-identical") == 3
    assert "3 finished trials checked against their predictions, 3 run again: all bit-identical." in result.out
    assert contents(run) == before


def test_one_altered_probability_is_caught_by_its_digest(arena, run):
    path = next(run.glob("trials/cnn*s0*/predictions.npz"))
    arrays = dict(np.load(path))
    arrays["probabilities"][7, 3] = np.nextafter(arrays["probabilities"][7, 3], 1)
    np.savez_compressed(path, **arrays)
    result = arena("verify", run, "--sample", 0)
    assert result.status == 1
    assert "DIFFERENT  cnn on mnist, seed 0" in result.out
    assert "predictions.npz was altered or truncated since it was written" in result.out
    assert "1 of these 3 checks found a difference" in result.out


def test_altered_weights_are_caught(arena, run):
    path = next(run.glob("trials/cnn*s0*/model.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = arena("verify", run, "--sample", 0)
    assert result.status == 1
    assert "model.safetensors was altered" in result.out


def test_a_forged_digest_does_not_hide_an_altered_probability(arena, run):
    def nudge(probabilities, labels):
        probabilities[7, labels[7]] *= 0.999

    forge(next(run.glob("trials/logistic*")), nudge)
    result = arena("verify", run, "--sample", 0)
    assert result.status == 1
    assert "DIFFERENT  logistic-regression on mnist, seed 0  log_loss is recorded as" in result.out


def change_code(run):
    """As if the code of the logistic regression had changed since the run; the name of a file that it is in."""
    folder = next(run.glob("trials/logistic*"))
    trial = TrialFolder(folder)
    record = trial.read()
    source = next(iter(record["identity"]["sources"]))
    record["identity"]["sources"][source] = "0" * 64
    old, new = record["id"], identify(record["identity"])
    trial.write({**record, "id": new})
    folder.rename(folder.with_name(folder.name.replace(old, new)))
    (run / "plan.json").write_text((run / "plan.json").read_text().replace(old, new))
    return source


def test_a_second_training_catches_what_no_metric_can_and_is_not_of_changed_code(arena, run):
    def trade(probabilities, labels):
        """Two wrong classes of an image change places: accuracy, F1 and log loss stay what they are, to the bit."""
        for row, label in zip(probabilities, labels, strict=True):
            first, second = [c for c in np.argsort(row) if c != label][:2]
            traded = row.copy()
            traded[[first, second]] = row[[second, first]]
            if row[first] != row[second] and traded.astype(float).sum() == row.astype(float).sum():
                row[:] = traded
                return
        raise AssertionError("no image will do")

    forge(next(run.glob("trials/cnn*s1*")), trade)
    assert arena("verify", run, "--sample", 0).status == 0
    source = change_code(run)
    again = arena("verify", run, "--sample", "all")
    assert again.status == 1
    assert "DIFFERENT  cnn on mnist, seed 1  run again: largest deviation of a probability" in again.out
    assert "identical  cnn on mnist, seed 0  run again" in again.out
    assert again.out.count("run again: predictions, history and weights bit-identical") == 1
    assert f"cannot be run again: the code of {source} has changed since" in again.out


def test_a_record_of_another_trial_is_not_called_identical(arena, run):
    folder = next(run.glob("trials/cnn*s0*"))
    trial = TrialFolder(folder)
    record = trial.read()
    record["identity"]["seed"] = 5
    trial.write(record)
    result = arena("verify", run, "--sample", 0)
    assert result.status == 1
    assert "its identity does not hash to" in result.out


def test_unfinished_trials_are_named_as_left_out(arena, run):
    path = next(run.glob("trials/logistic*/trial.json"))
    trial = TrialFolder(path.parent)
    record = trial.read()
    trial.write({**record, "status": "interrupted"})
    result = arena("verify", run, "--sample", 0)
    assert result.status == 0
    assert "1 of 3 trials are not done and were left out" in result.out
    assert json.loads(path.read_text())["status"] == "interrupted"


def test_bad_usage_is_answered(arena, run):
    assert arena("verify", run, "--sample", "some").status == 2
    nothing = arena("verify", "nowhere")
    assert nothing.status == 2
    assert "is nowhere a run folder?" in nothing.err
