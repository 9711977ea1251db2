"""Files that hold arrays by name, as `npz` and `mat` read them: which array is what, and the dataset they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field

from mnistarena.data.assemble import Part, assemble
from mnistarena.data.labels import NAMES_OF_CLASSES, ClassNames, flat_labels
from mnistarena.data.pixels import Layout, as_images
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, LeftOut, Params
from mnistarena.text import did_you_mean

SPLITS = ("train", "validation", "test")
KINDS = ("images", "labels", "groups", "names")
ROLES = ("class_names", *KINDS, *(f"{split}_{kind}" for split in SPLITS for kind in KINDS))
"""What an array may be used as."""

USUAL = {"images": ("images", "x", "data"), "labels": ("labels", "y", "targets"), "names": ("names",)}
"""Names of arrays where a file holds one split; whether in upper or lower case does not matter."""
SHORT = {"images": "x", "labels": "y"}
"""Keras' names, as in x_train."""
USUAL_VALIDATION = ("validation", "val", "valid")


def _roles(keys: dict[str, str]) -> dict[str, str]:
    for role in keys:
        if role not in ROLES:
            raise ValueError(f'"{role}" is no use of an array{did_you_mean(role, ROLES)}; known: {", ".join(ROLES)}')
    return keys


def _paths(path: Any) -> Any:
    """The parameter `path`: a text, or a table of the files of splits, "train" among them."""
    table = isinstance(path, dict) and {"train"} <= set(path) <= set(SPLITS)
    if not isinstance(path, str) and not (table and all(isinstance(text, str) for text in path.values())):
        raise ValueError('must be a file, or one a split, { train = "a", validation = "b", test = "c" }')
    return path


Paths = Annotated[str | dict[str, str], BeforeValidator(_paths)]
"""One file, or a table of one for each split."""


class KeyedParams(Params):
    """Parameters of npz and mat."""

    path: Paths = Field(description="the file, from the spec's folder; or one a split, { train = …, test = … }")
    keys: Annotated[dict[str, str], AfterValidator(_roles)] = Field(
        {},
        description=(
            'which array is what, such as { train_images = "a", train_labels = "b" }; needed where names are not '
            "train_images, x_train, images, … ; groups are texts or whole numbers, the same for what belongs together, "
            "names are texts that tell images apart"
        ),
    )
    train: str | None = Field(None, description='what names of arrays to train on begin or end with; "train"')
    test: str | None = Field(None, description='as train, to test on; "test", where there are such')
    validation: str | None = Field(None, description='as train, to validate on; "validation" or "val", likewise')
    groups: str | None = Field(
        None, description='what names of arrays with groups end with, such as "patient" for train_patient; "groups"'
    )
    layout: Layout | None = Field(
        None,
        description="order of the axes: N images, H rows, W columns, C channels; needed where the shape does not tell",
    )
    class_names: ClassNames = Field(None, description=NAMES_OF_CLASSES)


@dataclass
class Archive:
    """A file of arrays: their names, and how one is read. `used` are those that were asked for."""

    path: Path
    names: Sequence[str]
    _: KW_ONLY
    read: Callable[[str], NDArray[Any]]
    used: set[str] = field(default_factory=set)

    def take(self, name: str) -> NDArray[Any]:
        """An array, which then counts as used. Raises `DataError` where it is not there or cannot be read."""
        if name not in self.names:
            raise DataError(f"{self.path} has no array {name}; its arrays: {', '.join(self.names) or 'none'}")
        self.used.add(name)
        return self.read(name)


def load_keyed(
    params: KeyedParams, context: DataContext, reader: str, opened: Callable[[Path], Archive], *, last: bool = False
) -> Dataset:
    """The dataset that the arrays of one file, or of one a split, make; `last`: images may be along the last axis.

    Raises `DataError` with everything that is wrong.
    """
    given = params.path if isinstance(params.path, dict) else {"": params.path}
    archives = {split: opened(context.path(text)) for split, text in given.items()}
    where = reader if len(archives) > 1 else f"{reader}: {next(iter(archives.values())).path}"
    finder = _Finder(params, archives)
    found = {split: finder.of(split) for split in SPLITS}
    if finder.wrong:
        raise DataError(f"{where}: {'; '.join(finder.wrong)}")
    parts, wrong = {}, list[str]()
    for split, (archive, names) in found.items():
        if names:
            problems: list[str] = []
            parts[split] = _part(archive, names, params.layout, problems, last=last)
            wrong += problems if len(archives) == 1 else [f"{archive.path}: {problem}" for problem in problems]
    class_names = params.class_names or _class_names(archives.values(), params.keys.get("class_names"), wrong)
    left_out = [
        LeftOut(name if len(archives) == 1 else f"{archive.path.name}: {name}", "array that is not used")
        for archive in archives.values()
        for name in archive.names
        if name not in archive.used
    ]
    files = ", ".join(archive.path.name for archive in archives.values())
    source = f"the {reader} file{'s' if len(archives) > 1 else ''} {files}"
    return assemble(parts, where, wrong=wrong, class_names=class_names, source=source, left_out=left_out)


