"""What a worker finds does not depend on the user's folder and environment, and what it leaves does not reach them."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import mnistarena
from mnistarena.execution import surroundings
from mnistarena.execution.cores import Cores
from mnistarena.trial.isolation import THREADS

from ..helpers import by_label

LOOKS = """
import json, os, subprocess, sys, tempfile
from mnistarena import ModelDef, Params, hookimpl

CHILD = "import sys, tempfile; print(hash('a'), sys.path[0] == '', tempfile.gettempdir())"

def new_pages(size):
    import resource
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

class Nothing(Params):
    "No parameters."

def build(params, task):
    import random
    from torch import nn
    with open("mess.txt", "w") as file:
        file.write("left behind")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    print("FACTS " + json.dumps({
        "hash": hash("a"), "child": subprocess.check_output([sys.executable, "-c", CHILD], text=True),
        "environment": dict(os.environ), "folder": os.getcwd(), "temporary": tempfile.gettempdir(), "cores": cores,
        "random": random.__file__, "flag": sys.flags.hash_randomization,
        "new_pages": [new_pages(1 << 26), new_pages(1 << 26)] if os.name == "posix" else None,
    }), flush=True)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, task.n_classes))

@hookimpl
def arena_models():
    return [ModelDef("looks", "prints what it finds", params=Nothing, build=build)]
"""

SPEC = """
plugins = ["looks.py"]
[benchmark]
name = "looks"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
test_limit = 50
[training]
steps = 1
[[model]]
name = "looks"
"""

ARENA = "import sys; sys.path.remove(''); from mnistarena.cli import main; main()"
"""The installed command: unlike `python -m`, it does not import from the folder it is started in."""


def facts(run: Path) -> dict:
    (log,) = run.glob("trials/*/log.txt")
    line, *_ = [line for line in log.read_text().splitlines() if line.startswith("FACTS ")]
    return json.loads(line.removeprefix("FACTS "))


def arena(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ARENA, *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "looks.py").write_text(LOOKS)
    (tmp_path / "looks.toml").write_text(SPEC)
    return tmp_path


def test_a_worker_finds_the_same_whatever_the_users_folder_and_environment(folder):
    relative = "x" * 120  # as a path from the root it is too long for the sockets that workers use
    for name in ("random", "torch", "numpy"):
        (folder / f"{name}.py").write_text("raise RuntimeError('of the user, not of the library')")
    for name in (relative, "cache"):
        (folder / name).mkdir()
    before = set(folder.iterdir())
    done = arena(
        *(folder, "run", "looks.toml", "--out", "run", "--jobs", "1", "--threads", "1"),
        **{"TMPDIR": relative, "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7"},
        **{"OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0", "KMP_AFFINITY": "compact"},
        TORCHINDUCTOR_CACHE_DIR="cache",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = facts(folder / "run")
    assert found["flag"] == 0
    child = found["child"].split()
    assert child[:2] == [str(found["hash"]), "True"], "programs that it starts hash and import as usual"
    if platform.libc_ver()[0] == "glibc":
        assert found["new_pages"][1] < 1000, "memory that a trial has freed is used again"
    environment = found["environment"]
    assert not {*surroundings.BINDINGS, "PYTHONSAFEPATH"} & set(environment)
    assert {environment[name] for name in THREADS} == {"1"}
    for path in (found["temporary"], found["folder"], environment["TMPDIR"], child[2]):
        assert Path(path).is_relative_to(folder / "run")
    assert environment["TORCHINDUCTOR_CACHE_DIR"] == str(folder / "cache")
    assert not Path(found["random"]).is_relative_to(folder)
    # Nothing but the run's folder is new, and the trial's own files have gone with it.
    assert set(folder.iterdir()) == before | {folder / "run"}
    assert not list(folder.rglob("mess.txt"))
    assert by_label(folder / "run")["looks"]["notes"] == []


@pytest.mark.skipif(len(Cores().allowed) < 2, reason="there is nothing to choose from")
def test_a_trial_with_one_thread_is_kept_to_one_core(folder, monkeypatch):
    # The trials of another test may have claimed all cores.
    monkeypatch.setattr("mnistarena.execution.cores._claim", lambda core: socket.socket())
    options = mnistarena.Options(jobs=1, threads=1)
    assert mnistarena.run(folder / "looks.toml", out=folder / "run", options=options).complete
    (core,) = facts(folder / "run")["cores"]
    assert core in Cores().allowed


def test_one_that_nothing_replaces_is_named(tmp_path, monkeypatch):
    from mnistarena.errors import ArenaError

    def full(**arguments: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 120)))
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    too_long = pytest.raises(ArenaError, match="too long for the sockets .* set TMPDIR to a path of at most")
    with too_long, surroundings.short_temporary_folder():
        pass


def test_a_program_that_started_the_forkserver_itself_is_told_that_strings_hash_otherwise(folder):
    (folder / "program.py").write_text(
        """
import multiprocessing.forkserver
multiprocessing.set_forkserver_preload(["torch"])
multiprocessing.forkserver.ensure_running()
import mnistarena
run = mnistarena.run("looks.toml", out="run")
print(run.trials[0].notes)
"""
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    done = subprocess.run([sys.executable, "program.py"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "with a hash seed other than 0" in done.stdout
    assert facts(folder / "run")["flag"] == 1


def test_the_users_environment_is_as_it_was_after_the_start(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.setenv("OMP_PROC_BIND", "true")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = dict(os.environ)
    with surroundings.fixed_environment():
        assert os.environ["PYTHONHASHSEED"] == "0"
        assert "OMP_PROC_BIND" not in os.environ
    assert dict(os.environ) == before


@pytest.mark.skipif(not Cores().allowed, reason="cores are shared out on Linux only, where they are alike")
def test_cores_are_taken_once_whoever_asks_and_come_back():
    cores = Cores()
    free = len(cores.allowed)
    if free < 2:
        assert cores.take(1) is None
        return
    cores.siblings = {core: frozenset({core}) for core in cores.allowed}
    taken = [share for _ in range(free) if (share := cores.take(1))]
    try:
        # Another run may hold some; what is given out is never given out twice.
        assert len({core for share in taken for core in share.cores}) == len(taken) <= free
        assert Cores().take(1) is None
    finally:
        for share in taken:
            share.release()
    assert cores.take(free) is None, "all of them is no choice"
    if taken:
        again = cores.take(1)
        assert again is not None
        again.release()


def test_the_least_busy_core_is_taken_and_no_two_that_are_one(monkeypatch):
    cores = Cores()
    cores.allowed, free = [0, 1, 2, 3], []
    cores.siblings = {core: frozenset({core, (core + 2) % 4}) for core in cores.allowed}
    monkeypatch.setattr(cores, "_busy", lambda: {0: 0.9, 1: 0.1, 2: 0.0, 3: 0.0})
    monkeypatch.setattr("mnistarena.execution.cores._claim", lambda core: free.append(core) or multiprocessing.Lock())
    assert cores.take(1).cores <= {1, 3}
    two = cores.take(2).cores
    assert len(two & {0, 2}) == len(two & {1, 3}) == 1
