"""`arena plan`."""

from __future__ import annotations

import json

import click

from mnistarena.cli.options import json_option, spec_options


@click.command("plan")
@spec_options
@json_option
def command(spec: str, overrides: tuple[str, ...], only: tuple[str, ...], as_json: bool) -> None:
    """Show the trials that SPEC expands to, each with its identity.

    Fetches data and weights where they are missing, as a run would: an identity contains their digests.
    """
    from mnistarena.registry import installed
    from mnistarena.resolve import resolve
    from mnistarena.spec.load import load

    plan = resolve(load(spec, overrides), installed(), only=only)
    if as_json:
        click.echo(json.dumps(plan.describe(), indent=2, ensure_ascii=False))
        return

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (
        ("id", "left"),
        ("model", "left"),
        ("dataset", "left"),
        ("seed", "right"),
        ("recipe", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for trial in plan.trials():
        recipe = trial.recipe
        length = f"{recipe.training.steps} steps" if recipe.training.steps else f"{recipe.training.epochs} epochs"
        chain = " → ".join(component.name for component, _ in recipe.transforms) or "no transforms"
        summary = f"{length} of {recipe.training.batch_size}, {recipe.training.optimizer.name}; {chain}"
        table.add_row(trial.id, Text(recipe.label), Text(recipe.data.label), str(trial.seed), Text(summary))
    console.print(table)
    for note in dict.fromkeys(note for recipe in plan.recipes for note in recipe.notes):
        console.print(Text(f"note: {note}", style="yellow"))
    count = len(plan.trials())
    console.print(f"\n{count} trials. Run them with: arena run {spec}")
