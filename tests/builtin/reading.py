"""What the tests of readers share: a dataset of a folder, loaded and checked, or the sentence that refuses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mnistarena import DataContext, DataError, Dataset
from mnistarena.data.dataset import check_dataset
from mnistarena.plugin.components import DatasetDef


class Reader:
    """Loads one of the datasets by its name, with paths that start at a folder."""

    def __init__(self, *definitions: DatasetDef) -> None:
        self.definitions = {definition.name: definition for definition in definitions}

    def __call__(self, name: str, base: Path, **params: Any) -> Dataset:
        definition = self.definitions[name]
        loaded = definition.load(definition.params(**params), DataContext(base / "cache", False, base_dir=base))
        return check_dataset(loaded, name) if len(loaded.test_labels) else loaded

    def refused(self, name: str, base: Path, **params: Any) -> str:
        """What the refusal says."""
        with pytest.raises(DataError) as caught:
            self(name, base, **params)
        return str(caught.value)
