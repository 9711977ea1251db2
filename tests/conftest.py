"""What the tests share: the real `arena` command, small real data, and plugins made on the spot."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.metadata
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mnistarena.data import idx
from mnistarena.execution import workers
from mnistarena.plan import contents
from mnistarena.plugin.messages import Device

# Hundreds of processes would compile the same modules where the environment tells Python to write no bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Reports make many objects and few cycles: to look for these as often as Python does takes 4 % of the tests' time.
gc.set_threshold(50_000, 20, 100)

# What tests write need not outlive a failure of the machine, and each file would wait for the disk.
os.fsync = lambda descriptor: None

# All runs within this process share the arrays of MNIST, which take each of them a fifth of a second to decompress.
read_idx, read_once = idx.read_idx, functools.lru_cache(maxsize=16)(lambda changed, *file: read_idx(*file))
idx.read_idx = lambda path, sha256=None: read_once(path.exists() and path.stat().st_mtime_ns, path, sha256)

# They share what the installed distributions declare, too; plugins that a test makes are on a path of their own.
PATH = [*sys.path]


def asked_once(ask: Callable[..., Any]) -> Callable[..., Any]:
    known = functools.cache(ask)
    return lambda *given, **named: (known if sys.path == PATH else ask)(*given, **named)


importlib.metadata.entry_points = asked_once(importlib.metadata.entry_points)
importlib.metadata.version = asked_once(importlib.metadata.version)

# The package's own sources stay, while those of plugins that tests make are read again by each command.
contents.core_digest = functools.cache(contents.core_digest)

# All runs within this process share what workers start from, whichever of them starts it.
workers.ALWAYS = (*workers.ALWAYS, *workers.EVERYTHING, "tests.quick")

# They share what is known of the devices, too, for which each of them would start a process.
DEVICES: dict[str, Device] = {}


def probe(self: workers.Workers, device: str, ask: Callable[..., Device] = workers.Workers.probe) -> Device:
    if device not in DEVICES:
        DEVICES[device] = ask(self, device)
    return DEVICES[device]


workers.Workers.probe = probe


@dataclass
class Result:
    """A finished command: `out` is standard output, `err` standard error."""

    status: int
    out: str
    err: str


Arena = Callable[..., Result]


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """Run the real command in an empty folder; `plugins` is a folder of made-up distributions.

    It runs within this process, which has its imports already; its workers start from one process that has loaded
    torch, for all tests, instead of one for each test. With an environment of its own, or with `process`, it is a
    process of its own, as it must be where its imports, its end or a traceback on its standard error are the matter.
    """

    def call(
        *arguments: object, plugins: Path | None = None, cwd: Path = tmp_path, process: bool = False, **env: str
    ) -> Result:
        if not process and env.keys() <= {"COLUMNS"} and surroundings() == SURROUNDINGS:
            with installed_here(plugins):
                return within(cwd, *map(str, arguments), **env)
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **env}
        if plugins is not None:
            environment["PYTHONPATH"] = os.pathsep.join([str(plugins), *filter(None, [environment.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-m", "mnistarena", *map(str, arguments)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert "Traceback (most recent call last)" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return call


def surroundings() -> dict[str, str]:
    """What a test may have set to change what a command finds; TORCHINDUCTOR_… is of torch's own making."""
    return {k: v for k, v in os.environ.items() if k.startswith(("PYTHON", "ARENA_", "XDG_", "TORCH_", "TMP"))}


SURROUNDINGS = surroundings()


@contextlib.contextmanager
def installed_here(plugins: Path | None) -> Iterator[None]:
    """The distributions of a folder are this process's, and its workers', for a while; their modules are forgotten."""
    from mnistarena.plugin.discovery import source_digest

    forget(plugins)  # a test that imports plugins itself leaves them
    path = sys.path if plugins is None else [str(plugins), *sys.path]
    with mock.patch.object(sys, "path", path):
        importlib.invalidate_caches()
        source_digest.cache_clear()
        try:
            yield
        finally:
            forget(plugins)


