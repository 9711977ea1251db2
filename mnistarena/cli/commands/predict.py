"""`arena predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from mnistarena.cli.options import json_option, trial_options, wide_option

if TYPE_CHECKING:
    from mnistarena.data.borders import Borders
    from mnistarena.data.images import Picture
    from mnistarena.plugin.components import LeftOut
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
@wide_option
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
    """Classify each IMAGE with the trained model LABEL of RUN, a run folder.

    An IMAGE is a file in a format that Pillow reads, or a folder: then all images in it, however deep. Pictures get the
    channels and the size of the dataset's images, in the way in which the run's own image files got them, then go
    through the model's own transforms. A scikit-learn model that is not stored is fitted again first. Exit status: 0; 1
    when an image cannot be read; 2 when the model cannot be had.
    """
    from mnistarena.data.borders import Borders
    from mnistarena.inference.find import find_trial
    from mnistarena.inference.pictures import read_pictures, rules_of
    from mnistarena.inference.provenance import planned_dataset
    from mnistarena.inference.restore import restore
    from mnistarena.store.results import read_run

    found = read_run(run)
    trial = find_trial(found, label, dataset=dataset, seed=seed)
    restored = restore(found, trial, plugins=plugins, warn=lambda sentence: _say("warning", sentence))
    planned = planned_dataset(found, trial.dataset)
    pictures = read_pictures(images, rules_of(planned, restored.task.image_shape, invert=invert))
    answers: list[Answer] = []
    if pictures.read:
        import numpy as np

        outputs = restored.predict(np.stack([picture.image for picture in pictures.read.values()]))
        answers = _answers(pictures.read, outputs, restored.task.class_names, top)
    borders = Borders.read(planned.get("border"))
    negatives = pictures.negatives(borders)
    _warn_of_negatives(negatives, borders, invert=invert)
    _tell_left_out(pictures.left_out)
    for cause in pictures.unreadable.values():
        _say("error", cause)
    if as_json:
        from mnistarena.store.files import to_json

        negative = set(map(str, negatives))
        shown = {
            "label": trial.label,
            "dataset": trial.dataset,
            "seed": trial.seed,
            **({} if trial.split is None else {"split": trial.split}),
            "trial": trial.id,
            "images": [{**answer, "negative": answer["file"] in negative} for answer in answers],
            "unreadable": [{"file": str(path), "error": cause} for path, cause in pictures.unreadable.items()],
            "left_out": [{"file": one.name, "reason": one.reason} for one in pictures.left_out],
        }
        click.echo(to_json(shown).decode(), nl=False)
    else:
        _print(answers, f"{trial.name}, predicts:")
    sys.exit(1 if pictures.unreadable else 0)


def _say(kind: str, sentence: str) -> None:
    from mnistarena.text import visible

    click.echo(click.style(f"{kind}: ", fg="yellow", bold=True, reset=True) + visible(sentence), err=True)


def _warn_of_negatives(negatives: list[Path], borders: Borders | None, *, invert: bool) -> None:
    from mnistarena.text import few

    if borders is None or not negatives:
        return
    dark = borders.median < 0.5
    seen = "light at the border, where the training images are dark"
    seen = seen if dark else "dark at the border, where the training images are light"
    advice = "leave out --invert" if invert else "dark ink on white paper needs --invert" if dark else "try --invert"
    _say("warning", f"{seen} (brightness {borders.median:.2f}): {few(negatives, 10)}; {advice}")


def _tell_left_out(left_out: list[LeftOut]) -> None:
    from collections import Counter

    if left_out:
        reasons = Counter(one.reason for one in left_out).most_common()
        files = "1 file is" if len(left_out) == 1 else f"{len(left_out):,} files are"
        _say("note", f"{files} left out: {', '.join(f'{reason} ({count:,})' for reason, count in reasons)}")


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
    from rich.text import Text

    from mnistarena.cli.tables import Column, open_console, print_table
    from mnistarena.text import visible

    console = open_console()
    console.print(Text(title))
    columns = [
        *(Column(heading, wraps=True) for heading in ("file", "class")),
        Column("probability", right=True),
        *(Column(heading, wraps=True) for heading in ("runners-up", "picture")),
    ]
    rows = []
    for answer in answers:
        others = ", ".join(
            one["class"] + ("" if one["probability"] is None else f" {one['probability']:.1%}")
            for one in answer["runners_up"]
        )
        probability = "–" if answer["probability"] is None else f"{answer['probability']:.1%}"
        notes = Text("; ".join(answer["notes"]), "dim")
        rows.append((visible(answer["file"]), Text(answer["class"], "bold"), probability, others, notes))
    if answers:
        print_table(console, columns, rows)
