"""The kit for authors of executors: it names the defect of a broken one, and one that never ends does not stop it."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import replace

import pytest

from mnistarena import ExecutorDef, Params
from mnistarena.executors import Reports, RowAdded, Started, TrialFolder, Workers, choose_conditions, run_job
from mnistarena.testing import checks, executor_jobs, executor_session


class Serial:
    """One trial after the other, as it should be."""

    def __init__(self, context):
        self.context, self.workers = context, Workers()

    def choose(self, work):
        return choose_conditions(self.workers, work, replace(self.context, jobs=1))

    def results(self, submissions, reports):
        for submission in submissions:
            yield submission, self.run(submission, reports)

    def run(self, submission, reports):
        return run_job(submission, reports, workers=self.workers)

    def close(self):
        self.workers.close()


class Deaf(Serial):
    """Asks nobody whether it is to stop."""

    def run(self, submission, reports):
        return super().run(submission, Reports(reports.tell))


class Impatient(Serial):
    """Ends a trial where it should ask for a checkpoint, and brings no predictions back."""

    def run(self, submission, reports):
        result = super().run(submission, replace(reports, stopping=lambda: 2 * reports.stopping()))
        if submission.job.mode == "train":
            (submission.job.folder / "predictions.npz").unlink(missing_ok=True)
        return result


class Forgetful(Serial):
    """Loses each second row of a history, and continues nothing."""

    def run(self, submission, reports):
        def tell(key, event):
            if not isinstance(event, RowAdded) or event.row["epoch"] % 2:
                reports.tell(key, event)

        TrialFolder(submission.job.folder).checkpoint.remove()
        return super().run(submission, replace(reports, tell=tell))


class Elsewhere(Serial):
    """Runs trials in a thread that reports by itself, and leaves an interrupted one's checkpoint where it was."""

    def run(self, submission, reports):
        found = []
        thread = threading.Thread(target=lambda: found.append(run_job(submission, reports, workers=self.workers)))
        thread.start()
        thread.join()
        if found[0]["status"] == "interrupted":
            TrialFolder(submission.job.folder).checkpoint.remove()
        return found[0]


CHILDREN: list[subprocess.Popen] = []


class Endless(Serial):
    """Starts a process and never hears of it again."""

    def run(self, submission, reports):
        reports.tell(submission.key, Started())
        CHILDREN.append(subprocess.Popen(["sleep", "600"]))
        threading.Event().wait()


def failures(kind):
    definition = ExecutorDef("broken", "for a test", params=Params, start=lambda params, context: kind(context))
    found = {check.name: check.outcome() for check in checks(definition)}
    return {name: outcome.message for name, outcome in found.items() if outcome.status == "failed"}


BROKEN = {
    Deaf: {"interrupt": 'asked to stop, a training ended as "done"'},
    Impatient: {"interrupt": "without waiting for the checkpoint", "trial": "all its files must be in"},
    Forgetful: {"events": "has 50 rows, and it told 25", "resumes": "continued from its beginning"},
    Elsewhere: {"events": "reports.stopping and reports.tell in another thread", "interrupt": "there is none; bring"},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_defect_is_named_by_its_own_check_and_by_no_other(kind, monkeypatch):
    monkeypatch.setattr(executor_jobs, "NAP", 0.02)
    found = failures(kind)
    assert found.keys() == BROKEN[kind].keys(), found
    for name, words in BROKEN[kind].items():
        assert words in found[name]


def test_one_that_never_ends_is_given_up_in_time_and_what_it_started_is_ended(monkeypatch):
    monkeypatch.setattr(executor_session, "PATIENCE", 1.0)
    began, found = time.monotonic(), failures(Endless)
    assert time.monotonic() - began < 60
    assert found.keys() == {"results", "interrupt"}, found
    for message in found.values():
        assert "it had not ended after 1 s, and was given up; results must yield each submission" in message
    assert [child.wait(10) for child in CHILDREN] == [-9, -9]


def test_the_local_executor_keeps_the_promises():
    found = {check.name: check.outcome() for check in checks("local")}
    assert {name: outcome for name, outcome in found.items() if outcome.status != "passed"} == {}
