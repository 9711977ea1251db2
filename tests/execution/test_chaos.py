"""Killed at any moment and started again, a run ends with the bits of one that was never disturbed.

`make chaos` kills twenty commands (ARENA_CHAOS_KILLS), while they import what they need, too; the suite three copies of
its own process, one at each kind of moment.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from ..helpers import bits, records

SPEC = Path(__file__).with_name("chaos.toml")
COLD = "ARENA_CHAOS_KILLS" in os.environ
KILLS = int(os.environ.get("ARENA_CHAOS_KILLS", "3"))
COMMAND = ("run", SPEC, "--jobs", 2, "--threads", 1, "--checkpoint-every", "0.2s")
PLANNING = 4.0 if COLD else 0.5
"""Seconds in which a command has hardly begun a trial."""
MOMENTS = random.Random(20261123)


def everything(run: Path) -> tuple[object, ...]:
    """Every trial's predictions, history without the clock, weights and metrics."""
    found = {record["id"]: (record["files"].get("model.safetensors"), record["metrics"]) for record in records(run)}
    assert {record["status"] for record in records(run)} == {"done"}
    return found, bits(run)


def resumed(run: Path) -> int:
    """How many trials continued from a checkpoint."""
    return sum("resumed_at_step" in record["measurements"] for record in records(run))


def kill_tree(process: BaseProcess) -> None:
    """SIGKILL to the command and its workers, all stopped first so that nobody cleans up."""
    root, here = psutil.Process(process.pid), psutil.Process()
    root.suspend()
    # The workers are children of a child of this process, which other tests need.
    tree = [root, *{*here.children(recursive=True)} - {*here.children()}]
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for one in tree:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal_number)
    process.join()


def wait(process: BaseProcess, seconds: float = 240, until: Callable[[], object] = lambda: False) -> None:
    """Wait for so many seconds, for something to happen, or for the process to end."""
    deadline = time.monotonic() + seconds
    while process.exitcode is None and time.monotonic() < deadline and not until():
        time.sleep(0.02)


def wait_for_its_moment(process: BaseProcess, run: Path, kill: int, seconds: float) -> None:
    """Every third kill comes at any moment of the trials, as soon as there is a new checkpoint, and before any trial.

    `seconds` is how long the trials take.
    """
    if kill % 3 == 2:
        wait(process, MOMENTS.uniform(0, PLANNING))
        return
    began = time.time()
    wanted, later = ("trials/*/checkpoint*", 0.1) if kill % 3 else ("trials/*/log.txt", seconds)

    def happened() -> bool:
        with suppress(FileNotFoundError):
            return any(path.stat().st_mtime > began for path in run.glob(wanted))
        return False

    wait(process, until=happened)
    wait(process, MOMENTS.uniform(0, later))


@pytest.mark.timeout(1800)
def test_killed_at_random_moments_and_resumed_a_run_ends_bit_identical(arena, forked, tmp_path):
    def finish(run: Path) -> None:
        done = arena(*COMMAND, "--out", run)
        assert done.status == 0, done.out + done.err

    finish(tmp_path / "undisturbed")
    expected = everything(tmp_path / "undisturbed")
    undisturbed = records(tmp_path / "undisturbed")
    assert len(undisturbed) == 5
    assert resumed(tmp_path / "undisturbed") == 0
    seconds = sum(record["measurements"]["wall_seconds"] for record in undisturbed) / 2

    kills, rounds, went_on = 0, 0, 0
    while kills < KILLS:
        rounds += 1
        run = tmp_path / f"run{rounds}"
        for _ in range(MOMENTS.choice([1, 1, 2, 3])):
            process = forked(*COMMAND, "--out", run, cold=COLD)
            wait_for_its_moment(process, run, kills, seconds)
            if process.exitcode is not None:
                assert process.exitcode == 0
                break
            kill_tree(process)
            kills += 1
        finish(run)
        assert everything(run) == expected
        went_on += resumed(run)
        print(f"{kills} kills, {rounds} runs, identical; {went_on} trials continued from a checkpoint", flush=True)
    assert went_on > 0, "no trial ever continued from a checkpoint: this test tested nothing"
