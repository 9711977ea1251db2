"""`slurm`: trials as jobs of a Slurm cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mnistarena import ExecutorDef, Params, hookimpl

if TYPE_CHECKING:
    from mnistarena.executors import ExecutorContext
    from mnistarena_slurm.executor import SlurmExecutor


class SlurmParams(Params):
    """Parameters of `slurm`."""

    folder: str = Field(
        "slurm-jobs", min_length=1, description="a folder that this machine and all nodes see, for the jobs' files"
    )
    partition: str | None = Field(None, min_length=1, description="the partition of the jobs; by default Slurm's own")
    account: str | None = Field(None, min_length=1, description="the account that the jobs count for")
    qos: str | None = Field(None, min_length=1, description="their quality of service")
    minutes: int = Field(
        60, ge=1, description="limit of time of a job; before it is reached, its trial is saved and queued again"
    )
    requeues: int = Field(10, ge=0, description="how often a trial is queued again after it has reached that limit")
    gpus: int | None = Field(
        None, ge=0, description="GPUs of a trial whose table does not say; by default none, or one with --device cuda"
    )
    at_once: int = Field(100, ge=1, description="jobs that are with Slurm at once, without --jobs")
    setup: list[str] = Field([], description='commands before each job, such as "module load cuda"')
    options: dict[str, str] = Field({}, description='further options of sbatch, such as { constraint = "a100" }')
    cluster: Literal["slurm", "local", "debug"] | None = Field(
        None,
        description="slurm; local: processes of this machine; debug: within arena run, one after the other; by "
        "default slurm where it is installed, else local",
    )


def start(params: SlurmParams, context: ExecutorContext) -> SlurmExecutor:
    """The executor."""
    from mnistarena_slurm.executor import SlurmExecutor

    return SlurmExecutor(params, context)


@hookimpl
def arena_executors() -> Iterable[ExecutorDef]:
    """`slurm`."""
    return [ExecutorDef("slurm", "jobs of a Slurm cluster, through submitit", params=SlurmParams, start=start)]
