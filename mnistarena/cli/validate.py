"""`arena validate`."""

from __future__ import annotations

import click

from mnistarena.cli.options import spec_options


@click.command("validate")
@spec_options
def command(spec: str, overrides: tuple[str, ...], only: tuple[str, ...]) -> None:
    """Check SPEC against the schema and the installed plugins, without running or fetching anything.

    Every problem is printed with file and line; exit status 2 if there is one.
    """
    from mnistarena.registry import installed
    from mnistarena.resolve import resolve
    from mnistarena.spec.load import load

    plan = resolve(load(spec, overrides), installed(), only=only, fetch=False)
    trials = sum(len(recipe.seeds) for recipe in plan.recipes)
    click.echo(f"{spec}: valid; {len(plan.labels)} models, {len(plan.datasets)} datasets, {trials} trials")
    for entry in plan.datasets:
        if entry.dataset is None:
            click.echo(f'  the dataset "{entry.label}" is not on this machine yet: image shapes were not checked')
