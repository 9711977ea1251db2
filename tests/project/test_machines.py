"""A Python that has only what it has on Windows runs a spec: no fcntl, no resource, no sessions, no fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mnistarena.doctor import limits

from ..helpers import by_label

# filelock and psutil have a part for each system, and keep the one for this.
SITECUSTOMIZE = """
import builtins, os, signal, sys

for name in ("fork", "forkpty", "setsid", "getsid", "killpg", "nice", "sched_getaffinity", "sched_setaffinity",
             "posix_fallocate", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"):
    delattr(os, name)
for name in ("SIGUSR1", "SIGUSR2", "pause", "pthread_sigmask", "SIG_BLOCK", "SIG_SETMASK"):
    delattr(signal, name)

real = builtins.__import__

def without(name, globals=None, *others, **named):
    importer = str((globals or {}).get("__name__")).partition(".")[0]
    if name in ("fcntl", "resource") and importer not in ("filelock", "psutil"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, globals, *others, **named)

builtins.__import__ = without

from multiprocessing import reduction
reduction.HAVE_SEND_HANDLE = False  # what forkserver needs
"""

SPEC = """
[benchmark]
name = "elsewhere"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
[training]
epochs = 1
[[model]]
name = "cnn"
[[model]]
name = "logistic-regression"
"""

# One after the other in a process, whose imports they share.
COMMANDS = """
import sys
from mnistarena.cli import main

if __name__ == "__main__":
    for arguments in (["run", "spec.toml", "--out", "run"], ["report", "run"], ["doctor", "--json"]):
        print("=====")
        sys.argv = ["arena", *arguments]
        try:
            main()
        except SystemExit as ending:
            assert not ending.code, (arguments, ending.code)
"""


def test_a_run_a_report_and_the_doctor_work_with_what_windows_has(tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (tmp_path / "spec.toml").write_text(SPEC)
    (tmp_path / "commands.py").write_text(COMMANDS)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "commands.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    found = by_label(tmp_path / "run")
    assert {name: record["status"] for name, record in found.items()} == {"cnn": "done", "logistic-regression": "done"}
    assert found["cnn"]["measurements"]["peak_memory_bytes"] > 50e6
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000

    said = json.loads(done.stdout.rpartition("=====")[2])["limits"]
    assert "each trial loads torch anew, which takes some seconds" in said
    assert len(said) == 4
    assert limits() == []
