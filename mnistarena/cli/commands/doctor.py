"""`arena doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option, wide_option
from mnistarena.text import byte_size

if TYPE_CHECKING:
    from mnistarena.doctor import DatasetRow, Device, Findings, PluginRow


@click.command("doctor")
@json_option
@wide_option
def command(as_json: bool) -> None:
    """Check this installation: versions, devices, plugins, data, disk and memory; and say what to fix, if anything.

    Downloads nothing and writes nothing. Exit status: 1 where something must be fixed.
    """
    from mnistarena.doctor import examine
    from mnistarena.plugin.registry import installed

    found = examine(installed(), Path("runs"))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print(found)
    if found["problems"]:
        sys.exit(1)


def _print(found: Findings) -> None:
    from rich.text import Text

    from mnistarena.cli.tables import Column, open_console, print_table
    from mnistarena.text import visible

    console = open_console()
    rows = [
        (Text("" if number else head, "bold"), Text(visible(name), colour), visible(text))
        for head, group in _sections(found)
        for number, (name, text, colour) in enumerate(group)
    ]
    print_table(console, [Column(), Column(wraps=True), Column(wraps=True)], rows)
    console.print()
    for problem in found["problems"]:
        console.print(Text.assemble(("to fix: ", "bold red"), visible(problem)), soft_wrap=True)
    if not found["problems"]:
        console.print(Text("Everything is ready to run.", "bold green"))


def _sections(found: Findings) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Headed groups of rows: a name, what is said of it, and the name's colour."""
    versions = dict(found["versions"])
    ours = versions.pop("mnistarena")
    machine = found["machine"]
    devices = [
        (d["device"], f"{d['name']}, {d['cores']} cores" if "cores" in d else _of_its_own(d)) for d in found["devices"]
    ]
    return [
        (
            "mnistarena",
            [(str(ours), ", ".join(f"{name} {known or 'missing'}" for name, known in versions.items()), "cyan")],
        ),
        ("devices", [(name, text, "") for name, text in devices]),
        (
            "memory",
            [(byte_size(machine["memory_available_bytes"]), f"free of {byte_size(machine['memory_bytes'])}", "")],
        ),
        ("disk", [(byte_size(d["free_bytes"]), f"free for {d['what']}: {d['path']}", "") for d in found["disk"]]),
        ("plugins", _plugins(found["plugins"])),
        ("data", _datasets(found["datasets"])),
        ("limits", [("", sentence, "") for sentence in found["limits"]]),
    ]


def _plugins(plugins: list[PluginRow]) -> list[tuple[str, str, str]]:
    """One row for all that loaded, and one for each that did not."""
    loaded: dict[str, str] = {}
    for plugin in plugins:
        if plugin["status"] == "loaded":
            loaded[plugin["distribution"]] = plugin["version"]
    rows = [("loaded", ", ".join(f"{name} {version}" for name, version in loaded.items()), "green")]
    for plugin in plugins:
        if plugin["status"] != "loaded":
            whose = f"{plugin['name']} ({plugin['distribution']} {plugin['version']})"
            rows.append(
                (plugin["status"], f"{whose}: {plugin['cause']}", "red" if plugin["status"] == "broken" else "yellow")
            )
    return rows


def _datasets(datasets: list[DatasetRow]) -> list[tuple[str, str, str]]:
    rows = []
    for status, colour in (("found", "green"), ("missing", "yellow"), ("yours", ""), ("broken", "red")):
        of_status = [entry for entry in datasets if entry["status"] == status]
        if status in ("found", "broken"):
            rows += [(status, f"{entry['name']}: {entry['detail']}", colour) for entry in of_status]
        elif of_status:
            rows.append((status, f"{', '.join(e['name'] for e in of_status)}: {of_status[0]['detail']}", colour))
    return rows


def _of_its_own(device: Device) -> str:
    return f"{device['name']}, {byte_size(device['memory_bytes'])}" if device["memory_bytes"] else device["name"]
