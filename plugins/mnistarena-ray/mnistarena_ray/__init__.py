"""`ray`: trials as tasks of a Ray cluster, on this machine or on many."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena import ArenaError, ExecutorDef, Params, hookimpl

if TYPE_CHECKING:
    from mnistarena.executors import ExecutorContext
    from mnistarena_ray.executor import RayExecutor


class RayParams(Params):
    """Parameters of `ray`."""

    address: str | None = Field(
        None,
        min_length=1,
        description='of a running cluster, "HOST:PORT", or "auto" for the one of this machine; by default a Ray '
        "is started on this machine, and stopped at the end",
    )
    retries: int = Field(
        10, ge=0, description="how often a trial is given to another node after the one it ran on was lost"
    )


def start(params: RayParams, context: ExecutorContext) -> RayExecutor:
    """The executor; it connects when there is something to run. Raises `ArenaError` on Windows."""
    if sys.platform == "win32":
        raise ArenaError(
            'the executor "ray" does not run on Windows: leave it out, and trials run on this machine; or start the '
            "run on Linux, macOS or in the Windows Subsystem for Linux"
        )
    from mnistarena_ray.executor import RayExecutor

    return RayExecutor(params, context)


@hookimpl
def arena_executors() -> Iterable[ExecutorDef]:
    """`ray`."""
    return [ExecutorDef("ray", "tasks of a Ray cluster, on this machine or on many", params=RayParams, start=start)]
