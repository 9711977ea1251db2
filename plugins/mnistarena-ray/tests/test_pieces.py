"""The pieces of the executor, each by itself: no cluster is needed."""

from __future__ import annotations

from types import SimpleNamespace

import mnistarena_ray
import numpy as np
import pytest
from mnistarena_ray import RayParams
from mnistarena_ray.compatibility import Requirements, differences, requirements_of
from mnistarena_ray.executor import RayExecutor
from mnistarena_ray.messages import CheckpointSaved, News, TrialEnded
from mnistarena_ray.node_storage import NodeStorage
from mnistarena_ray.object_store import files_of
from mnistarena_ray.outbox import Outbox
from mnistarena_ray.submission import ClusterTrial, Ended, Resubmit, Running
from ray import exceptions

import mnistarena
from mnistarena.executors import (
    ExecutorContext,
    Job,
    PluginFile,
    Reports,
    Resources,
    RowAdded,
    StageBegan,
    Started,
    StepsDone,
    Submission,
    TrialFolder,
    Workload,
    core_digest,
    version,
)


def test_on_windows_it_is_refused_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(mnistarena_ray, "sys", SimpleNamespace(platform="win32"))
    spec = {"benchmark": {"name": "x"}, "dataset": [{"name": "digits"}], "model": [{"name": "knn"}]}
    with pytest.raises(mnistarena.ArenaError, match=r'"ray" does not run on Windows: leave it out, and .* or start'):
        mnistarena.run(spec, out=tmp_path / "run", options=mnistarena.Options(executor="ray"))
    assert not (tmp_path / "run").exists()


def test_a_machine_of_another_version_or_with_other_code_is_described():
    versions = {name: version(name) for name in ("torch", "numpy")}
    assert differences(Requirements(versions=versions)) == []
    assert differences(Requirements(versions={**versions, "torch": "1.0"})) == [
        f"torch is {versions['torch']}, not 1.0"
    ]
    assert differences(Requirements(versions={"a-package": "1.0"})) == ["a-package is missing, not 1.0"]
    other = Requirements({"mnistarena-cnn:cnn": "0" * 64}, {"mnistarena-cnn": version("mnistarena-cnn")})
    assert differences(other) == [f"mnistarena-cnn {version('mnistarena-cnn')} has other source code there"]
    older = Requirements({"mnistarena-cnn:cnn": "0" * 64}, {"mnistarena-cnn": "9.9"})
    assert differences(older) == [f"mnistarena-cnn is {version('mnistarena-cnn')}, not 9.9"]
    assert differences(Requirements({"arena-x:x": "0"}, {"arena-x": "2"})) == [
        "the plugin x (arena-x 2) is not installed"
    ]
    assert differences(Requirements({"mnistarena": "0"}, {"mnistarena": "9"})) == [
        f"mnistarena is {version('mnistarena')}, not 9"
    ]


class Stream:
    """A task's stream whose next message cannot be had."""

    def __next__(self):
        return None


def job(folder, **values):
    """A job of the folder, as far as the driver looks at it."""
    return Job(folder, {}, conditions={"device": "cpu"}, data=folder, temporary=folder, **values)


def heard(monkeypatch, message, tmp_path, attempt=1, retries=1):
    """What the driver makes of a trial's message, or of the exception in its place, and what it says to the user."""

    def get(reference):
        if isinstance(message, Exception):
            raise message
        return message

    monkeypatch.setattr("ray.get", get)
    said: list[str] = []
    executor = RayExecutor(RayParams(retries=retries), ExecutorContext())
    trial = ClusterTrial(
        Submission("the trial", job(tmp_path)),
        {"CPU": 1.0, "GPU": 0.0, "memory": 2.0**31},
        attempt=attempt,
        stream=Stream(),
        host="a-host",
    )
    return executor._hear(trial, Reports(notice=said.append), stopping=False), said


def test_a_lost_machine_means_another_attempt_and_too_many_an_interrupted_trial(monkeypatch, tmp_path):
    outcome, said = heard(monkeypatch, exceptions.WorkerCrashedError(), tmp_path)
    assert outcome == Resubmit()
    assert said == ["the trial was lost on a-host (WorkerCrashedError): it starts again elsewhere"]
    outcome, _ = heard(monkeypatch, exceptions.NodeDiedError("gone"), tmp_path, attempt=2)
    assert (outcome.result["status"], outcome.result["error"]["type"]) == ("interrupted", "NodeLost")


def test_what_a_node_cannot_do_is_no_fault_of_the_trial(monkeypatch, tmp_path):
    gone = exceptions.RayTaskError("trial", "Traceback …", ModuleNotFoundError("No module named 'mnistarena_ray'"))
    outcome, said = heard(monkeypatch, gone, tmp_path)
    assert outcome == Resubmit()
    assert "(ModuleNotFoundError: No module named 'mnistarena_ray')" in said[0]
    outcome, said = heard(monkeypatch, exceptions.RayTaskError("trial", "Traceback …", OSError()), tmp_path)
    assert outcome == Resubmit()
    assert "(OSError)" in said[0], "an exception without a message"


