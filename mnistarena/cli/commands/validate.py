"""`arena validate`."""

from __future__ import annotations

from pathlib import Path

import click

from mnistarena.cli.options import spec_options


@click.command("validate")
@spec_options
def command(spec: str, overrides: tuple[str, ...], only: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Check SPEC against the schema and the installed plugins, without running or downloading anything.

    Every problem is printed with file and line; exit status 2 if there is one.
    """
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import outline
    from mnistarena.spec.load import load_spec
    from mnistarena.text import plural

    loaded = load_spec(spec, overrides, plugins)
    found = outline(loaded, registry_for(loaded), only=only)
    counts = {"model": len(found.labels), "dataset": len(found.datasets), "trial": found.trials}
    click.echo(f"{spec}: valid; {', '.join(plural(number, noun) for noun, number in counts.items())}")
    for label in found.missing:
        click.echo(f'  the dataset "{label}" is not on this machine yet: image shapes were not checked')
