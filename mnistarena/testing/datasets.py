"""What a dataset promises."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena import data
from mnistarena.components import DataContext, Dataset
from mnistarena.errors import DataError, MissingDataError
from mnistarena.resolve import data_dir as usual_data_dir
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, raised
from mnistarena.testing.subject import Subject
from mnistarena.text import few


class DatasetSubject(Subject):
    """A dataset, loaded from this machine; nothing is fetched."""

    kind = "dataset"

    def __init__(
        self, definition: Any, module: str, params: Mapping[str, Any], data_dir: str | Path | None = None
    ) -> None:
        super().__init__(definition, module, params)
        self.context = DataContext(Path(data_dir or usual_data_dir()), download=False, base_dir=Path.cwd())

    def checks(self) -> list[Check]:
        """The checks of a dataset."""
        return [
            *super().checks(),
            Check("loads", "arrays of the promised types, shapes and labels", self.check_loads),
            Check("values", "images use the range from 0 to 255", self.check_values),
            Check("classes", "class names differ, and each class has training images", self.check_classes),
            Check("index", "known_label_errors are rows of the test split", self.check_index),
            Check("splits-apart", "no test image is a training image", self.check_apart),
            Check("same-arrays", "loading again gives the same arrays", self.check_same),
            Check("missing-data", "data that is not there is a DataError", self.check_missing),
        ]

    @cached_property
    def loaded(self) -> Dataset:
        """The dataset; `NotApplicable` where it is not here or not what it should be."""
        params = self.params
        try:
            found = self.definition.load(params, self.context)
        except MissingDataError as problem:
            raise NotApplicable('its data is not on this machine: see "loads"') from problem
        except Exception as problem:
            raise NotApplicable('it could not be loaded: see "loads"') from problem
        try:
            return data.check(found, self.definition.name)
        except DataError as problem:
            raise NotApplicable('its arrays are not what they should be: see "loads"') from problem

    def check_loads(self) -> None:
        """Everything that `Dataset` promises of its arrays."""
        try:
            data.check(self.definition.load(self.params, self.context), self.definition.name)
        except MissingDataError as problem:
            raise NotApplicable(f"its data is not on this machine: {problem}") from problem

    def check_values(self) -> None:
        """Images in [0, 1] that were cast to uint8 are black."""
        for split in ("train", "test"):
            images = getattr(self.loaded, f"{split}_images")
            low, high = int(images.min()), int(images.max())
            if high <= 1:
                raise Nonconformity(
                    f"the {split} images run from {low} to {high}; uint8 images run to 255, which becomes 1: multiply "
                    "those in [0, 1] by 255 before the cast"
                )

    def check_classes(self) -> None:
        """Names that a reader can tell apart, and something to learn of each."""
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
        """Indices, each once."""
        rows, n = self.loaded.known_label_errors, len(self.loaded.test_labels)
        outside = [row for row in rows if not 0 <= row < n]
        if outside or len(set(rows)) < len(rows):
            raise Nonconformity(
                f"known_label_errors must be different rows of the {n} test images; "
                + (f"found {few(outside)}" if outside else "some occur twice")
            )

    def check_apart(self) -> None:
        """Exact duplicates, by their bytes."""
        where: dict[bytes, int] = {}
        for row, image in enumerate(self.loaded.train_images):
            where.setdefault(image.tobytes(), row)
        shared = [
            f"test image {row} is training image {where[key]}"
            for row, image in enumerate(self.loaded.test_images)
            if (key := image.tobytes()) in where
        ]
        if shared:
            raise Nonconformity(
                f"{len(shared)} of {len(self.loaded.test_images)} test images are training images as well "
                f"({few(shared)}); take them out of one split, or say why in expected_failures"
            )

    def check_same(self) -> None:
        """The fingerprint is part of every trial's identity."""
        first = self.loaded
        again = data.check(self.definition.load(self.params, self.context), self.definition.name)
        for name in ("train_images", "train_labels", "test_images", "test_labels"):
            if not np.array_equal(getattr(first, name), getattr(again, name)):
                raise Nonconformity(f"loading twice gave other {name}; seed what is drawn, and sort what is listed")
        if data.fingerprint(first) != data.fingerprint(again):
            raise Nonconformity("loading twice gave another fingerprint: class names or shapes differ")

    def check_missing(self) -> None:
        """Out of an empty folder: all of it (embedded data), or an error that says what to do."""
        params = self.params
        with tempfile.TemporaryDirectory() as folder:
            nothing = DataContext(Path(folder) / "data", download=False, base_dir=Path(folder))
            try:
                self.definition.load(params, nothing)
            except DataError as problem:
                if not str(problem).strip():
                    raise Nonconformity("without its data, load raised a DataError without a word") from problem
            except Exception as problem:
                raise Nonconformity(
                    f"without its data, load raised {raised(problem)}; raise mnistarena.MissingDataError that says "
                    "which file is missing and where to get it"
                ) from problem
