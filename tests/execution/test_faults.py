"""A fault costs its own trial, is recorded with its cause, and leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mnistarena.errors import StoreError
from mnistarena.store.trial_folder import TrialFolder

from ..helpers import by_label

ZOO = Path(__file__).with_name("zoo")

CAUSES = {
    "raises-in-build": ("failed", "RuntimeError", "built on sand"),
    "raises-in-training": ("failed", "ArithmeticError", "the loss of all hope"),
    "raises-in-prediction": ("failed", "LookupError", "no oracle today"),
    "raises-in-predict-proba": ("failed", "ConnectionError", "the oracle has hung up"),
    "returns-text": ("failed", "ValueError", "could not convert string to float"),
    "returns-no-probabilities": ("failed", "TrialError", "rows that are not probabilities"),
    "returns-wrong-shape": (
        "failed",
        "TrialError",
        "forward returned (8, 3) for 8 images, wanted (8, 10)",
    ),
    "returns-nan": ("failed", "TrialError", "not finite for 8 training images, before any training"),
    "diverges": ("failed", "TrialError", "the loss is inf in epoch 1, at step 5"),
    "runs-out-of-gpu-memory": (
        "failed",
        "OutOfMemoryError",
        "batch_size was 64; it is never made smaller without being asked",
    ),
    "is-no-model": ("failed", "TrialError", "neither a torch.nn.Module"),
    "hangs": ("timeout", "TimeLimit", "the time limit of 5s was reached"),
    "hangs-with-the-interpreter-locked": ("timeout", "TimeLimit", "the time limit of 5s was reached"),
    "exits": ("failed", "WorkerDied", "exited with status 7"),
    "segfaults": ("failed", "WorkerDied", "ended by SIGSEGV"),
    "is-killed": ("failed", "WorkerDied", "ended by SIGKILL (the system may have run out of memory)"),
    "eats-memory": ("failed", "MemoryLimit", "--memory-limit is 2.00 GiB"),
    "floods": ("timeout", "TimeLimit", "the time limit of 5s was reached"),
    "leaves-children-and-exits": ("failed", "WorkerDied", "exited with status 3"),
    "raises-something-odd": ("failed", "SystemExit", "gone <script>"),
}

SPEC = """
[benchmark]
name = "zoo"
metrics = ["accuracy", "fragile"]
[[dataset]]
name = "digits"
validation = 200
[training]
epochs = 1
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """The zoo, built and installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("zoo")
    source = folder / "source"
    shutil.copytree(ZOO, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", folder / "site", source], check=True)
    return folder / "site"


def left_over() -> list[str]:
    return [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if "time.sleep(86399)" in str(p.info["cmdline"])
    ]


def spec_of(names, write_spec):
    limits = {name for name, (status, *_) in CAUSES.items() if status == "timeout"}
    models = "".join(
        f'[[model]]\nname = "{name}"\n' + ('training = { time_limit = "5s" }\n' if name in limits else "")
        for name in names
    )
    return write_spec(SPEC + models)


def test_each_fault_of_the_zoo_costs_exactly_one_trial(arena, zoo, write_spec, tmp_path):
    fine = ["behaves", "leaves-children", "poisons-a-metric"]
    spec = spec_of([*CAUSES, *fine], write_spec)
    result = arena("run", spec, "--out", "run", "--memory-limit", "2GiB", "--jobs", 3, plugins=zoo)
    assert result.status == 1, result.out + result.err
    found = by_label(tmp_path / "run")
    assert set(found) == {*CAUSES, *fine}
    for label in fine:
        assert found[label]["status"] == "done", found[label]
    for label, (status, kind, cause) in CAUSES.items():
        error = found[label]["error"]
        assert (found[label]["status"], error["type"]) == (status, kind), (label, error)
        assert cause in error["message"], (label, error)
    assert f"{len(CAUSES)} of {len(CAUSES) + 3} trials are not done" in result.out
    # Where it happened is in the record, also of those that could not say it themselves.
    assert "in raises_in_build" in found["raises-in-build"]["error"]["traceback"]
    assert "in segfaults" in found["segfaults"]["error"]["traceback"]
    assert "in hangs" in found["hangs"]["error"]["traceback"]
    locked = found["hangs-with-the-interpreter-locked"]["error"]["traceback"]
    assert "in hangs_with_the_interpreter_locked" in locked
    assert "going to sleep with the lock held" in locked
    # What a trial leaves behind ends with it, and no output grows without end.
    assert left_over() == []
    logs = {path.parent.name: path.stat().st_size for path in (tmp_path / "run").glob("trials/*/log.txt")}
    assert max(logs.values()) < 5 << 20
    assert "\x1b" not in result.out + result.err

    # A metric that failed is a hole, not a failure of the trial.
    poisoned = found["poisons-a-metric"]
    assert (poisoned["status"], poisoned["metrics"]["fragile"]) == ("done", None)
    assert poisoned["metrics"]["accuracy"] > 0
    assert poisoned["metric_problems"] == {"fragile": "ZeroDivisionError: the metric met poison"}
    missing = (
        "note: fragile is missing for poisons-a-metric on digits, seed 0: ZeroDivisionError: the metric met poison"
    )
    assert result.out.count(missing) == 1

    # A failure waits to be asked for; a metric that failed is tried again, and nothing is trained for it.
    trained = next((tmp_path / "run").glob("trials/poisons*/predictions.npz")).stat().st_mtime_ns
    again = arena("run", spec, "--out", "run", plugins=zoo)
    assert again.status == 1
    assert f"{len(CAUSES) + 2} finished before" in again.out
    assert again.out.count(missing) == 1
    accuracy = ("--set", 'benchmark.metrics=["accuracy"]')
    # A spec without the metric that failed is another question, and is answered without being asked to retry.
    assert arena("run", spec, "--out", "run", "--only", "poisons*", *accuracy, plugins=zoo).status == 0
    retried = arena("run", spec, "--out", "run", "--retry-failed", "--only", "raises-in-build", *accuracy, plugins=zoo)
    assert retried.status == 1
    assert "finished before" not in retried.out
    found = by_label(tmp_path / "run")
    assert found["poisons-a-metric"]["status"] == "done"
    assert found["poisons-a-metric"]["measurements"]["train_seconds"] > 0
    assert "error" not in found["poisons-a-metric"]
    assert next((tmp_path / "run").glob("trials/poisons*/predictions.npz")).stat().st_mtime_ns == trained
    assert found["raises-in-build"]["status"] == "failed"

    # The report tells of every failure, and nothing in it is markup.
    assert arena("report", "run", plugins=zoo).status == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the oracle has hung up" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs rights that these tests do not have here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_plugin_that_fills_the_disk_costs_its_own_trial(arena, zoo, write_spec, small_disk):
    spec = spec_of(["behaves", "fills-the-disk", "leaves-children"], write_spec)
    result = arena("run", spec, "--out", small_disk / "run", "--jobs", 2, plugins=zoo)
    assert result.status == 1, result.out + result.err
    found = by_label(small_disk / "run")
    assert {label: record["status"] for label, record in found.items()} == {
        "behaves": "done",
        "fills-the-disk": "failed",
        "leaves-children": "done",
    }
    assert "No space left on device" in found["fills-the-disk"]["error"]["message"]
    assert shutil.disk_usage(small_disk).free > 10 << 20, "what the trial wrote is gone"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_printing_on_a_full_disk_fails_no_trial():
    code = "from mnistarena.trial.log import log_stream; import os\n"
    code += "stream = log_stream(os.open('/dev/full', os.O_WRONLY))\n"
    code += "print('no checkpoint this time', file=stream); stream.flush()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_disk_that_may_only_be_read_keeps_what_is_finished_and_can_be_verified(arena, write_spec, small_disk):
    command = ("run", write_spec(), "--out", small_disk / "run", "--jobs", "1", "--threads", "1", "--only", "logistic*")
    assert arena(*command).status == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for refused in (arena(*command), arena("report", small_disk / "run")):
        assert refused.status == 2
        assert "Read-only file system" in refused.err
    assert arena("verify", small_disk / "run", "--sample", 1).status == 0
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert "1 finished before" in arena(*command).out


def test_a_full_disk_stops_the_run_with_a_sentence_and_the_same_command_continues(
    arena, write_spec, small_disk, tmp_path
):
    command = ("run", write_spec(), "--out", small_disk / "run", "--jobs", "1", "--threads", "1", "--only", "cnn")
    assert arena(*command, "--set", "benchmark.seeds=[0]").status == 0
    finished = {p: p.read_bytes() for p in small_disk.glob("run/trials/*/*")}
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"x" * 4096)
    full = arena(*command)
    assert full.status == 2
    assert "No space left on device" in full.err
    assert {p: p.read_bytes() for p in finished} == finished
    ballast.unlink()
    assert arena(*command).status == 0
    assert {p: p.read_bytes() for p in finished} == finished
    assert len(by_label(small_disk / "run")) == 1
    assert len(list(small_disk.glob("run/trials/*/trial.json"))) == 2


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_a_result_that_could_not_be_written_is_tried_once_more_however_many_run_at_a_time(
    arena, write_spec, tmp_path, monkeypatch, jobs
):
    refused = refuse_to_write(monkeypatch, {"knn": 1})
    result = arena("run", write_spec(LATE), "--out", "run", "--jobs", jobs, "--threads", 1)
    assert "will be tried once more at the end: cannot write there" in result.out
    assert result.status == 0, result.out + result.err
    assert refused == ["knn"]
    assert {record["status"] for record in by_label(tmp_path / "run").values()} == {"done"}


def test_a_result_that_cannot_be_written_a_second_time_stops_the_run_and_keeps_the_others(
    arena, write_spec, tmp_path, monkeypatch
):
    refuse_to_write(monkeypatch, {"knn": 2})
    result = arena("run", write_spec(LATE), "--out", "run", "--jobs", 8, "--threads", 1)
    assert result.status == 2
    assert "cannot write there; finished trials are kept" in result.err
    assert set(by_label(tmp_path / "run")) == {"logistic-regression"}
    assert arena("run", "tiny.toml", "--out", "run").status == 0
    assert set(by_label(tmp_path / "run")) == {"logistic-regression", "knn"}


LATE = """
[benchmark]
name = "the last one fails to be written"
[[dataset]]
name = "digits"
[[model]]
name = "logistic-regression"
[[model]]
name = "knn"
"""


def refuse_to_write(monkeypatch, times):
    """For so many times, the record of a recipe cannot be written; returns the labels that were refused."""
    write, refused = TrialFolder.write, []

    def full(folder, record):
        label = record["label"]
        if refused.count(label) < times.get(label, 0):
            refused.append(label)
            raise StoreError("cannot write there")
        write(folder, record)

    monkeypatch.setattr(TrialFolder, "write", full)
    return refused
