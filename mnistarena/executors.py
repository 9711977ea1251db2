"""What an author of an executor needs: the types it works with, and the local supervision of a trial.

An executor runs trials somewhere: on this machine, on a cluster. It is registered through the hook `arena_executors`,
which returns `ExecutorDef`; `Executor` says what its three methods do. Where a trial reaches the machine it is to run
on, `run_job` runs it there: in a process of its own, within its time and memory limits, with the same bits as the local
executor. docs/plugins.md and docs/cluster.md have whole examples.
"""

from __future__ import annotations

from dataclasses import replace

from mnistarena.environment import Conditions, computes_bf16, conditions, cores, host, processor, version
from mnistarena.execution.capacity import choose_conditions, refuse_jobs_beside_exclusive
from mnistarena.execution.interrupts import Interrupts
from mnistarena.execution.local import LocalExecutor
from mnistarena.execution.supervisor import GRACE_SECONDS, POLL_SECONDS, STOPPED_SECONDS, Supervisor
from mnistarena.execution.workers import Workers
from mnistarena.plugin.discovery import core_digest, source_digest
from mnistarena.plugin.executor import (
    TRIAL_BYTES,
    Executor,
    ExecutorContext,
    ExecutorDef,
    Job,
    PluginFile,
    Reports,
    Resources,
    Submission,
    Workload,
)
from mnistarena.plugin.messages import (
    Device,
    Event,
    Measured,
    Result,
    RowAdded,
    StageBegan,
    Started,
    StepsDone,
    failure,
)
from mnistarena.plugin.registry import Registry, installed
from mnistarena.store.checkpoint_files import CheckpointFiles
from mnistarena.store.transfer import (
    Parcel,
    checkpoint_stamp,
    pack_checkpoint,
    pack_job,
    pack_trial,
    stamps,
    unpack_job,
    unpack_trial,
)
from mnistarena.store.trial_folder import TrialFolder
from mnistarena.text import byte_size, few, unique_slug

__all__ = [
    "GRACE_SECONDS",
    "POLL_SECONDS",
    "STOPPED_SECONDS",
    "TRIAL_BYTES",
    "CheckpointFiles",
    "Conditions",
    "Device",
    "Event",
    "Executor",
    "ExecutorContext",
    "ExecutorDef",
    "Job",
    "LocalExecutor",
    "Measured",
    "Parcel",
    "PluginFile",
    "Registry",
    "Reports",
    "Resources",
    "Result",
    "RowAdded",
    "StageBegan",
    "Started",
    "StepsDone",
    "Submission",
    "TrialFolder",
    "Workers",
    "Workload",
    "byte_size",
    "checkpoint_stamp",
    "choose_conditions",
    "computes_bf16",
    "conditions",
    "core_digest",
    "cores",
    "failure",
    "few",
    "host",
    "installed",
    "pack_checkpoint",
    "pack_job",
    "pack_trial",
    "processor",
    "refuse_jobs_beside_exclusive",
    "run_job",
    "source_digest",
    "stamps",
    "unique_slug",
    "unpack_job",
    "unpack_trial",
    "version",
]


def run_job(
    submission: Submission,
    reports: Reports | None = None,
    *,
    workers: Workers | None = None,
    memory_limit: int | None = None,
) -> Result:
    """Run one trial on this machine, in a process of its own, to its end; returns what became of it.

    The job's folder must hold what is known of the trial already (empty at first, else its checkpoint), and
    `job.data` the arrays. A plugin that raises, hangs or crashes ends in a result that says so; what `reports` raise is
    passed on. `workers` are reused where several trials follow: their first start loads torch. `memory_limit` is in
    bytes.

    `reports.stopping()` is asked ten times a second: from 1 on the trial saves a checkpoint and ends as "interrupted",
    from 2 on it ends at once. In a main thread SIGINT and SIGTERM, such as a batch system sends, count as well.
    """
    own, told, interrupts = workers or Workers(), reports or Reports(), Interrupts()

    def stopping() -> int:
        return max(interrupts.asked(), told.stopping())

    supervisor = Supervisor(own, 1, reports=replace(told, stopping=stopping), memory_limit=memory_limit)
    try:
        with interrupts:
            for _, result in supervisor.results(iter([submission])):
                return result
    finally:
        if workers is None:
            own.close()
    return {"status": "interrupted"}  # asked to stop before it began
