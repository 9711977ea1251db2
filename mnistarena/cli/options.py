"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def spec_options(command: F) -> F:
    """SPEC, --set and --only."""
    for decorate in (
        click.option("--only", multiple=True, metavar="PATTERN", help="Only models whose label matches; repeatable."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeatable."),
        click.argument("spec", type=click.Path()),
    ):
        command = decorate(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
