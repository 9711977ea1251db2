"""The executor of a run, started."""

from __future__ import annotations

from pydantic import ValidationError

from mnistarena.errors import ArenaError
from mnistarena.execution.options import Options
from mnistarena.plugin.executor import Executor, ExecutorContext, ExecutorDef
from mnistarena.plugin.registry import Registry
from mnistarena.spec.problems import describe


def start_executor(registry: Registry, options: Options, *, ahead: bool) -> Executor:
    """The executor that the options name; `ArenaError` where there is none, or its parameters are wrong."""
    definition: ExecutorDef = registry.get("executor", options.executor).definition
    try:
        params = definition.params.model_validate(dict(options.executor_params))
    except ValidationError as problem:
        wrong = [
            describe(error, definition.params, error["loc"], "parameter") for error in problem.errors(include_url=False)
        ]
        raise ArenaError(f'the executor "{options.executor}": {"; ".join(wrong)}') from None
    context = ExecutorContext(
        options.device, options.jobs, threads=options.threads, memory_limit=options.memory_limit, ahead=ahead
    )
    return definition.start(params, context)
