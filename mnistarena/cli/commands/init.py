"""`arena init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("specs"))
@click.option("--force", is_flag=True, help="Replace specs that are there already.")
def command(folder: Path, force: bool) -> None:
    """Write the starter specs into FOLDER (default: ./specs). A file that is there already is kept."""
    from mnistarena.errors import cannot_write
    from mnistarena.paths import resource

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(resource("specs").glob("*.toml")):
            target = folder / source.name
            if target.exists() and not force:
                click.echo(f"kept    {target} (there already; --force replaces it)")
                continue
            target.write_bytes(source.read_bytes())
            click.echo(f"wrote   {target}")
    except OSError as problem:
        raise cannot_write(f"in {folder}", problem) from problem
    click.echo(f"\nNext: arena run {folder / 'quick.toml'}")
