"""`arena plan`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option, spec_options, where_options

if TYPE_CHECKING:
    from mnistarena.estimate import Outlook
    from mnistarena.plan import Plan


@click.command("plan")
@spec_options
@where_options
@click.option("--no-estimate", is_flag=True, help="Only list the trials: measure nothing.")
@json_option
def command(
    spec: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    jobs: int | None,
    threads: int | None,
    device: str | None,
    no_estimate: bool,
    as_json: bool,
) -> None:
    """Show the trials that SPEC expands to, with the time and the memory each will take.

    The estimate comes from a few real steps of each recipe on this machine; it warns of what takes hours.
    Fetches data and weights where they are missing, as a run would: an identity contains their digests.
    """
    from mnistarena.registry import installed
    from mnistarena.resolve import resolve
    from mnistarena.spec.load import load

    plan = resolve(load(spec, overrides), installed(), only=only)
    outlook = None if no_estimate else _outlook(plan, jobs, threads, device)
    if as_json:
        described = plan.describe()
        if outlook is not None:
            for trial in described["trials"]:
                one = outlook.trials[trial["id"]]
                trial["estimate"] = {"seconds": one.seconds, "memory_bytes": one.memory, "problem": one.problem}
            described["conditions"] = outlook.conditions
            described["estimate"] = {"seconds": outlook.seconds, "memory_bytes": outlook.memory}
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    _show(plan, outlook, spec)


def _outlook(plan: Plan, jobs: int | None, threads: int | None, device: str | None) -> Outlook:
    """Measure, and say on standard error what is being looked at."""
    from rich.console import Console

    from mnistarena.capacity import choose
    from mnistarena.estimate import estimate
    from mnistarena.worker import Workers

    workers, console = Workers(), Console(stderr=True, highlight=False)
    exclusive = plan.benchmark.timing == "exclusive"
    status = console.status("a few steps of each recipe, to see how long they take …")
    try:
        with status:
            conditions = choose(
                workers,
                len(plan.trials()),
                device=device,
                jobs=jobs,
                threads=threads,
                exclusive=exclusive,
                before={},
            )
            return estimate(
                plan, workers, conditions, lambda recipe, one: status.update(f"{recipe.label} on {recipe.data.label}")
            )
    finally:
        workers.close()


def _show(plan: Plan, outlook: Outlook | None, spec: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mnistarena.cli.progress import duration
    from mnistarena.estimate import Estimate, advice
    from mnistarena.text import visible

    console = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("id", "left"), ("model", "left"), ("dataset", "left"), ("seed", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    if outlook is not None:
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("recipe", no_wrap=True, overflow="ellipsis", ratio=1)
    problems: dict[str, str] = {}
    for trial in plan.trials():
        recipe = trial.recipe
        length = f"{recipe.training.steps} steps" if recipe.training.steps else f"{recipe.training.epochs} epochs"
        chain = " → ".join(component.name for component, _ in recipe.transforms) or "no transforms"
        summary = f"{length} of {recipe.training.batch_size}, {recipe.training.optimizer.name}; {chain}"
        cells: list[Text | str] = [trial.id, Text(recipe.label), Text(recipe.data.label), str(trial.seed)]
        if outlook is not None:
            one = outlook.trials.get(trial.id, Estimate())
            cells.append("?" if one.seconds is None else duration(one.seconds))
            cells.append("?" if one.memory is None else f"{one.memory / 2**30:.1f} GiB")
            if one.problem:
                problems[recipe.label] = one.problem
        table.add_row(*cells, Text(summary))
        for column, cell in zip(table.columns, cells, strict=False):
            # On a narrow terminal the recipe is what may be cut short.
            column.min_width = max(column.min_width or 0, len(str(column.header)), len(cell))
    console.print(table)
    for note in dict.fromkeys(note for recipe in plan.recipes for note in recipe.notes):
        console.print(Text(f"note: {note}", style="yellow"))
    for label, problem in problems.items():
        console.print(Text(f"note: {label} could not be estimated: {visible(problem)}", style="yellow"))
    count = len(plan.trials())
    total = f"{count} trial{'' if count == 1 else 's'}"
    if outlook is not None:
        where, each = outlook.conditions, outlook.conditions["threads"]
        total += f", about {duration(outlook.seconds)} on {where['device_name']} ({where['device']}), {where['jobs']} "
        total += f"at a time, {each} thread{'s' if each > 1 else ''} each"
        total += f", without {outlook.unknown} that could not be estimated" if outlook.unknown else ""
    console.print(Text(f"\n{total}."))
    if outlook is not None:
        for sentence in advice(outlook, plan):
            console.print(Text(f"warning: {sentence}", style="bold yellow"))
    console.print(Text(f"Run them with: arena run {spec}"))
