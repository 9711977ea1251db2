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
from typing import Any

import numpy as np

from benchmarks.rows import Row, seconds, spread, take_turns
from mnistarena import environment
from mnistarena.job import ExecutorContext, Job, Reports, Task, Workload

TRIALS = int(os.environ.get("ARENA_CLUSTER_TRIALS", "1000"))
"""Trivial trials of one turn."""

SCHEDULED = (100, 1000, 10_000)
"""Trials that do nothing, to see what is left."""

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
        return [Row("trials through Ray", "", "unmeasured: pip install -r requirements-extra.txt", None)]
    return [*trivial(min(rounds, 2)), *scheduling()]


def trivial(rounds: int) -> list[Row]:
    """Whole commands; the cost of the first trial, which starts Ray, is taken off by a run of one trial."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = iter(range(1000))

        def took(executor: str, trials: int) -> float:
            (folder / "spec.toml").write_text(SPEC.format(seeds=list(range(trials))))
            out = folder / f"run-{next(numbers)}"
            command = [sys.executable, "-m", "mnistarena", "run", "spec.toml", "--threads", "1", "--out", out]
            command += ["--executor", executor, "--jobs", str(environment.cores())]
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
            f"a trivial trial on Ray beyond a local one, {TRIALS:,} trials, {environment.cores()} at a time",
            "",
            spread(more, 0, " ms"),
            None,
            f"local {statistics.median(each['local']):.0f} ms, ray {statistics.median(each['ray']):.0f} ms a trial; "
            f"whole commands: local {rates['local']:.1f}, ray {rates['ray']:.1f} trials a second; "
            f"a run of one trial: local {starts['local']:.1f} s, ray {starts['ray']:.1f} s",
        )
    ]


def nothing(*arguments: Any) -> Iterator[dict[str, Any]]:
    """A trial that only says that it began and ended, with files of the size of a small run's."""
    yield {"events": [{"event": "started", "host": "here"}], "log": b""}
    files = {"predictions.npz": np.zeros(20_000, np.uint8), "history.jsonl": np.zeros(500, np.uint8)}
    yield {"result": {"status": "done", "metrics": {}}, "files": files, "conditions": {}}


def chatter(*arguments: Any) -> Iterator[dict[str, Any]]:
    """A trial that sends news without end."""
    for number in range(NEWS):
        yield {"events": [{"event": "step", "step": number, "total": NEWS, "loss": 0.0, "host": "here"}], "log": b"x"}
    yield {"result": {"status": "done"}, "files": {}, "conditions": {}}


def scheduling() -> list[Row]:
    """The driver's own work: submit, hear, write; nothing runs on the nodes."""
    from mnistarena_ray import RayParams
    from mnistarena_ray.driver import RayExecutor

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
            f"scheduling a trial that does nothing, {SCHEDULED[-1]:,} of them: submit, hear twice, write 20 kB",
            "",
            f"{1000 * last:.1f} ms",
            None,
            f"each: {told}; {1 / last:.0f} trials a second through one driver",
        )
    )
    rows.append(
        Row("a message with news of a running trial", "", f"{1000 * message:.2f} ms", None, "from two at a time")
    )
    return rows


def _through(executor: Any, folder: Path, trials: int) -> None:
    def tasks() -> Iterator[Task]:
        for number in range(trials):
            own = folder / str(number)
            own.mkdir(parents=True)
            job = Job(own, {"seed": number}, "{}", None, folder, (), executor.conditions, False, own)
            yield Task(number, job, None)

    ended = sum(result["status"] == "done" for _, result in executor.results(tasks(), Reports()))
    assert ended == trials, (ended, trials)
