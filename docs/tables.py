"""What the pages of this folder say of the code, made from the code. Called by cog, checked by tests/project.

make docs        write it anew
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import click
import pluggy

import mnistarena
from mnistarena.cli import COMMANDS, cli
from mnistarena.cli.commands.show import describe
from mnistarena.plugin import hooks
from mnistarena.plugin.discovery import KINDS, discover
from mnistarena.plugin.registry import Registry
from mnistarena.spec import brought, schema, search, seeds

DEFAULT = (
    "mnistarena",
    *(f"mnistarena-{name}" for name in ("mnist", "cnn", "faster-rcnn", "vgg16", "alexnet", "vit", "sklearn", "optuna")),
)
"""The distributions of requirements.txt, whose components the pages show whatever else is installed here."""

WIDTH = 78
"""Characters to a line, as click prints them on a terminal of 80 or more columns."""


def table(name: str) -> str:
    """A table of the spec: key, type, default, meaning."""
    return _rows(describe({**vars(seeds), **vars(search), **vars(brought), **vars(schema)}[name]), "key")


def components(kind: str) -> str:
    """Every component of a kind that the default installation has, with its parameters."""
    registry = Registry([plugin for plugin in discover() if plugin.distribution in DEFAULT])
    parts = []
    for component in registry.all(kind):
        parts.append(f"#### `{component.name}`\n\n{_sentence(component.definition.summary)}")
        rows = describe(component.definition.params)
        parts.append(_rows(rows, "parameter") if rows else "It has no parameters.\n")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def measured(section: str) -> str:
    """What a section of benchmarks/RESULTS.md measured, and what explains it."""
    text = (Path(__file__).parent.parent / "benchmarks" / "RESULTS.md").read_text()
    lines = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]
    shown = [f"| {what} | {target} | {' '.join((found, *notes)).strip()} |" for what, target, found, _, *notes in rows]
    return "\n".join(["| what | target | measured |", "|---|--:|---|", *shown]) + "\n"


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _rows(rows: list[dict[str, Any]], noun: str) -> str:
    lines = [f"| {noun} | type | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        default = "required" if row["required"] else "" if row["default"] is None else f"`{_toml(row['default'])}`"
        meaning = "; ".join(part for part in (row["description"], row["bounds"]) if part)
        cells = (f"`{row['name']}`", row["type"], default, meaning)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items() if one is not None)
        return f"{{ {inside} }}" if inside else "{}"
    return json.dumps(value, ensure_ascii=False)


def hook(kind: str) -> str:
    """A hook's signature and what it says."""
    function = getattr(hooks, KINDS[kind][0])
    return f"```python\n@hookspec\n{_signature(function)}\n```\n"


def _signature(function: Any) -> str:
    # Annotations are not evaluated, so they come as quoted text.
    return f"def {function.__name__}{inspect.signature(function)}: ...".replace("'", "")


def hook_names() -> list[str]:
    """The names of all hooks."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return sorted(name for name in vars(manager.hook) if name.startswith("arena_"))


def definition(name: str) -> str:
    """The fields of a descriptor, a line each, with their defaults; `*` stands before those given by name only."""
    found = getattr(mnistarena, name)
    lines, by_name = [], False
    for field in dataclasses.fields(found):
        if field.kw_only and not by_name:
            lines.append("    *")
        by_name = field.kw_only
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        value = (
            "" if default is dataclasses.MISSING else f" = {'Path()' if isinstance(default, Path) else repr(default)}"
        )
        lines.append(f"    {field.name}: {field.type}{value}".replace("'", '"'))
    return "```text\n" + f"{name}(\n" + ",\n".join(lines) + "\n)\n```\n"


def help_of(command: str) -> str:
    """What `arena COMMAND --help` prints."""
    module = importlib.import_module(f"mnistarena.cli.commands.{command.replace('-', '_')}")
    with click.Context(module.command, info_name=command, parent=_arena()) as context:
        return f"```text\n{module.command.get_help(context).rstrip()}\n```\n"


def commands() -> str:
    """Every command's help."""
    overview = cli.get_help(_arena()).rstrip()
    parts = [f"```text\n{overview}\n```", *(f"## `arena {name}`\n\n{help_of(name).rstrip()}" for name in COMMANDS)]
    return "\n\n".join(parts) + "\n"


def _arena() -> click.Context:
    return click.Context(cli, info_name="arena", terminal_width=WIDTH, max_content_width=WIDTH, **cli.context_settings)
