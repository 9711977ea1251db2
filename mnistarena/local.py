"""The local executor: trials side by side on this machine, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mnistarena.components import ExecutorDef, Params
from mnistarena.hookspecs import hookimpl

if TYPE_CHECKING:
    from mnistarena.job import ExecutorContext, Reports, Result, Task, Workload


class LocalParams(Params):
    """No parameters: --jobs, --threads and --device say everything."""


class LocalExecutor:
    """`mnistarena.job.Executor` on this machine."""

    def __init__(self, context: ExecutorContext) -> None:
        from mnistarena.worker import Workers

        self.context, self.jobs = context, 1
        self.workers = Workers()
        if context.ahead:
            self.workers.get_ready()

    def choose(self, work: Workload) -> dict[str, Any]:
        """Device, trials at a time and threads, by the machine where nobody asked."""
        from mnistarena.capacity import choose

        asked = self.context
        found = choose(
            self.workers,
            work.n_trials,
            device=asked.device,
            jobs=asked.jobs,
            threads=asked.threads,
            exclusive=work.exclusive,
            before=work.before,
        )
        self.jobs = int(found["jobs"])
        return found

    def results(self, tasks: Iterator[Task], reports: Reports) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they end."""
        from mnistarena.supervise import Supervisor

        return Supervisor(self.workers, self.jobs, reports, memory_limit=self.context.memory_limit).results(tasks)

    def close(self) -> None:
        """End what runs beside the workers."""
        self.workers.close()


def start(params: LocalParams, context: ExecutorContext) -> LocalExecutor:
    """The executor; its workers begin to load torch at once where trials are ahead."""
    return LocalExecutor(context)


@hookimpl
def arena_executors() -> Iterable[ExecutorDef]:
    """`local`."""
    return [ExecutorDef("local", "on this machine, as many trials side by side as it has room for", LocalParams, start)]
