"""A spec runs on several nodes as it does on one machine, whatever becomes of the nodes and of the driver."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import psutil
import pytest

import mnistarena
import mnistarena.testing
from mnistarena.executors import TrialFolder, host

from .conftest import result, results

HEAD = """
[benchmark]
name = "on Ray"
seeds = [0, 1]
metrics = ["accuracy", "log_loss"]

[[dataset]]
name = "mnist"
train_limit = {images}
validation = 200
test_limit = 300
transforms = ["normalize"]

[training]
epochs = {epochs}
batch_size = 32

[[model]]
name = "cnn"

[[model]]
name = "logistic-regression"
"""

FAULTY = """
[[model]]
name = "raises"
seeds = [0]
[[model]]
name = "crashes"
seeds = [0]
[[model]]
name = "hangs"
seeds = [0]
training = { time_limit = "2s" }
[[model]]
name = "naps"
seeds = [0, 1, 2, 3, 4, 5]
[[model]]
name = "looks"
seeds = [0]
resources = { gpus = 0.5 }
[[model]]
name = "vit"
seeds = [0]
resources = { gpus = 2, memory = "1GiB" }
transforms = ["normalize", { name = "resize", size = 28 }]
"""

KILLS = int(os.environ.get("ARENA_CHAOS_KILLS", "1"))

CHANCE = random.Random(KILLS)

# The first test of the session also starts the cluster.
pytestmark = pytest.mark.timeout(600 + 40 * KILLS)


def on(cluster):
    """The options that run trials there."""
    return ("--executor", "ray", "--address", cluster.address, "--device", "cpu")


def write(folder, text, **values):
    path = folder / "spec.toml"
    path.write_text(text.format(**values) if values else text)
    return path


MINE = """
import torch
from mnistarena import ModelDef, Params, hookimpl

class TinyParams(Params):
    \"\"\"No parameters.\"\"\"

def build(params, task):
    channels, height, width = task.image_shape
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(channels * height * width, task.n_classes))

@hookimpl
def arena_models():
    return [ModelDef("tiny", "one linear layer", params=TinyParams, build=build)]
"""


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A folder with a plugin that is one file, a spec, and one that has also what goes wrong."""
    folder = tmp_path_factory.mktemp("short")
    (folder / "mine.py").write_text(MINE)
    text = 'plugins = ["mine.py"]\n' + HEAD.format(images=600, epochs=2) + '[[model]]\nname = "tiny"\n'
    (folder / "faulty.toml").write_text(text + FAULTY)
    write(folder, text)
    return folder


@pytest.fixture(scope="module")
def on_one_machine(short):
    """What the local executor says of the spec."""
    mnistarena.run(short / "spec.toml", out=short / "local", options=mnistarena.Options(threads=1))
    return results(short / "local")


@pytest.fixture(scope="module")
def on_nodes(short, cluster, command):
    """The spec with what goes wrong, run on several nodes, one of them unlike the driver: status, output, run."""
    other = cluster.add_node(num_cpus=1, env_vars={"ARENA_DISABLE_PLUGINS": "mnistarena-cnn"})
    try:
        process = command("run", "faulty.toml", *on(cluster), "--out", "ray", cwd=short)
        out, _ = process.communicate(timeout=240)
    finally:
        cluster.remove_node(other)
    assert "Traceback (most recent call last)" not in out, out
    return process.returncode, out, mnistarena.load_run(short / "ray")


@pytest.fixture
def by_label(on_nodes):
    return {trial.label: trial for trial in on_nodes[2].trials}


SAME = ("cnn", "logistic-regression", "tiny")


def test_several_nodes_give_the_bits_of_one_machine_and_a_fault_costs_its_own_trial(on_nodes, on_one_machine):
    status, out, run = on_nodes
    assert status == 1, out
    same = [trial for trial in run.trials if trial.label in SAME]
    assert {trial.id for trial in same} == set(on_one_machine)
    for trial in same:
        assert trial.done, trial.error
        assert result(trial) == on_one_machine[trial.id]
        assert (trial.conditions["host"], trial.conditions["device"]) == (host(), "cpu")
        assert (trial.conditions["threads"], trial.conditions["jobs"]) == (1, 1)
    assert "was lost" not in out


