"""The checks of a dataset."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena.data.audit import audit, look
from mnistarena.data.dataset import check_dataset, fingerprint
from mnistarena.data.duplicates import equal_images
from mnistarena.errors import DataError, MissingDataError
from mnistarena.paths import data_dir as usual_data_dir
from mnistarena.plan.audit_sentences import wrong_ranges
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, describe
from mnistarena.testing.component import ComponentUnderTest
from mnistarena.text import few


class DatasetUnderTest(ComponentUnderTest):
    """A dataset, loaded from this machine; nothing is downloaded."""

    kind = "dataset"
    definition: DatasetDef

    def __init__(
        self,
        definition: DatasetDef,
        module: str | os.PathLike[str],
        params: Mapping[str, Any],
        *,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(definition, module, params)
        self.context = DataContext(Path(data_dir or usual_data_dir()), download=False, base_dir=Path.cwd())

    def checks(self) -> list[Check]:
        """The checks of a dataset."""
        return [
            *super().checks(),
            Check("loads", "arrays have the promised types, shapes and labels", function=self.check_loads),
            Check("values", "images use the range from 0 to 255, in both splits", function=self.check_values),
            Check("classes", "class names differ, and each class has training images", function=self.check_classes),
            Check("index", "known_label_errors are rows of the test split", function=self.check_index),
            Check("splits-apart", "no test image is also a training image", function=self.check_apart),
            Check("same-arrays", "loading again gives the same arrays", function=self.check_same),
            Check("missing-data", "where its data is missing, load raises a DataError", function=self.check_missing),
        ]

    def load(self) -> Dataset:
        """Load it and check its arrays; `MissingDataError` where its data is not on this machine."""
        return check_dataset(self.definition.load(self.params, self.context), self.definition.name)

    @cached_property
    def loaded(self) -> Dataset:
        """The dataset; `NotApplicable` where the check "loads" fails or is skipped."""
        _ = self.params
        try:
            return self.load()
        except MissingDataError as problem:
            raise NotApplicable('its data is not on this machine: see "loads"') from problem
        except Exception as problem:
            raise NotApplicable('it could not be loaded: see "loads"') from problem

    def check_loads(self) -> None:
        """The arrays are what `Dataset` says: uint8 images `(n, C, H, W)`, int64 labels of the classes."""
        try:
            self.load()
        except MissingDataError as problem:
            raise NotApplicable(f"its data is not on this machine: {problem}") from problem

    def check_values(self) -> None:
        """Images use the same range in both splits, not that of [0, 1] after a cast to uint8."""
        found = audit(self.loaded, look(self.loaded), "", draws={})
        if wrong := list(wrong_ranges(found)):
            raise Nonconformity("; ".join(wrong))

    def check_classes(self) -> None:
        """Class names are different strings, and each class has a training image."""
        names = self.loaded.class_names
        twice = [name for name, n in Counter(names).items() if n > 1]
        if twice:
            raise Nonconformity(f"class names that occur twice: {few(twice)}; the report could not tell them apart")
        odd = [name for name in names if not isinstance(name, str) or not name.strip()]
        if odd:
            raise Nonconformity(f"class names must be strings that are not empty; found {few(odd)}")
        counts = np.bincount(self.loaded.train_labels, minlength=len(names))
        empty = [f'"{name}"' for name, n in zip(names, counts, strict=True) if n == 0]
        if empty:
            raise Nonconformity(f"classes without a training image: {few(empty)}; leave them out of class_names")

    def check_index(self) -> None:
        """The known label errors are rows of the test split, each once."""
        rows, n = self.loaded.known_label_errors, len(self.loaded.test_labels)
        outside = [row for row in rows if not 0 <= row < n]
        if outside or len(set(rows)) < len(rows):
            raise Nonconformity(
                f"known_label_errors must be different rows of the {n} test images; "
                + (f"found {few(outside)}" if outside else "some occur twice")
            )

    def check_apart(self) -> None:
        """No test image has the same bytes as a training image."""
        n_train = len(self.loaded.train_images)
        firsts = equal_images([self.loaded.train_images, self.loaded.test_images])[n_train:]
        shared = [f"test image {row} is training image {first}" for row, first in enumerate(firsts) if first < n_train]
        if shared:
            raise Nonconformity(
                f"{len(shared)} of {len(self.loaded.test_images)} test images are training images as well "
                f"({few(shared)}); take them out of one split, or say why in expected_failures"
            )

    def check_same(self) -> None:
        """Loading twice gives the same arrays: their fingerprint is part of every trial's identity."""
        first, second = self.loaded, self.load()
        for name in ("train_images", "train_labels", "test_images", "test_labels"):
            if not np.array_equal(getattr(first, name), getattr(second, name)):
                raise Nonconformity(f"loading twice gave other {name}; seed what is drawn, and sort what is listed")
        if fingerprint(first) != fingerprint(second):
            raise Nonconformity("loading twice gave another fingerprint: class names or shapes differ")

    def check_missing(self) -> None:
        """With an empty data folder, the data loads anyway (it is embedded), or a `DataError` says what to do."""
        params = self.params
        with tempfile.TemporaryDirectory() as folder:
            nothing = DataContext(Path(folder) / "data", download=False, base_dir=Path(folder))
            try:
                self.definition.load(params, nothing)
            except DataError as problem:
                if not str(problem).strip():
                    raise Nonconformity("without its data, load raised a DataError that has no text") from problem
            except Exception as problem:
                raise Nonconformity(
                    f"without its data, load raised {describe(problem)}; raise mnistarena.MissingDataError that says "
                    "which file is missing and where to get it"
                ) from problem
