"""`arena plan`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mnistarena.cli.options import json_option, spec_options, where_options, wide_option

if TYPE_CHECKING:
    from rich.console import Console

    from mnistarena.execution.estimate import PlanEstimate
    from mnistarena.plan.contents import Plan
    from mnistarena.plan.recipe import Recipe
    from mnistarena.plan.search import Search


@click.command("plan")
@spec_options
@where_options
@click.option("--no-estimate", is_flag=True, help="Only list the trials: measure nothing.")
@json_option
@wide_option
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
    from mnistarena.cli.tables import open_console
    from mnistarena.cli.trying import settled_here, try_recipes
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import resolve
    from mnistarena.plugin.executor import ExecutorContext
    from mnistarena.spec.load import load_spec

    loaded = load_spec(spec, overrides, plugins)
    plan = resolve(loaded, registry_for(loaded), only=only)
    context = ExecutorContext(device, jobs, threads=threads)
    estimate = None
    if no_estimate:
        plan = settled_here(plan, context)
    else:  # its own lines are for standard output, which may be read by a program
        plan, estimate = try_recipes(plan, context, open_console(wide=False, stderr=True))
    if as_json:
        click.echo(json.dumps(_described(plan, estimate), indent=2, ensure_ascii=False))
    else:
        _show(open_console(), plan, estimate, spec)


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
        for key, search in zip(plan.open_searches, described.get("searches", ()), strict=False):
            search["estimate"] = {"seconds": estimate.time([key]), "trials": estimate.times[key]}
        described["conditions"] = estimate.conditions
        least = {"least_seconds": estimate.time(_first(plan))} if plan.looks else {}
        described["estimate"] = {"seconds": estimate.seconds, "memory_bytes": estimate.memory, **least}
    return described


def _first(plan: Plan) -> list[str]:
    """The ids of the trials of the first look, which run in any case."""
    return list({trial.id: None for trial in plan.samples() if trial.look == 1})


def _show(console: Console, plan: Plan, estimate: PlanEstimate | None, spec: str) -> None:
    from rich.text import Text

    from mnistarena.execution.estimate import advice
    from mnistarena.plan.audit_sentences import sentences, sizes
    from mnistarena.plan.audits import audited
    from mnistarena.plan.sizes import small_tests
    from mnistarena.text import visible

    _print_table(console, plan, estimate)
    for note in dict.fromkeys(note for trial in plan.samples() for note in trial.recipe.notes):
        console.print(Text(f"note: {note}", style="yellow"))
    for sentence in small_tests(plan.datasets):
        console.print(Text(f"note: {sentence}", style="yellow"))
    for data in plan.datasets:
        found = audited(data, plan.trials())
        console.print(Text(f"{data.label}: {sizes(found)}"))
        for sentence in sentences(data.label, found):
            console.print(Text(f"warning: {sentence}", style="bold yellow"))
    known = {trial.recipe.name: estimate.trials[trial.id] for trial in plan.samples()} if estimate else {}
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
    console.print(Text(f"Run them with: arena run {spec}"), soft_wrap=True)


def _print_table(console: Console, plan: Plan, estimate: PlanEstimate | None) -> None:
    from mnistarena.cli.progress import duration
    from mnistarena.cli.tables import Column, print_table
    from mnistarena.execution.estimate import Estimate
    from mnistarena.text import byte_size

    several = any(trial.split is not None for trial in plan.trials())
    columns = [Column("id"), Column("model", wraps=True), Column("dataset"), Column("seed", right=True)]
    columns += [Column("split", right=True)] * several
    columns += [Column(heading, right=True) for heading in ("time", "memory") if estimate is not None]
    rows = []
    searches = plan.open_searches
    for trial in plan.samples():
        search = searches.get(trial.id)
        key, seed = (trial.id, str(trial.seed)) if search is None else ("", _searched(search))
        row = [key, trial.recipe.label, trial.recipe.data.label, seed]
        row += ["" if trial.split is None else str(trial.split)] * several
        if estimate is not None:
            one = estimate.trials.get(trial.id, Estimate())
            row.append("?" if one.seconds is None else duration(one.seconds))
            row.append("?" if one.memory is None else byte_size(one.memory))
        rows.append([*row, _summary(trial.recipe)])
    print_table(console, [*columns, Column("recipe")], rows)


def _searched(search: Search) -> str:
    """What a search tries, and how often what it chooses is trained."""
    tried = search.table.time if search.trials is None else f"{search.trials} tried"
    tried = tried or f"{search.table.steps:,} steps"
    again = f"{search.table.repeats} × " if search.table.repeats > 1 else ""
    return f"{again}{tried}, then {len(search.seeds)}"


def _summary(recipe: Recipe) -> str:
    from mnistarena.plan.brought import BroughtRecipe

    if isinstance(recipe, BroughtRecipe):
        return str(recipe.model.definition.summary)
    training = recipe.training
    length = f"{training.steps} steps" if training.steps else f"{training.epochs} epochs"
    chain = " → ".join(component.name for component, _ in recipe.transforms) or "no transforms"
    if recipe.model.definition.uses is not None:
        return chain
    return f"{length} of {training.batch_size}, {training.optimizer.name}; {chain}"


def _print_total(console: Console, plan: Plan, estimate: PlanEstimate | None) -> None:
    from rich.text import Text

    from mnistarena.cli.progress import duration
    from mnistarena.text import plural, series

    count, searches = len(plan.trials()), len(plan.open_searches)
    total = plural(count, "trial")
    if searches:
        total = plural(searches, "search", "searches") + (f" and {total}" if count else "")
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