class _Finder:
    """Finds the array of each role; what is wrong is kept."""

    def __init__(self, params: KeyedParams, archives: Mapping[str, Archive]) -> None:
        self.params, self.archives = params, archives
        self.wrong: list[str] = []
        given = {split: getattr(params, split) for split in SPLITS}
        self.asked = {split for split in SPLITS if given[split] or split in archives} | {"train"}
        taken = {prefix for prefix in given.values() if prefix}
        usual = {"train": ("train",), "validation": USUAL_VALIDATION, "test": ("test",)}
        self.prefixes = {
            split: (given[split],) if given[split] else tuple(p for p in usual[split] if p not in taken)
            for split in SPLITS
        }
        if len(taken) < sum(prefix is not None for prefix in given.values()):
            self.wrong.append("train, test and validation must be different names")

    def of(self, split: str) -> tuple[Archive, dict[str, str]]:
        """The split's file and its arrays by kind; none where the dataset has no such split."""
        archive = self.archives.get("", self.archives.get(split))
        if archive is None:
            return next(iter(self.archives.values())), {}
        # In a file without names of splits, all is one split.
        whole = "" not in self.archives or (
            split == "train"
            and not self.params.train
            and (not self.params.keys.keys().isdisjoint(USUAL) or not self._names_splits(archive))
        )
        found = {kind: name for kind in KINDS if (name := self._find(archive, split, kind, whole=whole))}
        if self.params.groups and "groups" not in found and split == "train":
            self.wrong.append(f'{archive.path} has no array for groups = "{self.params.groups}" of its training images')
        missing = [kind for kind in ("images", "labels") if kind not in found]
        if len(missing) == 2 and split not in self.asked:
            return archive, {}
        if missing and not self.wrong:
            own = "" if "" in self.archives else f"{archive.path}: "
            called = [kind if own else f"{self.prefixes[split][0]}_{kind}" for kind in missing]
            self.wrong.append(
                f"{own}it has no {' and no '.join(called)}; its arrays: {', '.join(archive.names) or 'none'}; "
                f'say which is which: keys = {{ {split}_{missing[0]} = "…" }}'
            )
        return archive, found

    def _names_splits(self, archive: Archive) -> bool:
        """Whether an array is called as one of a split."""
        return any(self._named(archive, split, kind) for split in SPLITS for kind in ("images", "labels"))

    def _find(self, archive: Archive, split: str, kind: str, *, whole: bool) -> str | None:
        """The name of the one array of a kind."""
        keys = self.params.keys
        key = next((role for role in (f"{split}_{kind}", *([kind] if whole else [])) if role in keys), None)
        if key is not None:
            if keys[key] in archive.names:
                return keys[key]
            near = did_you_mean(keys[key], archive.names)
            self.wrong.append(f'keys: {key} = "{keys[key]}" is no array of {archive.path}{near}')
            return None
        candidates = self._named(archive, split, kind)
        if whole:
            usual = (self._groups(),) if kind == "groups" else USUAL[kind]
            candidates += [name for name in archive.names if name.casefold() in usual and name not in keys.values()]
        if len(candidates) > 1:
            self.wrong.append(
                f"{' and '.join(candidates)} of {archive.path} may each be {split}_{kind}; "
                f'say which: keys = {{ {split}_{kind} = "{candidates[0]}" }}'
            )
        return candidates[0] if candidates else None

    def _groups(self) -> str:
        return (self.params.groups or "groups").casefold()

    def _named(self, archive: Archive, split: str, kind: str) -> list[str]:
        """Arrays with names of a split, such as train_images and x_train; or those that `keys` gives it."""
        if key := self.params.keys.get(f"{split}_{kind}"):
            return [key]
        wanted = set()
        for prefix in self.prefixes[split]:
            word = self._groups() if kind == "groups" else kind
            wanted |= {f"{prefix}_{word}", f"{word}_{prefix}"}
            if kind in SHORT:
                wanted |= {f"{SHORT[kind]}_{prefix}", f"{prefix}_{SHORT[kind]}"}
        taken = self.params.keys.values()
        return [
            name for name in archive.names if name.casefold() in {w.casefold() for w in wanted} and name not in taken
        ]


def _part(archive: Archive, names: Mapping[str, str], layout: Layout | None, wrong: list[str], *, last: bool) -> Part:
    """The arrays of a split."""
    labels = flat_labels(archive.take(names["labels"]), names["labels"], wrong)
    count = len(labels) if last and len(labels) else None
    images = as_images(archive.take(names["images"]), names["images"], wrong, layout=layout, count=count)
    further = {kind: archive.take(names[kind]).reshape(-1) for kind in ("groups", "names") if kind in names}
    if not wrong and len(images) != len(labels):
        wrong.append(f"there are {len(images)} {names['images']} but {len(labels)} {names['labels']}")
    for kind, array in further.items():
        if array.dtype.kind not in ("iuUS" if kind == "groups" else "US"):
            what = "whole numbers or texts" if kind == "groups" else "texts"
            wrong.append(f"{names[kind]} must be {what} (n,), not {array.dtype}")
        elif not wrong and len(array) != len(labels):
            wrong.append(f"there are {len(array)} {names[kind]} but {len(labels)} {names['labels']}")
        elif array.dtype.kind == "S":
            further[kind] = np.char.decode(array, "utf-8", "replace")
    of_names = further["names"].tolist() if "names" in further and not wrong else None
    return Part(images, labels, groups=further.get("groups"), names=of_names)


def _class_names(archives: Iterable[Archive], key: str | None, wrong: list[str]) -> list[str] | None:
    """The names of the classes, where a file has them as an array; what is wrong with it joins the others."""
    name = key or "class_names"
    for archive in archives:
        if name in archive.names:
            names = archive.take(name)
            if names.ndim == 2 and 1 in names.shape:
                names = names.reshape(-1)
            if names.ndim == 1 and names.dtype.kind == "U":
                return names.tolist()
            wrong.append(f"{name} must be an array of str (n,), not {names.dtype} {names.shape}")
            return None
    if key:
        wrong.append(f'keys: class_names = "{key}" is no array that is there')
    return None
