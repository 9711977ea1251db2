"""Joining a Ray cluster, or starting one on this machine, quietly and without waiting for one that is not there."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

import ray

from mnistarena import environment
from mnistarena.errors import ArenaError

KNOCK_SECONDS = 10.0
"""How long a cluster's head may take to answer at all."""


def join(address: str | None) -> bool:
    """Connect this process; False where its user has done so already, and will disconnect as well.

    Raises `ArenaError` where no cluster can be joined at the address, or none can be started here.
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        _knock(address)
        if address is None:
            ray.init(address="local", num_cpus=environment.cores(), include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as problem:  # of the network, of versions that differ, of a machine without room
        first = str(problem).strip().partition("\n")[0]
        what = "Ray cannot be started here" if address is None else f"no Ray cluster can be joined at {address}"
        raise ArenaError(
            f"{what}: {first}; start a cluster with: ray start --head, and name it with --address HOST:PORT"
        ) from problem
    _hush()
    return True


def _knock(address: str | None) -> None:
    """Raises OSError where nobody listens: Ray itself would try again for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS):
            pass


def _hush() -> None:
    # Ray prints the last words of every node that dies into the driver's output, a screen each, and has no option
    # that keeps it from it. What was lost is said in a sentence, and the words are in Ray's own logs.
    printer = ray._private.worker
    if hasattr(printer, "print_to_stdstream"):
        printer.print_to_stdstream = lambda data, ignore_prefix: None
