"""`arena predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from mnistarena.cli.options import json_option, trial_options

if TYPE_CHECKING:
    from mnistarena.data.images import Picture
    from mnistarena.inference.restore import Restored
    from mnistarena.plugin.predictions import Outputs

Guess = TypedDict("Guess", {"class": str, "probability": float | None})
"""A class that a picture may belong to; without a probability where the model gives none."""

Answer = TypedDict(
    "Answer", {"file": str, "class": str, "probability": float | None, "runners_up": list[Guess], "notes": list[str]}
)
"""What the model predicts of a picture; `notes` say what was done to it first."""


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
    plugins: tuple[Path, ...],
    invert: bool,
    top: int,
    as_json: bool,
) -> None:
    """Classify each IMAGE (PNG or JPEG files) with the trained model LABEL of RUN, a run folder.

    Pictures get the channels and the size of the dataset's images, then go through the model's own
    transforms. A scikit-learn model that is not stored is fitted again first. Exit status: 0; 1 when an image
    cannot be read; 2 when the model cannot be had.
    """
    from mnistarena.inference.find import find_trial
    from mnistarena.inference.restore import restore
    from mnistarena.store.results import read_run

    found = read_run(run)
    trial = find_trial(found, label, dataset=dataset, seed=seed)
    restored = restore(found, trial, plugins=plugins, warn=lambda sentence: _say("warning", sentence))
    read, unread = _read(images, restored, invert=invert)
    answers: list[Answer] = []
    if read:
        import numpy as np

        outputs = restored.predict(np.stack([picture.image for picture in read.values()]))
        answers = _answers(read, outputs, restored.task.class_names, top)
    light = _light(read, restored)
    if light:
        _warn_of_light_borders(light, restored, invert=invert)
    for cause in unread.values():
        _say("error", cause)
    if as_json:
        from mnistarena.store.files import to_json

        lighter = set(map(str, light))
        shown = {
            "label": trial.label,
            "dataset": trial.dataset,
            "seed": trial.seed,
            **({} if trial.split is None else {"split": trial.split}),
            "trial": trial.id,
            "images": [{**answer, "light_border": answer["file"] in lighter} for answer in answers],
            "unreadable": [{"file": str(path), "error": cause} for path, cause in unread.items()],
        }
        click.echo(to_json(shown).decode(), nl=False)
    else:
        _print(answers, f"{trial.name}, predicts:")
    sys.exit(1 if unread else 0)


def _say(kind: str, sentence: str) -> None:
    from mnistarena.text import visible

    click.echo(click.style(f"{kind}: ", fg="yellow", bold=True, reset=True) + visible(sentence), err=True)


def _read(images: tuple[Path, ...], restored: Restored, *, invert: bool) -> tuple[dict[Path, Picture], dict[Path, str]]:
    """The pictures, and why others cannot be read."""
    from mnistarena.data.images import ImageRules, read_picture
    from mnistarena.errors import DataError

    channels, height, width = restored.task.image_shape
    rules = ImageRules(channels, (height, width), depth="scale")

    read: dict[Path, Picture] = {}
    unread: dict[Path, str] = {}
    for path in images:
        try:
            picture = read_picture(path, rules)
            read[path] = picture.inverted() if invert else picture
        except DataError as problem:
            unread[path] = str(problem)
    return read, unread


def _light(read: dict[Path, Picture], restored: Restored) -> list[Path]:
    """The pictures whose border is much lighter than the training images."""
    limit = _mean(restored.task.mean) + 0.4
    return [path for path, picture in read.items() if picture.border > limit]


def _warn_of_light_borders(light: list[Path], restored: Restored, *, invert: bool) -> None:
    advice = "they may have come out better without --invert" if invert else "dark ink on white paper needs --invert"
    names, mean = ", ".join(map(str, light)), f"{_mean(restored.task.mean):.2f}"
    _say("warning", f"much lighter at the border than the training images (their mean is {mean}): {names}; {advice}")


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _answers(read: dict[Path, Picture], outputs: Outputs, names: tuple[str, ...], top: int) -> list[Answer]:
    """The most likely class of each file and the runners-up, `top` in all; the lower class wins a tie.

    A model that predicts labels has no runners-up.
    """
    found: list[Answer] = []
    sure = outputs.output == "probabilities"
    for at, (path, picture) in enumerate(read.items()):
        row = outputs.values[at]
        order = [row] if outputs.output == "labels" else (-row).argsort(kind="stable")[:top]
        guesses = [Guess({"class": names[k], "probability": float(row[k]) if sure else None}) for k in order]
        first, *others = guesses
        found.append({"file": str(path), **first, "runners_up": others, "notes": list(picture.notes)})
    return found


def _print(answers: list[Answer], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mnistarena.text import visible

    console = Console(highlight=False)
    console.print(Text(title))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("file", "class", "probability", "runners-up", "picture"):
        table.add_column(heading, justify="right" if heading == "probability" else "left")
    for answer in answers:
        others = ", ".join(
            one["class"] + ("" if one["probability"] is None else f" {one['probability']:.1%}")
            for one in answer["runners_up"]
        )
        table.add_row(
            Text(visible(answer["file"])),
            Text(answer["class"], "bold"),
            Text("–" if answer["probability"] is None else f"{answer['probability']:.1%}"),
            Text(others),
            Text("; ".join(answer["notes"]), "dim"),
        )
    if answers:
        console.print(table)
