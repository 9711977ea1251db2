"""On what a run's trials run: device, how many at a time, threads each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnistarena import environment
from mnistarena.errors import ArenaError
from mnistarena.worker import Workers

TRIAL_BYTES = 2 << 30
"""Memory that a trial is taken to need when the number of trials side by side is chosen."""


def choose(
    workers: Workers,
    n_trials: int,
    *,
    device: str | None,
    jobs: int | None,
    threads: int | None,
    exclusive: bool,
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """The conditions: as asked for, else as `before` (at a run's first start), else by the machine.

    One thread trains a small net nearly as fast as two do, so trials side by side do more work than threads:
    on a CPU as many as there are cores, as far as memory goes; on a GPU one at a time. With `exclusive`,
    one at a time everywhere. Raises `ArenaError` where the device cannot be used, or `jobs` contradict `exclusive`.
    """
    known = workers.probe(device or before.get("device") or "auto")
    if "error" in known:
        raise ArenaError(f"{known['error']}; choose another with --device")
    if exclusive and (jobs or 1) > 1:
        raise ArenaError(f'the spec says timing = "exclusive": one trial at a time; --jobs {jobs} does not fit')
    cores = environment.cores()
    at_once = jobs or (None if threads else before.get("jobs"))
    each = threads or (None if jobs else before.get("threads"))
    if exclusive:
        # Threads that were chosen for trials side by side would leave cores idle.
        each = each if threads or at_once == 1 else None
        at_once = 1
    if at_once is None:
        room = environment.memory_available() // TRIAL_BYTES
        at_once = max(1, min(cores // (each or 1), n_trials, room)) if known["device"] == "cpu" else 1
    return environment.conditions(known["device"], known["device_name"], each or max(1, cores // at_once), at_once)
