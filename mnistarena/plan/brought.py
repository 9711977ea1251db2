"""Recipes of models that were trained elsewhere: their trials are predictions that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mnistarena.data.brought import Brought, Said, TestImages, brought, by_seed
from mnistarena.data.brought_files import find_files, from_array, read_predictions, seeds_of
from mnistarena.errors import ArenaError, DataError
from mnistarena.plan.recipe import LoadedDataset, Recipe, Trial
from mnistarena.plugin.components import ModelDef, Params, Task
from mnistarena.plugin.discovery import CORE, Plugin
from mnistarena.plugin.messages import Identity
from mnistarena.plugin.predictions import Predictions
from mnistarena.plugin.registry import Component
from mnistarena.plugin.split_identity import SplitIdentity
from mnistarena.spec import schema
from mnistarena.spec.brought import BroughtTable
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.store.records import BroughtRecord, RecipeRecord
from mnistarena.text import few
from mnistarena.version import __version__

SUMMARY = "predictions brought from outside"


@dataclass(frozen=True)
class BroughtRecipe(Recipe):
    """What a model that was trained elsewhere says of one dataset, by seed."""

    _: KW_ONLY
    predictions: Mapping[int, Brought]

    @property
    def name(self) -> str:
        """The recipe's name to show."""
        return f"{self.label} ({SUMMARY}) on {self.data.label}"

    @cached_property
    def _identity(self) -> Identity:
        return {}

    def identity(self, seed: int, split: int | None) -> Identity:
        """The predictions, and the test images that they are of; the training images here are not theirs."""
        found = super().identity(seed, split)
        dataset: SplitIdentity = {**found["dataset"], "validation": 0, "train_limit": None}
        if dataset["test_limit"] is None or "test_seed" in dataset:  # it draws training images alone
            dataset["split_seed"] = 0
        return {**found, "dataset": dataset, "predictions": self.predictions[seed].digest}

    def predicted(self, trial: Trial) -> Predictions:
        """What a trial's seed predicts of the tested images."""
        found, rows = self.predictions[trial.seed], trial.draw.split.test
        return Predictions(
            trial.draw.dataset.test_labels[rows],
            found.values,
            index=rows,
            output=found.output,
            n_classes=self.data.dataset.n_classes,
        )

    def describe(self) -> RecipeRecord:
        """The recipe in plan.json."""
        files: list[BroughtRecord] = [
            {"seed": seed, "file": found.source, "sha256": found.digest} for seed, found in self.predictions.items()
        ]
        return {**super().describe(), "model": self.label, "brought": files}


def brought_recipe(
    table: BroughtTable, data: LoadedDataset, path: KeyPath, *, base: Path, several: bool
) -> BroughtRecipe:
    """The recipe of a table on a dataset; `base` is the spec's folder, `several`: the spec has several datasets.

    Raises `DataError` where its predictions cannot be read, or are not of these test images.
    """
    if (scheme := _scheme(data)) is not None:
        raise DataError(
            f'predictions that were brought are of one test split, and "{scheme}" draws several from all images of '
            f'"{data.label}"; leave "{scheme}" out, or this model'
        )
    images = TestImages(
        data.dataset.test_labels,
        data.dataset.class_names,
        names=data.dataset.test_names,
        rows=data.first.split.test,
    )
    said = _said(table, data, base=base, several=several)
    found = {seed: brought(one, images) for seed, one in sorted(said.items())}
    outputs = {one.output for one in found.values()}
    if len(outputs) > 1:
        raise DataError(f"some seeds give {', others '.join(sorted(outputs))}; give the same of all")
    if table.deterministic and len(found) > 1:
        raise DataError(
            f"deterministic = true says that one seed is enough, and there are {len(found)}; leave one of them"
        )
    return BroughtRecipe(
        table.label,
        data,
        model=_component(table, next(iter(found.values()))),
        params=Params(),
        transforms=(),
        training=schema.Training(),
        seeds=tuple(found),
        own_seeds=True,
        notes=(_note(table.label, found),),
        path=path,
        predictions=found,
    )


def files_of(table: BroughtTable, dataset: str, base: Path, *, several: bool) -> dict[int, Path | Any]:
    """The file, or the array, of each seed; with a column of seeds in a file, its number says nothing.

    Raises `DataError` where a file is not there, or not told apart by dataset.
    """
    given = table.predictions
    texts = [one for one in _values(given) if isinstance(one, str)]
    if several and (len(texts) < len(_values(given)) or not all("{dataset}" in text for text in texts)):
        raise DataError(
            "the spec has several datasets: write {dataset} in the path of each file, where the label of a dataset "
            'stands, such as "results/{dataset}/*.csv"'
        )

    def files(text: str) -> list[Path]:
        return find_files(text.replace("{dataset}", dataset), base)

    if isinstance(given, str):
        found = files(given)
        return dict(zip(seeds_of(found), found, strict=True))
    if isinstance(given, list):
        every = [one for value in given for one in (files(value) if isinstance(value, str) else [value])]
        return dict(enumerate(every))
    by_number: dict[int, Path | Any] = {}
    for seed, value in given.items():
        named = files(value) if isinstance(value, str) else [value]
        if len(named) > 1:
            raise DataError(
                f'"{value}" is {len(named)} files ({few([one.name for one in named])}); name one for seed {seed}'
            )
        by_number[seed] = named[0]
    return by_number


def _said(table: BroughtTable, data: LoadedDataset, *, base: Path, several: bool) -> dict[int, Said]:
    """What is said with each seed."""
    found: dict[int, Said] = {}
    given = files_of(table, data.label, base, several=several)
    for number, one in given.items():
        if isinstance(one, Path):
            source = str(one.relative_to(base)) if one.is_relative_to(base) else str(one)
            said = read_predictions(one, source, data.dataset.class_names)
        else:
            said = from_array(one, f"the array of seed {number}")
        for seed, part in by_seed(said).items():
            own = number if seed is None else seed
            if own in found:
                raise DataError(f"{found[own].source} and {part.source} both give seed {own}; give each seed once")
            found[own] = part
    return found


def _values(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) else list(given.values() if isinstance(given, dict) else given)


def _scheme(data: LoadedDataset) -> str | None:
    if not data.table.pooled:
        return None
    return "folds" if data.table.folds is not None else "splits"


def _note(label: str, found: Mapping[int, Brought]) -> str:
    files = few([f"{one.source} (seed {seed})" if one.is_file else one.source for seed, one in found.items()], 5)
    return f"{label}: {SUMMARY}: {files}; how it was trained, and whether it saw the test images, is not known here"


def _component(table: BroughtTable, one: Brought) -> Component:
    """What stands for the model, of which nothing is known."""

    def build(params: Params, task: Task) -> Any:
        raise ArenaError(f'the predictions of "{table.label}" were brought from outside: there is no model')

    definition = ModelDef(
        table.label,
        SUMMARY,
        params=Params,
        build=build,
        deterministic=table.deterministic,
        output=one.output,
        uses=(),
    )
    return Component("model", definition, plugin=Plugin("predictions", CORE, version=__version__))
