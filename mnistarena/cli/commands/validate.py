"""`arena validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import spec_options

if TYPE_CHECKING:
    from mnistarena.plan.contents import Plan


@click.command("validate")
@spec_options
@click.option("--deep", is_flag=True, help="Build each model too, and try a few steps of it: some seconds a recipe.")
def command(
    spec: str, overrides: tuple[str, ...], only: tuple[str, ...], plugins: tuple[Path, ...], deep: bool
) -> None:
    """Check SPEC against the schema and the installed plugins, without running or downloading anything.

    Every problem is printed with file and line; exit status 2 if there is one.

    With --deep, one trial of each recipe is begun, in a process of its own as in a run, and given up after its first
    steps; a line says how it went. Data and weights are downloaded where they are missing. Nothing is stored.
    """
    from mnistarena.plan.audit_sentences import sentences
    from mnistarena.plan.audits import audited
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.recipe import LoadedDataset
    from mnistarena.plan.resolve import outline, resolve
    from mnistarena.spec.load import load_spec
    from mnistarena.text import plural, visible

    loaded = load_spec(spec, overrides, plugins)
    registry = registry_for(loaded)
    found = outline(loaded, registry, only=only)
    counts = {"model": len(found.labels), "dataset": len(found.datasets), "trial": found.trials}
    most = " at most" if loaded.benchmark is not None and not isinstance(loaded.benchmark.seeds, list) else ""
    click.echo(f"{spec}: valid; {', '.join(plural(number, noun) for noun, number in counts.items())}{most}")
    for data in found.datasets:
        if isinstance(data, LoadedDataset):
            for sentence in sentences(data.label, audited(data)):
                click.echo(f"  warning: {visible(sentence)}")
    if deep:
        _try(resolve(loaded, registry, only=only))
        return
    for label in found.missing:
        click.echo(f'  the dataset "{label}" is not on this machine yet: image shapes were not checked')


def _try(plan: Plan) -> None:
    """Print how each recipe begins; raises `SpecError` with those that cannot be trained, in the spec's order."""
    import math

    from rich.text import Text

    from mnistarena.cli.tables import open_console
    from mnistarena.cli.trying import try_recipes
    from mnistarena.execution.estimate import Estimate
    from mnistarena.plan.recipe import Recipe
    from mnistarena.plugin.executor import ExecutorContext
    from mnistarena.text import visible

    console = open_console(soft_wrap=True)

    def tell(recipe: Recipe, one: Estimate) -> None:
        outcome = "cannot be trained" if one.problem else "ok"
        said = [f"{outcome} ({one.unknown})" if one.unknown else outcome, *(f"note: {note}" for note in one.notes)]
        console.print(Text("\n".join(f"  {recipe.name}: {visible(line)}" for line in said)))

    plan, tried = try_recipes(plan, ExecutorContext(), console, tell=tell, budget=math.inf)
    for trial in plan.samples():
        if problem := tried.trials[trial.id].problem:
            plan.spec.problems.add(trial.recipe.path, f"{trial.recipe.name}: {problem}")
    plan.spec.problems.stop()
