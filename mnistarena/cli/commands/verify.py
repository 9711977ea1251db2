"""`arena verify`."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option, plugin_option

if TYPE_CHECKING:
    from mnistarena.store.proofs import ProofRecord
    from mnistarena.store.results import StoredRun
    from mnistarena.verify import Finding


@click.command("verify")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--sample", metavar="N", default="1", show_default=True, help='Trials to run again, or "all".')
@click.option("--seed", type=int, metavar="SEED", help="Draw the sample so. [default: another one each time]")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Trials side by side.")
@json_option
@plugin_option
def command(run: Path, sample: str, seed: int | None, jobs: int, as_json: bool, plugins: tuple[Path, ...]) -> None:
    """Check the figures of RUN, a run folder, which is not changed.

    Every metric is recomputed from the stored predictions, and N finished trials, drawn by chance, are
    trained again: bit-identical, or by how much not. Exit status: 0 when all that was checked is
    identical, 1 when something is not, 2 when RUN cannot be read. --json prints what was found of which
    trial, for arena site --verified; what is done is then told on standard error.
    """
    from rich.text import Text

    from mnistarena.cli.tables import open_console
    from mnistarena.store.results import read_run
    from mnistarena.verify import verify

    if sample != "all" and not sample.isdecimal():
        raise click.BadParameter('a number, or "all"', param_hint="--sample")
    console = open_console(soft_wrap=True, stderr=as_json)
    read = read_run(run)
    trials = read.trials
    records = {trial.id: trial.folder.digest_of_record() for trial in trials if trial.done}
    unfinished = sum(trial.unfinished for trial in trials)
    found: list[Finding] = []
    try:
        for finding in verify(
            run,
            sample=None if sample == "all" else int(sample),
            chance=random.Random(seed),
            jobs=jobs,
            plugins=plugins,
            started=lambda trial: console.print(Text(f"running {trial.name} again …", "dim")),
        ):
            found.append(finding)
            mark = ("identical", "green") if finding.ok else ("DIFFERENT", "bold red")
            console.print(Text.assemble(mark, f"  {finding.name}  ", (finding.text, "" if finding.ok else "red")))
    except KeyboardInterrupt:
        console.print("\ninterrupted; the run folder is as it was")
        sys.exit(130)
    wrong = sum(not finding.ok for finding in found)
    again = sum(finding.check == "again" for finding in found)
    stored = len(found) - again
    said = f"{stored} finished trials checked against their predictions, {again} run again: "
    said += "all bit-identical." if not wrong else f"{wrong} of these {len(found)} checks found a difference."
    if unfinished:
        said += f" {unfinished} of {len(trials)} trials are not done and were left out."
    console.print(Text("\n" + said, style="bold"))
    if as_json:
        from mnistarena.store.files import to_json

        click.echo(to_json(_proof(read, found, records)).decode(), nl=False)
    sys.exit(1 if wrong or not found else 0)


def _proof(run: StoredRun, found: Sequence[Finding], records: dict[str, str]) -> ProofRecord:
    """The findings, each with the digest of the record that it is about."""
    from mnistarena.paths import renamed
    from mnistarena.store.json_files import FORMAT
    from mnistarena.version import __version__

    return {
        "format": FORMAT,
        "mnistarena": __version__,
        "run": run.name[:200],
        "findings": [
            {
                "trial": one.trial.id,
                "label": one.trial.label,
                "dataset": one.trial.dataset,
                "seed": one.trial.seed,
                "split": one.trial.split,
                "record": records[one.trial.id],
                "check": one.check,
                "ok": one.ok,
                "text": renamed(one.text, run.path, run.path.resolve().name),
            }
            for one in found
        ],
    }
