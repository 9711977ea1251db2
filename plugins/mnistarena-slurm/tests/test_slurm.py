"""Trials as jobs of submitit, on its local and debug clusters: the same bits, also after a job was preempted."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import mnistarena_slurm
import psutil
import pytest

import mnistarena
import mnistarena.testing
from mnistarena.executors import RowAdded

(SLURM,) = mnistarena_slurm.arena_executors()

TIMES = int(os.environ.get("ARENA_REQUEUES", "2"))
"""How often a job is ended and queued again; `make chaos` asks for more."""

LOCAL_STARTS = 6
"""How often submitit's local cluster starts a job at most; then it is lost, and the same command has to go on."""

MODEL = """
import time
from mnistarena import ModelDef, Params, hookimpl


def build(params, task):
    from torch import nn

    class Slow(nn.Sequential):
        def forward(self, images):
            time.sleep(0.1 * self.training)
            return super().forward(images)

    return Slow(nn.Flatten(), nn.Linear(64, task.n_classes), nn.Dropout(0.2))


@hookimpl
def arena_models():
    return [ModelDef("slow", "a linear layer that naps", params=Params, build=build)]
"""

SPEC = {
    "benchmark": {"name": "on Slurm", "seeds": [0]},
    "dataset": [{"name": "digits", "train_limit": 64, "validation": 20, "test_limit": 30}],
    "training": {"epochs": 10 + 3 * TIMES, "batch_size": 32},
    "model": [{"name": "slow"}, {"name": "knn"}],
}


def catches(pid, number):
    """Whether a process handles a signal: a row may be one of the job before, and this one has only begun."""
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return int(mask, 16) >> (number - 1) & 1


class Preempt(mnistarena.Observer):
    """Sends a job that trains what Slurm sends before it ends one, as soon as each job has added an epoch."""

    def __init__(self):
        self.preempted = set()

    def event(self, trial, event):
        if isinstance(event, RowAdded) and trial.recipe.label == "slow" and len(self.preempted) < TIMES:
            for process in psutil.Process().children(recursive=True):
                known = process.pid in self.preempted or "submitit.core._submit" not in process.cmdline()
                if not known and catches(process.pid, signal.SIGUSR2):
                    self.preempted.add(process.pid)
                    process.send_signal(signal.SIGUSR2)


def test_a_preempted_trial_is_queued_again_and_has_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(MODEL)
    how = {"plugins": ["slow.py"]}
    own = {"executor": "slurm", "executor_params": {"cluster": "local", "folder": "jobs"}}
    seen = Preempt()
    for _ in range(1 + TIMES // LOCAL_STARTS):
        options = mnistarena.Options("cpu", 1, threads=1, **own)
        run = mnistarena.run(SPEC, out="run", options=options, observer=seen, **how)
    assert run.complete, [trial.error for trial in run.trials]
    slow, _ = run.trials
    assert len(seen.preempted) == TIMES
    assert slow.measurements["resumed_at_step"] > 0
    assert list((tmp_path / "jobs").iterdir()) == []

    # Without Slurm, and one after the other within arena run: the same figures.
    alone = mnistarena.run(SPEC, out="alone", options=mnistarena.Options("cpu", 1, threads=1), **how)
    for one, other in zip(run.trials, alone.trials, strict=True):
        assert one.metrics == other.metrics
        assert (one.predictions().values == other.predictions().values).all()
        assert [row["train_loss"] for row in one.history()] == [row["train_loss"] for row in other.history()]
    own["executor_params"] = {"cluster": "debug", "folder": "jobs"}
    how |= {"only": ["knn"], "options": mnistarena.Options("cpu", 1, threads=1, **own)}
    assert mnistarena.run(SPEC, out="debug", **how).trials[0].metrics == alone.trials[1].metrics


COMMANDS = {
    # What Slurm does, on this machine: each job of the array is a process.
    "sbatch": """
        cp "$1" "$RECORD"
        last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$RECORD")
        for n in $(seq 0 ${last:-0}); do
            export SLURM_JOB_ID=70$n
            [ -n "$last" ] && export SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID=$n
            bash "$RECORD" >"$RECORD.$n" 2>&1 &
        done
        echo "Submitted batch job 70"
    """,
    "srun": """
        while [ "${1#--}" != "$1" ]; do
            case "$1" in --output|--error) shift;; esac
            shift
        done
        exec "$@"
    """,
    "sacct": "echo 'JobID|State|NodeList'",
    "scancel": "true",
}


def test_trials_that_ask_for_the_same_are_an_array_with_what_the_site_wants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(MODEL)
    for name, text in COMMANDS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "script.sh"))
    params = {"partition": "gpu", "account": "ab123", "minutes": 30, "options": {"constraint": "a100"}}
    options = mnistarena.Options("cpu", 2, threads=1, executor="slurm", executor_params={**params, "setup": ["true"]})
    overrides = ["benchmark.seeds=[0, 1]", "training.epochs=1"]
    run = mnistarena.run(SPEC, out="run", only=["slow"], overrides=overrides, plugins=["slow.py"], options=options)
    assert run.complete
    script = (tmp_path / "script.sh").read_text().splitlines()
    asked = {line.removeprefix("#SBATCH --") for line in script if line.startswith("#SBATCH")}
    site = {"partition=gpu", "account=ab123", "constraint=a100", "time=30", "signal=USR2@90"}
    assert asked >= {*site, "cpus-per-task=1", "mem=2GB", "array=0-1%2", "job-name=arena"}
    assert "true" in script


@pytest.mark.timeout(600)
@mnistarena.testing.parametrize(SLURM, params={"cluster": "local"})
def test_it_keeps_the_promises_of_an_executor(check, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    check.run()
