"""What ends a run from outside: Ctrl-C once and twice, SIGTERM, and the death of the command itself."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sys
import time

import psutil
import pytest

import mnistarena

from ..conftest import within
from ..helpers import bits, by_label, records, signals_here, wait_for

ALONE = ("--jobs", "1", "--threads", "1", "--set", "benchmark.seeds=[0]", "--only", "cnn")
LONG = """
[benchmark]
name = "long"
[[dataset]]
name = "digits"
train_limit = 600
validation = 200
[training]
epochs = 20
batch_size = 32
optimizer = { name = "adam", lr = 0.002 }
schedule = { name = "cosine" }
[[model]]
name = "cnn"
"""


def record(run):
    return by_label(run)["cnn"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "tiny.toml").write_text(LONG)
    assert within(folder, "run", "tiny.toml", "--out", "run", *ALONE).status == 0
    return folder / "run"


def stopped_at(run, status, output):
    """The step of the checkpoint that a stopped command has left."""
    assert status == 130
    assert "stopping: running trials save a checkpoint; Ctrl-C again stops at once" in output
    assert "interrupted: 0 of 1 trials ended, 1 saved under way. Nothing is lost" in output
    assert "arena run" in output
    stopped = record(run)
    assert stopped["status"] == "interrupted"
    assert 0 < stopped["progress"]["step"] < stopped["progress"]["total"] == 380
    return stopped["progress"]["step"]


def test_a_signal_saves_a_checkpoint_and_the_same_command_continues_to_the_same_bits(
    arena, start, write_spec, tmp_path, undisturbed
):
    command, run = ("run", write_spec(LONG), "--out", "run", *ALONE), tmp_path / "run"

    def rows():
        return sum(path.read_text().count("\n") for path in run.glob("trials/cnn*/history.jsonl"))

    running = start(*command)
    wait_for(rows)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    first, known = stopped_at(run, running.returncode, output), rows()
    with signals_here(signal.SIGTERM, when=lambda: rows() > known):
        again = arena(*command)
    assert "note: 1 trial continues from a checkpoint" in again.out
    second = stopped_at(run, again.status, again.out)
    assert second > first
    assert "note: 1 trial continues from a checkpoint" in arena(*command).out
    done = record(run)
    assert done["measurements"]["resumed_at_step"] == second
    assert done["measurements"]["wall_seconds"] > done["measurements"]["train_seconds"]
    assert bits(run) == bits(undisturbed)
    assert not list(run.glob("trials/*/checkpoint*"))
    assert arena("report", "run", "--markdown").status == 0
    assert "Interrupted and continued from a checkpoint: cnn." in (run / "report.md").read_text()


SLEEPY = """
import time
from mnistarena import ModelDef, Params, hookimpl

def build(params, task):
    from torch import nn

    class Sleepy(nn.Linear):
        def forward(self, images):
            if self.training:
                time.sleep(0.1)
            return super().forward(images.flatten(1))

    return Sleepy(64, task.n_classes)

@hookimpl
def arena_models():
    return [ModelDef("sleepy", "a step takes it a tenth of a second", params=Params, build=build)]
"""


def test_a_training_that_reached_its_time_limit_continues_under_a_higher_one(arena, write_spec, tmp_path):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    spec = write_spec(
        "plugins = ['sleepy.py']\n[benchmark]\nname = 'slow'\n[[dataset]]\nname = 'digits'\n"
        "[training]\nsteps = 40\n[[model]]\nname = 'sleepy'\n"
    )
    command = ("run", spec, "--out", "run", "--checkpoint-every", "0.2s")
    late = arena(*command, "--set", "training.time_limit='2.5s'")
    assert late.status == 1
    assert by_label(tmp_path / "run")["sleepy"]["status"] == "timeout"
    again = arena(*command, "--retry-failed", "--set", "training.time_limit='10m'")
    assert again.status == 0
    assert by_label(tmp_path / "run")["sleepy"]["measurements"]["resumed_at_step"] > 0


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_ctrl_c_in_a_terminal_before_the_first_trial_leaves_no_traceback(write_spec, tmp_path, seconds):
    spec = write_spec()
    # A terminal's Ctrl-C reaches every process in it, those that still load torch as well.
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "mnistarena", "run", str(spec), "--out", "run", *ALONE])
    wait_for((tmp_path / "run").is_dir)  # planned; the workers still load torch
    time.sleep(seconds)
    os.write(terminal, b"\x03")
    output = b""
    with contextlib.suppress(OSError):  # the end of a terminal whose last process has gone
        while piece := os.read(terminal, 4096):
            output += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert b"interrupted" in output
    assert b"Traceback" not in output


def test_a_signal_within_an_import_gives_the_exit_status_that_any_other_gives(start, write_spec, tmp_path):
    models = "[[dataset]]\nname = 'digits'\n[[model]]\nname = 'knn'\n"
    spec = write_spec(f"plugins = ['import_signals.py']\n[benchmark]\nname = 'early'\n{models}")
    for name in ("SIGINT", "SIGTERM"):
        # A dataclass executes a string as well, and an import makes many.
        source = f"import os, signal\nexec('os.kill(os.getpid(), signal.{name})')\n"
        (tmp_path / "import_signals.py").write_text(source)
        ended = start("run", spec, "--out", "run")
        output, _ = ended.communicate(timeout=60)
        assert ended.returncode == 130, name
        assert "interrupted before the first trial" in output, name


SLOW = '''
import time
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    """No parameters."""

def sleeps(params, task):
    from torch import nn

    class Sleeper(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(1, task.n_classes)

        def forward(self, images):
            return self.inner(images.mean((1, 2, 3))[:, None])

        def training_loss(self, images, labels):
            print("asleep", flush=True)
            time.sleep(600)

    return Sleeper()

def hangs(params, task):
    import ctypes
    print("asleep", flush=True)
    ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock held

@hookimpl
def arena_models():
    return [ModelDef(build.__name__, "sleeps", params=Nothing, build=build) for build in (sleeps, hangs)]
'''

SPEC = """
[benchmark]
name = "slow"
[[dataset]]
name = "digits"
[[model]]
name = "{model}"
"""


@pytest.fixture
def slow(distribution, write_spec):
    """A function that writes a spec whose only trial sleeps; returns the plugin's folder."""

    def write(model):
        write_spec(SPEC.format(model=model))
        return distribution("arena-slow", SLOW)

    return write


