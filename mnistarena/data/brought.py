"""Predictions that were made elsewhere, checked against the test images that they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import DataError
from mnistarena.plugin.predictions import Answers
from mnistarena.text import did_you_mean, few, plural

SUM = 1e-3
"""How far the probabilities of an image may be from a sum of 1; they are divided by their sum."""


@dataclass(frozen=True)
class TestImages:
    """The test images that predictions are for: the whole test split, of which `rows` `(m,)` are tested."""

    labels: NDArray[np.int64]
    class_names: Sequence[str]
    _: KW_ONLY
    names: Sequence[str] | None
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """What a file or an array says, a row an image, before it is checked.

    `answers` are probabilities or scores, float64 `(n, n_classes)`, or classes by name or number, `(n,)`. `index` are
    rows of the test split, `names` what the dataset calls its images, `true` their classes, `seeds` numbers; each
    `(n,)`, or None where nothing is said of it. `place` says where a row is, such as "line 7"; `digest` is the SHA-256
    of the whole. Without `is_file` it was an array of Python's.
    """

    source: str
    digest: str
    _: KW_ONLY
    output: Answers
    answers: NDArray[Any]
    place: Callable[[int], str]
    index: NDArray[Any] | None = None
    names: NDArray[Any] | None = None
    true: NDArray[Any] | None = None
    seeds: NDArray[Any] | None = None
    is_file: bool = True

    def of(self, rows: NDArray[np.int64]) -> Said:
        """What some rows say."""
        parts = ("answers", "index", "names", "true", "seeds")
        chosen = {part: found[rows] for part in parts if (found := getattr(self, part)) is not None}
        numbers = rows.tolist()
        return replace(self, **chosen, place=lambda row: self.place(numbers[row]))

    def wrong(self, row: int, problem: str) -> DataError:
        """The error that a row is."""
        return DataError(f"{self.source}, {self.place(row)}: {problem}")


@dataclass(frozen=True)
class Brought:
    """What a model that was trained elsewhere says of the tested images, with one seed.

    `values` are as in `Outputs`; `source` is the file's path as it was given, `digest` the SHA-256 of its bytes.
    Without `is_file` it was an array of Python's.
    """

    source: str
    digest: str
    _: KW_ONLY
    output: Answers
    values: NDArray[Any]
    is_file: bool


def by_seed(said: Said) -> dict[int | None, Said]:
    """What is said with each seed; None where no seeds are given. Raises `DataError`."""
    if said.seeds is None:
        return {None: said}
    seeds = whole_numbers(said.seeds, said, "seed", most=2**31)
    return {int(seed): said.of(np.flatnonzero(seeds == seed)) for seed in np.unique(seeds)}


def brought(said: Said, images: TestImages) -> Brought:
    """The answers on the tested images, in their order. Raises `DataError` with the row that is wrong."""
    index = _index(said, images)
    values = _answers(said, images)
    places = np.full(len(images.labels), -1)
    for row, image in enumerate(index.tolist()):
        if places[image] >= 0:
            first = said.place(int(places[image]))
            what = f"the test image {image}" if said.names is None else f'the test image "{said.names[row]}"'
            raise said.wrong(row, f"{what} stands there a second time, after {first}; give each image once a seed")
        places[image] = row
    missing = images.rows[places[images.rows] < 0]
    if len(missing):
        named = [images.names[row] for row in missing.tolist()] if said.names is not None and images.names else missing
        verb = "is" if len(missing) == 1 else "are"
        where = said.source if said.seeds is None else f"{said.source}, seed {said.seeds[0]}"
        raise DataError(
            f"{where}: {plural(len(missing), 'test image')} of {len(images.rows):,} {verb} missing: "
            f"{few(list(named))}; every test image needs a prediction"
        )
    _check_true(said, images, index)
    found = values[places[images.rows]]
    return Brought(said.source, said.digest, output=said.output, values=found, is_file=said.is_file)


def whole_numbers(values: NDArray[Any], said: Said, what: str, *, most: int) -> NDArray[np.int64]:
    """Texts or numbers as whole numbers from 0 to below `most`; raises `DataError` with the first that is none."""
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        numbers = np.array([_number(value) for value in values.tolist()])
    broken = np.flatnonzero(~((numbers >= 0) & (numbers < most) & (numbers == np.floor(numbers))))
    if broken.size:
        row = int(broken[0])
        raise said.wrong(row, f'the {what} is "{values[row]}", not a whole number from 0 to {most - 1:,}')
    return numbers.astype(np.int64)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _index(said: Said, images: TestImages) -> NDArray[np.int64]:
    """The row of the test split of each row."""
    count = len(images.labels)
    if said.index is not None:
        return whole_numbers(said.index, said, "index of the test image", most=count)
    if said.names is None:
        if len(said.answers) != count:
            raise DataError(
                f"{said.source} has {plural(len(said.answers), 'row')} for {count:,} test images, and does not say "
                'which they are; give every image, in the order of the test split, or an "index" beside them'
            )
        return np.arange(count)
    if images.names is None:
        raise DataError(f'{said.source} names images, and the dataset has no names for its own; give a column "index"')
    known = {name: row for row, name in enumerate(images.names)}
    if len(known) < count:
        raise DataError(f'{said.source} names images, and several test images have one name; give a column "index"')
    for row, name in enumerate(said.names.tolist()):
        if name not in known:
            raise said.wrong(row, f'no test image is called "{name}"{did_you_mean(str(name), known)}')
    return np.array([known[name] for name in said.names.tolist()], np.int64)


def _answers(said: Said, images: TestImages) -> NDArray[Any]:
    if said.output == "labels":
        return as_classes(said.answers, said, images.class_names, "predicted class")
    values, names = said.answers, images.class_names
    if values.ndim != 2 or values.shape[1] != len(names):
        raise DataError(
            f"{said.source} holds {said.output} {values.shape}; {plural(len(names), 'class', 'classes')} need "
            f"(images, {len(names)})"
        )
    if (broken := np.argwhere(~np.isfinite(values))).size:
        row, column = broken[0].tolist()
        raise said.wrong(row, f'the {said.output} of the class "{names[column]}" are not finite: {values[row, column]}')
    if said.output == "scores":
        return values
    if (broken := np.argwhere(values < 0)).size:
        row, column = broken[0].tolist()
        raise said.wrong(
            row,
            f'the probability of the class "{names[column]}" is {values[row, column]:g}; if these are logits, take '
            "their softmax",
        )
    sums = values.sum(axis=1)
    if (off := np.flatnonzero(np.abs(sums - 1) > SUM)).size:
        row = int(off[0])
        raise said.wrong(row, f"the probabilities sum to {sums[row]:g}, not to 1 (within {SUM:g})")
    return values


def as_classes(values: NDArray[Any], said: Said, names: Sequence[str], what: str) -> NDArray[np.int64]:
    """Classes by name, where all are names of classes, else by number, as int64 from 0; raises `DataError`."""
    texts = values.astype(str)
    known = {name: number for number, name in enumerate(names)}
    different, inverse = np.unique(texts, return_inverse=True)
    if all(text in known for text in different.tolist()):
        return np.array([known[text] for text in different.tolist()], np.int64)[inverse.reshape(-1)]
    numbers = np.array([_number(text) for text in different.tolist()])
    sound = (numbers >= 0) & (numbers < len(names)) & (numbers == np.floor(numbers))
    if sound.all():
        return numbers.astype(np.int64)[inverse.reshape(-1)]
    # Where some are names, what is none of them is wrong; else what is no number.
    named = np.array([text in known for text in different.tolist()])
    wrong = ~named if named.sum() >= sound.sum() else ~sound
    row = int(np.flatnonzero(wrong[inverse.reshape(-1)])[0])
    hint = did_you_mean(texts[row], names) or f"; classes are {few(list(names), 4)}, or their numbers from 0"
    raise said.wrong(row, f'the {what} is "{texts[row]}", which is no class{hint}')


def _check_true(said: Said, images: TestImages, index: NDArray[np.int64]) -> None:
    """Raise `DataError` where the true classes that are given are not those of the dataset: other images are meant."""
    if said.true is None:
        return
    true = as_classes(said.true, said, images.class_names, "true class")
    if (other := np.flatnonzero(true != images.labels[index])).size:
        row = int(other[0])
        given, known = (images.class_names[of] for of in (true[row], images.labels[index[row]]))
        raise said.wrong(
            row,
            f'the true class of the test image {index[row]} is given as "{given}", and in the dataset it is "{known}"; '
            f"these are other images, or another order ({plural(len(other), 'row differs', 'rows differ')})",
        )
