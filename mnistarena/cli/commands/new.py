"""`arena new`."""

from __future__ import annotations

from pathlib import Path

import click

from mnistarena.cli.options import KINDS

WITHOUT = ("searcher", "executor", "observer")
"""Kinds for which there is no template."""


@click.command("new")
@click.argument("kind", type=click.Choice([kind for kind in KINDS if kind not in WITHOUT]))
@click.argument("name")
@click.option(
    "--path", "parent", type=click.Path(path_type=Path), default=Path(), help="Where its folder goes. [default: here]"
)
def command(kind: str, name: str, parent: Path) -> None:
    """Write a plugin package for the KIND called NAME: code that works, tests, and a spec that uses it."""
    from mnistarena.plugin.registry import installed
    from mnistarena.plugin.scaffold import write_package

    folder = write_package(kind, name, parent=parent, registry=installed())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        click.echo(f"wrote   {path}")
    click.echo(f'\nNext: cd {folder}, then pip install -e ".[test]", pytest, arena run spec.toml')