def asleep(folder):
    return any("asleep" in log.read_text() for log in folder.glob("run/trials/*/log.txt"))


def gone(tree):
    def over(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        return True

    return all(map(over, tree))


class StopsAtTheFirstEnd(mnistarena.Observer):
    """Asks for a stop while the run stores a result, and so listens to nobody."""

    def __init__(self):
        self.stops = 0

    def ended(self, trial, record):
        if trial.recipe.label == "knn":
            os.kill(os.getpid(), signal.SIGINT)

    def stopping(self):
        self.stops += 1


def test_a_signal_that_comes_while_a_result_is_stored_stops_the_other_trials_too(tmp_path):
    spec = {
        "benchmark": {"name": "two"},
        "dataset": [{"name": "digits"}],
        "training": {"epochs": 300},
        "model": [{"name": "knn"}, {"name": "cnn"}],
    }
    observer, before = StopsAtTheFirstEnd(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            mnistarena.run(spec, out=tmp_path / "run", options=mnistarena.Options(jobs=2), observer=observer)
    finally:
        signal.signal(signal.SIGINT, before)
    assert {label: record["status"] for label, record in by_label(tmp_path / "run").items()} == {
        "knn": "done",
        "cnn": "interrupted",
    }
    assert observer.stops == 1


def test_a_second_interrupt_stops_at_once(slow, arena, tmp_path):
    plugins, here, tree = slow("sleeps"), psutil.Process(), set()

    def sleeps():
        if asleep(tmp_path):  # the process that workers start from, a child of this one, stays
            tree.update({*here.children(recursive=True)} - {*here.children()})
        return tree

    with signals_here(signal.SIGINT, signal.SIGINT, when=sleeps):  # after the first it waits for a checkpoint
        done = arena("run", "tiny.toml", "--out", "run", plugins=plugins)
    assert done.status == 130
    assert "interrupted: 0 of 1 trials ended. Nothing is lost" in done.out
    (stopped,) = records(tmp_path / "run")
    assert stopped["status"] == "interrupted"
    wait_for(lambda: gone(tree), seconds=20)


def test_when_the_command_dies_its_workers_die_with_it_and_the_lock_is_free(slow, start, arena, tmp_path, monkeypatch):
    plugins = slow("hangs")
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(plugins))
        running = start("run", "tiny.toml", "--out", "run")
    wait_for(lambda: asleep(tmp_path))
    refused = arena("run", "tiny.toml", "--out", "run", plugins=plugins)
    assert refused.status == 2
    assert f"in use by process {running.pid}" in refused.err
    tree = psutil.Process(running.pid).children(recursive=True)
    assert len(tree) >= 3, "forkserver, worker, guard"
    running.kill()
    running.wait()
    wait_for(lambda: gone(tree), seconds=20)
    # The folder can be used again at once, and the trial that was under way is the one that runs.
    limit = ("--set", "model.hangs.training.time_limit='2s'")
    again = arena("run", "tiny.toml", "--out", "run", *limit, plugins=plugins)
    assert again.status == 1
    assert "finished before" not in again.out
    assert "time limit of 2s was reached" in again.out
