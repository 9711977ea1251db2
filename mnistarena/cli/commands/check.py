"""`arena check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mnistarena.cli.options import KINDS, component_names, plugin_option
from mnistarena.errors import TrialError
from mnistarena.text import a


@click.command("check")
@click.argument("name", shell_complete=component_names)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Where a name has several.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of it; repeatable.")
@click.option("--shape", metavar="CxHxW", help="Images to try it on. [default: the first usual ones that it takes]")
@plugin_option
def command(
    name: str, kind: str | None, settings: tuple[str, ...], shape: str | None, plugins: tuple[Path, ...]
) -> None:
    """Check that a component keeps the promises that plugins make: one line a promise; status 1 if one is broken.

    Nothing is fetched, and models are trained for some seconds at most.
    """
    from mnistarena.plugin.registry import installed
    from mnistarena.plugin.single_file import plugin_file
    from mnistarena.spec.load import setting
    from mnistarena.testing.collect import checks, find

    options: dict[str, Any] = {"params": dict(setting(text) for text in settings)}
    component = find(installed(tuple(map(plugin_file, plugins))), name, kind)
    if shape is not None:
        options["image_shape"] = parse_shape(shape)
        if component.kind not in ("model", "transform", "augmentation"):
            raise click.UsageError(
                f"--shape is for models, transforms and augmentations; {name} is {a(component.kind)}"
            )
    found = checks(name, kind=component.kind, plugins=plugins, **options)
    click.echo(f"{name}, {component.kind} of {component.origin}\n")
    width, failed = max(len(check.name) for check in found), 0
    for check in found:
        outcome = check.outcome()
        failed += outcome.status == "failed"
        colour = {"passed": "green", "failed": "red", "skipped": "yellow"}[outcome.status]
        click.echo(f"  {click.style(f'{outcome.status:<7}', fg=colour)}  {check.name:<{width}}  {check.meaning}")
        if outcome.message:
            click.echo(f"{'':<{width + 13}}{outcome.message}")
    if failed:
        raise TrialError(f"{name} breaks {failed} of {len(found)} promises")
    click.echo(f"\n{name} keeps its promises.")


def parse_shape(text: str) -> tuple[int, ...]:
    """`3x32x32` as (3, 32, 32)."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{text!r} is not a shape; write channels, height and width: 3x32x32")
    return tuple(int(part) for part in parts)
