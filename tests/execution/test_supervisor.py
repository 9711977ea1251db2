"""What a supervisor decides when news and a limit arrive together, and when it was stopped itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mnistarena.execution import supervisor
from mnistarena.execution.supervisor import Supervisor
from mnistarena.plugin.executor import Job, Reports, Submission
from mnistarena.plugin.messages import Ended, Measured, StageBegan

from ..helpers import by_label, wait_for

DONE = {"status": "done", "metrics": {"accuracy": 1.0}}
NEWS = [StageBegan("testing"), Measured({"train_seconds": 1.0}), StageBegan("scoring"), Ended(DONE)]


class Process:
    """A worker that has said everything and waits to be ended."""

    pid, exitcode = 2**22 + 1, None
    killed = False

    def join(self, seconds: float = 0) -> None:
        pass

    def terminate(self) -> None:
        pass


class Workers:
    def __init__(self, *messages: object) -> None:
        self.messages, self.process = messages, Process()

    def start(self, job: Job, cores: frozenset[int]) -> tuple[Process, object]:
        ours, self.theirs = multiprocessing.Pipe(duplex=False)
        for message in self.messages:
            self.theirs.send(message)
        return self.process, ours

    def end(self, process: Process) -> None:
        process.killed = True


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    (tmp_path / "trial").mkdir()
    job = Job(
        *(tmp_path / "trial", {}),
        conditions={"device": "cpu", "threads": 1},
        data=tmp_path,
        temporary=tmp_path,
        mode="score",
    )
    return Submission("one", job, seconds=0.0, limit="0s")


def run(workers: Workers, submission: Submission, **options: object) -> tuple[dict, list]:
    told: list = []
    one = Supervisor(workers, 1, reports=Reports(lambda key, event: told.append(event)), **options)
    ((_, result),) = one.results(iter([submission]))
    assert workers.process.killed
    return result, told


def test_what_arrived_counts_before_the_time_limit(submission):
    result, told = run(Workers(*NEWS), submission)
    assert result == DONE
    assert told[1:] == NEWS[:-1], "and all that was said before it is passed on"
    late, _ = run(Workers(*NEWS[:-1]), submission)
    assert late["status"] == "timeout"


def test_what_arrived_counts_before_the_memory_limit(submission, monkeypatch):
    monkeypatch.setattr(supervisor, "memory", lambda pid: 2)
    forever = Submission("one", submission.job)
    assert run(Workers(*NEWS), forever, memory_limit=1)[0] == DONE
    assert run(Workers(*NEWS[:-1]), forever, memory_limit=1)[0]["error"]["type"] == "MemoryLimit"


@pytest.mark.parametrize("asked", [1, 2])
@pytest.mark.parametrize(("messages", "status"), [(NEWS, "done"), (NEWS[:-1], "interrupted")])
def test_what_arrived_counts_before_the_end_of_the_grace_period_and_a_second_signal(
    submission, monkeypatch, asked, messages, status
):
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 0.0)
    requests = 0

    def submissions():
        nonlocal requests
        yield Submission("one", submission.job)
        requests = asked

    one = Supervisor(Workers(*messages), 2, reports=Reports(stopping=lambda: requests))
    assert [result["status"] for _, result in one.results(submissions())] == [status]


def test_time_in_which_the_supervisor_was_stopped_is_not_counted(submission, monkeypatch):
    """Of one that slept ten times longer than it asked to: its trials were stopped with it."""
    monkeypatch.setattr(supervisor, "STOPPED_SECONDS", 0.3)
    waits = []

    def wait(connections: list, timeout: float) -> list:
        waits.append(timeout)
        time.sleep(1.0 if len(waits) == 1 else timeout)
        if len(waits) == 2:
            workers.theirs.send(Ended(DONE))
        return []

    workers = Workers()
    monkeypatch.setattr(supervisor, "wait", wait)
    limited = Submission("one", submission.job, seconds=0.9, limit="0.9s")
    assert run(workers, limited)[0] == DONE
    waits.clear()
    monkeypatch.setattr(supervisor, "STOPPED_SECONDS", 100.0)
    assert run(Workers(), limited)[0]["status"] == "timeout"


SLEEPS = """
import time
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    "No parameters."

class Slow:
    def fit(self, images, labels):
        print("asleep", flush=True)
        time.sleep(1.5)
    def predict_proba(self, images):
        import numpy as np
        return np.full((len(images), 10), 0.1)
    def get_params(self, deep=True):
        return {}
    def set_params(self):
        return self
    classes_ = list(range(10))

@hookimpl
def arena_models():
    return [ModelDef("slow", "sleeps", params=Nothing, build=lambda params, task: Slow(), deterministic=True)]
"""

SPEC = """
plugins = ["slow.py"]
[benchmark]
name = "slow"
metrics = ["accuracy"]
[training]
time_limit = "4s"
[[dataset]]
name = "digits"
test_limit = 50
[[model]]
name = "slow"
"""


def test_a_trial_that_ended_while_the_command_was_stopped_is_done(forked, tmp_path):
    (tmp_path / "slow.py").write_text(SLEEPS)
    (tmp_path / "slow.toml").write_text(SPEC)
    running = forked("run", "slow.toml", "--out", "run")
    wait_for(lambda: any("asleep" in log.read_text() for log in tmp_path.glob("run/trials/*/log.txt")))
    os.kill(running.pid, signal.SIGSTOP)
    time.sleep(5.5)
    os.kill(running.pid, signal.SIGCONT)
    running.join(60)
    assert running.exitcode == 0
    assert by_label(tmp_path / "run")["slow"]["status"] == "done"