def test_a_node_that_is_not_like_the_driver_is_named_and_nothing_runs_there(on_nodes):
    (sentence,) = [line for line in on_nodes[1].splitlines() if "nothing runs on the node" in line]
    assert sentence.endswith("): the plugin cnn (mnistarena-cnn) is blocked: blocked by ARENA_DISABLE_PLUGINS")


def test_a_plugin_that_is_one_file_travels_to_the_nodes(on_nodes):
    assert [trial.status for trial in on_nodes[2].trials if trial.label == "tiny"] == ["done", "done"]


def test_each_fault_has_its_cause_and_nothing_of_it_is_tried_again(on_nodes, by_label):
    assert "there is something wrong with this plugin" in by_label["raises"].error["message"]
    assert "RuntimeError" in by_label["raises"].error["traceback"]
    assert "SIGSEGV" in by_label["crashes"].error["message"]
    assert "about to crash" in by_label["crashes"].folder.log.path.read_text()
    assert by_label["hangs"].status == "timeout"
    assert "time.sleep" in by_label["hangs"].error["traceback"] or "in hangs" in by_label["hangs"].error["traceback"]
    assert "no node of the cluster has 1 CPU, 2 GPUs and 1.0 GiB of memory" in by_label["vit"].error["message"]
    assert "it sees the GPUs 0" in by_label["looks"].error["message"]


def test_as_many_run_at_a_time_as_there_are_processors(on_nodes):
    naps = [[float(text) for text in t.error["message"].split()] for t in on_nodes[2].trials if t.label == "naps"]
    assert len(naps) == 6
    assert max(sum(began <= at < ended for began, ended in naps) for at, _ in naps) <= 2


def test_what_is_finished_is_not_run_again_here_or_there(on_nodes, short):
    before = {path: path.stat().st_mtime_ns for path in short.glob("ray/trials/cnn*/trial.json")}
    assert len(before) == 2
    assert mnistarena.run(short / "spec.toml", out=short / "ray").complete
    assert before == {path: path.stat().st_mtime_ns for path in before}


def finished(folder):
    return sorted(path.parent.name for path in folder.glob("trials/*/trial.json") if '"done"' in path.read_text())


def checkpoints(folder):
    """Which checkpoints came back so far, with their time."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/checkpoint.json")}


def wait_for(process, happened, seconds=90):
    """Wait until something happened or the command has ended; whether it still runs."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until and not happened():
        time.sleep(0.05)
    return process.poll() is None


