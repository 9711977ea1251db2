"""The README's spec and model work as they are printed, and it leads to every page."""

from __future__ import annotations

import re

from mnistarena.cli import COMMANDS

from ..helpers import ROOT

README = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in b]
    return found


def test_the_spec_is_valid_and_the_error_it_shows_is_the_real_one(arena, write_spec):
    text = block("toml", "[benchmark]")
    assert len(text.splitlines()) == 10
    assert arena("validate", write_spec(text, "spec.toml")).status == 0
    shown = block("text", "did you mean").removeprefix("error: ").strip()
    result = arena("validate", write_spec(text.replace("kernel_size", "kernel_sise"), "spec.toml"))
    assert shown.partition(":")[2] in result.err


def test_the_model_is_trained_from_its_file_as_printed(arena, write_spec, tmp_path):
    model = block("python", "class MlpParams")
    assert sum(bool(line.strip()) for line in model.splitlines()) <= 20
    (tmp_path / "mine.py").write_text(model)
    spec = write_spec(
        "plugins = ['mine.py']\n[benchmark]\nname='x'\n[[dataset]]\nname='digits'\n[training]\nepochs=1\n"
        "[[model]]\nname='mlp'\n"
    )
    assert "mlp on digits, seed 0" in arena("run", spec).out
    result = arena("check", "mlp", "--plugin", "mine.py")
    assert result.status == 0, result.out + result.err


def test_it_fits_a_few_screens():
    assert len(README.splitlines()) <= 160


def test_every_command_is_on_the_page_of_commands():
    page = (ROOT / "docs" / "commands.md").read_text()
    assert "docs/commands.md" in README
    for command in COMMANDS:
        assert f"## `arena {command}`" in page


def test_every_shipped_spec_has_its_result_and_every_make_target_is_mentioned():
    results = (ROOT / "docs" / "results.md").read_text()
    for spec in ROOT.glob("specs/*.toml"):
        assert f"specs/{spec.name}" in results
    for target in ("demo", "test", "examples", "check", "docs", "bench", "chaos"):
        assert f"make {target}" in README


def test_every_page_is_linked():
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in README
