"""The interface for Python: a run from a mapping, what it returns, and what an observer is told."""

from __future__ import annotations

import numpy as np
import pytest

import mnistarena
from mnistarena import ArenaError
from mnistarena.plugin.messages import RowAdded, StageBegan

SPEC = {
    "benchmark": {"name": "from Python", "metrics": ["accuracy"], "seeds": [0, 1]},
    "dataset": [{"name": "digits", "train_limit": 300, "validation": 50, "test_limit": 100}],
    "training": {"epochs": 5},
    "model": [
        {"name": "logistic-regression"},
        {"name": "cnn", "params": {"channels": [4], "hidden": [8]}},
        {"name": "knn"},
    ],
}


class Recorder(mnistarena.Observer):
    """Keeps what a run tells."""

    def __init__(self):
        self.calls = []

    def planned(self, plan, waiting, *, folder, conditions):
        self.calls.append(("planned", len(waiting), conditions["jobs"]))

    def started(self, trial, host):
        self.calls.append(("started", trial.name))

    def event(self, trial, event):
        self.calls.append(("event", trial.name, event))

    def ended(self, trial, record):
        self.calls.append(("ended", trial.name, record["status"]))

    def of(self, kind):
        return [call[1:] for call in self.calls if call[0] == kind]


@pytest.fixture(scope="module")
def told():
    return Recorder()


@pytest.fixture(scope="module")
def run(tmp_path_factory, told):
    """A run of two of the three models, the training shorter than the spec says."""
    return mnistarena.run(
        SPEC,
        out=tmp_path_factory.mktemp("python") / "run",
        only=["logistic-regression", "cn*"],
        overrides=["training.epochs=1", "benchmark.seeds=[3, 4]"],
        options=mnistarena.Options(jobs=1, threads=1),
        observer=told,
    )


def test_overrides_and_patterns_decide_what_runs(run):
    assert run.complete
    assert [(trial.label, trial.seed) for trial in run.trials] == [("logistic-regression", 3), ("cnn", 3), ("cnn", 4)]
    assert {trial.measurements["epochs"] for trial in run.trials if trial.label == "cnn"} == {1}
    assert "# --set training.epochs=1" in run.spec
    assert SPEC["training"] == {"epochs": 5}, "the caller's mapping stays as it is"


@pytest.mark.parametrize("name", ["overrides", "only", "plugins"])
def test_a_string_in_place_of_a_list_is_refused(name, tmp_path):
    with pytest.raises(ArenaError, match=rf"takes a list of strings, not one string: {name}=\['x=1'\]"):
        mnistarena.run(SPEC, out=tmp_path / "run", **{name: "x=1"})
    assert not (tmp_path / "run").exists()


def test_an_observer_is_told_of_each_trial_from_its_start_to_its_end(run, told):
    assert told.of("planned") == [(3, 1)]
    names = [trial.name for trial in run.trials]
    assert [name for (name,) in told.of("started")] == names
    assert told.of("ended") == [(name, "done") for name in names]
    for name in names:
        calls = [call for call in told.calls if call[1] == name]
        assert (calls[0][0], calls[-1][0]) == ("started", "ended")
        events = [call[2] for call in calls[1:-1]]
        assert [event.stage for event in events if isinstance(event, StageBegan)] == [
            "training",
            "testing",
            "measuring",
            "scoring",
        ]
        (row,) = [event.row for event in events if isinstance(event, RowAdded)]
        assert row["epoch"] == 1


def test_what_is_finished_is_not_run_again(run):
    again = Recorder()
    same = mnistarena.run(
        SPEC, out=run.path, only=["cnn"], overrides=["training.epochs=1", "benchmark.seeds=[3, 4]"], observer=again
    )
    assert [trial.id for trial in same.trials] == [trial.id for trial in run.trials]
    assert told_nothing(again)


def told_nothing(recorder):
    """Whether there was nothing to run."""
    return [call[:2] for call in recorder.calls] == [("planned", 0)]


def test_runs_and_trials_are_shown_in_a_line(run):
    assert repr(run) == f"<Run 'from Python' in {run.path}: 3 of 3 trials done>"
    trial = run.trials[0]
    accuracy = f"{trial.metrics['accuracy']:.4f}"
    assert repr(trial) == f"<TrialResult logistic-regression on digits, seed 3: done, accuracy {accuracy}>"
    assert repr(mnistarena.load_run(run.path)) == repr(run)


def test_tables_have_a_row_each(run):
    assert list(run.frame()["label"]) == ["logistic-regression", "cnn", "cnn"]
    assert len(run.frame("predictions")) == 3 * 100
    assert sorted(run.leaderboard()["label"]) == ["cnn", "logistic-regression"]
    assert len(run.pairs()) == 1


def test_the_report_is_written_into_the_run_folder(run):
    page, text = run.report()
    assert (page, text) == (run.path / "report.html", run.path / "report.md")
    assert "from Python" in page.read_text()
    assert run.report(html=False) == [text]


def test_it_verifies_itself(run):
    findings = list(run.verify(sample=1, seed=0))
    assert [finding.check for finding in findings] == ["stored"] * 3 + ["again"]
    assert all(finding.ok for finding in findings), findings
    assert "bit-identical" in findings[-1].text


@pytest.mark.parametrize("number", [0, 1])
def test_a_restored_model_predicts_what_is_stored(run, number):
    trial = run.trials[number]
    images = run.test_split("digits")["images"]
    found = trial.restore().probabilities(images)
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="wanted uint8"):
        trial.restore().probabilities(images.astype(float))


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"jobs": -3}, {"jobs": "1"}, {"memory_limit": "4GiB"}, {"checkpoint_every": "30s"}]
)
def test_options_that_no_run_can_have_are_refused_at_once(wrong):
    (name,) = wrong
    with pytest.raises(mnistarena.ArenaError, match=rf"Options\({name}="):
        mnistarena.Options(**wrong)


def test_verifying_with_no_job_is_an_error_not_a_proof(run):
    with pytest.raises(mnistarena.ArenaError, match="at least 1 job"):
        list(run.verify(jobs=0))
