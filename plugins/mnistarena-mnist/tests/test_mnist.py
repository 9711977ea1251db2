"""The original files load; where one was changed, an error names it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import mnistarena_mnist
import numpy as np
import pytest

import mnistarena.testing
from mnistarena import DataContext, DataError

(MNIST,) = mnistarena_mnist.arena_datasets()


def load():
    return MNIST.load(MNIST.params(), DataContext(Path("/nonexistent"), download=False))


def test_it_is_mnist():
    data = load()
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.test_images.shape == (10000, 1, 28, 28)
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64
    assert list(np.bincount(data.train_labels)) == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert list(data.train_labels[:5]) == [5, 0, 4, 1, 9]
    assert list(data.test_labels[:5]) == [7, 2, 1, 0, 4]
    assert round(float(data.train_images.mean()) / 255, 4) == 0.1307


def test_it_knows_the_fifteen_label_errors_its_licence_and_its_authors():
    data = load()
    assert len(data.known_label_errors) == 15
    assert 947 in data.known_label_errors
    assert "CC BY-SA 3.0" in data.licence
    assert "LeCun" in data.source


@pytest.fixture
def copies(tmp_path, monkeypatch):
    shutil.copytree(mnistarena_mnist.DATA, tmp_path / "data")
    monkeypatch.setattr(mnistarena_mnist, "DATA", tmp_path / "data")
    return tmp_path / "data"


def test_an_altered_file_is_named_with_both_checksums(copies):
    file = copies / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[100] ^= 1
    file.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError) as caught:
        load()
    assert "t10k-labels-idx1-ubyte.gz" in str(caught.value)
    assert mnistarena_mnist.DIGESTS[file.name] in str(caught.value)


def test_a_truncated_file_is_named(copies):
    file = copies / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(DataError) as caught:
        load()
    assert "train-images-idx3-ubyte.gz is damaged (it ends too early)" in str(caught.value)
    assert f"expected {mnistarena_mnist.DIGESTS[file.name]}" in str(caught.value)


def test_a_missing_file_is_named(copies):
    (copies / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz is missing"):
        load()


@mnistarena.testing.parametrize("mnist")
def test_it_keeps_the_promises_of_a_dataset(check):
    check.run()