def forget(plugins: Path | None) -> None:
    """Forget the modules of a folder, and of plugins that are single files: others may have the same names."""
    for name, module in [*sys.modules.items()]:
        file = str(getattr(module, "__file__", ""))
        if name.startswith("arena_plugin_") or (plugins is not None and file.startswith(str(plugins))):
            del sys.modules[name]


def within(cwd: Path, *arguments: str, **env: str) -> Result:
    """The command in this process."""
    from mnistarena.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    here = Path.cwd()
    changed = {"COLUMNS": "200", "NO_COLOR": "1", **env}
    with (
        mock.patch.dict(os.environ, changed),
        mock.patch.object(sys, "argv", ["arena", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        os.chdir(cwd)
        try:
            main()
            status = 0
        except SystemExit as ending:
            status = int(ending.code or 0)
        finally:
            os.chdir(here)
    return Result(status, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the real command and leave it running, able to be interrupted as from a terminal."""

    def call(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mnistarena", *map(str, arguments)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell that runs the tests in its background has told them to ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return call


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[Callable[..., BaseProcess]]:
    """Start the command in a copy of this process and leave it running, to be killed.

    It has this process's imports, and its workers start from the process that all tests share; a `cold` one imports all
    of it anew, as a user's command does.
    """
    begun: list[BaseProcess] = []

    def call(*arguments: object, cold: bool = False) -> BaseProcess:
        workers.Workers().get_ready()
        target = _command if cold else _copy
        process = multiprocessing.get_context("fork").Process(target=target, args=(tmp_path, *map(str, arguments)))
        process.start()
        begun.append(process)
        return process

    yield call
    for process in begun:
        process.kill()
        process.join()


def _command(cwd: Path, *arguments: str) -> None:
    os.chdir(cwd)
    os.execv(sys.executable, [sys.executable, "-m", "mnistarena", *arguments])


def _copy(cwd: Path, *arguments: str) -> None:
    # What the workers start from is no child of this copy, which therefore cannot ask whether it lives.
    server = forkserver._forkserver  # type: ignore[attr-defined]
    with mock.patch.object(forkserver, "ensure_running"), mock.patch.object(server, "ensure_running"):
        sys.exit(within(cwd, *arguments).status)


@pytest.fixture
def distribution(tmp_path: Path) -> Callable[..., Path]:
    """Write an installed distribution with one entry point, as pip would leave it; returns its folder."""
    site = tmp_path / "site"
    site.mkdir()

    def make(name: str, source: str, *, version: str = "1.0", requires: str = "") -> Path:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata + (f"Requires-Dist: {requires}\n" if requires else ""))
        (info / "entry_points.txt").write_text(f"[mnistarena]\n{module} = {module}\n")
        return site

    return make


TINY = """
[benchmark]
name = "tiny"
seeds = [0, 1]
metrics = ["accuracy", "f1_weighted", "log_loss"]
baseline = "cnn"

[[dataset]]
name = "mnist"
train_limit = 600
validation = 200
test_limit = 500
transforms = ["normalize"]

[training]
epochs = 2
batch_size = 32
optimizer = { name = "adam", lr = 0.002 }
schedule = { name = "cosine" }

[[model]]
name = "cnn"

[[model]]
name = "logistic-regression"
"""


@pytest.fixture
def write_spec(tmp_path: Path) -> Callable[..., Path]:
    """Write a spec file; the default is a tiny run on real digits."""

    def write(text: str = TINY, name: str = "tiny.toml") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """The tiny spec."""
    return TINY


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny spec; to be read, not changed."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(TINY)
    done = within(folder, "run", "tiny.toml", "--out", "run", "--jobs", "2", "--threads", "1")
    assert done.status == 0, done.out + done.err
    return folder / "run"


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that may be spoilt, with its spec beside it."""
    shutil.copy(tiny_run.parent / "tiny.toml", tmp_path)
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))