def test_out_of_memory_is_not_tried_again_with_the_same_resources(monkeypatch, tmp_path):
    outcome, said = heard(monkeypatch, exceptions.OutOfMemoryError("killed by the memory monitor"), tmp_path)
    result = outcome.result
    assert (result["status"], result["error"]["type"]) == ("failed", "OutOfMemory")
    assert "1 CPU and 2.0 GiB of memory were set aside" in result["error"]["message"]
    assert 'resources = { memory = "8GiB" }' in result["error"]["message"]
    assert said == []


@pytest.mark.parametrize(
    ("asked", "before", "resources", "threads"),
    [(None, None, {}, 1), (None, 4, {}, 4), (None, 4, {"cpus": 2}, 2), (3, 4, {}, 3), (None, None, {"cpus": 2}, 2)],
)
def test_a_trial_has_the_threads_it_asks_for_else_those_of_the_first_start(asked, before, resources, threads):
    executor = RayExecutor(RayParams(), ExecutorContext(threads=asked))
    executor.conditions, executor.threads = {"device": "cpu"}, before or 1
    assert executor._request(Resources(**resources)) == {"CPU": threads, "GPU": 0.0, "memory": 2.0**31}


def test_a_node_keeps_data_once_and_gives_the_room_back(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with NodeStorage("token", "node-a") as one, NodeStorage("token", "node-a") as two:
        first = one.arrays("digits", {"test_labels": np.arange(3)})
        stamp = (first / "test_labels.npy").stat().st_mtime_ns
        assert two.arrays("digits", {"test_labels": np.zeros(3)}) == first
        assert (first / "test_labels.npy").stat().st_mtime_ns == stamp
        kept = one.file("abc", "weights.safetensors", np.frombuffer(b"weights", np.uint8))
        assert (kept.name, kept.read_bytes()) == ("weights.safetensors", b"weights")
        one.remove()
        assert first.is_dir(), "a trial is in it"
    two.remove()
    assert list(tmp_path.iterdir()) == []


def test_on_the_drivers_full_disk_a_result_is_tried_again_and_a_checkpoint_left_out(monkeypatch, tmp_path):
    folder = tmp_path / "cannot-be-written"  # it does not exist
    files = {"history.jsonl": np.zeros(3, np.uint8)}
    done = TrialEnded({"status": "done"}, files)
    outcome, _ = heard(monkeypatch, done, folder)
    assert (outcome.result["status"], outcome.result["error"]["type"]) == ("interrupted", "StoreError")
    assert heard(monkeypatch, CheckpointSaved(files), folder) == (Running(), [])
    folder.mkdir()
    assert heard(monkeypatch, done, folder)[0] == Ended({"status": "done"})


def test_a_trial_that_its_machine_stopped_is_submitted_once_more(monkeypatch, tmp_path):
    outcome, said = heard(monkeypatch, TrialEnded({"status": "interrupted"}, {}), tmp_path)
    assert outcome == Resubmit()
    assert "(it was stopped there)" in said[0]


def test_files_that_have_gone_fail_their_trial_alone(tmp_path):
    executor = RayExecutor(RayParams(), ExecutorContext())
    executor.conditions = {"device": "cpu"}
    executor.cluster = SimpleNamespace(could_take=lambda r: True)
    submission = Submission("the trial", job(tmp_path, files={"abc": tmp_path / "gone.pth"}))
    result = executor._submit(ClusterTrial(submission, {"CPU": 1.0, "GPU": 0.0, "memory": 1.0}))
    assert result["status"] == "failed"
    assert "a file that it needs cannot be read any more" in result["error"]["message"]
    assert "gone.pth" in result["error"]["message"]


def test_single_file_plugins_travel_with_a_job_and_are_not_required_of_nodes(tmp_path):
    plugin = PluginFile("mine", tmp_path / "mine.py", digest="def")
    weights = {"abc": tmp_path / "weights.pth"}
    assert files_of(job(tmp_path, files=weights, plugins=(plugin,))) == {**weights, "def": plugin.path}
    work = Workload(1, sources={"mnistarena": core_digest(), "mine.py:mine": "def"}, distributions={"mine.py": "def"})
    required = requirements_of(work)
    assert set(required.sources) == {"mnistarena", "mnistarena-ray:ray"}


def test_news_are_sent_at_their_pace_and_of_steps_only_the_last(tmp_path):
    folder = TrialFolder(tmp_path)
    outbox = Outbox(folder, news_seconds=1000.0, checkpoint_seconds=1000.0)
    for event in (StageBegan("training"), StepsDone(1, 9, loss=0.5), StepsDone(2, 9, loss=0.4)):
        outbox.add(event)
    assert list(outbox.due()) == []
    folder.log.append(b"printed")
    outbox.add(Started("a-host"))
    assert list(outbox.due()) == [
        News([StageBegan("training"), StepsDone(2, 9, loss=0.4), Started("a-host")], b"printed")
    ]
    outbox.add(RowAdded({"epoch": 1.0, "step": 9}))
    assert list(outbox.due()) == []
    assert list(outbox.rest()) == [News([RowAdded({"epoch": 1.0, "step": 9})], b"")]
    assert list(outbox.rest()) == []


def test_what_a_node_sends_is_told_and_logged(monkeypatch, tmp_path):
    assert heard(monkeypatch, News([Started("b-host")], b"printed"), tmp_path) == (Running(), [])
    assert TrialFolder(tmp_path).log.path.read_bytes() == b"printed"
