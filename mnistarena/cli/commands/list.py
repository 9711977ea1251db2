"""`arena list`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import KINDS, json_option, plugin_option, wide_option

if TYPE_CHECKING:
    from rich.text import Text

Listing = dict[str, list[dict[str, str]]]
"""Rows of what is listed, by kind."""

KIND_OF = {"losses" if kind == "loss" else f"{kind}s": kind for kind in KINDS}
"""What is listed, by its plural: the kind."""

WHAT = (*KIND_OF, "plugins")


@click.command("list")
@click.argument("what", type=click.Choice(WHAT), required=False)
@plugin_option
@json_option
@wide_option
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
    from rich.text import Text

    from mnistarena.cli.tables import Column, open_console, print_table

    console = open_console()
    name, summary, distribution = Column(), Column(wraps=True), Column()
    for kind, entries in found.items():
        console.print(Text(kind, "bold") if entries else Text(f"{kind}: none"))
        if kind == "plugins":
            print_table(console, [name, distribution, summary], list(map(_plugin, entries)))
        else:
            rows = [(Text("  " + e["name"], "cyan"), e["summary"], Text(e["distribution"], "dim")) for e in entries]
            print_table(console, [name, summary, distribution], rows)
        console.print()


def _plugin(entry: dict[str, str]) -> tuple[str, Text, Text]:
    from rich.text import Text

    good = entry["status"] == "loaded"
    status = Text("loaded" if good else f"{entry['status']}: {entry['cause']}", "green" if good else "red")
    return "  " + entry["name"], Text(entry["distribution"], "dim"), status
