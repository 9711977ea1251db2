"""`arena data`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option, plugin_option, wide_option

if TYPE_CHECKING:
    from rich.console import Console

    from mnistarena.plan.recipe import LoadedDataset
    from mnistarena.plugin.audit_record import AuditRecord

CLASSES = 40
"""So many classes are shown; --json has all."""


@click.command("data")
@click.argument("what", metavar="SPEC|DATASET")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the spec, or give a parameter of the dataset; repeatable.",
)
@plugin_option
@json_option
@wide_option
def command(what: str, settings: tuple[str, ...], plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show what the images are like of each dataset of SPEC, or of DATASET by its name, before anything is trained.

    Images of each class, copies within and across the splits, images under two labels, ranges of values, files that
    were not read. What makes figures wrong is a warning. Data is downloaded where it is missing.
    """
    from mnistarena.cli.tables import open_console
    from mnistarena.plan.audits import audited

    found = [(data, audited(data)) for data in _datasets(what, settings, plugins)]
    if as_json:
        shown = [{"dataset": data.label, **record} for data, record in found]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for data, record in found:
        _show(open_console(), data, record)


def _datasets(what: str, settings: tuple[str, ...], plugins: tuple[Path, ...]) -> list[LoadedDataset]:
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import datasets
    from mnistarena.spec.load import load_spec, setting

    if what.endswith(".toml") or Path(what).is_file():
        spec = load_spec(what, settings, plugins)
        return datasets(spec, registry_for(spec))
    table = {"name": what, "params": dict(map(setting, settings))}
    # No model is looked up: only the dataset's table is.
    alone = {"benchmark": {"name": what}, "dataset": [table], "model": [{"name": "none"}]}
    spec = load_spec(alone, plugins=plugins)
    return datasets(spec, registry_for(spec), split=False)


def _show(console: Console, data: LoadedDataset, found: AuditRecord) -> None:
    from rich.text import Text

    from mnistarena.plan.audit_sentences import sentences, sizes

    shape = " × ".join(map(str, data.dataset.image_shape))
    console.print(Text(f"{data.label}: images of {shape}: {sizes(found)}"))
    _print_table(console, found)
    for line in _lines(found):
        console.print(Text(f"  {line}"))
    for sentence in sentences(data.label, found):
        console.print(Text(f"warning: {sentence}", style="bold yellow"))


def _print_table(console: Console, found: AuditRecord) -> None:
    """Images of each class in each part of the first split."""
    from mnistarena.cli.tables import Column, print_table
    from mnistarena.plan.audit_sentences import PARTS

    counts = found["splits"][0]["counts"] if found["splits"] else found["counts"]
    parts = [part for part in PARTS if sum(counts.get(part, ()))]
    names = found["class_names"]
    rows = [[name, *(f"{counts[part][number]:,}" for part in parts)] for number, name in enumerate(names[:CLASSES])]
    if len(names) > CLASSES:
        rows.append([f"{len(names) - CLASSES} more", *(f"{sum(counts[part][CLASSES:]):,}" for part in parts)])
    columns = [Column("class", wraps=True), *(Column(PARTS[part], right=True) for part in parts)]
    print_table(console, columns, rows)


def _lines(found: AuditRecord) -> Iterator[str]:
    """Counts of what was looked for, none too."""
    from mnistarena.plan.audit_sentences import PARTS

    for part, of in found["ranges"].items():
        yield f"{PARTS[part]} images: values from {of['low']} to {of['high']}"
    yield f"images of one value: {found['constant']['n']:,}; of a much smaller range than most: {found['dim']['n']:,}"
    for what, copies in (("equal", found["equal"]), ("nearly equal", found["near"])):
        if copies is None:
            yield f"{what} images: not looked for, images of less than 8 × 8 pixels are too small"
        else:
            yield (
                f"{what} images: {copies['train']:,} within training, {copies['test']:,} within test, "
                f"{copies['across']:,} test images that are training images"
            )
    yield f"equal images under several labels: {found['two_labels']['n']:,}"
    yield f"files or rows that were not read: {sum(record['n'] for record in found['left_out']):,}"
    for record in found["left_out"]:
        yield f"  {record['n']:,} {record['suffix']}: {record['reason']}, such as {record['first'][0]}"
