"""`arena init`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("specs"))
@click.option("--force", is_flag=True, help="Replace specs that are there already.")
def command(folder: Path, force: bool) -> None:
    """Write the starter specs into FOLDER (default: ./specs), and the plugins that zoo.toml names into its folder
    plugins. A file that is there already is kept.
    """
    from mnistarena.errors import cannot_write

    try:
        for name, content in starters():
            target = folder / name
            if target.exists() and not force:
                click.echo(f"kept    {target} (there already; --force replaces it)")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            click.echo(f"wrote   {target}")
    except OSError as problem:
        raise cannot_write(f"in {folder}", problem) from problem
    click.echo(f"\nNext: arena run {folder / 'quick.toml'}")


def starters() -> Iterator[tuple[str, bytes]]:
    """The files to write, by their paths in the folder: in the repository the plugins lie elsewhere."""
    from mnistarena.paths import resource

    for source in sorted(resource("specs").glob("*.toml")):
        yield source.name, source.read_bytes().replace(b"../examples/plugins/", b"plugins/")
    for source in sorted(resource("examples").glob("plugins/*.py")):
        yield f"plugins/{source.name}", source.read_bytes()
