"""The worker process of a trial: its log, its temporary files, its errors, its result."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

import torch

from mnistarena.engine.checkpoint import Interrupted
from mnistarena.environment import computes_bf16
from mnistarena.errors import StoreError, first_line
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import Device, Ended, ErrorDetails, Result, Status
from mnistarena.store.trial_folder import TrialFolder
from mnistarena.trial.isolation import (
    OTHER_HASH_SEED,
    has_own_hash_seed,
    keep_memory,
    keep_to,
    limit_threads,
    move_into,
)
from mnistarena.trial.log import log_stream
from mnistarena.trial.processes import end_all, lead
from mnistarena.trial.run import run_trial
from mnistarena.trial.scoring import ChangedCodeError

MESSAGE_CHARACTERS = 10_000
TRACEBACK_CHARACTERS = 100_000
"""What a record keeps of an error; a plugin may raise one of any size."""


def work(job: Job, cores: frozenset[int], connection: Connection) -> None:
    """The worker's main function: do the job on `cores` (none: on all), send events, then `Ended` with its result."""
    gc.freeze()  # what the process that it started from has loaded stays
    gc.enable()
    keep_to(cores)
    keep_memory()
    lead(os.getpid())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = TrialFolder(job.folder).log.open()
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = log_stream(1), log_stream(2)
    limit_threads(job.conditions["threads"])
    os.environ.update(job.environment)
    faulthandler.enable(file=2)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)  # type: ignore[attr-defined]
    notes = [OTHER_HASH_SEED] if has_own_hash_seed() else []
    result = _result(job, connection, notes)
    if notes:
        result["notes"] = notes
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    connection.send(Ended(result))
    threading.Event().wait()  # until the parent has found and ended whatever this trial started


def _result(job: Job, connection: Connection, notes: list[str]) -> Result:
    try:
        move_into(job.temporary)
        return run_trial(job, connection.send, notes)
    except Interrupted as problem:
        return {"status": "interrupted", "progress": {"step": problem.step, "total": problem.total}}
    except BaseException as problem:  # a plugin may raise anything, SystemExit too
        with contextlib.suppress(OSError):
            traceback.print_exc()
        # A full disk, say, is not the plugin's fault: the trial runs again.
        status: Status = "interrupted" if isinstance(problem, StoreError) else "failed"
        return {"status": status, "error": describe(problem, job)}


def probe(device: str, connection: Connection) -> None:
    """The main function of a process that looks a device up: send the `Device` that `auto` or a name stands for."""
    try:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        resolved = torch.device(device)
        torch.zeros(1, device=resolved)
        name = torch.cuda.get_device_name(resolved) if resolved.type == "cuda" else None
        found = Device(str(resolved), name, bf16=_computes_bf16(resolved))
    except Exception as problem:
        found = Device(problem=f"the device {device!r} cannot be used: {first_line(problem)}")
    with contextlib.suppress(BrokenPipeError):  # the process that asked was interrupted meanwhile
        connection.send(found)


def _computes_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, by its own word."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "mps":
        return torch.backends.mps.is_macos_or_newer(14, 0)
    return device.type == "cpu" and computes_bf16()


def describe(problem: BaseException, job: Job) -> ErrorDetails:
    """An exception as plain data."""
    message = str(problem) or type(problem).__name__
    if isinstance(problem, torch.OutOfMemoryError):
        size = job.identity["training"].get("batch_size", "not used")
        message += f" (batch_size was {size}; it is never made smaller without being asked: set a smaller one)"
    found: ErrorDetails = {
        "type": type(problem).__name__,
        "message": message[:MESSAGE_CHARACTERS],
        "traceback": "".join(traceback.format_exception(problem))[-TRACEBACK_CHARACTERS:],
    }
    if isinstance(problem, ChangedCodeError):
        found["stage"] = "scoring"
    return found


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        end_all(os.getpid())