IMAGES, EPOCHS, EVERY = 1200, 10, 0.2
"""What the longer spec trains, and the seconds between two of its checkpoints."""


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What the local executor says of the longer spec."""
    folder = tmp_path_factory.mktemp("local")
    spec = write(folder, HEAD, images=IMAGES, epochs=EPOCHS)
    mnistarena.run(spec, out=folder / "run", options=mnistarena.Options(threads=1))
    return results(folder / "run")


def test_drivers_and_nodes_that_are_killed_change_no_bit_and_nothing_runs_twice(cluster, start, local, tmp_path):
    spec = write(tmp_path, HEAD, images=IMAGES, epochs=EPOCHS)
    run = tmp_path / "ray"
    command = ("run", spec, *on(cluster), "--checkpoint-every", f"{EVERY}s", "--out", "ray")
    first = start(*command)
    assert wait_for(first, lambda: checkpoints(run)), first.communicate()[0]
    first.kill()
    first.communicate()
    kept = stamps(run)
    second, before = start(*command), checkpoints(run)
    assert wait_for(second, lambda: checkpoints(run) != before), second.communicate()[0]
    second.send_signal(signal.SIGINT)
    out, _ = second.communicate(timeout=120)
    assert second.returncode == 130, out
    assert "saved under way" in out
    assert out.count("stopped ") <= 2, "nothing is said of a trial that had no place yet"
    assert checkpoints(run)
    third = start(*command)
    lost = kill_nodes(cluster, third, run, 1)
    out, _ = third.communicate(timeout=200)
    assert third.returncode == 0, out
    assert "from a checkpoint" in out
    assert lost == 0 or "was lost" in out
    assert results(run) == local
    assert kept == {name: stamp for name, stamp in stamps(run).items() if name in kept}
    assert any("resumed_at_step" in trial.measurements for trial in mnistarena.load_run(run).trials)


def stamps(run):
    """When each finished trial was stored."""
    return {name: (run / "trials" / name / "trial.json").stat().st_mtime_ns for name in finished(run)}


def kill_nodes(cluster, process, run, most):
    """Kill nodes, each some time after a checkpoint came back, while the command runs; how many."""
    killed = 0
    while killed < most:
        before = checkpoints(run)
        if not wait_for(process, lambda before=before: checkpoints(run) != before):
            break
        wait_for(process, lambda: False, CHANCE.uniform(0, 1))
        nodes = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
        cluster.remove_node(CHANCE.choice(nodes), allow_graceful=False)
        killed += 1
        cluster.add_node(num_cpus=1)
    return killed


@pytest.mark.skipif(KILLS < 2, reason="the long version, make chaos, has ARENA_CHAOS_KILLS")
def test_very_many_killed_nodes_change_no_bit(cluster, start, local, tmp_path):
    spec = write(tmp_path, HEAD, images=IMAGES, epochs=EPOCHS)
    killed = rounds = lost = resumed = 0
    while killed < KILLS:
        rounds += 1
        run = tmp_path / f"ray-{rounds}"
        process = start("run", spec, *on(cluster), "--checkpoint-every", f"{EVERY}s", "--out", run)
        killed += kill_nodes(cluster, process, run, KILLS - killed)
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out
        assert results(run) == local
        lost += out.count("was lost")
        resumed += sum("resumed_at_step" in trial.measurements for trial in mnistarena.load_run(run).trials)
    print(f"{killed} nodes killed in {rounds} runs, {lost} trials lost, {resumed} went on from a checkpoint: identical")
    assert lost


def test_a_cluster_that_is_not_there_is_an_error_and_so_is_a_wrong_parameter(arena, tmp_path):
    spec = write(tmp_path, HEAD, images=100, epochs=1)
    status, out = arena("run", spec, "--executor", "ray", "--address", "127.0.0.1:1")
    assert status == 2
    assert "no Ray cluster can be joined at 127.0.0.1:1" in out
    assert "ray start --head" in out
    status, out = arena("run", spec, "--executor", "ray", "--executor-set", "retires=1")
    assert status == 2
    assert 'the executor "ray": unknown parameter "retires"; did you mean "retries"?' in out


class Notices(mnistarena.Observer):
    """Keeps what the user is told."""

    def __init__(self):
        self.sentences = []

    def notice(self, sentence):
        self.sentences.append(sentence)


def test_a_result_that_the_driver_could_not_write_is_tried_once_more(cluster, tmp_path, monkeypatch):
    """Ray's driver takes tasks again after it had none left; more places than trials."""
    write_record, refused = TrialFolder.write, []

    def full(folder, record):
        if not refused:
            refused.append(record["label"])
            raise mnistarena.StoreError("cannot write there")
        write_record(folder, record)

    monkeypatch.setattr(TrialFolder, "write", full)
    spec = write(tmp_path, HEAD.replace("seeds = [0, 1]", "seeds = [0]"), images=200, epochs=1)
    options = mnistarena.Options(device="cpu", executor="ray", executor_params={"address": cluster.address})
    told = Notices()
    run = mnistarena.run(spec, out=tmp_path / "ray", only=("logistic*",), options=options, observer=told)
    assert [
        sentence for sentence in told.sentences if "will be tried once more at the end: cannot write there" in sentence
    ]
    assert refused == ["logistic-regression"]
    assert run.complete
    assert len(finished(tmp_path / "ray")) == 1


def raylets():
    """The processes that make a machine a node."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found |= {process.pid} if "raylet" in process.name() else set()
    return found


@mnistarena.testing.parametrize("ray")
def test_it_keeps_the_promises_of_an_executor_and_leaves_no_ray_running(check):
    before = raylets()
    check.run()
    assert raylets() <= before
