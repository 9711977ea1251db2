"""What the tests of readers share: a dataset of a folder, loaded and checked, or the sentence that refuses it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

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


def pixels(n: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise, `(n, *shape)`."""
    return np.random.RandomState(seed).randint(0, 256, (n, *shape), dtype=np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    """An image as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def write(path: Path, *lines: str) -> None:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def left_out(loaded: Dataset) -> list[tuple[str, str]]:
    """What a reader did not take, and why."""
    return [(one.name, one.reason) for one in loaded.left_out]


def four_arrays(**changes: Any) -> dict[str, NDArray[Any]]:
    """Two classes, six images to train and four to test on."""
    random = np.random.RandomState(1)
    return {
        "train_images": random.randint(0, 256, (6, 5, 4), dtype=np.uint8),
        "train_labels": np.arange(6, dtype=np.uint8) % 2,
        "test_images": random.randint(0, 256, (4, 5, 4), dtype=np.uint8),
        "test_labels": np.arange(4) % 2,
        **changes,
    }
