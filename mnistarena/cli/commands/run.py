"""`arena run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnistarena.cli.options import Duration, Size, spec_options, where_options, wide_option
from mnistarena.text import visible

if TYPE_CHECKING:
    from mnistarena.cli.progress import TerminalObserver
    from mnistarena.execution.observer import Observer
    from mnistarena.plugin.settings import Settings
    from mnistarena.store.records import TrialRecord
    from mnistarena.store.results import StoredRun

MANY = 1000
"""From so many trials on, a run that had nothing to do does not print its leaderboard: that reads all predictions."""


@click.command("run")
@spec_options
@click.option("--out", type=click.Path(), metavar="DIR", help="The run folder. [default: runs/<spec name>]")
@where_options
@click.option("--memory-limit", type=Size(), metavar="SIZE", help="End a trial that uses more, such as 4GiB.")
@click.option(
    "--checkpoint-every",
    type=Duration(),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="Save running trials within an epoch too, that often.",
)
@click.option(
    "--executor", default="local", show_default=True, metavar="NAME", help="Where trials run: see arena list executors."
)
@click.option("--address", metavar="HOST:PORT", help="Short for --executor-set address=…; auto: the one it finds.")
@click.option(
    "--executor-set", "executor_settings", multiple=True, metavar="KEY=VALUE", help="A parameter of it; repeatable."
)
@click.option(
    "--observer", "observers", multiple=True, metavar="NAME", help="Who is told: see arena list observers; repeatable."
)
@click.option(
    "--observer-set",
    "observer_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of it, or NAME.KEY=VALUE of one of several; repeatable.",
)
@click.option("--force", is_flag=True, help="Run finished trials again too.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print an event a line as JSON; what is for people, on standard error."
)
@wide_option
def command(
    spec: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    plugins: tuple[Path, ...],
    out: str | None,
    jobs: int | None,
    threads: int | None,
    device: str | None,
    memory_limit: int | None,
    checkpoint_every: float,
    executor: str,
    address: str | None,
    executor_settings: tuple[str, ...],
    observers: tuple[str, ...],
    observer_settings: tuple[str, ...],
    force: bool,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Run SPEC: every model on every dataset with every seed, each trial in a process of its own.

    The same command continues an unfinished run, within a trial too; finished trials are not run again.
    Ctrl-C saves running trials and stops; twice stops at once. Exit status: 0 when all trials are done, 1 when
    some are not, 2 for a bad spec or a run folder that cannot be written, 130 when interrupted.
    """
    import signal
    from contextlib import ExitStack

    from mnistarena.cli.events import json_events
    from mnistarena.execution.interrupts import raising

    with ExitStack() as stack:
        stack.enter_context(raising(signal.SIGTERM))
        events = [stack.enter_context(json_events(spec))] if as_json else []
        # What follows imports for a second or more, and begins with torch for its workers.
        click.echo(f"{visible(spec)}: getting ready: the spec, plugins, data, torch …", err=as_json)

        from mnistarena.execution.options import Options
        from mnistarena.spec.load import setting

        executor_params = dict(setting(text) for text in executor_settings)
        if address is not None:
            executor_params["address"] = address
        options = Options(
            device,
            jobs,
            threads=threads,
            force=force,
            retry_failed=retry_failed,
            memory_limit=memory_limit,
            checkpoint_every=checkpoint_every,
            executor=executor,
            executor_params=executor_params,
            observers=_of_observers(observers, observer_settings),
        )
        _run(spec, events, out=out, only=only, overrides=overrides, plugins=plugins, options=options)


def _of_observers(names: Sequence[str], settings: Sequence[str]) -> dict[str, Settings]:
    """The parameters of each observer, by its name."""
    from mnistarena.spec.load import setting

    found: dict[str, Settings] = {name: {} for name in names}
    for text in settings:
        key, value = setting(text)
        name, dot, rest = key.partition(".")
        if not (dot and name in found):
            if len(found) != 1:
                raise click.UsageError(
                    f"--observer-set {text}: say whose parameter it is, {' or '.join(found)}: NAME.KEY=VALUE"
                    if found
                    else f"--observer-set {text}: there is no --observer that it is for"
                )
            name, rest = next(iter(found)), key
        found[name][rest] = value
    return found


def _run(spec: str, events: Sequence[Observer], **arguments: Any) -> None:
    """Run the spec and print its summary; leaves with an exit status of its own unless all trials are done."""
    from mnistarena.cli.live import progress
    from mnistarena.execution.events import unfinished
    from mnistarena.execution.observer import Observers
    from mnistarena.execution.run import execute

    with progress(stderr=bool(events)) as observer:
        try:
            finished = execute(spec, observer=Observers(*events, observer), **arguments)
        except KeyboardInterrupt:
            observer.close()
            observer.say(_interrupted(observer.records, observer.total))
            sys.exit(130)
    _summarize(observer, finished, stderr=bool(events))
    if unfinished(finished, observer.labels):
        sys.exit(1)


def _summarize(observer: TerminalObserver, finished: StoredRun, *, stderr: bool) -> None:
    from mnistarena.cli.leaderboard import print_summary
    from mnistarena.cli.tables import open_console

    console = open_console(stderr=stderr, soft_wrap=True)
    if observer.total or len(finished.trials) <= MANY:
        print_summary(console, finished, selected=observer.labels)
    else:
        console.print(f"Nothing was left to run. Compare the trials with: arena report {finished.path} --open")


def _interrupted(records: list[TrialRecord], total: int) -> str:
    if not total:
        return "\ninterrupted before the first trial"
    ended = sum(record["status"] != "interrupted" for record in records)
    saved = sum("progress" in record for record in records)
    kept = [f"{ended} of {total} trials ended"] + ([f"{saved} saved under way"] if saved else [])
    return f"\ninterrupted: {', '.join(kept)}. Nothing is lost; the same command continues:\n  arena {_again()}"


def _again() -> str:
    import shlex

    return shlex.join(sys.argv[1:])
