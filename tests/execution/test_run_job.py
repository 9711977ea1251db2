"""`mnistarena.executors.run_job`: a trial where an executor wants it, in a process of its own, to a result."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading

import pytest

from mnistarena import executors
from mnistarena.data.arrays import write_arrays
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.messages import MetricRequest
from mnistarena.plugin.single_file import plugin_file
from mnistarena.spec.load import load_spec

RAISES = """
from mnistarena import ModelDef, Params, hookimpl

def build(params, task):
    raise RuntimeError("built on sand")

@hookimpl
def arena_models():
    return [ModelDef("raises", "cannot be built", params=Params, build=build)]
"""

SPEC = {
    "benchmark": {"name": "one job", "metrics": ["accuracy"]},
    "dataset": [{"name": "digits", "train_limit": 200, "validation": 50, "test_limit": 100}],
    "training": {"epochs": 3},
    "model": [{"name": "cnn", "params": {"channels": [4], "hidden": [8]}}, {"name": "raises"}],
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Two trials, and a folder with the dataset's arrays."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "raises.py").write_text(RAISES)
    file = plugin_file(folder / "raises.py")
    plan = resolve(load_spec(SPEC, plugins=[file.path]), executors.installed([file]))
    write_arrays(plan.datasets[0].dataset, plan.datasets[0].first.split, folder / "data")
    return plan, folder / "data"


@pytest.fixture(scope="module")
def workers():
    """Shared by all tests: their first start loads torch."""
    made = executors.Workers()
    yield made
    made.close()


@pytest.fixture
def submission(plan, tmp_path):
    """A trial of the plan as an executor gets it."""

    def make(label, **changes):
        planned, data = plan
        (trial,) = [trial for trial in planned.trials() if trial.recipe.label == label]
        folder = executors.TrialFolder(tmp_path / label)
        folder.path.mkdir(exist_ok=True)
        job = executors.Job(
            folder.path,
            trial.identity,
            conditions=executors.conditions("cpu", None, threads=1, jobs=1),
            data=data,
            temporary=tmp_path / "tmp",
            params=trial.recipe.params.model_dump_json(),
            task=trial.recipe.data.task,
            metrics=tuple(metric.request() for metric in planned.metrics),
            keep_model=True,
            plugins=planned.registry.files,
        )
        return executors.Submission(label, dataclasses.replace(job, **changes))

    return make


@pytest.fixture
def told():
    """What was reported: keys and events."""
    return []


@pytest.fixture
def reports(told):
    return executors.Reports(lambda key, event: told.append((key, event)))


def test_a_trial_is_trained_then_scored_again_without_training(submission, reports, told, workers):
    trained = executors.run_job(submission("cnn"), reports, workers=workers)
    assert trained["status"] == "done", trained
    assert 0 <= trained["metrics"]["accuracy"] <= 1
    assert {key for key, _ in told} == {"cnn"}
    events = [event for _, event in told]
    assert isinstance(events[0], executors.Started)
    assert [event.row["epoch"] for event in events if isinstance(event, executors.RowAdded)] == [1, 2, 3]
    # Once when the predictions are stored, once more with what was measured after that.
    stored, measured = [event.measurements for event in events if isinstance(event, executors.Measured)]
    assert "latency_ms" not in stored
    assert measured == trained["measurements"]

    told.clear()
    metrics = (MetricRequest("brier", "brier", params="{}"), MetricRequest("again", "accuracy", params="{}"))
    again = submission("cnn", mode="score", metrics=metrics)
    files = executors.stamps(again.job.folder)
    scored = executors.run_job(again, reports, workers=workers)
    assert (scored["status"], set(scored["metrics"])) == ("done", {"brier", "again"})
    assert scored["metrics"]["again"] == trained["metrics"]["accuracy"]
    assert isinstance(told[0][1], executors.Started)
    assert executors.stamps(again.job.folder).keys() == files.keys()
    anew = {"log.txt", "contributions.npz"}
    kept = {name: stamp for name, stamp in executors.stamps(again.job.folder).items() if name not in anew}
    assert kept.items() <= files.items()


def test_a_plugin_that_raises_ends_as_failed(submission, reports, told, workers):
    result = executors.run_job(submission("raises"), reports, workers=workers)
    assert result["status"] == "failed"
    assert (result["error"]["type"], result["error"]["message"]) == ("RuntimeError", "built on sand")
    assert "in build" in result["error"]["traceback"]
    assert isinstance(told[0][1], executors.Started)


def test_one_that_is_asked_to_stop_before_it_begins_is_interrupted(submission, reports, told, workers):
    asked = dataclasses.replace(reports, stopping=lambda: 1)
    assert executors.run_job(submission("cnn"), asked, workers=workers) == {"status": "interrupted"}
    assert told == []


@pytest.mark.parametrize("means", ["stopping", "SIGTERM"])
def test_one_that_is_asked_to_stop_saves_a_checkpoint_and_continues_from_it(submission, workers, means):
    """By whoever has its reports, or by a batch system that ends the process that runs it."""
    stop, one = threading.Event(), submission("cnn")

    def tell(key, event):
        if isinstance(event, executors.RowAdded) and not stop.is_set():
            stop.set()
            if means == "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)

    slow = {**one.job.identity, "training": {**one.job.identity["training"], "epochs": 200}}
    one = submission("cnn", identity=slow)
    reports = executors.Reports(tell, stop.is_set) if means == "stopping" else executors.Reports(tell)
    result = executors.run_job(one, reports, workers=workers)
    assert result["status"] == "interrupted", result
    step = result["progress"]["step"]
    assert 0 < step < result["progress"]["total"] == 800
    assert executors.checkpoint_stamp(one.job.folder) is not None
    again = executors.run_job(one, workers=workers)
    assert (again["status"], again["measurements"]["resumed_at_step"]) == ("done", step)


def test_without_workers_of_the_callers_its_own_are_ended(submission):
    result = executors.run_job(submission("raises"))
    assert result["status"] == "failed"
