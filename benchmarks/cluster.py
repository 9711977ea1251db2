"""Trials through Ray: trivial ones beside the local executor, and what the driver does for each, up to 10,000."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.rows import Row, seconds, spread, take_turns
from mnistarena.executors import (
    ExecutorContext,
    Job,
    Reports,
    Started,
    StepsDone,
    Submission,
    Workload,
    cores,
)

if TYPE_CHECKING:
    from mnistarena_ray.messages import Message

TRIALS = int(os.environ.get("ARENA_CLUSTER_TRIALS", "1000"))
"""Trivial trials of one turn."""

SCHEDULED = (100, 1000, 10_000)
"""Trials that do nothing, to see what the driver costs."""

NEWS = 2000
"""Messages of one trial, to see what one costs."""

SPEC = """
[benchmark]
name = "trivial"
seeds = {seeds}
metrics = ["accuracy"]
[[dataset]]
name = "digits"
train_limit = 100
test_limit = 100
[[model]]
name = "random-forest"
params = {{ n_estimators = 1 }}
"""


def run(rounds: int) -> list[Row]:
    """Real trials in turns, then tasks that do nothing."""
    if find_spec("mnistarena_ray") is None:
        return [Row("trials through Ray", "", measured="unmeasured: pip install -r requirements-extra.txt", met=None)]
    return [*trivial(min(rounds, 2)), *scheduling()]


def trivial(rounds: int) -> list[Row]:
    """Whole commands; the cost of the first trial, which starts Ray, is taken off by a run of one trial."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = iter(range(1000))

        def took(executor: str, trials: int) -> float:
            (folder / "spec.toml").write_text(SPEC.format(seeds=list(range(trials))))
            out = folder / f"run-{next(numbers)}"
            command = [sys.executable, "-m", "mnistarena", "run", "spec.toml", "--threads", "1", "--out", str(out)]
            command += ["--executor", executor, "--jobs", str(cores())]
            began = time.perf_counter()
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
            return time.perf_counter() - began

        starts = {executor: took(executor, 1) for executor in ("local", "ray")}
        turns = take_turns({one: lambda one=one: took(one, TRIALS) for one in starts}, rounds)  # type: ignore[misc]
    each = {
        one: [1000 * (value - starts[one]) / (TRIALS - 1) for value in turns.values[one]] for one in ("local", "ray")
    }
    more = [a - b for a, b in zip(each["ray"], each["local"], strict=True)]
    rates = {one: TRIALS / turns.median(one) for one in starts}
    return [
        Row(
            f"a trivial trial on Ray beyond a local one, {TRIALS:,} trials, {cores()} at a time",
            "",
            measured=spread(more, 0, " ms"),
            met=None,
            detail=f"local {statistics.median(each['local']):.0f} ms, "
            f"ray {statistics.median(each['ray']):.0f} ms a trial; "
            f"whole commands: local {rates['local']:.1f}, ray {rates['ray']:.1f} trials a second; "
            f"a run of one trial: local {starts['local']:.1f} s, ray {starts['ray']:.1f} s",
        )
    ]


def nothing(*arguments: Any) -> Iterator[Message]:
    """A trial that only says that it began and ended, with files of the size of a small run's."""
    from mnistarena_ray.messages import News, TrialEnded

    yield News([Started("here")], b"")
    files = {"predictions.npz": np.zeros(20_000, np.uint8), "history.jsonl": np.zeros(500, np.uint8)}
    yield TrialEnded({"status": "done", "metrics": {}}, files)


def chatter(*arguments: Any) -> Iterator[Message]:
    """A trial that sends very many messages."""
    from mnistarena_ray.messages import News, TrialEnded

    for number in range(NEWS):
        yield News([StepsDone(number, NEWS, loss=0.0)], b"x")
    yield TrialEnded({"status": "done"}, {})


def scheduling() -> list[Row]:
    """The driver's own work: submit, take messages, write; nothing runs on the nodes."""
    from mnistarena_ray import RayParams
    from mnistarena_ray.executor import RayExecutor

    rows, costs = [], {}
    executor = RayExecutor(RayParams(), ExecutorContext(device="cpu", threads=1))
    executor.choose(Workload(1))
    try:
        with tempfile.TemporaryDirectory() as name:
            executor.function = nothing  # type: ignore[method-assign]
            _through(executor, Path(name) / "warm", 20)
            for trials in SCHEDULED:
                costs[trials] = seconds(lambda n=trials: _through(executor, Path(name) / str(n), n)) / trials  # type: ignore[misc]
            executor.function = chatter  # type: ignore[method-assign]
            message = seconds(lambda: _through(executor, Path(name) / "chatter", 2)) / (2 * NEWS)
    finally:
        executor.close()
    told = ", ".join(f"{trials:,} trials {1000 * cost:.1f} ms" for trials, cost in costs.items())
    last = costs[SCHEDULED[-1]]
    rows.append(
        Row(
            f"scheduling a trial that does nothing, {SCHEDULED[-1]:,} of them: submit, take two messages, write 20 kB",
            "",
            measured=f"{1000 * last:.1f} ms",
            met=None,
            detail=f"each: {told}; {1 / last:.0f} trials a second through one driver",
        )
    )
    rows.append(
        Row(
            "a message with news of a running trial",
            "",
            measured=f"{1000 * message:.2f} ms",
            met=None,
            detail="from two at a time",
        )
    )
    return rows


def _through(executor: Any, folder: Path, trials: int) -> None:
    def submissions() -> Iterator[Submission]:
        for number in range(trials):
            own = folder / str(number)
            own.mkdir(parents=True)
            job = Job(own, {"seed": number}, conditions=executor.conditions, data=folder, temporary=own)
            yield Submission(str(number), job)

    ended = sum(result["status"] == "done" for _, result in executor.results(submissions(), Reports()))
    assert ended == trials, (ended, trials)
