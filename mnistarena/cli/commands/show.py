"""`arena show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import TypedDict

from mnistarena.cli.options import KINDS, component_names, json_option, plugin_option, wide_option

if TYPE_CHECKING:
    from mnistarena.plugin.space import Parameter
    from mnistarena.spec.jsonschema import Json


class ParameterRow(TypedDict):
    """What is said of a parameter; `bounds` is for people."""

    name: str
    type: str
    required: bool
    default: object
    bounds: str
    description: str


@click.command("show")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name", shell_complete=component_names)
@plugin_option
@json_option
@wide_option
def command(kind: str, name: str, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show a component: where it comes from, and its parameters with type, default and meaning."""
    from mnistarena.plan.search import described_parameter
    from mnistarena.plugin.registry import installed
    from mnistarena.plugin.single_file import plugin_file

    component = installed(tuple(map(plugin_file, plugins))).get(kind, name)
    definition = component.definition
    parameters = describe(definition.params)
    if as_json:
        shown = {"kind": kind, "name": name, "summary": definition.summary, "distribution": component.origin}
        space = {"search": [described_parameter(one) for one in definition.search]} if kind == "model" else {}
        click.echo(json.dumps({**shown, "parameters": parameters, **space}, indent=2, ensure_ascii=False, default=str))
        return

    from rich.text import Text

    from mnistarena.cli.tables import Column, open_console, print_table

    console = open_console()
    console.print(Text.assemble((name, "bold cyan"), f"  {kind} of {component.origin}"))
    console.print(Text(definition.summary))
    console.print()
    if not parameters:
        console.print("It has no parameters.")
        return
    rows = []
    for entry in parameters:
        default = "required" if entry["required"] else json.dumps(entry["default"], default=str)
        meaning = "; ".join(part for part in (entry["description"], entry["bounds"]) if part)
        rows.append((Text(entry["name"], "cyan"), entry["type"], default, meaning))
    columns = [Column("parameter"), *(Column(heading, wraps=True) for heading in ("type", "default", "meaning"))]
    print_table(console, columns, rows)
    if kind == "model" and definition.search:
        console.print("\nWith [search] in a spec, these are searched unless its table says otherwise:\n")
        found = [(Text(one.name, "cyan"), _domain(one)) for one in definition.search]
        print_table(console, [Column("parameter"), Column("values", wraps=True)], found)


def _domain(parameter: Parameter) -> str:
    """What a parameter of a space may be, for people."""
    from mnistarena.plan.search import described_parameter

    one = described_parameter(parameter)
    if "values" in one:
        text = ", ".join(json.dumps(value) for value in one["values"])
    else:
        text = f"{one['low']:g} to {one['high']:g}" + ", evenly over the logarithm" * one["log"]
    conditions = [f"{name} = {' or '.join(map(json.dumps, given))}" for name, given in one.get("when", {}).items()]
    return text + (f", where {' and '.join(conditions)}" if conditions else "")


def describe(params: Any) -> list[ParameterRow]:
    """A Params class as rows: name, type, default, bounds, description."""
    schema = params.model_json_schema()
    rows: list[ParameterRow] = []
    for name, entry in schema.get("properties", {}).items():
        rows.append(
            {
                "name": name,
                "type": _type(entry),
                "required": name in schema.get("required", ()),
                "default": entry.get("default"),
                "bounds": _bounds(entry),
                "description": entry.get("description", ""),
            }
        )
    return rows


def _type(entry: Json) -> str:
    if options := _options(entry):
        # TOML has no null: what may be none is left out.
        return " or ".join(_type(option) for option in options if option.get("type") != "null")
    if "$ref" in entry or entry.get("type") == "object":
        return "table"
    if "enum" in entry:
        return " | ".join(json.dumps(value) for value in entry["enum"])
    if "const" in entry:
        return json.dumps(entry["const"])
    if entry.get("type") == "array":
        return f"list of {_type(entry.get('items', {}))}"
    return str(entry.get("type", "any"))


def _options(entry: Json) -> list[Json]:
    """What a value may be, where there are several."""
    return entry.get("anyOf") or entry.get("oneOf") or []


def _bounds(entry: Json) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "minItems": "entries ≥",
        "maxItems": "entries ≤",
    }
    options = [entry, *_options(entry)]
    found = [f"{sign} {option[key]}" for option in options for key, sign in signs.items() if key in option]
    return ", ".join(found)
