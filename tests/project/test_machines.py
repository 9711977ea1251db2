"""A Python that has only what it has on Windows runs a spec: no fcntl, no resource, no sessions, no fork."""

from __future__ import annotations

import json
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
[[dataset]]
name = "digits"
[training]
epochs = 1
[[model]]
name = "cnn"
[[model]]
name = "logistic-regression"
"""


def test_a_run_a_report_and_the_doctor_work_with_what_windows_has(arena, tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (tmp_path / "spec.toml").write_text(SPEC)
    done = arena("run", "spec.toml", "--out", "run", plugins=site, process=True)
    assert done.status == 0, done.out + done.err
    found = by_label(tmp_path / "run")
    assert {name: record["status"] for name, record in found.items()} == {"cnn": "done", "logistic-regression": "done"}
    assert found["cnn"]["measurements"]["peak_memory_bytes"] > 50e6
    assert arena("report", "run", plugins=site, process=True).status == 0
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000

    told = arena("doctor", "--json", plugins=site, process=True)
    assert told.status == 0, told.out
    said = json.loads(told.out)["limits"]
    assert "each trial loads torch anew, which takes some seconds" in said
    assert len(said) == 4
    assert limits() == []
