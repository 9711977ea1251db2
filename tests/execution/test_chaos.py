"""Killed at any moment and started again, a run ends with the bits of one that was never disturbed.

`make chaos` kills twenty times (ARENA_CHAOS_KILLS); the suite, five.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ..helpers import bits, records

SPEC = Path(__file__).with_name("chaos.toml")
KILLS = int(os.environ.get("ARENA_CHAOS_KILLS", "5"))
EVERY = "0.3s"


def everything(run: Path) -> tuple[object, ...]:
    """Every trial's predictions, history without the clock, weights and metrics."""
    found = {record["id"]: (record["files"].get("model.safetensors"), record["metrics"]) for record in records(run)}
    assert {record["status"] for record in records(run)} == {"done"}
    return found, bits(run)


def resumed(run: Path) -> int:
    """How many trials continued from a checkpoint."""
    return sum("resumed_at_step" in record["measurements"] for record in records(run))


def start(run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mnistarena", "run", SPEC, "--out", run, "--jobs", "2", "--threads", "1"]
    return subprocess.Popen([*command, "--checkpoint-every", EVERY], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the command and everything below it, all stopped first so that nobody cleans up."""
    root = psutil.Process(process.pid)
    root.suspend()
    tree = [root, *root.children(recursive=True)]
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for one in tree:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal_number)
    process.wait()


def finish(run: Path) -> None:
    process = start(run)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors.decode()


@pytest.mark.timeout(1800)
def test_killed_at_random_moments_and_resumed_a_run_ends_bit_identical(tmp_path):
    began = time.monotonic()
    finish(tmp_path / "undisturbed")
    seconds = time.monotonic() - began
    expected = everything(tmp_path / "undisturbed")
    assert len(records(tmp_path / "undisturbed")) == 5
    assert resumed(tmp_path / "undisturbed") == 0

    moments, kills, rounds, went_on = random.Random(20261123), 0, 0, 0
    while kills < KILLS:
        rounds += 1
        run = tmp_path / f"run{rounds}"
        for _ in range(moments.choice([1, 1, 2, 3])):
            process = start(run)
            with suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.0, seconds))
            if process.poll() is not None:
                break
            kill_tree(process)
            kills += 1
        finish(run)
        assert everything(run) == expected
        went_on += resumed(run)
        print(f"{kills} kills, {rounds} runs, identical; {went_on} trials continued from a checkpoint", flush=True)
    assert went_on > 0, "no trial ever continued from a checkpoint: this test tested nothing"
