"""What is installed outside the repository: wheels with their templates and specs, and a stranger's plugin."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import tomli

from mnistarena.version import __version__

from ..helpers import ROOT

PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))


def test_every_plugin_is_installed_by_default_or_on_demand_from_a_checkout_and_from_wheels():
    default, on_demand = (
        re.findall(r"^-e \./plugins/(\S+)", (ROOT / name).read_text(), re.MULTILINE)
        for name in ("requirements.txt", "requirements-extra.txt")
    )
    assert sorted(default + on_demand) == PLUGINS
    extras = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra: [re.split("[><=]", one)[0] for one in wanted] for extra, wanted in extras.items()}
    assert named["default"] == default
    for name in on_demand:
        assert named[name.removeprefix("mnistarena-")] == [name]
    assert named["all"] == [
        f"mnistarena[{','.join(['default', *sorted(n.removeprefix('mnistarena-') for n in on_demand)])}]"
    ]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_has_what_a_distribution_needs(plugin):
    folder = ROOT / "plugins" / plugin
    assert (folder / "README.md").is_file()
    assert list(folder.glob("tests/test_*.py"))
    assert "[project.entry-points.mnistarena]" in (folder / "pyproject.toml").read_text()


def python(*arguments, cwd, **env):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(a) for a in arguments],
        cwd=cwd,
        env={**environment, "COLUMNS": "160", **env},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


THIRD_PARTY = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "arena-stranger"
version = "3.1"
[project.entry-points.mnistarena]
stranger = "arena_stranger"
""",
    "arena_stranger/__init__.py": '''
"""A model by somebody who never saw the repository."""
from pydantic import Field
from mnistarena import ModelDef, Params, hookimpl

class MlpParams(Params):
    """Parameters of a multilayer perceptron."""
    hidden: int = Field(32, ge=1, description="hidden units")

def build(params, task):
    from torch import nn
    channels, height, width = task.image_shape
    return nn.Sequential(
        nn.Flatten(), nn.Linear(channels * height * width, params.hidden), nn.ReLU(),
        nn.Linear(params.hidden, task.n_classes),
    )

@hookimpl
def arena_models():
    return [ModelDef("mlp", "a multilayer perceptron", params=MlpParams, build=build)]
''',
}


VALIDATE = """
import sys
from mnistarena.cli import main
for spec in sys.argv[1:]:
    sys.argv = ["arena", "validate", spec]
    try:
        main()
    except SystemExit as ending:
        assert not ending.code, ending.code
"""


def docker(instruction):
    """What the Dockerfile has of one instruction."""
    return re.findall(rf"^{instruction} (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment with wheels of everything in it; what they depend on is borrowed from ours."""
    folder = tmp_path_factory.mktemp("outside")
    stranger = folder / "stranger"
    for name, text in THIRD_PARTY.items():
        (stranger / name).parent.mkdir(parents=True, exist_ok=True)
        (stranger / name).write_text(text)
    projects = [ROOT, *(ROOT / "plugins" / plugin for plugin in PLUGINS), stranger]
    wheels = folder / "wheels"
    # By a relative path, as `make dist` gives it.
    built = python(sys.executable, "-m", "release.dist", os.path.relpath(wheels, ROOT), *projects, cwd=ROOT).split()
    assert len(built) == len(projects)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "venv" / "bin" / "python"]

    venv = folder / "venv"
    python(sys.executable, "-m", "venv", "--without-pip", venv, cwd=folder)
    borrowed = folder / "borrowed"
    borrowed.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "mnistarena" not in entry.name.lower() and entry.suffix != ".pth":
            (borrowed / entry.name).symlink_to(entry)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    (installing,) = [line for line in docker("RUN") if "--find-links /wheels" in line]
    install = shlex.split(installing.replace("/wheels", str(wheels)))
    assert install[:2] == ["pip", "install"]
    quick = {"PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1", "PIP_NO_WARN_CONFLICTS": "1"}
    # In one call: to resolve what all packages depend on takes most of it.
    python(*pip, *install[1:], "mnistarena[all]", "arena-stranger", cwd=folder, **quick)
    return venv / "bin" / "arena"


def test_wheels_bring_every_plugin_the_strangers_too(environment, tmp_path):
    found = json.loads(python(environment, "list", "plugins", "--json", cwd=tmp_path))
    assert {entry["status"] for entry in found} == {"loaded"}
    assert {"arena-stranger 3.1", *(f"{name} {__version__}" for name in PLUGINS)} <= {
        entry["distribution"] for entry in found
    }


def test_the_image_starts_with_a_command_that_works_where_only_its_wheels_are(environment, tmp_path):
    """Its line that installs the wheels is the fixture's; what loads torch and makes a user needs Docker."""
    start, default = (json.loads(*docker(name)) for name in ("ENTRYPOINT", "CMD"))
    assert start == [environment.name]
    assert "ready to run" in python(environment, *default, cwd=tmp_path)
    (torch,) = [line for line in docker("RUN") if "--index-url" in line]
    named = {word for word in torch.split() if word.startswith("torch")}
    core = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert named == {re.split("[><=]", one)[0] for one in core if one.startswith("torch")}


def test_the_starter_specs_travel_in_the_wheel_and_are_valid(environment, tmp_path):
    python(environment, "init", cwd=tmp_path)
    written = sorted(path.name for path in tmp_path.glob("specs/*.toml"))
    assert written == sorted(path.name for path in ROOT.glob("specs/*.toml"))
    names = [f"specs/{name}" for name in written]
    valid = python(environment.with_name("python"), "-c", VALIDATE, *names, cwd=tmp_path)
    assert re.findall(r"^(\S+): valid;", valid, re.MULTILINE) == names
    # What is there already is kept.
    (tmp_path / "specs" / "quick.toml").write_text("mine")
    assert "kept    specs/quick.toml" in python(environment, "init", cwd=tmp_path)
    assert (tmp_path / "specs" / "quick.toml").read_text() == "mine"


def test_a_run_and_a_report_work_outside_the_repository_with_a_strangers_model(environment, tmp_path):
    (tmp_path / "spec.toml").write_text(
        """
        [benchmark]
        name = "outside"
        seeds = [0, 1]
        metrics = ["accuracy"]
        [[dataset]]
        name = "mnist"
        train_limit = 200
        test_limit = 200
        validation = 100
        transforms = ["normalize"]
        [training]
        epochs = 1
        [[model]]
        name = "mlp"
        params = { hidden = 16 }
        [[model]]
        name = "cnn"
        seeds = [0]
        """
    )
    assert "mlp on mnist, seed 1" in python(environment, "run", "spec.toml", cwd=tmp_path)
    python(environment, "report", "--html", "--markdown", cwd=tmp_path)
    page = (tmp_path / "runs" / "spec" / "report.html").read_text()
    assert "arena-stranger 3.1" in page
    assert "mlp" in (tmp_path / "runs" / "spec" / "report.md").read_text()
