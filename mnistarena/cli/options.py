"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Size(click.ParamType):  # type: ignore[type-arg]
    """Bytes, such as 500M, 4GB or 4GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text to bytes."""
        from mnistarena.spec.units import size

        try:
            return size(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a size; write 500M, 4GB or 4GiB", param, ctx)


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Seconds, such as 90s, 5m or 1.5h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Text to seconds."""
        from mnistarena.spec.units import duration, seconds

        try:
            return seconds(duration(str(value)))
        except ValueError as problem:
            self.fail(f"{value!r} {problem}", param, ctx)


plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="A plugin that is a single Python file; repeatable.",
)


def spec_options(command: F) -> F:
    """SPEC, --set, --only and --plugin."""
    for decorate in (
        plugin_option,
        click.option("--only", multiple=True, metavar="PATTERN", help="Only models whose label matches; repeatable."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeatable."),
        click.argument("spec", type=click.Path()),
    ):
        command = decorate(command)
    return command


def where_options(command: F) -> F:
    """--jobs, --threads and --device."""
    for decorate in (
        click.option(
            "--device", metavar="NAME", help="cpu, cuda, cuda:1, mps or auto. [default: auto: CUDA, else CPU]"
        ),
        click.option("--threads", type=click.IntRange(1), metavar="T", help="Threads of each trial."),
        click.option("--jobs", type=click.IntRange(1), metavar="N", help="Trials side by side."),
    ):
        command = decorate(command)
    return command


def trial_options(command: F) -> F:
    """RUN, LABEL, --dataset, --seed and --plugin: a trained model."""
    for decorate in (
        plugin_option,
        click.option("--seed", type=int, metavar="N", help="The trial of that seed. [default: the first that is done]"),
        click.option("--dataset", metavar="LABEL", help="What it was trained on; needed where there are several."),
        click.argument("label"),
        click.argument("run", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


KINDS = (
    *("model", "dataset", "transform", "metric", "optimizer", "loss", "schedule", "augmentation"),
    *("searcher", "executor", "observer"),
)
"""The kinds of components, as plugin/discovery.py has them, which would be slow to import here."""


def _wide(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[WIDE] = value


WIDE = "mnistarena.wide"
"""Whether --wide was given, in the context of the command: for cli/tables.py."""

wide_option = click.option(
    "--wide",
    is_flag=True,
    expose_value=False,
    callback=_wide,
    help="Show every column, however narrow the terminal is.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def component_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of installed components, for shell completion; of the kind that the command was given, if any."""
    from mnistarena.plugin.discovery import KINDS
    from mnistarena.plugin.registry import installed

    registry, kind = installed(), ctx.params.get("kind")
    names = [name for of in ([kind] if kind else KINDS) for name in registry.names(of)]
    return sorted({name for name in names if name.startswith(incomplete)})
