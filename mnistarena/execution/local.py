"""`local`: trials side by side on this machine, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mnistarena.plugin.components import Params
from mnistarena.plugin.executor import ExecutorContext, ExecutorDef, Reports, Submission, Workload
from mnistarena.plugin.hooks import hookimpl

if TYPE_CHECKING:
    from mnistarena.environment import Conditions
    from mnistarena.plugin.messages import Result


class LocalParams(Params):
    """No parameters: --jobs, --threads and --device say everything."""


class LocalExecutor:
    """`mnistarena.executors.Executor` on this machine."""

    def __init__(self, context: ExecutorContext) -> None:
        from mnistarena.execution.cores import Cores
        from mnistarena.execution.workers import Workers

        self.context, self.jobs = context, 1
        self.workers, self.cores = Workers(context.preload), Cores()
        if context.ahead:
            self.workers.get_ready()

    def choose(self, work: Workload) -> Conditions:
        """Device, trials at a time and threads; by the machine where the user did not ask."""
        from mnistarena.execution.capacity import choose_conditions

        found = choose_conditions(self.workers, work, self.context)
        self.jobs = found["jobs"]
        return found

    def results(self, submissions: Iterator[Submission], reports: Reports) -> Iterator[tuple[Submission, Result]]:
        """Each submission with its result, in the order in which they end."""
        from mnistarena.execution.supervisor import Supervisor

        supervisor = Supervisor(
            self.workers, self.jobs, reports=reports, memory_limit=self.context.memory_limit, cores=self.cores
        )
        return supervisor.results(submissions)

    def close(self) -> None:
        """End the workers' helper processes."""
        self.workers.close()


def start(params: LocalParams, context: ExecutorContext) -> LocalExecutor:
    """The executor; its workers begin to load torch at once where trials are ahead."""
    return LocalExecutor(context)


@hookimpl
def arena_executors() -> Iterable[ExecutorDef]:
    """`local`."""
    summary = "on this machine, as many trials side by side as it has room for"
    return [ExecutorDef("local", summary, params=LocalParams, start=start)]
