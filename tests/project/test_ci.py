"""Workflows, the action and the issue forms: their YAML, what their steps call, and the action itself on digits."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mnistarena.cli import COMMANDS, cli

from ..helpers import ROOT

EXAMPLE = ROOT / "examples" / "ci"
ACTION = ROOT / "action.yml"
WORKFLOWS = [*ROOT.glob(".github/workflows/*.yml"), EXAMPLE / ".github" / "workflows" / "benchmark.yml"]
FORMS = [path for path in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if path.name != "config.yml"]
OTHERS = [ROOT / ".github/ISSUE_TEMPLATE/config.yml", ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def jobs(path: Path) -> list[dict[str, Any]]:
    """The jobs of a workflow; the action's steps as one job."""
    found = read(path)
    return [found["runs"]] if path == ACTION else list(found["jobs"].values())


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path):
        yield from job["steps"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_step_calls_is_there(path: Path):
    text = path.read_text("utf-8")
    names = {step["id"] for step in steps(path) if "id" in step}
    assert set(re.findall(r"\bsteps\.([\w-]+)\.", text)) <= names
    asked = set(re.findall(r"\bmatrix\.(\w+)", text))
    assert asked <= {name for job in jobs(path) for name in job.get("strategy", {}).get("matrix", {})}
    for step in steps(path):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w.-]+@(v\d\S*|release/v\d+)", step["uses"]), "an action at its version"
            continue
        # Text of a pull request comes as an environment variable: in the script itself, it would be executed.
        assert "${{" not in step["run"]
        for line in step["run"].splitlines():
            check_line(line)


def check_line(line: str) -> None:
    """A make target, a script, or a command of arena with its options."""
    if found := re.match(r"\s*make (\S+)", line):
        assert re.search(rf"^{found[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    elif line.startswith(".ci/"):
        assert os.access(ROOT / line, os.X_OK), line
    elif found := re.match(r"\s*arena (\S+)(.*?)(?: > .*)?$", line):
        assert found[1] in COMMANDS, line
        command = cli.get_command(click.Context(cli), found[1])
        assert command is not None
        given = re.sub(r"\$\{\w+:\+(.*?)\}", r"\1", found[2])
        command.make_parser(click.Context(command)).parse_args(shlex.split(given))


def test_the_checks_run_on_every_python_that_is_said_to_be_supported():
    tests = read(ROOT / ".github/workflows/ci.yml")["jobs"]["tests"]
    pythons = tests["strategy"]["matrix"]["python"]
    least = re.search(r'^requires-python = ">=(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert least
    assert pythons[0] == least[1]
    assert [step["run"] for step in tests["steps"] if "run" in step] == [".ci/run"]


def test_forms_ask_for_something_and_the_other_files_are_yaml():
    for path in FORMS:
        form = read(path)
        assert form["name"]
        assert form["description"]
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        assert len({field["id"] for field in fields}) == len(fields) > 0
        assert all(field["attributes"]["label"] for field in fields)
        assert any(field.get("validations", {}).get("required") for field in fields)
    assert all(isinstance(read(path), dict) for path in OTHERS)
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    checked = " ".join(hook["entry"] for hook in hooks)
    assert ".venv/bin/ruff check" in checked
    assert ".venv/bin/ruff format" in checked


class Runner:
    """Executes `run:` steps in a folder as GitHub's runner does: bash, `env`, and files for outputs and the summary."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.outputs = folder, folder.parent / "outputs"
        self.summary = folder.parent / "summary"
        path = [str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]
        files = {"GITHUB_OUTPUT": str(self.outputs), "GITHUB_STEP_SUMMARY": str(self.summary)}
        self.environment = {**os.environ, **files, "NO_COLOR": "1", "PATH": os.pathsep.join(path)}

    def run(self, script: str, **env: str) -> int:
        """The status of one step."""
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=self.folder, env={**self.environment, **env}, timeout=240).returncode

    def use(self, inputs: dict[str, str]) -> int:
        """The status of the action: that of its first step that fails."""
        action = read(ACTION)
        values = {name: inputs.pop(name, given.get("default", "")) for name, given in action["inputs"].items()}
        assert not inputs, "the action has no such input"
        for path in (self.outputs, self.summary):
            path.write_text("")
        for step in action["runs"]["steps"]:
            if "pip install" in step["run"]:  # a network; what it installs is the matter of test_packaging.py
                assert (ROOT / step["run"].split()[-1]).is_file()
                continue
            env = {
                name: filled(value, {f"inputs.{k}": v for k, v in values.items()})
                for name, value in step["env"].items()
            }
            if status := self.run(step["run"], **env):
                return status
        return 0


def filled(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], value)


def test_the_example_stores_a_run_comments_and_fails_where_the_model_became_worse(tmp_path: Path):
    tree, tools = tmp_path / "tree", tmp_path / "tools"
    shutil.copytree(EXAMPLE, tree)
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\necho "$@" > gh-was-called\n')  # GitHub cannot be reached from a test
    (tools / "gh").chmod(0o755)
    runner = Runner(tree, tools)
    (made,) = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    assert runner.run(made.replace("git add", "ls")) == 0

    _, _, arena, comment, _ = read(WORKFLOWS[-1])["jobs"]["benchmark"]["steps"]
    assert runner.use(dict(arena["with"])) == 0
    outputs = dict(line.split("=", 1) for line in runner.outputs.read_text().splitlines())
    said = (tree / outputs["comment"]).read_text()
    assert "mlp" in said
    assert runner.summary.read_text() == said
    known = {
        "steps.arena.outputs.comment": outputs["comment"],
        "github.token": "x",
        "github.event.pull_request.number": "7",
    }
    assert runner.run(comment["run"], **{name: filled(value, known) for name, value in comment["env"].items()}) == 0
    assert (tree / "gh-was-called").read_text().startswith(f"pr comment 7 --body-file {outputs['comment']}")

    mine = (tree / "mine.py").read_text()
    (tree / "mine.py").write_text(mine.replace("nn.ReLU()", "nn.Threshold(1e9, 0)"))  # the hidden layer says nothing
    assert runner.use({**arena["with"], "margin": "1pp"}) == 1
    worse = (tree / outputs["comment"]).read_text()
    assert worse.startswith("**1 regression: mlp.**")
    assert "not shown to lose less than 1" in worse
    assert len(worse.splitlines()) <= 15

    # Without a stored run, the comment is the run's own verdict.
    assert runner.use({"spec": "spec.toml"}) == 0
    assert "mlp" in runner.summary.read_text()
