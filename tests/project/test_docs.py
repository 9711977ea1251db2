"""The pages of docs/ say what the code does: their tables are of this code, their examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnistarena.cli import COMMANDS

from ..helpers import ROOT

DOCS = ROOT / "docs"


def test_tables_and_help_are_those_of_this_code():
    pages = sorted(str(page) for page in DOCS.glob("*.md"))
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "--check-fail-msg=run: make docs", "-I", str(DOCS), *pages],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_commands_has_the_help_of_each_as_it_is_printed(arena):
    page = (DOCS / "commands.md").read_text()
    assert re.findall(r"^## `arena ([\w-]+)`$", page, re.MULTILINE) == list(COMMANDS)
    # click prints no wider than 80 columns, two of them a margin.
    printed = arena("run", "--help", COLUMNS="120").out.strip()
    assert printed in page


def test_links_lead_somewhere():
    for page in (*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("arena do", {"doctor"}),
        ("arena show model vi", {"vit"}),
        ("arena show transform nor", {"normalize"}),
        ("arena check acc", {"accuracy"}),
        ("arena run --retry", {"--retry-failed"}),
    ],
)
def test_the_shell_completes(words, offered):
    environment = {"_ARENA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [Path(sys.executable).parent / "arena"], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered
