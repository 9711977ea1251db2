"""What the tests share: the real `arena` command, small real data, and plugins made on the spot."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Result:
    """A finished command: `out` is standard output, `err` standard error."""

    status: int
    out: str
    err: str


Arena = Callable[..., Result]

WITHIN = ("run", "verify", "plan")


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """Run the real command in an empty folder; `plugins` is a folder of made-up distributions.

    What starts workers, without an environment of its own, runs within this process: its workers then start from one
    process that has loaded torch, for all tests, instead of one for each test.
    """

    def call(*arguments: object, plugins: Path | None = None, cwd: Path = tmp_path, **env: str) -> Result:
        if arguments[0] in WITHIN and not env and surroundings() == SURROUNDINGS:
            with installed_here(plugins):
                return within(cwd, *map(str, arguments))
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
    """The distributions of a folder are this process's, and its workers', for a while."""
    if plugins is None:
        yield
        return
    before = set(sys.modules)
    with mock.patch.object(sys, "path", [str(plugins), *sys.path]):
        importlib.invalidate_caches()
        try:
            yield
        finally:
            # Another test may have a module of the same name.
            for name in set(sys.modules) - before:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(str(plugins)):
                    del sys.modules[name]


def within(cwd: Path, *arguments: str) -> Result:
    """The command in this process."""
    from mnistarena.cli import main

    out, err, here = io.StringIO(), io.StringIO(), Path.cwd()
    changed = {"COLUMNS": "200", "NO_COLOR": "1"}
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
    return Result(status, out.getvalue(), err.getvalue())


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
    done = subprocess.run(
        [sys.executable, "-m", "mnistarena", "run", "tiny.toml", "--out", "run"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"
