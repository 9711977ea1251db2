"""The start of a run: its executor made ready, what it is about written down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mnistarena import environment
from mnistarena.environment import Conditions
from mnistarena.errors import ArenaError
from mnistarena.execution.observer import Observer
from mnistarena.execution.options import Options
from mnistarena.execution.preload import preload
from mnistarena.plan.audit_sentences import sentences
from mnistarena.plan.audits import audited
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import test_rows
from mnistarena.plugin.components import Params
from mnistarena.plugin.executor import Executor, ExecutorContext, ExecutorDef, PluginFile, Workload
from mnistarena.plugin.observer import ObserverDef
from mnistarena.plugin.registry import Registry
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import describe
from mnistarena.store.records import PlanRecord
from mnistarena.store.run_folder import RunFolder


def choose(executor: Executor, plan: Plan, options: Options, before: PlanRecord | None, *, idle: bool) -> Conditions:
    """Device, jobs and threads: as asked for, else as at the first start, else as the executor thinks best."""
    known = before.get("conditions", Conditions()) if before else Conditions()
    if idle and known and not (options.device or options.jobs or options.threads):
        return known
    return executor.choose(
        Workload(
            plan.most_trials,
            exclusive=plan.benchmark.timing == "exclusive",
            before=known,
            sources=plan.sources(),
            versions={name: environment.version(name) for name in environment.CORE_PACKAGES},
            distributions=plan.distributions(),
        )
    )


def write_start(folder: RunFolder, plan: Plan, described: PlanRecord, conditions: Conditions) -> tuple[PluginFile, ...]:
    """Write what a run is about: spec, plan, environment, and the plugins that are files, which are returned."""
    source = plan.spec.source
    described["conditions"] = conditions
    # Where relative paths start, as seen from the run folder: the two may move together.
    described["spec_folder"] = os.path.relpath(source.base_dir, folder.path.resolve())
    folder.write_start(source.recorded(), described, environment.environment(plan.distributions()))
    return tuple(map(folder.keep_plugin, plan.registry.files))


def write_datasets(folder: RunFolder, plan: Plan, observer: Observer) -> None:
    """Write the test images, and what is odd about the data, which the observer is told."""
    for data in plan.datasets:
        rows = test_rows(plan.draws(data) or [data.first])
        folder.write_dataset(data.label, data.test_split(rows))
        found = audited(data, plan.trials())
        folder.write_audit(data.label, found, data.dataset.left_out)
        for sentence in sentences(data.label, found):
            observer.notice(sentence)


def checked_params(kind: str, definition: ExecutorDef | ObserverDef, given: Mapping[str, Any]) -> Params:
    """The parameters of what the options name; `ArenaError` where they are wrong."""
    try:
        return definition.params.model_validate(dict(given))
    except ValidationError as problem:
        wrong = [
            describe(error, definition.params, error["loc"], "parameter") for error in problem.errors(include_url=False)
        ]
        raise ArenaError(f'the {kind} "{definition.name}": {"; ".join(wrong)}') from None


def start_executor(
    spec: Spec, registry: Registry, options: Options, *, only: Sequence[str] = (), ahead: bool
) -> Executor:
    """The executor that the options name; `ArenaError` where there is none, or its parameters are wrong.

    With `ahead`, trials of the spec will probably follow, of all recipes or of those with such labels `only`.
    """
    definition: ExecutorDef = registry.get("executor", options.executor).definition
    params = checked_params("executor", definition, options.executor_params)
    context = ExecutorContext(
        options.device,
        options.jobs,
        threads=options.threads,
        memory_limit=options.memory_limit,
        ahead=ahead,
        preload=preload(spec, registry, only),
    )
    return definition.start(params, context)
