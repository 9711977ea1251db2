"""`image-folder`: your own image files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from mnistarena.data.file_kind import kind_of, read_head
from mnistarena.data.folders import File, files_below, is_hidden, printable, same_name
from mnistarena.data.image_lists import ImageParams, read_images
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, LeftOut
from mnistarena.plugin.hooks import hookimpl
from mnistarena.text import few, plural

SPLIT_WORDS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation"}
"""Names of folders that are rather a split than a class."""


class ImageFolderParams(ImageParams):
    """Parameters of image-folder."""

    path: str = Field(
        description="folder that holds train/CLASS/ and test/CLASS/, or CLASS/ alone, from the spec's folder"
    )
    train: str = Field(
        "train",
        min_length=1,
        description='name of the folder of the images to train on; "." where the classes lie in the folder itself',
    )
    test: str = Field("test", min_length=1, description="name of the folder of the images to test on")
    validation: str | None = Field(
        None, min_length=1, description="name of the folder of the images to validate on, such as val"
    )
    groups: str | None = Field(
        None,
        description="regular expression that finds, in an image's path below the folder, what it belongs to, such as "
        r"'patient(\d+)': its first group, or the one named group",
    )

    @field_validator("groups")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and not re.compile(pattern).groups:
                raise ValueError("needs a part in parentheses, which is the group's name")
        except re.error as problem:
            raise ValueError(f"is no regular expression: {problem}") from problem
        return pattern


@dataclass(frozen=True)
class _Found:
    """The images of each split with the name of their class, in the order of classes and paths."""

    splits: Mapping[str, Sequence[tuple[str, File]]]
    _: KW_ONLY
    folders: Mapping[str, str]
    left_out: Sequence[LeftOut]

    def classes(self, split: str) -> list[str]:
        """The names of the classes with images in a split, sorted."""
        return sorted({label for label, _ in self.splits.get(split, ())})


def load_image_folder(params: ImageFolderParams, context: DataContext) -> Dataset:
    """Images from `train/CLASS/` and `test/CLASS/`, or `CLASS/` alone, classes in the order of their names.

    What `mnistarena.data.images` says is done to each. Raises `DataError` that names and counts what cannot be used.
    """
    root = context.path(params.path)
    where = f"image-folder: {root}"
    found = _find(root, where, params)
    classes = found.classes("train")
    files = [(split, label, file) for split in ("train", "validation", "test") for label, file in found.splits[split]]
    read = read_images([(file.name, file.path) for _, _, file in files], params, where=where)
    kept = [files[row] for row in read.rows]
    counts = Counter(split for split, _, _ in kept)
    _check_classes_kept(where, found, kept)
    train = counts["train"] + counts["validation"]
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[label] for _, label, _ in kept], np.int64)
    names = [file.name for _, _, file in kept]
    groups = None if params.groups is None else _groups(params.groups, names, where)
    return Dataset(
        read.images[:train],
        labels[:train],
        test_images=read.images[train:],
        test_labels=labels[train:],
        class_names=tuple(classes),
        train_groups=None if groups is None else groups[:train],
        test_groups=None if groups is None or train == len(names) else groups[train:],
        validation_rows=np.arange(counts["train"], train) if counts["validation"] else None,
        train_names=names[:train],
        test_names=names[train:],
        left_out=(*found.left_out, *read.left_out),
        source=f"the image folder {root.resolve().name}",
    )


def _find(root: Path, where: str, params: ImageFolderParams) -> _Found:
    """Every image file below the folder with its split and class; all others with the reason why they are left out."""
    if root.is_file():
        kind = kind_of(read_head(root))
        unpack = "; unpack it" if "archive" in kind or "zip" in kind else ""
        raise DataError(f"{where}: it is {kind or 'a file'}, not a folder{unpack}")
    if not root.is_dir():
        raise DataError(f"{where}: there is no such folder")
    files = list(files_below(root))
    folders = _split_folders(root, where, params, files)
    of_folder = {folder: split for split, folder in folders.items()}
    splits: dict[str, list[tuple[str, File]]] = {"train": [], "validation": [], "test": []}
    left_out: list[LeftOut] = []
    depth = 0 if folders["train"] == "" else 1
    for file in files:
        split = of_folder.get("" if depth == 0 else file.parts[0] if len(file.parts) > 1 else "/")
        reason = file.no_image
        if reason is None and split is None:
            reason = "in no split" if len(file.parts) > 1 else "beside the folders of the splits"
        if reason is None and len(file.parts) == depth + 1:
            reason = "beside the folders of the classes"
        if reason is None and split is not None:
            splits[split].append((same_name(file.parts[depth]), file))
        elif reason is not None:
            left_out.append(LeftOut(file.name, reason))
    for of_split in splits.values():
        of_split.sort(key=lambda one: (one[0], one[1].parts))
    found = _Found(splits, folders=folders, left_out=left_out)
    wrong = _class_problems(root, found)
    if wrong:
        raise DataError(f"{where}: {'; '.join(wrong)}")
    return found


def _split_folders(root: Path, where: str, params: ImageFolderParams, files: Sequence[File]) -> dict[str, str]:
    """The name of each split's folder; "" for the whole folder, where it is one split."""
    inside = _folders(root)
    wanted = {"train": params.train, "test": params.test, "validation": params.validation}
    usual = {split: ImageFolderParams.model_fields[split].default for split in wanted}  # a plan names them all
    asked = {split for split, name in wanted.items() if name != usual[split]}
    if params.train == ".":
        if asked != {"train"}:
            raise DataError(f'{where}: with train = "." its folders are classes: leave test and validation out')
        return {"train": ""}
    there = {split: name for split, name in wanted.items() if name is not None and name in inside}
    missing = [f"{wanted[split]}/" for split in ("train", "test", "validation") if split in asked - set(there)]
    if not missing and "train" not in there and there:
        missing = [f"{params.train}/"]
    shown = few([f"{name}/" for name in inside], 10) or "none"
    if missing:
        raise DataError(f"{where}: it has no folder {' and no '.join(missing)}; its folders: {shown}")
    if "train" in there:
        others = [name for name in inside if name not in there.values()]
        if "test" not in there and others:
            raise DataError(
                f"{where}: it has no folder {params.test}/, but {few([f'{name}/' for name in others], 10)}: write "
                f'test = "{others[0]}" or validation = "{others[0]}" for one, and move others elsewhere; or '
                'train = "." where all are classes'
            )
        return there
    words = [name for name in inside if name.lower() in SPLIT_WORDS]
    if words and len(words) >= min(2, len(inside)):
        words.sort(key=lambda name: not name.lower().startswith("tr"))
        example = ", ".join(f'{split} = "{name}"' for split, name in zip(("train", "test"), words, strict=False))
        raise DataError(f"{where}: its folders are named as splits, not as classes: {shown}; write which, as {example}")
    if not inside:
        flat = sum(file.no_image is None for file in files)
        raise DataError(f"{where}: {_flat(flat) if flat else 'it holds no folder and no image'}")
    return {"train": ""}


