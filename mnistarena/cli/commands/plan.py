"""`arena plan`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mnistarena.cli.options import json_option, spec_options, where_options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mnistarena.execution.estimate import PlanEstimate
    from mnistarena.plan.contents import Plan
    from mnistarena.plan.recipe import Recipe


@click.command("plan")
@spec_options
@where_options
@click.option("--no-estimate", is_flag=True, help="Only list the trials: measure nothing.")
@json_option
def command(
    spec: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    plugins: tuple[Path, ...],
    jobs: int | None,
    threads: int | None,
    device: str | None,
    no_estimate: bool,
    as_json: bool,
) -> None:
    """Show the trials that SPEC expands to, with the time and the memory each will take.

    The estimate comes from a few real steps of each recipe on this machine; it warns of what takes hours.
    Downloads data and weights where they are missing, as a run would: an identity contains their digests.
    """
    from rich.console import Console

    from mnistarena.cli.trying import try_recipes
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import resolve
    from mnistarena.plugin.executor import ExecutorContext
    from mnistarena.spec.load import load_spec

    loaded = load_spec(spec, overrides, plugins)
    plan = resolve(loaded, registry_for(loaded), only=only)
    context = ExecutorContext(device, jobs, threads=threads)
    # Its own lines are for standard output, which may be read by a program.
    console = Console(stderr=True, highlight=False)
    estimate = None if no_estimate else try_recipes(plan, context, console)
    if as_json:
        click.echo(json.dumps(_described(plan, estimate), indent=2, ensure_ascii=False))
    else:
        _show(plan, estimate, spec)


def _described(plan: Plan, estimate: PlanEstimate | None) -> dict[str, Any]:
    """The plan as JSON: plan.json, and each trial's estimate."""
    described = cast(dict[str, Any], plan.describe())
    if estimate is not None:
        for trial in described["trials"]:
            one = estimate.trials[trial["id"]]
            trial["estimate"] = {
                "seconds": one.seconds,
                "memory_bytes": one.memory,
                "problem": one.problem,
                "unknown": one.unknown,
                "notes": list(one.notes),
            }
        described["conditions"] = estimate.conditions
        least = {"least_seconds": estimate.time(_first(plan))} if plan.looks else {}
        described["estimate"] = {"seconds": estimate.seconds, "memory_bytes": estimate.memory, **least}
    return described


def _first(plan: Plan) -> list[str]:
    """The ids of the trials of the first look, which run in any case."""
    return list({trial.id: None for trial in plan.trials() if trial.look == 1})


def _show(plan: Plan, estimate: PlanEstimate | None, spec: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from mnistarena.execution.estimate import advice
    from mnistarena.plan.audit_sentences import sentences, sizes
    from mnistarena.plan.audits import audited
    from mnistarena.plan.sizes import small_tests
    from mnistarena.text import visible

    console = Console(highlight=False)
    console.print(_table(plan, estimate))
    for note in dict.fromkeys(note for recipe in plan.recipes for note in recipe.notes):
        console.print(Text(f"note: {note}", style="yellow"))
    for sentence in small_tests(plan.datasets):
        console.print(Text(f"note: {sentence}", style="yellow"))
    for data in plan.datasets:
        found = audited(data, plan.trials())
        console.print(Text(f"{data.label}: {sizes(found)}"))
        for sentence in sentences(data.label, found):
            console.print(Text(f"warning: {sentence}", style="bold yellow"))
    known = {trial.recipe.name: estimate.trials[trial.id] for trial in plan.trials()} if estimate else {}
    for name, one in known.items():
        for note in one.notes:
            console.print(Text(f"note: {name}: {visible(note)}", style="yellow"))
        if one.unknown:
            console.print(Text(f"note: {name} could not be estimated: {visible(one.unknown)}", style="yellow"))
        if one.problem:
            console.print(Text(f"problem: {name}: {visible(one.problem)}", style="bold red"))
    _print_total(console, plan, estimate)
    if estimate is not None:
        for sentence in advice(estimate, plan):
            console.print(Text(f"warning: {sentence}", style="bold yellow"))
    console.print(Text(f"Run them with: arena run {spec}"))


def _table(plan: Plan, estimate: PlanEstimate | None) -> Table:
    from rich.table import Table
    from rich.text import Text

    from mnistarena.cli.progress import duration
    from mnistarena.execution.estimate import Estimate
    from mnistarena.text import byte_size

    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = [("id", "left"), ("model", "left"), ("dataset", "left"), ("seed", "right")]
    several = any(trial.split is not None for trial in plan.trials())
    for name, justify in columns + [("split", "right")] * several:
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    if estimate is not None:
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("recipe", no_wrap=True, overflow="ellipsis", ratio=1)
    for trial in plan.trials():
        cells: list[Text | str] = [trial.id, Text(trial.recipe.label), Text(trial.recipe.data.label), str(trial.seed)]
        cells += ["" if trial.split is None else str(trial.split)] * several
        if estimate is not None:
            one = estimate.trials.get(trial.id, Estimate())
            cells.append("?" if one.seconds is None else duration(one.seconds))
            cells.append("?" if one.memory is None else byte_size(one.memory))
        table.add_row(*cells, Text(_summary(trial.recipe)))
        for column, cell in zip(table.columns, cells, strict=False):
            # On a narrow terminal only the recipe is cut short.
            column.min_width = max(column.min_width or 0, len(str(column.header)), len(cell))
    return table


def _summary(recipe: Recipe) -> str:
    training = recipe.training
    length = f"{training.steps} steps" if training.steps else f"{training.epochs} epochs"
    chain = " → ".join(component.name for component, _ in recipe.transforms) or "no transforms"
    if recipe.model.definition.uses is not None:
        return chain
    return f"{length} of {training.batch_size}, {training.optimizer.name}; {chain}"


def _print_total(console: Console, plan: Plan, estimate: PlanEstimate | None) -> None:
    from rich.text import Text

    from mnistarena.cli.progress import duration
    from mnistarena.text import series

    count = len(plan.trials())
    total = f"{count} trial{'' if count == 1 else 's'}"
    if plan.looks is not None:
        seeds = series(map(str, plan.looks.seeds))
        total = f"{len(_first(plan))} to {total}: seeds until all is decided, with looks after {seeds}"
    if estimate is not None:
        where, each = estimate.conditions, estimate.conditions["threads"]
        least = f"{duration(estimate.time(_first(plan)))} to " if plan.looks else ""
        total += f", about {least}{duration(estimate.seconds)} on {where['device_name']} ({where['device']}), "
        total += f"{where['jobs']} at a time, {each} thread{'s' if each > 1 else ''} each"
        total += f", without {estimate.unknown} that could not be estimated" if estimate.unknown else ""
    console.print(Text(f"\n{total}."))
