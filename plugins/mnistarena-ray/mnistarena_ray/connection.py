"""Joining a Ray cluster, or starting one on this machine, without Ray's own output and without long waiting."""

from __future__ import annotations

import logging
import os
import socket

import ray

from mnistarena import ArenaError
from mnistarena.executors import cores

CONNECT_SECONDS = 10.0
"""How long a cluster's head may take to accept a connection."""


def join(address: str | None) -> bool:
    """Connect this process; False where it is connected already, by other code, which will disconnect it as well.

    Raises `ArenaError` where no cluster can be joined at the address, or none can be started here.
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if address is None:
            ray.init(
                address="local",
                num_cpus=cores(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            _check_reachable(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as problem:  # of the network, of versions that differ, of a machine without memory or disk space
        first = str(problem).strip().partition("\n")[0]
        what = "Ray cannot be started here" if address is None else f"no Ray cluster can be joined at {address}"
        raise ArenaError(
            f"{what}: {first}; start a cluster with: ray start --head, and name it with --address HOST:PORT"
        ) from problem
    _suppress_node_output()
    return True


def _check_reachable(address: str) -> None:
    """Raises OSError where nothing answers at HOST:PORT: Ray itself would try again for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS):
            pass


def _suppress_node_output() -> None:
    """Keep Ray from printing, for each node that is lost, some 30 lines into the driver's output."""
    # Ray has no option for it. A notice says in one sentence what was lost, and Ray's own logs have the rest.
    printer = ray._private.worker
    if hasattr(printer, "print_to_stdstream"):
        printer.print_to_stdstream = lambda data, ignore_prefix: None
