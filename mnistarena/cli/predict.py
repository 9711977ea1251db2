"""`arena predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnistarena.cli.options import json_option, trial_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnistarena.pictures import Picture


@click.command("predict")
@trial_options
@click.argument("images", metavar="IMAGE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--invert", is_flag=True, help="Swap light and dark, as for dark ink on white paper.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, metavar="K", help="Classes to name.")
@json_option
def command(
    run: Path,
    label: str,
    images: tuple[Path, ...],
    dataset: str | None,
    seed: int | None,
    invert: bool,
    top: int,
    as_json: bool,
) -> None:
    """What the trained model LABEL of RUN, a run folder, takes each IMAGE for: PNG or JPEG files.

    Pictures get the channels and the size of the dataset's images, then go through the model's own
    transforms. A scikit-learn model is fitted again first. Exit status: 0; 1 when an image cannot be read;
    2 when the model cannot be had.
    """
    from mnistarena import origin, pictures
    from mnistarena.errors import DataError
    from mnistarena.restore import restore
    from mnistarena.results import load_run
    from mnistarena.text import visible

    def say(kind: str, sentence: str) -> None:
        click.echo(click.style(f"{kind}: ", fg="yellow", bold=True, reset=True) + visible(sentence), err=True)

    found = load_run(run)
    trial = origin.find(found, label, dataset, seed)
    restored = restore(found, trial, warn=lambda sentence: say("warning", sentence))
    read: dict[Path, Picture] = {}
    unread: dict[Path, str] = {}
    for path in images:
        try:
            read[path] = pictures.read(path, restored.task.image_shape, invert=invert)
        except DataError as problem:
            unread[path] = str(problem)
    rows = []
    if read:
        import numpy as np

        chances = restored.probabilities(np.stack([picture.image for picture in read.values()]))
        rows = _rows(read, chances, restored.task.class_names, top)
    light = [path for path, picture in read.items() if picture.border > _mean(restored.task.mean) + pictures.LIGHTER]
    advice = "they may have come out better without --invert" if invert else "dark ink on white paper needs --invert"
    if light:
        names = ", ".join(map(str, light))
        mean = f"{_mean(restored.task.mean):.2f}"
        say("warning", f"much lighter at the border than the training images (their mean is {mean}): {names}; {advice}")
    for cause in unread.values():
        say("error", cause)
    if as_json:
        from mnistarena.files import to_json

        lighter = {str(path) for path in light}
        shown = {
            "label": trial.label,
            "dataset": trial.dataset,
            "seed": trial.seed,
            "trial": trial.id,
            "images": [{**row, "light_border": row["file"] in lighter} for row in rows],
            "unreadable": [{"file": str(path), "error": cause} for path, cause in unread.items()],
        }
        click.echo(to_json(shown).decode(), nl=False)
    else:
        _print(rows, f"{trial.name}, says:")
    sys.exit(1 if unread else 0)


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _rows(
    read: dict[Path, Picture], chances: NDArray[np.float64], names: tuple[str, ...], top: int
) -> list[dict[str, Any]]:
    """Of each file its most probable class and the runners-up, `top` in all; the lower class wins a tie."""
    rows = []
    for (path, picture), row in zip(read.items(), chances, strict=True):
        order = (-row).argsort(kind="stable")[:top]
        first, *others = [{"class": names[at], "probability": float(row[at])} for at in order]
        rows.append({"file": str(path), **first, "runners_up": others, "notes": list(picture.notes)})
    return rows


def _print(rows: list[dict[str, Any]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mnistarena.text import visible

    console = Console(highlight=False)
    console.print(Text(title))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("file", "class", "probability", "runners-up", "picture"):
        table.add_column(heading, justify="right" if heading == "probability" else "left")
    for row in rows:
        others = ", ".join(f"{one['class']} {one['probability']:.1%}" for one in row["runners_up"])
        table.add_row(
            Text(visible(row["file"])),
            Text(row["class"], "bold"),
            Text(f"{row['probability']:.1%}"),
            Text(others),
            Text("; ".join(row["notes"]), "dim"),
        )
    if rows:
        console.print(table)
