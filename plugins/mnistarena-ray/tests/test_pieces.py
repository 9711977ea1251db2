"""The pieces of the executor, each by itself: no cluster is needed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mnistarena_ray.driver import RayExecutor
from mnistarena_ray.flight import Flight
from mnistarena_ray.likeness import Needs, differences
from mnistarena_ray.space import Space
from ray import exceptions

from mnistarena import environment
from mnistarena.job import ExecutorContext, Job, Reports, Task


def test_a_machine_of_another_version_or_with_other_code_is_described():
    versions = {name: environment.version(name) for name in ("torch", "numpy")}
    assert differences(Needs(versions=versions)) == []
    assert differences(Needs(versions={**versions, "torch": "1.0"})) == [f"torch is {versions['torch']}, not 1.0"]
    assert differences(Needs(versions={"a-package": "1.0"})) == ["a-package is missing, not 1.0"]
    other = Needs({"mnistarena-cnn:cnn": "0" * 64}, {"mnistarena-cnn": "0.1.0"})
    assert differences(other) == ["mnistarena-cnn 0.1.0 has other source code there"]
    older = Needs({"mnistarena-cnn:cnn": "0" * 64}, {"mnistarena-cnn": "9.9"})
    assert differences(older) == ["mnistarena-cnn is 0.1.0, not 9.9"]
    assert differences(Needs({"arena-x:x": "0"}, {"arena-x": "2"})) == ["the plugin x (arena-x 2) is not installed"]
    assert differences(Needs({"mnistarena": "0"}, {"mnistarena": "9"})) == ["mnistarena is 0.1.0, not 9"]


class Stream:
    """A task's stream whose next message cannot be had."""

    def __next__(self):
        return None


def heard(monkeypatch, problem, tmp_path, attempt=1, retries=1):
    """What the driver makes of a trial's message, or of the exception in its place, and what it says to the user."""
    import mnistarena_ray
    from mnistarena_ray import driver

    def get(reference):
        if isinstance(problem, Exception):
            raise problem
        return problem

    monkeypatch.setattr(driver.ray, "get", get)
    said: list[str] = []
    executor = RayExecutor(mnistarena_ray.RayParams(retries=retries), ExecutorContext())
    job = Job(tmp_path, {}, "{}", None, tmp_path, (), {}, False, tmp_path)
    flight = Flight(
        Task("the trial", job, None), {"CPU": 1.0, "GPU": 0.0, "memory": 2.0**31}, attempt, Stream(), "a-host"
    )
    return executor._hear(flight, Reports(notice=said.append), stopping=False), said


def test_a_lost_machine_means_another_attempt_and_too_many_an_interrupted_trial(monkeypatch, tmp_path):
    result, said = heard(monkeypatch, exceptions.WorkerCrashedError(), tmp_path)
    assert result == {}, "nothing: it is submitted anew"
    assert said == ["the trial was lost on a-host (WorkerCrashedError): it starts again elsewhere"]
    result, _ = heard(monkeypatch, exceptions.NodeDiedError("gone"), tmp_path, attempt=2)
    assert (result["status"], result["error"]["type"]) == ("interrupted", "NodeLost")


def test_what_a_node_cannot_do_is_no_fault_of_the_trial(monkeypatch, tmp_path):
    gone = exceptions.RayTaskError("trial", "Traceback …", ModuleNotFoundError("No module named 'mnistarena_ray'"))
    result, said = heard(monkeypatch, gone, tmp_path)
    assert result == {}
    assert "(ModuleNotFoundError: No module named 'mnistarena_ray')" in said[0]


def test_out_of_memory_is_not_tried_again_with_the_same_resources(monkeypatch, tmp_path):
    result, said = heard(monkeypatch, exceptions.OutOfMemoryError("killed by the memory monitor"), tmp_path)
    assert (result["status"], result["error"]["type"]) == ("failed", "OutOfMemory")
    assert "1 CPU and 2.0 GiB of memory were set aside" in result["error"]["message"]
    assert 'resources = { memory = "8GiB" }' in result["error"]["message"]
    assert said == []


@pytest.mark.parametrize(
    ("asked", "before", "resources", "threads"),
    [(None, None, {}, 1), (None, 4, {}, 4), (None, 4, {"cpus": 2}, 2), (3, 4, {}, 3), (None, None, {"cpus": 2}, 2)],
)
def test_a_trial_has_the_threads_it_asks_for_else_those_of_the_first_start(asked, before, resources, threads):
    import mnistarena_ray

    from mnistarena.spec.schema import Resources

    executor = RayExecutor(mnistarena_ray.RayParams(), ExecutorContext(threads=asked))
    executor.conditions, executor.threads = {"device": "cpu"}, before or 1
    assert executor._request(Resources(**resources)) == {"CPU": threads, "GPU": 0.0, "memory": 2.0**31}


def test_a_node_keeps_data_once_and_gives_the_room_back(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Space("token", "node-a") as one, Space("token", "node-a") as two:
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
    folder = tmp_path / "cannot-be-written"  # it is not there
    files = {"history.jsonl": np.zeros(3, np.uint8)}
    done = {"result": {"status": "done"}, "files": files, "conditions": {}}
    result, _ = heard(monkeypatch, done, folder)
    assert (result["status"], result["error"]["type"]) == ("interrupted", "StoreError")
    assert heard(monkeypatch, {"checkpoint": files}, folder) == (None, [])
    folder.mkdir()
    assert heard(monkeypatch, done, folder)[0]["status"] == "done"


def test_weights_that_have_gone_fail_their_trial_alone(tmp_path):
    import mnistarena_ray

    executor = RayExecutor(mnistarena_ray.RayParams(), ExecutorContext())
    executor.conditions = {"device": "cpu"}
    executor.cluster = SimpleNamespace(could_take=lambda r: True, places=lambda r: 1, avoiding=dict)
    job = Job(tmp_path, {}, "{}", None, tmp_path, (), {}, False, tmp_path, files={"abc": tmp_path / "gone.pth"})
    flight = Flight(Task("the trial", job, None), {"CPU": 1.0, "GPU": 0.0, "memory": 1.0})
    ((task, result),) = executor._submit(flight)
    assert task is flight.task
    assert result["status"] == "failed"
    assert "its weights have gone since the plan was made" in result["error"]["message"]
    assert "gone.pth" in result["error"]["message"]
