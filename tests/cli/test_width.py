"""Tables as wide as they are: whole in a pipe, and in a terminal without a cut number."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ..report.synthetic import MODELS, build_run

SPEC = """
[benchmark]
name = "wide"
seeds = [0]

[[dataset]]
name = "digits"
transforms = ["normalize", { name = "resize", size = 16 }]

[[model]]
name = "logistic-regression"
label = "a logistic regression with a long name, which may wrap"
"""


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("five")
    (path / "wide.toml").write_text(SPEC)
    worse = {label: {**MODELS[label], "accuracy": 0.9} for label in ("cnn",)}
    build_run(path / "other", models=worse, n=300, epochs=1, validation=0, salt="other")
    return build_run(path / "run", n=300, epochs=1, validation=0)


# Several commands in one process, and "summary" for the table that `arena run` ends with.
COMMANDS = """
import json, sys
from mnistarena.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["arena", *arguments]
    if arguments[0] == "summary":
        from mnistarena.cli.leaderboard import print_summary
        from mnistarena.cli.tables import open_console
        from mnistarena.store.results import read_run
        print_summary(open_console(wide="--wide" in arguments, soft_wrap=True), read_run("run"), selected=set())
    else:
        try:
            main()
        except SystemExit as ending:
            assert not ending.code, ending.code
    print(chr(12))
"""


def command(commands: tuple[str, ...]) -> list[str]:
    """How Python is called to execute some commands."""
    return [sys.executable, "-c", COMMANDS, json.dumps([one.split() for one in commands])]


def parts(text: str) -> list[str]:
    """What each of them printed."""
    return [part.removeprefix("\n") for part in text.split("\f")[:-1]]


def in_terminal(folder: Path, columns: int, *commands: str) -> list[str]:
    """What each command prints in a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment |= {"NO_COLOR": "1", "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        command(commands), cwd=folder, env=environment, stdin=its, stdout=its, stderr=its, close_fds=True
    )
    os.close(its)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(60) == 0, said.decode()
    return parts(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode().replace("\r\n", "\n")))


PLAN = "plan wide.toml --no-estimate"
COMPARE = "compare run other"
PIPED = ("summary", PLAN, "data digits", "list models", COMPARE)


@pytest.fixture(scope="module")
def piped(five: Path) -> dict[str, str]:
    """What each command of `PIPED` prints into a pipe, with a narrow terminal said in the environment."""
    environment = {**os.environ, "COLUMNS": "40", "FORCE_COLOR": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command(PIPED), cwd=five.parent, env=environment, capture_output=True, text=True, check=True)
    return dict(zip(PIPED, parts(done.stdout), strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """The lines of a table by their first cell, the cells of each split at two blanks."""
    split = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {cells[0]: cells[1:] for cells in split if len(cells) > 1}


def test_a_summary_in_a_pipe_has_every_figure_and_a_line_a_model(piped: dict[str, str]) -> None:
    text = piped["summary"]
    found = rows(text)
    head = ["place", "seeds", "accuracy", "95 % interval", "training", "f1_weighted", "log_loss"]
    assert found["model"] == head
    for label in MODELS:
        assert len(found[label]) == len(head)
        assert re.fullmatch(r"\d\d\.\d\d%", found[label][2])
    assert "…" not in text
    assert "not fit" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_in_a_narrow_terminal_columns_leave_from_the_right_and_numbers_stay_whole(
    five: Path, piped: dict[str, str]
) -> None:
    whole = rows(piped["summary"])
    text, asked = in_terminal(five.parent, 60, "summary", "summary --wide")
    narrow = rows(text)
    assert "3 columns do not fit: --wide" in text
    for label in ("model", *MODELS):
        assert narrow[label] == whole[label][:4]
    wide = rows(asked)
    assert {label: wide[label] for label in MODELS} == {label: whole[label] for label in MODELS}


def test_a_plan_in_a_pipe_keeps_its_columns_and_a_long_name_wraps_in_a_terminal(
    five: Path, piped: dict[str, str]
) -> None:
    (line,) = (line for line in piped[PLAN].splitlines() if "which may wrap" in line)
    assert line.endswith("normalize → resize")
    text, wide = in_terminal(five.parent, 64, PLAN, f"{PLAN} --wide")
    assert "1 column does not fit: --wide" in text
    assert "normalize → resize" not in text
    assert "which may" in text
    assert "normalize → resize" in wide
    assert re.search(r"(?m)^[0-9a-f]{16} .* digits +0$", text), "the identity is whole"


def test_sentences_are_not_broken_in_a_pipe(piped: dict[str, str]) -> None:
    text = piped["data digits"]
    assert "0 within training, 0 within test, 0 test images that are training images\n" in text
    listed = piped["list models"]
    assert re.search(r"(?m)^  logistic-regression +a linear model of the pixels; .* mnistarena-sklearn \S+$", listed)


def test_a_difference_stands_with_its_interval_in_one_line_of_a_pipe(five: Path, piped: dict[str, str]) -> None:
    assert re.search(r"(?m)^cnn .* −\d+\.\d\d\u202fpp \[−.*\] +WORSE", piped[COMPARE])
    (narrow,) = in_terminal(five.parent, 50, COMPARE)
    assert re.search(r"(?m)^cnn +99\.\d\d\u202f% +\d\d\.\d\d\u202f% +−\d+\.\d\d\u202fpp", narrow)
    assert "2 columns do not fit: --wide" in narrow or "1 column does not fit: --wide" in narrow
