"""`arena schema`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("schema")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Not the terminal."
)
def command(output: Path | None) -> None:
    """The JSON Schema of a spec, with the parameters of everything that is installed.

    Editors complete and check TOML by it: write it beside your specs with --output arena.schema.json, and begin
    a spec with the line "#:schema arena.schema.json". What fits together only arena validate can say.
    """
    from mnistarena.plugin.registry import installed
    from mnistarena.spec.jsonschema import json_schema
    from mnistarena.store.files import to_json, write_file

    data = to_json(json_schema(installed()))
    if output is None:
        click.echo(data.decode(), nl=False)
        return
    write_file(output, data)
    click.echo(f"{output}: begin a spec with the line: #:schema {output.name}", err=True)
