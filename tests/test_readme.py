"""The README's spec, plugin and table of commands work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mnistarena.cli import COMMANDS

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def block(language: str, containing: str) -> str:
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in b]
    return found


def test_the_spec_is_valid_and_the_error_it_shows_is_the_real_one(arena, write_spec):
    text = block("toml", "[benchmark]")
    assert arena("validate", write_spec(text, "spec.toml")).status == 0
    shown = block("text", "did you mean").removeprefix("error: ").strip()
    result = arena("validate", write_spec(text.replace("width = 16", "widht = 16"), "spec.toml"))
    assert shown.partition(":")[2] in result.err


def test_the_plugin_works_as_printed(arena, distribution, write_spec):
    site = distribution("arena-mlp", block("python", "class MlpParams"))
    spec = write_spec(
        "[benchmark]\nname='x'\n[[dataset]]\nname='digits'\n[training]\nepochs=1\n[[model]]\nname='mlp'\n"
    )
    assert "mlp on digits, seed 0" in arena("run", spec, plugins=site).out
    lines = block("python", "class MlpParams").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained(command):
    assert f"`arena {command}" in README


def test_every_shipped_spec_and_make_target_is_mentioned():
    root = Path(__file__).resolve().parent.parent
    for spec in root.glob("specs/*.toml"):
        assert f"specs/{spec.name}" in README
    for target in ("demo", "test", "check", "bench", "chaos"):
        assert f"make {target}" in README