def _flat(images: int) -> str:
    return (
        f"{plural(images, 'image')} in no folder of a class: where a table says the class of each, such as labels.csv, "
        'use the dataset "table"'
    )


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not is_hidden(entry.name))


def _class_problems(root: Path, found: _Found) -> list[str]:
    """What keeps the folders of the splits from being classes, each with images to train on and to test on."""
    wrong = []
    for split, folder in found.folders.items():
        inside = _folders(root / folder)
        shown = f"{folder}/" if folder else "it"
        if not inside:
            flat = sum(one.reason == "beside the folders of the classes" for one in found.left_out)
            wrong.append(f"{shown} holds no folder of a class" + (f": {_flat(flat)}" if flat else ""))
        twice = [name for name, n in Counter(map(same_name, inside)).items() if n > 1]
        if twice:
            wrong.append(f"{shown} has two folders of one name, written in two ways of Unicode: {few(twice)}; make one")
        empty = sorted({same_name(name) for name in inside} - set(found.classes(split)))
        if empty:
            shown = few([f"{folder}/{name}" if folder else name for name in empty])
            count = plural(len(empty), "folder of a class", "folders of classes")
            wrong.append(f"no image in {count}: {shown}; {few(_reasons(found))}".rstrip("; "))
    if wrong:
        return wrong
    train = found.classes("train")
    for split, other in (("train", "test"), ("test", "train"), ("validation", "train")):
        if {split, other} <= set(found.folders):
            of_split = found.classes(split)
            if alone := [name for name in of_split if name not in found.classes(other)]:
                names = f"{found.folders[split]}/ but not in {found.folders[other]}/: {few(alone)}"
                wrong.append(f"{len(alone)} of {len(of_split)} classes are in {names}")
    if not wrong and len(train) == 1:
        below = root / found.folders["train"] / train[0]
        meant = "" if found.folders["train"] or not _folders(below) else f'; is path = "…/{train[0]}" meant?'
        wrong.append(f"there is one class only ({train[0]}); a classifier needs at least 2{meant}")
    return wrong


def _reasons(found: _Found) -> list[str]:
    """How many files were left out for each reason."""
    counts = Counter(one.reason for one in found.left_out).most_common()
    return [f"{plural(count, 'file')} left out ({reason})" for reason, count in counts]


def _check_classes_kept(where: str, found: _Found, kept: Sequence[tuple[str, str, File]]) -> None:
    """Images that were skipped must leave some of each class."""
    remain = {(split, label) for split, label, _ in kept}
    lost = [
        f"{printable(folder)}/{label}" if folder else label
        for split, folder in found.folders.items()
        for label in found.classes(split)
        if (split, label) not in remain
    ]
    if lost:
        count = plural(len(lost), "folder of a class", "folders of classes")
        raise DataError(f"{where}: no image of {count} can be read: {few(lost)}")


def _groups(pattern: str, names: Sequence[str], where: str) -> NDArray[np.int64]:
    """A number for each image, the same where the pattern finds the same text in their names."""
    matches = [re.search(pattern, same_name(name)) for name in names]
    missing = [name for name, match in zip(names, matches, strict=True) if match is None or match[_key(match)] is None]
    if missing:
        raise DataError(
            f"{where}: groups = '{pattern}' finds nothing in {len(missing)} of {len(names)}: {few(missing)}"
        )
    texts = [match[_key(match)] for match in matches if match is not None]
    return np.unique(np.array(texts), return_inverse=True)[1].astype(np.int64)


def _key(match: re.Match[str]) -> str | int:
    return "group" if "group" in match.re.groupindex else 1


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`image-folder`."""
    summary = "your own image files, in train/CLASS/ and test/CLASS/, or in CLASS/ alone"
    return [DatasetDef("image-folder", summary, params=ImageFolderParams, load=load_image_folder)]
