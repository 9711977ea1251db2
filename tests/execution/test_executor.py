"""What a run and its executor say to each other: plain data, keys, and that a stop was asked for."""

from __future__ import annotations

import signal
import textwrap

import pytest

import mnistarena
from mnistarena.execution import interrupts

HEAD = """
import dataclasses, json, os, pickle, signal
from mnistarena import ExecutorDef, Params, hookimpl
from mnistarena.executors import Started, Workers, choose_conditions, run_job

class Own:
    def __init__(self, context):
        self.context, self.workers = context, Workers()
    def choose(self, work):
        return choose_conditions(self.workers, work, self.context)
    def close(self):
        self.workers.close()

@hookimpl
def arena_executors():
    return [ExecutorDef("own", "of this test", params=Params, start=lambda params, context: Own(context))]

def results(self, submissions, reports):
"""

SPEC = {
    "benchmark": {"name": "own", "seeds": [0]},
    "dataset": [{"name": "digits", "train_limit": 200, "test_limit": 50}],
    "training": {"steps": 20},
    "model": [
        {"name": "cnn", "params": {"channels": [4], "hidden": [8]}, "resources": {"cpus": 1, "memory": "1GiB"}},
        {"name": "knn"},
    ],
}


@pytest.fixture
def run(tmp_path):
    """Run the spec with an executor whose `results` is this code."""

    def call(code, **options):
        (tmp_path / "own.py").write_text(
            HEAD + textwrap.indent(textwrap.dedent(code), "    ") + "Own.results = results"
        )
        chosen = mnistarena.Options(executor="own", threads=1, device="cpu", jobs=1)
        return mnistarena.run(SPEC, plugins=[tmp_path / "own.py"], out=tmp_path / "run", options=chosen, **options)

    return call


COPIES = """
    names = []
    for submission in submissions:
        # As another machine may get it.
        copy = pickle.loads(pickle.dumps(submission))
        assert copy == submission
        json.dumps(dataclasses.asdict(submission), default=os.fspath)
        result = run_job(copy, reports, workers=self.workers)
        names.append(f"{submission.key}: {submission.name}")
        yield copy, json.loads(json.dumps(result))
    reports.notice(", ".join(names))
"""


class Told(mnistarena.Observer):
    """Keeps what it is told."""

    def __init__(self):
        self.notices, self.began, self.stops = [], [], 0

    def notice(self, sentence):
        self.notices.append(sentence)

    def started(self, trial, host):
        self.began.append(trial.id)

    def stopping(self):
        self.stops += 1


def test_a_submission_and_a_result_are_plain_data_and_its_key_is_the_trials_id(run):
    told = Told()
    found = run(COPIES, observer=told)
    assert found.complete, [trial.error for trial in found.trials]
    assert told.began == [trial.id for trial in found.trials]
    assert told.notices == [", ".join(f"{trial.id}: {trial.name}" for trial in found.trials)]


@pytest.mark.parametrize(
    "says",
    [
        "reports.tell('mine', Started())",
        "yield dataclasses.replace(submission, key='mine'), {'status': 'interrupted'}",
    ],
)
def test_a_key_that_the_run_did_not_give_is_an_error_of_the_executor(run, says):
    with pytest.raises(mnistarena.ArenaError, match="executor \"own\" was given no trial 'mine'"):
        run(
            f"""
            for submission in submissions:
                {says}
                yield submission, {{'status': 'interrupted'}}
            """
        )


@pytest.fixture
def interruptible():
    """SIGINT is not ignored, as it is in tests that a shell runs in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_after_a_signal_there_is_no_further_submission_and_the_executor_needs_no_code_for_it(run, interruptible):
    told = Told()
    with pytest.raises(KeyboardInterrupt):
        run(
            """
            for submission in submissions:
                yield submission, run_job(submission, reports, workers=self.workers)
                os.kill(os.getpid(), signal.SIGINT)
            """,
            observer=told,
        )
    assert (len(told.began), told.stops) == (1, 1)


def test_an_executor_that_does_not_react_can_be_left_by_a_third_signal(run, interruptible, monkeypatch):
    monkeypatch.setattr(interrupts, "UNHEARD_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(
            """
            for submission in submissions:
                for _ in range(3):
                    os.kill(os.getpid(), signal.SIGINT)
                while True:
                    signal.pause()
            """
        )
