"""The `arena` command: one file a subcommand, each loaded only when it is called."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from mnistarena.errors import ArenaError
from mnistarena.execution.interrupts import raising
from mnistarena.text import visible
from mnistarena.version import __version__

COMMANDS = {
    "run": "Run a spec: train, predict, measure; continue where it stopped.",
    "report": "Write a run's report: a page, Markdown, a LaTeX table; or print its verdict.",
    "watch": "The report of a run that goes on, in the browser, refreshed as trials end.",
    "site": "A static site over many runs: index, reports, shared leaderboards.",
    "compare": "What changed between two runs; non-zero on a regression, for CI.",
    "export": "A run's tables as CSV, JSON or Parquet.",
    "predict": "Classify your own pictures with a trained model.",
    "export-model": "A trained model as an ONNX file, checked against the original.",
    "verify": "Recompute a run's figures, train a sample again: bit-identical or not.",
    "clean": "Free the disk of what no report needs.",
    "plan": "Show the trials a spec expands to.",
    "validate": "Check a spec, without a run; with --deep its models, too.",
    "data": "What a dataset's images are like: counts, copies, ranges, what was not read.",
    "schema": "The JSON Schema of a spec, by which editors complete and check it.",
    "list": "List models, datasets, transforms, metrics, executors and plugins.",
    "show": "Show a component's parameters: type, default, meaning.",
    "doctor": "Check this installation: versions, devices, plugins, data, disk.",
    "init": "Write the starter specs into a folder.",
    "new": "Write a plugin package that works: model, dataset, transform or metric.",
    "check": "Check that a component keeps the promises that plugins make.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and summary, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"mnistarena.cli.commands.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command, or an error that suggests what was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            ctx.fail(f'No such command "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The summaries above, so that --help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="arena")
def cli() -> None:
    """Which of these image classifiers is better on this data, by how much, at what cost?

    \b
    arena init                 write starter specs into ./specs
    arena run specs/quick.toml
    arena report --open
    """


def main() -> None:
    """Entry point: errors that a user can fix are printed without a traceback."""
    try:
        with raising(signal.SIGINT):
            cli(prog_name="arena", standalone_mode=False)
    except ArenaError as problem:
        click.echo(click.style("error: ", fg="red", bold=True, reset=True) + visible(str(problem)), err=True)
        sys.exit(problem.exit_status)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
