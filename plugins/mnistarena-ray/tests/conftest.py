"""A cluster of several nodes on this machine, and the real `arena` that drives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import mnistarena

# Ray's own sockets stay in /tmp, whose path is short enough for them.
QUIET = {
    "RAY_TMPDIR": "/tmp",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "COLUMNS": "200",
    "NO_COLOR": "1",
}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution with models that fail, each in its own way."""
    site = tmp_path_factory.mktemp("site")
    info = site / "arena_faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: arena-faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mnistarena]\nfaulty = arena_faulty\n")
    (site / "arena_faulty.py").write_text(
        textwrap.dedent(
            '''
            import os, signal, time
            from mnistarena import ModelDef, Params, hookimpl

            class NoParams(Params):
                """None."""

            def raises(params, task):
                raise RuntimeError("there is something wrong with this plugin")

            def crashes(params, task):
                print("about to crash", flush=True)
                os.kill(os.getpid(), signal.SIGSEGV)

            def hangs(params, task):
                time.sleep(1000)

            def naps(params, task):
                began = time.monotonic()
                time.sleep(1)
                raise RuntimeError(f"{began} {time.monotonic()}")

            def looks(params, task):
                raise RuntimeError(f"it sees the GPUs {os.environ.get('CUDA_VISIBLE_DEVICES')}")

            @hookimpl
            def arena_models():
                functions = (raises, crashes, hangs, naps, looks)
                return [ModelDef(f.__name__, "it fails", params=NoParams, build=f) for f in functions]
            '''
        )
    )
    return site


@pytest.fixture(scope="module")
def cluster(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head without processors, and two nodes of one each; one of them says that it has a GPU."""
    before = dict(os.environ)  # put back at the end of the file: later commands of this process would find it
    os.environ.update(QUIET)
    # Nodes that are killed leave what they kept to whoever comes by an hour later.
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("nodes"))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(plugins), *filter(None, [before.get("PYTHONPATH")])])
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        made.add_node(num_cpus=1)
        made.add_node(num_cpus=1, num_gpus=1)  # Ray believes it
        yield made
    finally:
        made.shutdown()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def command(plugins: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the real command in a folder, able to be interrupted as from a terminal."""

    def call(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(plugins), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, **QUIET, "PYTHONPATH": path}
        return subprocess.Popen(
            [sys.executable, "-m", "mnistarena", *map(str, arguments)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return call


@pytest.fixture
def start(tmp_path: Path, command: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """The same, in the test's folder."""
    return partial(command, cwd=tmp_path)


@pytest.fixture
def arena(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str]]:
    """Run the real command to its end: its status and what it printed."""

    def call(*arguments: object) -> tuple[int, str]:
        process = start(*arguments)
        out, _ = process.communicate(timeout=240)
        assert "Traceback (most recent call last)" not in out, out
        return process.returncode, out

    return call


def results(path: Path) -> dict[str, Any]:
    """Everything of a run that must be the same bits, by trial."""
    run = mnistarena.load_run(path)
    assert all(trial.done for trial in run.trials), [(t.name, t.status, t.error) for t in run.trials]
    return {trial.id: result(trial) for trial in run.trials}


def result(trial: mnistarena.TrialResult) -> tuple[Any, ...]:
    """What must be the same bits of a trial."""
    return (
        trial.predictions().probabilities.tobytes(),
        [{k: v for k, v in row.items() if "seconds" not in k} for row in trial.history()],
        trial.metrics,
        trial.files.get("model.safetensors"),
    )
