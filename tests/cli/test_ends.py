"""How a command ends, as a process of its own: its status, and never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest


def ended(*arguments, cwd):
    """A command whose reader has gone before it prints, as in `arena list | true`: status, standard error."""
    command = [sys.executable, "-m", "mnistarena", *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    return process.wait(timeout=60), errors


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--json"), ("schema",)])
def test_a_reader_that_has_gone_gets_no_traceback(tmp_path, arguments):
    status, errors = ended(*arguments, cwd=tmp_path)
    assert errors == ""
    assert status == 1, "click's status for it"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("lst",), 2, 'No such command "lst". Did you mean "list"?'),
        (("validate", "gone.toml"), 2, "error: gone.toml: no such file"),
        (("run", "gone.toml", "--jobs", "0"), 2, "Invalid value for '--jobs'"),
        (("--version",), 0, ""),
    ],
)
def test_a_mistake_ends_with_a_sentence_and_its_status(arena, arguments, status, sentence):
    done = arena(*arguments, process=True)
    assert done.status == status
    assert sentence in done.err
