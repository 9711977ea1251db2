"""Chooses what a run's trials run on: device, how many at a time, threads each."""

from __future__ import annotations

from mnistarena import environment
from mnistarena.environment import Conditions
from mnistarena.errors import ArenaError
from mnistarena.execution.workers import Workers
from mnistarena.plugin.executor import TRIAL_BYTES, ExecutorContext, Workload


def choose_conditions(workers: Workers, work: Workload, context: ExecutorContext) -> Conditions:
    """The conditions: as the context asks, else as `work.before` (at the run's first start), else by the machine.

    One thread trains a small net nearly as fast as two do, so trials side by side do more work than threads:
    on a CPU as many as there are cores, as far as memory goes; on a GPU one at a time. With `work.exclusive`,
    one at a time everywhere. Raises `ArenaError` where the device cannot be used, or `jobs` contradict `exclusive`.
    """
    before, jobs, threads = work.before, context.jobs, context.threads
    known = workers.probe(context.device or before.get("device") or "auto")
    if known.problem:
        raise ArenaError(f"{known.problem}; choose another with --device")
    refuse_jobs_beside_exclusive(work, context)
    cores = environment.cores()
    at_once = jobs or (None if threads else before.get("jobs"))
    each = threads or (None if jobs else before.get("threads"))
    if work.exclusive:
        # Threads that were chosen for trials side by side would leave cores idle.
        each = each if threads or at_once == 1 else None
        at_once = 1
    if at_once is None:
        room = environment.memory_available() // TRIAL_BYTES
        at_once = max(1, min(cores // (each or 1), work.n_trials, room)) if known.device == "cpu" else 1
    each = each or max(1, cores // at_once)
    return environment.conditions(known.device, known.device_name, threads=each, jobs=at_once, bf16=known.bf16)


def refuse_jobs_beside_exclusive(work: Workload, context: ExecutorContext) -> None:
    """Raise `ArenaError` where several trials at a time are asked for and the spec wants one."""
    if work.exclusive and (context.jobs or 1) > 1:
        raise ArenaError(f'the spec says timing = "exclusive": one trial at a time; --jobs {context.jobs} does not fit')
