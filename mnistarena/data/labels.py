"""Labels of every kind as classes 0, 1, 2, …: whole numbers, names, true and false, rows of a one-hot table."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.text import few, plural

MOST_CLASSES = 10_000
"""The most that a run folder's records hold."""

LARGEST = 2.0**53
"""Up to here a float is a whole number without doubt."""

ClassNames = Annotated[list[str], Field(min_length=2)] | dict[str, str] | None
"""A parameter: what labels 0, 1, 2, … stand for, or a table from each label as it is written to its name."""

NAMES_OF_CLASSES = (
    'what labels 0, 1, 2, … stand for, ["cat", "dog"]; or a name for each label, { 3 = "cat", 7 = "dog" }'
)
"""The description of such a parameter."""


def flat_labels(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[Any]:
    """Labels `(n,)`: bool, int64 or str, of an array `(n,)`, `(n, 1)`, `(1, n)` or one-hot `(n, classes)`.

    What is wrong with it joins the others; the answer then is empty.
    """
    nothing = np.zeros(0, np.int64)
    if not array.size:
        wrong.append(f"{name} is empty: {array.shape}")
        return nothing
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return _of_one_hot(array, name, wrong)
    if array.ndim != 1:
        wrong.append(f"{name} is {array.shape}, not (n,)")
    elif array.dtype.kind == "b":
        return array
    elif array.dtype.kind in "US":
        return _of_text(array, name, wrong)
    elif array.dtype.kind not in "iuf":
        wrong.append(f"{name} must be whole numbers or names, not {array.dtype}")
    else:
        broken = array[~((np.abs(array.astype(float)) < LARGEST) & (array == np.floor(array)))]
        if not len(broken):
            return array.astype(np.int64)
        wrong.append(f"{len(broken)} of {len(array)} {name} are not whole numbers: {few(broken.tolist())}")
    return nothing


def _of_one_hot(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[np.int64]:
    ones = array == 1
    right = (ones | (array == 0)).all(axis=1) & (ones.sum(axis=1) == 1)
    if right.all():
        return ones.argmax(axis=1).astype(np.int64)
    wrong.append(
        f"{name} is {array.shape}, and {(~right).sum()} of its rows are not one 1 among zeros: give every image "
        "one label; several at once, and probabilities, cannot be compared here"
    )
    return np.zeros(0, np.int64)


def _of_text(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[Any]:
    text = np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
    if empty := int((np.char.strip(text) == "").sum()):
        wrong.append(f"{empty} of {len(text)} {name} are empty")
        return np.zeros(0, np.int64)
    return text


def as_classes(
    labels: Mapping[str, NDArray[Any]], names: Sequence[str] | Mapping[str, str] | None, wrong: list[str]
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Each split's labels `(n,)` as int64 from 0, and the names of the classes; what is wrong joins the others.

    `labels` are those of "train", and "validation" and "test" where they are there: all bool, int64 or str. Classes are
    in the order of `names` where that is a list, else of the labels. Whole numbers without names must be all those from
    0, or from 1, to the largest: a gap may be a mark of images that have no label.
    """
    kinds = {of.dtype.kind for of in labels.values()}
    if len(kinds) > 1:
        wrong.append(f"labels are of several kinds: {few([f'{of.dtype} in {split}' for split, of in labels.items()])}")
        return {}, ()
    if kinds == {"b"}:
        labels = {split: of.astype(np.int64) for split, of in labels.items()}
        names = ["False", "True"] if names is None else names
    found = in_order({str(label) for of in labels.values() for label in np.unique(of).tolist()})
    if len(found) > MOST_CLASSES:
        wrong.append(f"there are {len(found):,} different labels; at most {MOST_CLASSES:,} classes can be compared")
        return {}, ()
    numbers = kinds != {"U"}
    if names is None and numbers and (gap := _gap(found)):
        wrong.append(gap)
    known, shown = _known(found, names, numbers)
    wrong += name_problems(shown)
    place = {label: index for index, label in enumerate(known)}
    coded = {split: _coded(of, place, names, split, wrong) for split, of in labels.items()}
    if len(shown) < 2:
        wrong.append(f"there is one class only ({few(shown)}); a classifier needs at least 2")
    for split, of in coded.items():
        empty = [shown[index] for index in sorted(set(range(len(shown))) - set(np.unique(of).tolist()))]
        if empty and split != "validation":
            wrong.append(f"{len(empty)} of {len(shown)} classes have no image in {split}: {few(empty)}")
    return coded, tuple(shown)


def _known(
    found: Sequence[str], names: Sequence[str] | Mapping[str, str] | None, numbers: bool
) -> tuple[list[str], list[str]]:
    """The labels that there may be, as text in the order of the classes, and the classes' names."""
    if names is None:
        return list(found), list(found)
    if isinstance(names, Mapping):
        known = in_order(names)
        return known, [names[label] for label in known]
    return [str(index) for index in range(len(names))] if numbers else list(names), list(names)


def _coded(
    of: NDArray[Any],
    place: Mapping[str, int],
    names: Sequence[str] | Mapping[str, str] | None,
    split: str,
    wrong: list[str],
) -> NDArray[np.int64]:
    values, inverse = np.unique(of, return_inverse=True)
    codes = np.array([place.get(str(value), -1) for value in values.tolist()], np.int64)[inverse.reshape(-1)]
    if outside := of[codes < 0].tolist():
        there = (
            f"{plural(len(place), 'class_name')} are for labels 0 … {len(place) - 1}"
            if not isinstance(names, Mapping) and of.dtype.kind != "U"
            else f"class_names has {few(list(place))}"
        )
        wrong.append(f"{len(outside)} of {len(of)} {split}_labels are not a class, such as {outside[0]}: {there}")
    return codes


def _gap(found: Sequence[str]) -> str:
    """What is wrong with whole numbers as classes, or nothing."""
    values = [int(label) for label in found]
    if values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1:
        return ""
    if len(values) == 1:
        return ""  # one class only, which has a sentence of its own
    return (
        f"the labels are {few(values, 4)}, with gaps, where 0, 1, 2, … is usual; if each of them is a class, say so: "
        f'class_names = {{ {values[0]} = "…", {values[1]} = "…"{", …" if len(values) > 2 else ""} }}'
    )


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their numbers where all are whole numbers, else in that of their text."""
    labels = list(labels)
    if all(re.fullmatch(r"[+-]?[0-9]+", label) for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def name_problems(names: Sequence[str]) -> list[str]:
    """What is wrong with the names of classes: one that is there twice, or two that look the same."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[unicodedata.normalize("NFC", name).strip()].append(name)
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    wrong = [f"class_names holds twice: {few(twice)}"] if twice else []
    several = [" and ".join(map(ascii, group)) for group in alike.values() if len(set(group)) > 1]
    if several:
        wrong.append(f"names of classes look the same: {few(several, 2)}; write them the same way")
    return wrong
