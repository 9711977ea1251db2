"""`arena list`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mnistarena.cli.options import KINDS, json_option, plugin_option

Listing = dict[str, list[dict[str, str]]]
"""Rows of what is listed, by kind."""

KIND_OF = {"losses" if kind == "loss" else f"{kind}s": kind for kind in KINDS}
"""What is listed, by its plural: the kind."""

WHAT = (*KIND_OF, "plugins")


@click.command("list")
@click.argument("what", type=click.Choice(WHAT), required=False)
@plugin_option
@json_option
def command(what: str | None, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List what is installed: components of a kind, or plugins; by default all of it."""
    from mnistarena.plugin.registry import installed
    from mnistarena.plugin.single_file import plugin_file

    registry = installed(tuple(map(plugin_file, plugins)))
    found: Listing = {}
    for kind in WHAT[:-1] if what is None else [what] if what != "plugins" else []:
        found[kind] = [
            {"name": c.name, "summary": c.definition.summary, "distribution": c.origin}
            for c in registry.all(KIND_OF[kind])
        ]
        names = [entry["name"] for entry in found[kind]]
        for entry in found[kind]:
            if names.count(entry["name"]) > 1:
                entry["summary"] = f"PROVIDED TWICE: {entry['summary']}"
    if what in (None, "plugins"):
        found["plugins"] = [
            {
                "name": plugin.name,
                "distribution": f"{plugin.distribution} {plugin.version}",
                "status": plugin.status,
                "cause": plugin.cause,
            }
            for plugin in registry.plugins
        ]
    if as_json:
        click.echo(json.dumps(found if what is None else found[what], indent=2, ensure_ascii=False))
        return
    _print(found)


def _print(found: Listing) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for kind, entries in found.items():
        table = Table(box=None, show_header=False, pad_edge=False, title=kind, title_justify="left", title_style="bold")
        for entry in entries:
            if kind == "plugins":
                good = entry["status"] == "loaded"
                status = Text("loaded" if good else f"{entry['status']}: {entry['cause']}", "green" if good else "red")
                table.add_row(Text("  " + entry["name"]), Text(entry["distribution"], "dim"), status)
            else:
                table.add_row(
                    Text("  " + entry["name"], "cyan"),
                    Text(entry["summary"]),
                    Text(entry["distribution"], "dim"),
                )
        console.print(table if entries else Text(f"{kind}: none"))
        console.print()
