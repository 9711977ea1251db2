"""`arena clean`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("clean")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--checkpoints", is_flag=True, help="Only checkpoints of unfinished trials; they start again.")
@click.option("--models", is_flag=True, help="Only trained weights.")
@click.option("--dropped", is_flag=True, help="Only trials that are no longer in the spec.")
@click.option("--damaged", is_flag=True, help="Only what was moved aside as damaged.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(run: Path, checkpoints: bool, models: bool, dropped: bool, damaged: bool, dry_run: bool) -> None:
    """Remove from RUN, a run folder, files that no report needs: checkpoints, models, dropped trials, damaged files.

    Without an option that says "only", all four. Results, predictions and histories of the spec's trials
    stay, so reports and `arena verify` work as before.
    """
    from mnistarena.store.disposable import disposable
    from mnistarena.store.run_folder import RunFolder
    from mnistarena.text import byte_size

    asked = {"checkpoints": checkpoints, "models": models, "dropped": dropped, "damaged": damaged}
    kinds = {kind for kind, wanted in asked.items() if wanted} or set(asked)
    folder = RunFolder(run)
    plan = folder.plan()
    with folder.lock():
        searches = folder.searches()["searches"] if plan.get("searches") else []
        searched = (t for search in searches for one in search["repeats"] for t in one["trials"])
        wanted = {trial["id"] for trial in (*plan["trials"], *searched) if trial["id"] is not None}
        found = disposable(folder, wanted, kinds)
        for path, amount in found:
            if not dry_run:
                folder.remove(path)
            click.echo(f"{byte_size(amount):>10}  {path.relative_to(run)}")
    total = sum(amount for _, amount in found)
    click.echo(f"{byte_size(total):>10}  {'would be freed' if dry_run else 'freed'}" if found else "nothing to remove")
