"""The executor of a run, made ready."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from mnistarena.errors import ArenaError
from mnistarena.execution.options import Options
from mnistarena.execution.preload import preload
from mnistarena.plugin.executor import Executor, ExecutorContext, ExecutorDef
from mnistarena.plugin.registry import Registry
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import describe


def start_executor(
    spec: Spec, registry: Registry, options: Options, *, only: Sequence[str] = (), ahead: bool
) -> Executor:
    """The executor that the options name; `ArenaError` where there is none, or its parameters are wrong.

    With `ahead`, trials of the spec will probably follow, of all recipes or of those with such labels `only`.
    """
    definition: ExecutorDef = registry.get("executor", options.executor).definition
    try:
        params = definition.params.model_validate(dict(options.executor_params))
    except ValidationError as problem:
        wrong = [
            describe(error, definition.params, error["loc"], "parameter") for error in problem.errors(include_url=False)
        ]
        raise ArenaError(f'the executor "{options.executor}": {"; ".join(wrong)}') from None
    context = ExecutorContext(
        options.device,
        options.jobs,
        threads=options.threads,
        memory_limit=options.memory_limit,
        ahead=ahead,
        preload=preload(spec, registry, only),
    )
    return definition.start(params, context)
